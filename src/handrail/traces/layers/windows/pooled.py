"""A picture of one channel, pooled window by window, and the way back."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float

from handrail.layers.pooling import Pool

Numbers = Float[np.ndarray, "height width"]
Place = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Pooled:
    """A picture and how it is pooled.

    Arguments:
        window, stride: down and across. Windows are cut at the far border.
    """

    picture: Numbers
    kind: Literal["max", "average"]
    window: Place
    stride: Place

    def windows(self) -> Iterator[tuple[Place, tuple[slice, slice]]]:
        """The place of each window in the map, and what it sees."""
        down, across = self._starts(0), self._starts(1)
        for row, top in enumerate(down):
            for column, left in enumerate(across):
                seen = slice(top, top + self.window[0]), slice(left, left + self.window[1])
                yield (row, column), seen

    def _starts(self, axis: int) -> list[int]:
        side, window, stride = self.picture.shape[axis], self.window[axis], self.stride[axis]
        return [place * stride for place in range(Pool.size_after(side, window=window, stride=stride))]

    @property
    def map(self) -> Numbers:
        """y of each window."""
        found = np.zeros((len(self._starts(0)), len(self._starts(1))))
        for place, seen in self.windows():
            window = self.picture[seen]
            found[place] = window.max() if self.kind == "max" else window.mean()
        return found

    def shares(self, seen: tuple[slice, slice]) -> Numbers:
        """∂y/∂x of each number in a window."""
        window = self.picture[seen]
        if self.kind == "average":
            return np.full(window.shape, 1 / window.size)
        first = np.zeros(window.shape)
        first.flat[window.argmax()] = 1
        return first

    def back(self, gradient: Numbers) -> Numbers:
        """∂L/∂x of each number, from ∂L/∂y of each window."""
        found = np.zeros(self.picture.shape)
        for place, seen in self.windows():
            found[seen] += gradient[place] * self.shares(seen)
        return found

    def of(self, picture: Numbers) -> "Pooled":
        """Another picture, pooled in the same way."""
        return replace(self, picture=picture)
