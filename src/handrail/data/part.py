"""A part: training, validation or test rows, read, typed and with their targets encoded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

from handrail.data.encoders.row_encoder import RowEncoder
from handrail.data.rows import Rows, join
from handrail.data.split.row_hashes import row_hashes
from handrail.data.stores.store import Stores
from handrail.data.table import Table


@dataclass(frozen=True)
class Part:
    """Rows of one part: as read, as typed features, as encoded target; `rows` are places in their source.

    unlabelled: of training rows the features of those without a target.
    """

    name: str
    raw: pl.DataFrame
    features: pl.DataFrame
    target: Any  # a tensor, or the `TargetWindows` of a forecast
    rows: np.ndarray
    table: Table
    remarks: tuple[str, ...] = ()
    unlabelled: pl.DataFrame | None = None

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def stores(self) -> Stores:
        """By column, the store that its cells are places in."""
        return self.table.stores

    @cached_property
    def hashes(self) -> np.ndarray:
        """A hash of each row as it was read, by content."""
        return row_hashes(self.raw, stores=self.stores)

    @property
    def sample(self) -> "Part":
        """The rows that statistics are made from: all of them, or of a streamed part a random sample."""
        return self

    @property
    def level_counts(self) -> Mapping[str, pl.DataFrame]:
        """How often each level of a category occurs, `level` and `count`; empty where the sample is all."""
        return {}

    def encode_with(self, encoder: RowEncoder) -> Rows:
        """All rows, encoded."""
        return encoder.rows(self.features, self.stores)

    def pick(self, places: np.ndarray) -> "Part":
        """The rows at some places."""
        chosen = torch.from_numpy(np.asarray(places, dtype=np.int64))
        target = self.target[chosen] if isinstance(self.target, Tensor) else self.target.pick(chosen)
        raw, features, rows = self.raw[places], self.features[places], self.rows[places]
        return replace(self, raw=raw, features=features, target=target, rows=rows)

    def join(self, other: "Part") -> "Part":
        """Both parts as one."""
        return Part(
            f"{self.name} and {other.name}",
            pl.concat([self.raw, other.raw[self.raw.columns]], how="vertical_relaxed"),
            pl.concat([self.features, other.features]),
            join(self.target, other.target),
            np.concatenate([self.rows, other.rows]),
            self.table,
            unlabelled=self.unlabelled,
        )

    def readable(self, row: int, names: Sequence[str]) -> dict[str, str | None]:
        """The values of a row as a person would name them: a stored item by its file."""
        values = {name: self.raw[name][row] for name in names}
        for name, value in values.items():
            if value is not None:
                values[name] = self.stores[name].name(int(value)) if name in self.stores else str(value)
        return values
