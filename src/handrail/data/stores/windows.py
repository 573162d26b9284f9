"""Windows on one long table: neighbouring items share their values, and nothing is copied."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from handrail.data.forecast.plan import WindowPlan
from handrail.data.forecast.season import mase_scale, seasonal_naive
from handrail.data.rows import Windows
from handrail.data.stores.series import hash_of
from handrail.data.task import TaskSpec
from handrail.errors import DataError


class WindowStore:
    """Item i is the rows `starts[i] … starts[i] + length − 1` of a matrix `[rows, channels]`: a series
    `[channels, length]`.

    Arguments:
        matrix: float32, no value missing; the targets are the first channels.
        starts: the first row of each window.
        plan: how the windows were made; `history` is the length.
        truth: the targets as they are, not a number where they are missing.
        namer: what a person would call the window at a place.
    """

    kind: ClassVar[str] = "series"

    def __init__(
        self,
        matrix: Float[Tensor, "rows channels"],
        starts: Int[Tensor, " items"],
        *,
        plan: WindowPlan,
        truth: Float[np.ndarray, "rows targets"],
        namer: Callable[[int], str],
    ) -> None:
        self.matrix, self.starts, self.plan, self.truth = matrix, starts, plan, truth
        self._namer = namer

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def length(self) -> int:
        """Rows in a window."""
        return self.plan.history

    @property
    def channels(self) -> int:
        """Numbers in each row of the matrix."""
        return self.matrix.shape[1]

    @property
    def lengths(self) -> Int[np.ndarray, " items"]:
        """All alike."""
        return np.full(len(self), self.length, dtype=np.int64)

    def name(self, place: int) -> str:
        """What a person would call the window."""
        return self._namer(place)

    def windows(self, places: Int[np.ndarray, " n"]) -> Windows:
        """The windows at these places as rows that are not copied before they are used."""
        starts = self.starts[_places(places)]
        return Windows(self.matrix, starts, self.length, channels_first=True)

    def values(self, places: Int[np.ndarray, " n"], length: int) -> Float[Tensor, "n channels length"]:
        """The windows at these places, cut after `length` values; shorter ones end in zeros."""
        starts = _places(places)
        found = self.windows(places).take(torch.arange(len(starts)))[:, :, :length]
        return (
            torch.nn.functional.pad(found, (0, length - found.shape[2])) if found.shape[2] < length else found
        )

    def last_season(self, task: TaskSpec, places: Int[np.ndarray, " n"]) -> Float[np.ndarray, "n outputs"]:
        """The seasonal naive forecast of each window; the first row stands for those before it, where a
        season begins there.
        """
        ends = self.starts[_places(places)] + self.length
        rows = (ends[:, None] + torch.arange(-task.season, 0)).clamp(min=0)  # [n, season]
        targets = task.outputs // task.horizon
        past = self.matrix[:, :targets].double().numpy()[rows.numpy()]  # [n, season, targets]
        return np.concatenate(
            [seasonal_naive(past[:, :, place], task.horizon, task.season) for place in range(targets)], axis=1
        )

    def naive_errors(self, task: TaskSpec) -> Float[np.ndarray, " outputs"]:
        """What absolute errors are divided by in MASE: a number a target, for each of its outputs."""
        return mase_scale(self.truth[: self.plan.train_rows], task.season).repeat(task.horizon)

    def seen(self, places: Int[np.ndarray, " n"]) -> Float[Tensor, "rows channels"]:
        """Each row of the matrix that stands in any of these windows, once."""
        steps = torch.zeros(len(self.matrix) + 1, dtype=torch.int64)
        starts = self.starts[_places(places)]
        steps.index_add_(0, starts, torch.ones_like(starts))
        steps.index_add_(0, starts + self.length, -torch.ones_like(starts))
        return self.matrix[steps.cumsum(0)[:-1] > 0]

    @property
    def hashes(self) -> np.ndarray:
        """One `uint64` a window, by its values: as of the same series elsewhere."""
        return self._hashes

    @cached_property
    def _hashes(self) -> np.ndarray:
        views = self.matrix.numpy()
        found = [hash_of(views[start : start + self.length].T) for start in self.starts.tolist()]
        return np.array(found, dtype=np.uint64)

    @classmethod
    def joined(cls, stores: "Sequence[WindowStore]") -> "WindowStore":
        """Only a single one: windows lie on one table. Raises: `DataError` for several."""
        if len(stores) != 1:
            raise DataError(
                f"windows on {len(stores)} tables cannot be put together; a forecast is made from one source."
            )
        return stores[0]


def _places(places: Int[np.ndarray, " n"]) -> Int[Tensor, " n"]:
    """A copy: a column's own numbers must not be written to."""
    return torch.tensor(np.asarray(places), dtype=torch.int64)
