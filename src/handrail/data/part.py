"""A part: training, validation or test rows, read, typed and with their targets encoded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import polars as pl
import torch
from torch import Tensor

from handrail.data.encoders.row_encoder import RowEncoder
from handrail.data.rows import Rows
from handrail.data.split.row_hashes import row_hashes
from handrail.data.stores.store import Stores
from handrail.data.table import Table


@dataclass(frozen=True)
class Part:
    """Rows of one part: as read, as typed features, as encoded target; `rows` are positions in their source."""

    name: str
    raw: pl.DataFrame
    features: pl.DataFrame
    target: Tensor
    rows: np.ndarray
    table: Table
    remarks: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def stores(self) -> Stores:
        """What the cells of some columns are places in."""
        return self.table.stores

    @cached_property
    def hashes(self) -> np.ndarray:
        """Of each row as it was read, by content."""
        return row_hashes(self.raw, stores=self.stores)

    @property
    def sample(self) -> "Part":
        """The rows that statistics are made from: all of them; of a part that is streamed a random sample."""
        return self

    @property
    def level_counts(self) -> Mapping[str, pl.DataFrame]:
        """How often each level of a category occurs, `level` and `count`, where that is known of more rows
        than the sample.
        """
        return {}

    def encode_with(self, encoder: RowEncoder) -> Rows:
        """All rows as the encoder gives them."""
        return encoder.rows(self.features, self.stores)

    def pick(self, places: np.ndarray) -> "Part":
        """Some of the rows."""
        some = torch.from_numpy(np.asarray(places, dtype=np.int64))
        return replace(
            self,
            raw=self.raw[places],
            features=self.features[places],
            target=self.target[some],
            rows=self.rows[places],
        )

    def join(self, other: "Part") -> "Part":
        """Both parts as one."""
        return Part(
            f"{self.name} and {other.name}",
            pl.concat([self.raw, other.raw.select(self.raw.columns)], how="vertical_relaxed"),
            pl.concat([self.features, other.features]),
            torch.cat([self.target, other.target]),
            np.concatenate([self.rows, other.rows]),
            self.table,
        )

    def readable(self, row: int, names: Sequence[str]) -> dict[str, str | None]:
        """The values of a row as a person would name them: a stored item by its file."""
        values = self.raw.select(names).row(row, named=True)
        return {
            name: None if value is None else self._describe_value(name, value)
            for name, value in values.items()
        }

    def _describe_value(self, name: str, value: object) -> str:
        return self.stores[name].name(int(str(value))) if name in self.stores else str(value)
