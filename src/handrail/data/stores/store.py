"""Stores: the items of a column that no cell of a table can hold, such as images and series.

The column in the frame holds each row's place in the store (Int64), so that splitting, sampling and sorting a
table never copies an item.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import polars as pl


@runtime_checkable
class Store(Protocol):
    """Items of one column. What else it offers (pixels, values) is between its kind and that kind's encoder.

    kind: of the column: `image`, `series`, `audio`, `mask`, `boxes`, `bits`.
    """

    kind: ClassVar[str]

    @property
    def hashes(self) -> np.ndarray:
        """One `uint64` an item, by content: a picture has the same in any folder and lossless file format."""
        ...

    def __len__(self) -> int: ...

    def name(self, place: int) -> str:
        """What a person would call the item: a file's name, 'image 17 of train-images-idx3-ubyte.gz'."""
        ...

    @classmethod
    def join(cls, stores: Sequence[Any]) -> "Store":
        """Several stores of the kind, one behind the other."""
        ...


@runtime_checkable
class Classed(Protocol):
    """A store whose items hold classes: masks, boxes."""

    def classes_of(self, places: np.ndarray) -> Sequence[str]:
        """The names of the classes that these items hold, in order; never asked of sealed rows."""
        ...


Stores = Mapping[str, Store]


def place_column(name: str, items: int) -> pl.Series:
    """The column of a table whose row i is item i."""
    return pl.Series(name, np.arange(items, dtype=np.int64))
