"""The pictures and kernels that the lectures work out by hand."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from handrail.traces.layers.numbers import Picture
from handrail.traces.layers.windows.portrait import PORTRAIT

Example = Literal["A", "B", "C", "D", "E", "picture"]
KERNELS = {
    "sobel_rows": np.array([[[1.0, 2, 1], [0, 0, 0], [-1, -2, -1]]]),
    "sobel_columns": np.array([[[1.0, 0, -1], [2, 0, -2], [1, 0, -1]]]),
}


@dataclass(frozen=True, eq=False)
class Worked:
    """A picture, a kernel, and how it slides; where from."""

    subject: str
    picture: Picture
    kernel: Picture
    bias: float = 0.0
    padding: int = 0
    stride: int = 1


def _array(*channels: list[list[float]]) -> Picture:
    return np.array(channels, dtype=np.float64)


EXAMPLES: dict[str, Worked] = {
    "A": Worked(
        "example A, lecture 000",
        _array([[7, 2, 3, 3, 8], [4, 5, 3, 8, 4], [3, 3, 2, 8, 4], [2, 8, 7, 2, 7], [5, 4, 4, 5, 4]]),
        _array([[1, 0, -1]] * 3),
    ),
    "B": Worked(
        "example B, lecture 002",
        _array([[2, 1, 0, 1, 1], [1, 1, 0, 2, 0], [0, 0, 1, 1, 1], [1, 2, 2, 0, 2], [2, 0, 1, 2, 1]]),
        _array([[0, 1, -1], [-1, 1, 0], [0, 1, 1]]),
        padding=1,
        stride=2,
    ),
    # Lecture 004 prints two windows; the last column of one is the first of the other.
    "C": Worked(
        "example C, lecture 004",
        _array([[5, 6, -3, -4, 4], [-7, 6, -6, -6, 8], [-2, 1, -1, 8, 8]]),
        _array([[-1, 1, 0], [-3, -3, -1], [7, 1, -6]]),
        stride=2,
    ),
    "D": Worked(
        "example D, lecture 004",
        _array([[6, 4], [5, -7]], [[4, -7], [-6, -6]]),
        _array([[8, 8], [4, -5]], [[7, 1], [5, -1]]),
        bias=2,
    ),
    "E": Worked("example E, lecture 004", _array([[-1, 1, -1, 1, -1]]), _array([[10, -10]]), stride=2),
    "picture": Worked("the picture of numbers in lecture 000", PORTRAIT[None], KERNELS["sobel_rows"]),
}
