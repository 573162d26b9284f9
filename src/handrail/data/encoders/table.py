"""From typed columns to the numbers that a network takes; learned from training rows only.

The encoder is the first layer of the pipeline: it moves, is saved, is exported and serves with the network.
`prepare` looks words up in the vocabulary and hands over three tensors; `forward` is arithmetic alone, so
that it can be traced:

    numbers [rows, n] float64 with NaN for missing   → impute, flag, scale
    codes   [rows, c] int64, 0 for rare and unseen   → one-hot, or passed on to be embedded
    moments [rows, t] float64 seconds, NaN missing   → elapsed time and the phases of year, week and day
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from handrail.data.columns.schema import Schema
from handrail.data.columns.together import number_blocks
from handrail.data.columns.values import as_dates
from handrail.data.columns.writing import write_dates
from handrail.data.encoders.impute_and_scale import (
    AffineScale,
    CyclicTime,
    Impute,
    OneHot,
    QuantileScale,
    bound,
)
from handrail.data.stores.store import Stores
from handrail.layers.embedding import EmbedColumns, embedding_width
from handrail.recipe.sections import Encoding
from handrail.shapes import TableShape

_ROWS = 16384  # at once
_FITTED = 1 << 22  # numbers from which scales are learned at once
_LEARNED = ("levels", "flagged", "rare", "daytime", "repeated", "whole")
_OFTEN, _FEWEST = 0.05, 20  # share of the rows, and rows, from which on a number counts as repeated


class Raw(NamedTuple):
    """Rows as tensors before anything learned is applied."""

    numbers: Tensor
    codes: Tensor
    moments: Tensor


class TableEncoder(nn.Module):
    """Impute → scale → one-hot or embed; fitted by `TableEncoder.fit`, applied by `forward`."""

    def __init__(
        self,
        schema: Schema,
        encoding: Encoding,
        *,
        levels: dict[str, list[str]],
        flagged: list[int],
        rare: dict[str, list[str]],
        daytime: list[bool],
        repeated: Mapping[str, Sequence[Sequence[float]]] = MappingProxyType({}),
        whole: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.schema, self.encoding = schema, encoding
        self.levels, self.flagged, self.rare, self.daytime = levels, flagged, rare, daytime
        self.repeated = dict(repeated)  # pairs of a number and the same as it is encoded
        self.whole = list(whole)  # the numeric columns in which every number of the training rows is one
        self.number_names = [column.name for column in schema.of_kind("numeric", "boolean")]
        self.category_names = [column.name for column in schema.of_kind("category")]
        self.moment_names = [column.name for column in schema.of_kind("datetime")]
        scaled = [column.kind == "numeric" for column in schema.of_kind("numeric", "boolean")]
        how, width = encoding.scaling, len(self.number_names)
        self.impute = Impute(width, flagged)
        self.scale = QuantileScale(width, scaled) if how == "quantile" else AffineScale(how, width, scaled)
        self.time = CyclicTime(daytime)
        one_hot = [] if encoding.categories == "embedding" else self.category_names
        self.onehot = OneHot([len(levels[name]) for name in one_hot], [bool(rare[name]) for name in one_hot])

    @classmethod
    def fit(
        cls,
        frame: pl.DataFrame,
        schema: Schema,
        encoding: Encoding,
        *,
        counts: Mapping[str, pl.DataFrame] | None = None,
    ) -> "TableEncoder":
        """Learn fill values, scales and vocabularies from typed training rows (see `schema.read_frame`).

        Arguments:
            counts: `level` and `count` of the columns whose levels were counted in more rows than these.
        """
        numbers = [column.name for column in schema.of_kind("numeric", "boolean")]
        categories = [column.name for column in schema.of_kind("category")]
        counts = {name: _count_levels(frame[name]) for name in categories} | {**(counts or {})}
        vocabulary = {name: _vocabulary(counts[name], encoding.rare) for name in categories}
        gaps = [index for index, name in enumerate(numbers) if frame[name].null_count()]
        moments = [frame[column.name].drop_nulls() for column in schema.of_kind("datetime")]
        encoder = cls(
            schema,
            encoding,
            levels={name: levels for name, (levels, _) in vocabulary.items()},
            flagged=gaps if encoding.indicator else [],
            rare={name: rare for name, (_, rare) in vocabulary.items()},
            daytime=[bool((moment % 86400 != 0).any()) for moment in moments],
            whole=[column.name for column in schema.of_kind("numeric") if _are_whole(frame[column.name])],
        )
        encoder._fit_numbers(frame, encoding)
        encoder._fit_repeated(frame)
        encoder.time.fit(bound(encoder._moments(frame)))
        return encoder

    def _fit_numbers(self, frame: pl.DataFrame, encoding: Encoding) -> None:
        """Learn what fills and scales each column, some columns at a time, for each step copies them."""
        width = len(self.number_names)
        step = max(1, _FITTED // max(len(frame), 1))
        for start in range(0, width, step):
            some = slice(start, start + step)
            columns = [frame[name] for name in self.number_names[some]]
            numbers = bound(_stack(columns, len(frame)))
            self.impute.fit(numbers, encoding.missing, encoding.fill, columns=some)
            self.scale.fit(self.impute.fill_gaps(numbers, columns=some), columns=some)

    def _fit_repeated(self, frame: pl.DataFrame) -> None:
        """Learn which numbers one row in twenty or more shares: each as it is, and as it is encoded."""
        fewest = max(_FEWEST, _OFTEN * len(frame))
        for column in self.schema.of_kind("numeric"):
            counts = frame[column.name].drop_nulls().alias("value").value_counts(name="count")
            values = counts.filter(pl.col("count") >= fewest)["value"].sort()
            if len(values):
                place = self.number_names.index(column.name)
                rows = torch.zeros(len(values), len(self.number_names), dtype=torch.float64)
                rows[:, place] = values.cast(pl.Float64).to_torch()
                encoded = bound(self.scale(bound(rows)))[:, place].float().tolist()
                self.repeated[column.name] = [*zip(rows[:, place].tolist(), encoded, strict=True)]

    def _moments(self, frame: pl.DataFrame) -> Float[Tensor, "rows t"]:
        return _stack([frame[name] for name in self.moment_names], len(frame))

    def prepare(self, frame: pl.DataFrame) -> Raw:
        """Typed columns as tensors; words become codes by the vocabulary."""
        numbers = _stack([frame[name] for name in self.number_names], len(frame))
        return Raw(numbers, self._all_codes(frame), self._moments(frame))

    def _all_codes(self, frame: pl.DataFrame) -> Int[Tensor, "rows c"]:
        codes = [self._codes(frame[name], name) for name in self.category_names]
        if not codes:
            return torch.zeros(len(frame), 0, dtype=torch.int64)
        return torch.from_numpy(np.stack(codes, axis=1))

    def _codes(self, series: pl.Series, name: str) -> np.ndarray:
        levels = self.levels[name]
        codes = series.fill_null("").replace_strict(
            levels, list(range(1, len(levels) + 1)), default=0, return_dtype=pl.Int64
        )
        return codes.to_numpy()

    def unseen(self, features: pl.DataFrame, stores: Stores | None = None) -> dict[str, np.ndarray]:
        """For each category column, the rows with a value that no training row had."""
        unseen = {}
        for name in self.category_names:
            known = features[name].fill_null("").is_in([*self.levels[name], *self.rare[name]])
            rows = np.flatnonzero(~known.to_numpy())
            if len(rows):
                unseen[name] = rows
        return unseen

    def forward(
        self, numbers: Float[Tensor, "rows n"], codes: Int[Tensor, "rows c"], moments: Float[Tensor, "rows t"]
    ) -> Float[Tensor, "rows width"]:
        """Encoded rows, finite for any input; codes that are to be embedded stand in the last columns."""
        filled, flags = self.impute(bound(numbers))
        tail = codes if self.encoding.categories == "embedding" else self.onehot(codes)
        parts = [bound(self.scale(filled)), flags, bound(self.time(bound(moments))), tail]
        return torch.cat([part.float() for part in parts], dim=1)

    @torch.no_grad()
    def encode(self, frame: pl.DataFrame) -> Float[Tensor, "rows width"]:
        """Typed columns as encoded rows on the encoder's device, in parts, which saves memory."""
        codes, device = self._all_codes(frame), self.impute.fill.device
        encoded = torch.empty(len(frame), self.width, device=device)
        for start in range(0, len(frame), _ROWS):
            part = frame.slice(start, _ROWS)
            numbers = _stack([part[name] for name in self.number_names], len(part))
            raw = (numbers, codes[start : start + _ROWS], self._moments(part))
            encoded[start : start + _ROWS] = self(*(tensor.to(device) for tensor in raw))
        return encoded

    def rows(self, features: pl.DataFrame, stores: Stores) -> Tensor:
        """Encoded rows where the encoder is; a table has nothing in `stores`."""
        return self.encode(features)

    @property
    def shape(self) -> int:
        """Numbers in a row as the model takes it; without learned vectors, what each of them is."""
        if self.embedding_sizes:
            return self.width + sum(embedding_width(size) - 1 for size in self.embedding_sizes)
        numbers = len(self.number_names)
        flags = range(numbers, numbers + len(self.flagged))
        columns = self.schema.of_kind("numeric", "boolean")
        booleans = [place for place, column in enumerate(columns) if column.kind == "boolean"]
        return TableShape(
            self.width,
            bits=(*booleans, *flags),
            choices=self._choices(),
            gaps=tuple(zip(self.flagged, flags, strict=True)),
            repeated=tuple(
                (place, value)
                for place, name in enumerate(self.number_names)
                for _, value in self.repeated.get(name, [])
            ),
        )

    def _choices(self) -> tuple[tuple[int, ...], ...]:
        """The places of each category, of which there is one a level."""
        ends = np.cumsum(self.onehot.widths, dtype=int) + self.width - self.onehot.width
        return tuple(
            tuple(range(end - width, end))
            for end, width in zip(ends.tolist(), self.onehot.widths, strict=True)
        )

    def front(self) -> nn.Module | None:
        """Learned vectors for the codes, where categories are embedded."""
        return EmbedColumns(self.embedding_sizes) if self.embedding_sizes else None

    def simple(self, rows: Float[Tensor, "rows width"]) -> Float[Tensor, "rows wide"]:
        """One column a level, where codes are to be embedded: a linear model cannot look up vectors."""
        start, parts = self.width - len(self.embedding_sizes), [self.numbers(rows)]
        for column, size in enumerate(self.embedding_sizes, start=start):
            parts.append(functional.one_hot(rows[:, column].long(), size).float())
        return torch.cat(parts, dim=1)

    def numbers(self, rows: Float[Tensor, "rows width"]) -> Float[Tensor, "rows numbers"]:
        """The columns before the codes that are to be embedded."""
        return rows[:, : self.width - len(self.embedding_sizes)]

    def undo_scale(self, points: Float[Tensor, "rows width"]) -> Float[Tensor, "rows width"]:
        """Encoded rows with the numbers in the units of their columns; flags and levels stay as they are."""
        numbers = len(self.number_names)
        return torch.cat([self.scale.undo(points[:, :numbers].double()), points[:, numbers:].double()], dim=1)

    def gaps(self, frame: pl.DataFrame) -> Bool[Tensor, "rows width"]:
        """Which numbers of the encoded rows stand for a value that is missing from typed columns."""
        missing = {name: torch.from_numpy(frame[name].is_null().to_numpy()) for name in frame.columns}
        moments = zip(self.moment_names, self.daytime, strict=True)
        names = [*self.number_names, *(None for _ in self.flagged)]
        names += [name for name, daytime in moments for _ in CyclicTime.parts(daytime)]
        for name, width in zip(self.category_names, self.onehot.widths, strict=True):
            names += [name] * width
        none = torch.zeros(len(frame), dtype=torch.bool)
        return torch.stack([none if name is None else missing[name] for name in names], dim=1)

    def decode(
        self, points: Float[Tensor, "rows width"], *, complete: bool = False
    ) -> tuple[pl.DataFrame, list[np.ndarray]]:
        """Encoded rows as values: numbers in their units, yes and no in the words of most training rows,
        dates in the format of the column, and the likeliest level of a category.

        Flags of missing values are passed over.

        Arguments:
            complete: whether no category is missing.
        """
        numbers = len(self.number_names)
        moments = sum(len(CyclicTime.parts(daytime)) for daytime in self.daytime)
        widths = (numbers, len(self.flagged), moments)
        number, _, moment, level = points.tensor_split(np.cumsum(widths).tolist(), dim=1)
        numbers, dates = self._decode_numbers(number), self._decode_dates(moment)
        columns = numbers | dates | self._decode_words(level, complete=complete)
        return pl.DataFrame({column.name: columns[column.name] for column in self.schema.used}), []

    def round_whole(self, decoded: pl.DataFrame) -> pl.DataFrame:
        """Decoded rows with whole numbers in the columns in which the training rows have no others."""
        return decoded.with_columns(pl.col(self.whole).round().cast(pl.Int64, strict=False))

    def _decode_numbers(self, encoded: Float[Tensor, "rows n"]) -> dict[str, Any]:
        values = self.scale.undo(encoded.double())
        for place, name in enumerate(self.number_names):
            for number, same in self.repeated.get(name, []):  # exactly, without what rounding has left
                values[:, place] = torch.where(encoded[:, place] == same, number, values[:, place])
        columns = zip(self.schema.of_kind("numeric", "boolean"), values.unbind(dim=1), strict=True)
        return {
            column.name: _decode_booleans(known, column.words) if column.kind == "boolean" else known.numpy()
            for column, known in columns
        }

    def _decode_dates(self, encoded: Float[Tensor, "rows width"]) -> dict[str, pl.Series]:
        moments = self.time.undo(encoded.double()).unbind(dim=1)
        columns = {}
        for column, daytime, seconds in zip(
            self.schema.of_kind("datetime"), self.daytime, moments, strict=True
        ):
            dates = as_dates(seconds.numpy(), daytime=daytime)
            columns[column.name] = write_dates(dates, column)
        return columns

    def _decode_words(
        self, encoded: Float[Tensor, "rows width"], *, complete: bool
    ) -> dict[str, list[str | None]]:
        columns, at = {}, 0
        for name in self.category_names:
            levels = [*self.levels[name], *([None] if self.rare[name] else [])]
            scores = encoded[:, at : at + len(levels)].clone()
            if complete and any(levels):
                scores[:, [place for place, level in enumerate(levels) if not level]] = -torch.inf
            chosen = scores.argmax(dim=1).tolist()
            columns[name] = [levels[place] or None for place in chosen]  # '' stands for a missing value
            at += len(levels)
        return columns

    @property
    def embedding_sizes(self) -> list[int]:
        """Codes of each column that is to be embedded, the one for rare and unseen included."""
        if self.encoding.categories != "embedding":
            return []
        return [len(self.levels[name]) + 1 for name in self.category_names]

    @property
    def feature_names(self) -> list[str]:
        """A name for each encoded column: the column it comes from, and what of it."""
        names = list(self.number_names)
        names += [f"{self.number_names[index]} is missing" for index in self.flagged]
        for name, daytime in zip(self.moment_names, self.daytime, strict=True):
            names += [f"{name}: {part}" for part in CyclicTime.parts(daytime)]
        if self.encoding.categories == "embedding":
            return names + self.category_names
        for name in self.category_names:
            names += [f"{name} = {level or 'missing'}" for level in self.levels[name]]
            names += [f"{name} is rare"] * bool(self.rare[name])
        return names

    @property
    def width(self) -> int:
        return len(self.feature_names)

    def facts(self) -> dict:
        """What besides the tensors makes this encoder again, by `from_facts`."""
        learned = {name: getattr(self, name) for name in _LEARNED}
        schema, encoding = self.schema.model_dump(), self.encoding.model_dump()
        return {"kind": "table", "schema": schema, "encoding": encoding, **learned}

    @classmethod
    def from_facts(cls, facts: dict) -> "TableEncoder":
        """An encoder without its tensors, to load them into."""
        schema, encoding = Schema.model_validate(facts["schema"]), Encoding.model_validate(facts["encoding"])
        return cls(schema, encoding, **{name: facts[name] for name in _LEARNED if name in facts})


def _decode_booleans(values: Float[Tensor, " rows"], words: Sequence[bool | str]) -> Any:
    """In the words of the training rows, or as 0 and 1."""
    answers = (values > 0.5).long()
    return [words[answer] for answer in answers.tolist()] if words else answers.numpy()


def _are_whole(numbers: pl.Series) -> bool:
    return bool((numbers.drop_nulls() % 1 == 0).all())


def _count_levels(series: pl.Series) -> pl.DataFrame:
    """How many rows each level has; missing is one, too."""
    return series.fill_null("").alias("level").value_counts(name="count")


def _vocabulary(counts: pl.DataFrame, rare: int) -> tuple[list[str], list[str]]:
    """The levels with enough training rows, and those with too few, each sorted."""
    frequent = counts.filter(pl.col("count") >= rare)["level"].to_list()
    if not frequent:  # a small table: every level counts
        frequent = counts["level"].to_list()
    few = counts.filter(~pl.col("level").is_in(frequent))["level"].to_list()
    return sorted(frequent), sorted(few)


def _stack(columns: list[pl.Series], rows: int) -> Float[Tensor, "rows n"]:
    values = np.empty((rows, len(columns)))
    for places, block in number_blocks(columns):
        values[:, places] = block.T
    return torch.from_numpy(values)
