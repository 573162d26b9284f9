"""The encoder of whole rows: of a table, of one column of another kind, or of several at once."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import polars as pl
import torch
from jaxtyping import Float
from torch import Tensor, nn

from handrail.components import build
from handrail.data.columns.schema import COLUMN_KINDS, TABLE_KINDS, Schema
from handrail.data.encoders.column import ColumnEncoder, Decoded
from handrail.data.encoders.table import TableEncoder
from handrail.data.rows import Rows
from handrail.data.stores.store import Stores
from handrail.errors import DataError
from handrail.recipe.sections import Encoding
from handrail.shapes import ImageShape, InputShape, SeriesShape, TokenShape

FEATURES = 32  # numbers that a column becomes where it stands beside others


class RowEncoder(Protocol):
    """From the typed columns of a part to rows of a network; learned from training rows only."""

    schema: Schema

    @property
    def shape(self) -> InputShape:
        """What the model takes, behind `front`."""
        ...

    def rows(self, features: pl.DataFrame, stores: Stores) -> Rows:
        """Encoded rows; what is done once, before training."""
        ...

    def front(self) -> nn.Module | None:
        """What is done on the device, batch by batch, before the model; None where rows go in as they are."""
        ...

    def simple(self, rows: Any) -> Tensor:
        """Encoded rows as a few hundred numbers each, for the linear baseline."""
        ...

    def unseen(self, features: pl.DataFrame, stores: Stores) -> dict[str, np.ndarray]:
        """For each column, the rows with what training did not have."""
        ...

    def decode(self, points: Float[Tensor, "rows width"]) -> Decoded:
        """Rows as a model was given them, as the data had them. Raises: `DataError` where there is no way."""
        ...

    @property
    def feature_names(self) -> list[str]:
        """Of the numbers in a row, for messages."""
        ...

    def facts(self) -> dict[str, Any]:
        """Plain data that makes this encoder again, but for its tensors."""
        ...


class OneColumn(nn.Module):
    """The encoder of rows that hold a single image, series, sound or text."""

    def __init__(self, schema: Schema, column: ColumnEncoder) -> None:
        super().__init__()
        self.schema, self.column = schema, column

    @property
    def shape(self) -> InputShape:
        return self.column.shape

    def rows(self, features: pl.DataFrame, stores: Stores) -> Rows:
        return self.column.rows(features[self.column.name], stores.get(self.column.name))

    def front(self) -> nn.Module:
        return self.column.front()

    def simple(self, rows: Tensor) -> Tensor:
        return self.column.simple(rows)

    def unseen(self, features: pl.DataFrame, stores: Stores) -> dict[str, np.ndarray]:
        rows = self.column.unseen(features[self.column.name], stores.get(self.column.name))
        return {self.column.name: rows} if len(rows) else {}

    def decode(self, points: Float[Tensor, "rows width"]) -> Decoded:
        return self.column.decode(points)

    @property
    def feature_names(self) -> list[str]:
        """The column's name alone: its numbers have none."""
        return [self.column.name]

    def facts(self) -> dict[str, Any]:
        return {"kind": self.column.kind, "schema": self.schema.model_dump(), "column": self.column.facts()}


class Mixed(nn.Module):
    """The encoder of rows that hold numbers and categories beside images, series, sounds or texts.

    Each item goes through a small network of its own, which is trained with the rest, and becomes 32 numbers
    beside those of the table.
    """

    def __init__(self, schema: Schema, table: TableEncoder | None, columns: list[ColumnEncoder]) -> None:
        super().__init__()
        self.schema, self.table, self.columns = schema, table, nn.ModuleList(columns)

    @property
    def shape(self) -> int:
        """Numbers in a row, behind the columns' own networks."""
        return (self.table.shape if self.table else 0) + FEATURES * len(self.columns)

    def rows(self, features: pl.DataFrame, stores: Stores) -> Rows:
        """One set of rows for the table, and one for each other column."""
        parts: list[Any] = [] if self.table is None else [self.table.rows(features, stores)]
        parts += [column.rows(features[column.name], stores.get(column.name)) for column in self._columns]
        return tuple(parts)

    @property
    def _columns(self) -> list[ColumnEncoder]:
        return list(self.columns)  # pyright: ignore[reportReturnType]

    def front(self) -> nn.Module:
        """A network a column, side by side."""
        branches: list[nn.Module] = [] if self.table is None else [self.table.front() or nn.Identity()]
        for column in self._columns:
            model = build("model", feature_network(column.shape), column.shape, FEATURES)
            branches.append(nn.Sequential(column.front(), model))
        return SideBySide(branches)

    def simple(self, rows: tuple[Tensor, ...]) -> Tensor:
        encoders = [*([] if self.table is None else [self.table]), *self._columns]
        return torch.cat([encoder.simple(part) for encoder, part in zip(encoders, rows, strict=True)], dim=1)

    def unseen(self, features: pl.DataFrame, stores: Stores) -> dict[str, np.ndarray]:
        unseen = {} if self.table is None else self.table.unseen(features)
        for column in self._columns:
            rows = column.unseen(features[column.name], stores.get(column.name))
            unseen |= {column.name: rows} if len(rows) else {}
        return unseen

    def decode(self, points: Float[Tensor, "rows width"]) -> Decoded:
        raise DataError("rows of several kinds of columns cannot be made of numbers again.")

    @property
    def feature_names(self) -> list[str]:
        """The table's columns, then the others by name."""
        names = [] if self.table is None else self.table.feature_names
        return names + [column.name for column in self._columns]

    def facts(self) -> dict[str, Any]:
        table = None if self.table is None else self.table.facts()
        columns = [{"kind": column.kind, **column.facts()} for column in self._columns]
        return {"kind": "mixed", "schema": self.schema.model_dump(), "table": table, "columns": columns}


class SideBySide(nn.Module):
    """Several inputs, each through its own branch, side by side: `[rows, sum of widths]`."""

    def __init__(self, branches: list[nn.Module]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, inputs: tuple[Tensor, ...]) -> Tensor:
        return torch.cat([branch(part) for branch, part in zip(self.branches, inputs, strict=True)], dim=1)


def feature_network(shape: InputShape) -> str:
    """The network that makes a few numbers of an item beside a table."""
    names = {ImageShape: "cnn", SeriesShape: "series_cnn", TokenShape: "bag_of_words"}
    return next(name for kind, name in names.items() if isinstance(shape, kind))


def column_encoder(kind: str) -> type[ColumnEncoder]:
    """The encoder of a kind of column."""
    if kind == "image":
        from handrail.data.encoders.image import ImageEncoder as Encoder
    elif kind == "series":
        from handrail.data.encoders.series import SeriesEncoder as Encoder
    elif kind == "audio":
        from handrail.data.encoders.audio import AudioEncoder as Encoder
    elif kind == "text":
        from handrail.data.encoders.text import TextEncoder as Encoder
    elif kind == "stream":
        from handrail.data.encoders.text import StreamEncoder as Encoder
    else:
        from handrail.data.encoders.text import SymbolEncoder as Encoder
    return Encoder


SETTINGS = {
    "image": "images",
    "series": "series",
    "audio": "audio",
    "text": "text",
    "stream": "text",
    "symbols": "text",
}


def fit_encoder(
    features: pl.DataFrame,
    schema: Schema,
    stores: Stores,
    settings: Any,
    *,
    counts: Mapping[str, pl.DataFrame] | None = None,
) -> RowEncoder:
    """The encoder that suits the kinds of the columns, learned from typed training rows.

    Arguments:
        settings: the recipe's `data` section: `encoding`, `images`, `text`, `series`, `audio`.
        counts: see `TableEncoder.fit`.

    Raises: `DataError` for settings of kinds that no column has.
    """
    _refuse_idle(schema, settings)
    columns = [
        column_encoder(column.kind).fit(
            features[column.name], stores.get(column.name), getattr(settings, SETTINGS[column.kind])
        )
        for column in schema.of_kind(*COLUMN_KINDS)
    ]
    if not columns:
        return TableEncoder.fit(features, schema, settings.encoding, counts=counts)
    if len(columns) == 1 and not schema.of_kind(*TABLE_KINDS):
        return OneColumn(schema, columns[0])
    beside = Schema(columns=tuple(schema.of_kind(*TABLE_KINDS)))
    table = TableEncoder.fit(features, beside, settings.encoding, counts=counts) if beside.columns else None
    return Mixed(schema, table, columns)


def _refuse_idle(schema: Schema, settings: Any) -> None:
    kinds = {column.kind for column in schema.used}
    idle = [
        section
        for section in dict.fromkeys(SETTINGS.values())
        if not kinds & {kind for kind, name in SETTINGS.items() if name == section}
        and getattr(settings, section) != type(getattr(settings, section))()
    ]
    if not kinds & set(TABLE_KINDS) and settings.encoding != Encoding():
        idle.append("encoding")
    if idle:
        has = ", ".join(sorted(kinds))
        reason = f"has no effect, since the columns are of other kinds ({has}); leave it out."
        raise DataError([f"data.{section}: {reason}" for section in idle])


def encoder_from_facts(facts: dict[str, Any]) -> RowEncoder:
    """An encoder as `facts` describes it; the tensors of a table's encoder are still to be loaded."""
    if facts["kind"] == "table":
        return TableEncoder.from_facts(facts)
    schema = Schema.model_validate(facts["schema"])
    if facts["kind"] != "mixed":
        return OneColumn(schema, column_encoder(facts["kind"]).from_facts(facts["column"]))
    table = None if facts["table"] is None else TableEncoder.from_facts(facts["table"])
    columns = [column_encoder(column["kind"]).from_facts(column) for column in facts["columns"]]
    return Mixed(schema, table, columns)
