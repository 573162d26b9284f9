"""Encoded rows, wherever they lie: a tensor, places in one mapped from disk, windows on one long series.

The engine asks three things of rows: how many there are, those at some places, and neighbouring ones. The
classes here make tensors only when they are asked, so that nothing is copied before it is used.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from handrail.data.streaming.row_file import Streamed
from handrail.errors import DataError
from handrail.tools.moved import forward

__getattr__ = forward(__name__)


@dataclass(frozen=True, eq=False)
class Stored:
    """Row i is `data[places[i]]`: rows that stay where they are (mapped from disk, say) until used."""

    data: Tensor
    places: Int[Tensor, " rows"]

    def __len__(self) -> int:
        return len(self.places)

    def take(self, rows: Int[Tensor, " n"]) -> Tensor:
        """The rows at these positions."""
        return self.data.index_select(0, self.places.index_select(0, rows))


@dataclass(frozen=True, eq=False)
class Windows:
    """Row i is `data[starts[i] : starts[i] + length]`; with `channels_first` it is `[channels, length]`."""

    data: Tensor
    starts: Int[Tensor, " rows"]
    length: int
    channels_first: bool = False

    def __len__(self) -> int:
        return len(self.starts)

    def take(self, rows: Int[Tensor, " n"]) -> Tensor:
        """The rows at these positions."""
        views = self.data.unfold(0, self.length, 1)  # [starts, (channels,) length], no copy
        windows = views[self.starts.index_select(0, rows)]
        return windows if self.channels_first or windows.ndim == 2 else windows.transpose(1, 2)


@dataclass(frozen=True, eq=False)
class TargetWindows:
    """Row i is `data[starts[i] : starts[i] + length]`, one column of `data` behind the other; made when used.

    It stands for a tensor `[rows, columns · length]`, and has of one what targets are asked for.

    Arguments:
        data: float64, so that the truth is the data's own.
        mean, spread: of each output; where they are given, rows are (value − mean) / spread, in float32.
    """

    data: Float[Tensor, "times columns"]
    starts: Int[Tensor, " rows"]
    length: int
    mean: Float[Tensor, " outputs"] | None = None
    spread: Float[Tensor, " outputs"] | None = None

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def outputs(self) -> int:
        """How many numbers a row has."""
        return self.length * self.data.shape[1]

    def take(self, rows: Int[Tensor, " n"]) -> Tensor:
        """The rows at these positions."""
        views = self.data.unfold(0, self.length, 1)  # [starts, columns, length], no copy
        return self._scale(views[self.starts.index_select(0, rows)].flatten(1), slice(None))

    def columns(self, which: slice) -> Tensor:
        """Some of the outputs, of all rows."""
        outputs = torch.arange(self.outputs)[which]
        times, column = self.starts[:, None] + outputs % self.length, outputs // self.length
        return self._scale(self.data[times, column.expand_as(times)], which)

    def _scale(self, values: Tensor, which: slice) -> Tensor:
        if self.mean is None or self.spread is None:
            return values
        return ((values - self.mean[which]) / self.spread[which]).float()

    def pick(self, rows: Int[Tensor, " n"]) -> "TargetWindows":
        """Some of the rows."""
        return replace(self, starts=self.starts[rows])

    def numpy(self) -> np.ndarray:
        """All of it."""
        return self.take(torch.arange(len(self))).numpy()

    def tolist(self) -> list[list[float]]:
        """All of it, as numbers."""
        return self.numpy().tolist()


@dataclass(frozen=True, eq=False)
class FlatRows:
    """Row i is row i of `rows` behind a front, flat: as a model is given it; made when used.

    Arguments:
        rows: encoded rows.
        front: what stands before the model, without anything that training changes.
    """

    rows: "Rows"
    front: Callable[[Any], Tensor]

    def __len__(self) -> int:
        return count(self.rows)

    @torch.no_grad()
    def take(self, rows: Int[Tensor, " n"]) -> Float[Tensor, "n width"]:
        """The rows at these positions."""
        return self.front(take(self.rows, rows)).flatten(1).float()


OneSet = Tensor | Stored | Windows | TargetWindows | FlatRows | Streamed
Rows = OneSet | tuple[OneSet, ...]
Values = Tensor | tuple[Tensor, ...]


def join(first: Tensor | TargetWindows, other: Tensor | TargetWindows) -> Tensor | TargetWindows:
    """Rows of the same kind, one behind the other."""
    if isinstance(first, Tensor) and isinstance(other, Tensor):
        return torch.cat([first, other])
    assert isinstance(first, TargetWindows)
    assert isinstance(other, TargetWindows)
    return replace(first, starts=torch.cat([first.starts, other.starts]))


def count(rows: Rows) -> int:
    """How many rows there are."""
    return len(rows[0]) if isinstance(rows, tuple) else len(rows)


def take(rows: Rows, places: Int[Tensor, " n"]) -> Values:
    """The rows at these positions."""
    if isinstance(rows, tuple):
        return tuple(_take(part, places) for part in rows)
    return _take(rows, places)


def _take(rows: OneSet, places: Tensor) -> Tensor:
    if isinstance(rows, Tensor):
        return rows.index_select(0, places.to(rows.device))
    return rows.take(places.cpu())


def cut(rows: Rows, start: int, stop: int) -> Values:
    """Neighbouring rows; of a tensor without a copy."""
    if isinstance(rows, tuple):
        return tuple(_cut(part, start, stop) for part in rows)
    return _cut(rows, start, stop)


def _cut(rows: OneSet, start: int, stop: int) -> Tensor:
    if isinstance(rows, Tensor):
        return rows[start:stop]
    if isinstance(rows, Streamed):
        return rows.cut(start, stop)
    return rows.take(torch.arange(start, min(stop, len(rows))))


def to_device(values: Values, device: torch.device) -> Values:
    """The values on a device."""
    return tuple(part.to(device) for part in values) if isinstance(values, tuple) else values.to(device)


def dense(rows: Rows) -> Tensor:
    """All rows as one tensor, on the CPU. Raises: `DataError` for rows of several parts."""
    whole = to_device(cut(rows, 0, count(rows)), torch.device("cpu"))
    if isinstance(whole, tuple):
        raise DataError(f"rows: found {len(whole)} parts in each, expected one: pictures, or numbers, alone.")
    return whole


def row_bytes(rows: Rows) -> int:
    """How many bytes one row takes."""
    first = cut(rows, 0, 1)
    return sum(part.nbytes for part in first) if isinstance(first, tuple) else first.nbytes
