"""From typed columns to the numbers that a network takes; learned from training rows only.

The encoder is the first layer of the pipeline: it moves, is saved, is exported and serves with the network.
`prepare` looks words up in the vocabulary and hands over three tensors; `forward` is arithmetic alone, so
that it can be traced:

    numbers [rows, n] float64 with NaN for missing   → impute, flag, scale
    codes   [rows, c] int64, 0 for rare and unseen   → one-hot, or passed on to be embedded
    moments [rows, t] float64 seconds, NaN missing   → elapsed time and the phases of year, week and day
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import polars as pl
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from handrail.data.columns.schema import Schema
from handrail.data.encoders.table_layers import CyclicTime, Impute, OneHot, bounded, make_scaler
from handrail.data.stores.store import Stores
from handrail.layers.embedding import EmbedColumns, embedding_width
from handrail.recipe.encoding import Encoding

_ROWS = 16384  # at once


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
    ) -> None:
        super().__init__()
        self.schema, self.encoding = schema, encoding
        self.levels, self.flagged, self.rare, self.daytime = levels, flagged, rare, daytime
        self.number_names = [column.name for column in schema.of_kind("numeric", "boolean")]
        self.category_names = [column.name for column in schema.of_kind("category")]
        self.moment_names = [column.name for column in schema.of_kind("datetime")]
        scaled = [column.kind == "numeric" for column in schema.of_kind("numeric", "boolean")]
        self.impute = Impute(len(self.number_names), flagged)
        self.scale = make_scaler(encoding.scaling, len(self.number_names), scaled)
        self.time = CyclicTime(daytime)
        embedded = encoding.categories == "embedding"
        self.onehot = OneHot(
            [] if embedded else [len(levels[name]) for name in self.category_names],
            [bool(rare[name]) for name in self.category_names],
        )

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
        counts = {name: _counted(frame[name]) for name in categories} | {**(counts or {})}
        vocabulary = {name: _vocabulary(counts[name], encoding.rare) for name in categories}
        flagged = [
            index for index, name in enumerate(numbers) if encoding.indicator and frame[name].null_count()
        ]
        daytime = [
            bool((frame[column.name].drop_nulls() % 86400 != 0).any())
            for column in schema.of_kind("datetime")
        ]
        encoder = cls(
            schema,
            encoding,
            levels={name: levels for name, (levels, _) in vocabulary.items()},
            flagged=flagged,
            rare={name: rare for name, (_, rare) in vocabulary.items()},
            daytime=daytime,
        )
        raw = encoder.prepare(frame)
        numbers = bounded(raw.numbers)
        encoder.impute.fit(numbers, encoding.missing, encoding.fill)
        encoder.scale.fit(encoder.impute.filled(numbers))
        encoder.time.fit(bounded(raw.moments))
        return encoder

    def prepare(self, frame: pl.DataFrame) -> Raw:
        """Typed columns as tensors; words become codes by the vocabulary."""
        rows = len(frame)
        codes = [self._codes(frame[name], name) for name in self.category_names]
        return Raw(
            _stack([frame[name] for name in self.number_names], rows),
            torch.from_numpy(np.stack(codes, axis=1)) if codes else torch.zeros(rows, 0, dtype=torch.int64),
            _stack([frame[name] for name in self.moment_names], rows),
        )

    def _codes(self, series: pl.Series, name: str) -> np.ndarray:
        levels = self.levels[name]
        codes = series.fill_null("").replace_strict(
            levels, list(range(1, len(levels) + 1)), default=0, return_dtype=pl.Int64
        )
        return codes.to_numpy()

    def unseen(self, features: pl.DataFrame, stores: Stores | None = None) -> dict[str, np.ndarray]:
        """For each category column, the rows with a value that no training row had."""
        known = {name: [*self.levels[name], *self.rare[name]] for name in self.category_names}
        found = {
            name: np.flatnonzero(~features[name].fill_null("").is_in(known[name]).to_numpy())
            for name in self.category_names
        }
        return {name: rows for name, rows in found.items() if len(rows)}

    def forward(
        self, numbers: Float[Tensor, "rows n"], codes: Int[Tensor, "rows c"], moments: Float[Tensor, "rows t"]
    ) -> Float[Tensor, "rows width"]:
        """Encoded rows; codes that are to be embedded stand in the last columns.

        Whatever is given, the result is finite: numbers beyond ±10¹⁸ count as that, before and after scaling.
        """
        filled, flags = self.impute(bounded(numbers))
        tail = codes if self.encoding.categories == "embedding" else self.onehot(codes)
        parts = [bounded(self.scale(filled)), flags, bounded(self.time(bounded(moments))), tail]
        return torch.cat([part.float() for part in parts], dim=1)

    @torch.no_grad()
    def encode(self, frame: pl.DataFrame) -> Float[Tensor, "rows width"]:
        """Typed columns as encoded rows on the encoder's device, in parts, so that memory does not grow
        beyond the answer.
        """
        raw, device = self.prepare(frame), self.impute.fill.device
        encoded = torch.empty(len(frame), self.width, device=device)
        for start in range(0, len(frame), _ROWS):
            encoded[start : start + _ROWS] = self(
                *(tensor[start : start + _ROWS].to(device) for tensor in raw)
            )
        return encoded

    # What every encoder of rows offers; see `handrail.data.encoders.row_encoder`.

    def rows(self, features: pl.DataFrame, stores: Stores) -> Tensor:
        """Encoded rows where the encoder is; a table has nothing in `stores`."""
        return self.encode(features)

    @property
    def shape(self) -> int:
        """Numbers in a row as the model takes it, learned vectors included."""
        return self.width + sum(embedding_width(size) - 1 for size in self.embedded)

    def front(self) -> nn.Module | None:
        """Learned vectors for the codes, where categories are embedded."""
        return EmbedColumns(self.embedded) if self.embedded else None

    def simple(self, rows: Float[Tensor, "rows width"]) -> Float[Tensor, "rows wide"]:
        """One column a level, where codes are to be embedded: a linear model cannot look up vectors."""
        if not self.embedded:
            return rows
        start = self.width - len(self.embedded)
        codes = [functional.one_hot(rows[:, start + i].long(), size) for i, size in enumerate(self.embedded)]
        return torch.cat([rows[:, :start], *(code.float() for code in codes)], dim=1)

    @property
    def embedded(self) -> list[int]:
        """Number of codes of each column that is to be embedded, the code for rare and unseen included."""
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
            names += [f"{name} = {level or 'missing'}" for level in self.levels[name]] + (
                [f"{name} is rare"] if self.rare[name] else []
            )
        return names

    @property
    def width(self) -> int:
        """Number of encoded columns."""
        return len(self.feature_names)

    def facts(self) -> dict:
        """What besides the tensors makes this encoder; `from_facts` is the way back."""
        return {
            "kind": "table",
            "schema": self.schema.model_dump(),
            "encoding": self.encoding.model_dump(),
            "levels": self.levels,
            "flagged": self.flagged,
            "rare": self.rare,
            "daytime": self.daytime,
        }

    @classmethod
    def from_facts(cls, facts: dict) -> "TableEncoder":
        """An encoder without its tensors, to load them into."""
        return cls(
            Schema.model_validate(facts["schema"]),
            Encoding.model_validate(facts["encoding"]),
            levels=facts["levels"],
            flagged=facts["flagged"],
            rare=facts["rare"],
            daytime=facts["daytime"],
        )


def _counted(series: pl.Series) -> pl.DataFrame:
    """How many rows each level has; missing is one, too."""
    return series.fill_null("").alias("level").value_counts(name="count")


def _vocabulary(counts: pl.DataFrame, rare: int) -> tuple[list[str], list[str]]:
    """The levels with enough training rows, and those with too few, each sorted."""
    kept = counts.filter(pl.col("count") >= rare)
    if not len(kept):  # a small table: every level counts
        kept = counts
    few = counts.filter(~pl.col("level").is_in(kept["level"].to_list()))
    return sorted(kept["level"].to_list()), sorted(few["level"].to_list())


def _stack(columns: list[pl.Series], rows: int) -> Tensor:
    if not columns:
        return torch.zeros(rows, 0, dtype=torch.float64)
    arrays = [column.fill_null(float("nan")).to_numpy() for column in columns]
    return torch.from_numpy(np.stack(arrays, axis=1).astype(np.float64, copy=False))
