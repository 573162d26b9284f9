"""Series in memory: in one flat array, however long each is, or as windows on one long table."""

import hashlib
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import ClassVar, Self

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from handrail.data.forecast.plan import WindowPlan
from handrail.data.forecast.season import mase_scale, seasonal_naive
from handrail.data.rows import TargetWindows, Windows
from handrail.data.task import TaskSpec
from handrail.errors import DataError

_LARGEST = float(np.finfo(np.float32).max)
_SHOWN = 5


class SeriesStore:
    """Series `[channels, length]` in float32, NaN where missing. Lengths may differ, channels may not.

    longest: the most steps that a series of the source may have, where its makers say so, and else 0.
    """

    kind: ClassVar[str] = "series"

    def __init__(
        self,
        flat: Float[np.ndarray, " numbers"],
        lengths: Int[np.ndarray, " items"],
        channels: int,
        names: Sequence[str],
        *,
        longest: int = 0,
    ) -> None:
        self.flat, self.lengths, self.channels, self.longest = flat, lengths, channels, longest
        self._names = tuple(names)
        self._starts = np.cumsum(lengths * channels) - lengths * channels

    @classmethod
    def of_arrays(cls, arrays: Sequence[np.ndarray], names: Sequence[str], *, longest: int = 0) -> Self:
        """A store of arrays `[channels, length]`, or `[length]` for one channel.

        Raises: `DataError` for series that are empty, of other channels than the first, or with numbers that
            are infinite or beyond single precision (3.4·10³⁸); up to five are named.
        """
        shaped = [array[None] if array.ndim == 1 else array for array in arrays]
        channels = shaped[0].shape[0] if shaped else 1
        checked = [_problem(array, name, channels) for array, name in zip(shaped, names, strict=True)]
        problems = [text for text in checked if text]
        if problems:
            more = [f"and {len(problems) - _SHOWN:,} more such series."] if len(problems) > _SHOWN else []
            raise DataError([*problems[:_SHOWN], *more])
        flat = np.concatenate([array.ravel() for array in shaped] or [np.zeros(0)]).astype("<f4")
        flat += 0.0  # no minus zero
        flat[np.isnan(flat)] = np.nan  # one form of NaN, so that equal series have equal hashes
        lengths = np.array([array.shape[1] for array in shaped], dtype=np.int64)
        return cls(flat, lengths, channels, names, longest=longest)

    def __len__(self) -> int:
        return len(self.lengths)

    def name(self, place: int) -> str:
        return self._names[place]

    def item(self, place: int) -> Float[np.ndarray, "channels length"]:
        """One series, without a copy."""
        start, length = self._starts[place], self.lengths[place]
        return self.flat[start : start + length * self.channels].reshape(self.channels, length)

    def values(self, places: Int[np.ndarray, " n"], length: int) -> Float[Tensor, "n channels length"]:
        """The series at these places, cut after `length` values; shorter ones end in zeros."""
        values = np.zeros((len(places), self.channels, length), dtype=np.float32)
        for row, place in enumerate(places):
            item = self.item(int(place))[:, :length]
            values[row, :, : item.shape[1]] = item
        return torch.from_numpy(values)

    @property
    def hashes(self) -> np.ndarray:
        return self._hashes

    @cached_property
    def _hashes(self) -> np.ndarray:
        return np.array([hash_of(self.item(place)) for place in range(len(self))], dtype=np.uint64)

    @classmethod
    def join(cls, stores: Sequence[Self]) -> Self:
        """One behind the other. Raises: `DataError` where they differ in channels."""
        channels = {store.channels for store in stores}
        if len(channels) > 1:
            numbers = " and ".join(str(number) for number in sorted(channels))
            problem = f"series of {numbers} channels cannot be put together"
            raise DataError(f"{problem}; expected the same number in all sources.")
        return cls(
            np.concatenate([store.flat for store in stores]),
            np.concatenate([store.lengths for store in stores]),
            stores[0].channels,
            [name for store in stores for name in store._names],
            longest=max(store.longest for store in stores),
        )


class WindowStore:
    """Item i is the series `[channels, length]` of a matrix's rows from `starts[i]` on; nothing is copied.

    Arguments:
        matrix: float64, no value missing; the targets are the first channels.
        starts: the first row of each window.
        plan: how the windows were made; `history` is the length.
        truth: the targets as they are learned and measured, not a number where they are missing.
        observed: the targets as they are in the table; by default the truth.
        namer: what a person would call the window at a place.
    """

    kind: ClassVar[str] = "series"
    longest: ClassVar[int] = 0

    def __init__(
        self,
        matrix: Float[Tensor, "rows channels"],
        starts: Int[Tensor, " items"],
        *,
        plan: WindowPlan,
        truth: Float[np.ndarray, "rows targets"],
        observed: Float[np.ndarray, "rows targets"] | None = None,
        namer: Callable[[int], str],
    ) -> None:
        self.matrix, self.starts, self.plan, self.truth = matrix, starts, plan, truth
        self.observed = truth if observed is None else observed
        self.length, self.channels = plan.history, matrix.shape[1]
        self._namer = namer

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def lengths(self) -> Int[np.ndarray, " items"]:
        return np.full(len(self), self.length, dtype=np.int64)

    def name(self, place: int) -> str:
        return self._namer(place)

    @cached_property
    def _single(self) -> Float[Tensor, "rows channels"]:
        return self.matrix.float()

    def windows(self, places: Int[np.ndarray, " n"], *, exact: bool = False) -> Windows:
        """The windows at these places as rows that are not copied before they are used.

        Arguments:
            exact: in float64, for channels whose numbers are large beside their differences; else in float32.
        """
        starts = self.starts[_places(places)]
        return Windows(self.matrix if exact else self._single, starts, self.length, channels_first=True)

    def values(self, places: Int[np.ndarray, " n"], length: int) -> Float[Tensor, "n channels length"]:
        values = self.windows(places).take(torch.arange(len(places)))[:, :, :length]
        return functional.pad(values, (0, length - values.shape[2])) if values.shape[2] < length else values

    def targets(self, places: Int[np.ndarray, " n"]) -> TargetWindows | None:
        """What follows the windows at these places; None where it is beyond single precision."""
        if np.nanmax(np.abs(self.truth), initial=0) > _LARGEST:
            return None
        starts = self.starts[_places(places)] + self.length
        return TargetWindows(torch.from_numpy(self.truth), starts, self.plan.horizon)

    def asks_for_gaps(self) -> Bool[np.ndarray, " items"]:
        """Whether a target that follows a window is missing; one behind the end of the table is."""
        gaps = np.isnan(self.truth).any(axis=1)
        gaps = np.concatenate([gaps, np.ones(self.plan.horizon, dtype=bool)])
        before = np.concatenate([[0], np.cumsum(gaps)])
        first = self.starts.numpy() + self.length
        return before[first + self.plan.horizon] > before[first]

    def last_season(self, task: TaskSpec, places: Int[np.ndarray, " n"]) -> Float[np.ndarray, "n outputs"]:
        """The seasonal naive forecast of each window; the first row stands for rows that lie before it."""
        ends = self.starts[_places(places)] + self.length
        rows = (ends[:, None] + torch.arange(-task.season, 0)).clamp(min=0)  # [n, season]
        targets = task.outputs // task.horizon
        past = self.matrix[:, :targets].double().numpy()[rows.numpy()]  # [n, season, targets]
        forecasts = [seasonal_naive(past[:, :, place], task.horizon, task.season) for place in range(targets)]
        return np.concatenate(forecasts, axis=1)

    def naive_errors(self, task: TaskSpec) -> Float[np.ndarray, " outputs"]:
        """What absolute errors are divided by in MASE: a number a target, for each of its outputs."""
        return mase_scale(self.observed[: self.plan.train_rows], task.season).repeat(task.horizon)

    def covered_rows(self, places: Int[np.ndarray, " n"]) -> Float[Tensor, "rows channels"]:
        """Each row of the matrix that stands in any of these windows, once."""
        steps = torch.zeros(len(self.matrix) + 1, dtype=torch.int64)
        starts = self.starts[_places(places)]
        steps.index_add_(0, starts, torch.ones_like(starts))
        steps.index_add_(0, starts + self.length, -torch.ones_like(starts))
        return self.matrix[steps.cumsum(0)[:-1] > 0]

    @property
    def hashes(self) -> np.ndarray:
        """By values: as of the same series elsewhere."""
        return self._hashes

    @cached_property
    def _hashes(self) -> np.ndarray:
        rows = self.matrix.numpy()
        hashes = [hash_of(rows[start : start + self.length].T) for start in self.starts.tolist()]
        return np.array(hashes, dtype=np.uint64)

    @classmethod
    def join(cls, stores: "Sequence[WindowStore]") -> "WindowStore":
        """Only a single one: windows lie on one table. Raises: `DataError` for several."""
        if len(stores) != 1:
            raise DataError(
                f"windows on {len(stores)} tables cannot be put together; a forecast is made from one source."
            )
        return stores[0]


def _places(places: Int[np.ndarray, " n"]) -> Int[Tensor, " n"]:
    """A copy: a column's own numbers must not be written to."""
    return torch.tensor(np.asarray(places), dtype=torch.int64)


def _problem(array: np.ndarray, name: str, channels: int) -> str | None:
    if array.ndim != 2 or not array.size:
        return (
            f"{name} has the shape {list(array.shape)}; expected [channels, length] with at least one value."
        )
    if array.shape[0] != channels:
        return f"{name} has {array.shape[0]} channels; expected {channels}, as in the first series."
    if (np.abs(array) > _LARGEST).any():
        value = array[np.abs(array) > _LARGEST][0]
        return f"{name} holds {value:g}; expected finite numbers, at most 3.4e38."
    return None


def hash_of(item: Float[np.ndarray, "channels length"]) -> int:
    """The first 8 bytes of BLAKE2b over the shape and the little-endian float32 values."""
    digest = hashlib.blake2b(repr(item.shape).encode(), digest_size=8)
    digest.update(np.ascontiguousarray(item, dtype="<f4").tobytes())
    return int.from_bytes(digest.digest(), "little")
