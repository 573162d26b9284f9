"""What becomes of pooling and of convolution when the picture of numbers moves down."""

import numpy as np

from handrail.traces.layers.windows.examples import KERNELS
from handrail.traces.layers.windows.pooled import Pooled
from handrail.traces.layers.windows.portrait import PORTRAIT
from handrail.traces.layers.windows.sliding import Sliding
from handrail.traces.steps import Steps, Value, steps_of

_SHIFTS = (1, 2, 4, 8)
_ROOM = max(_SHIFTS)


def unchanged_shares(pooled: Pooled) -> Steps:
    """How many pooled numbers stay as they are; nothing new comes into what is seen of the picture."""
    before, lines = PORTRAIT[_ROOM:], []
    for shift in _SHIFTS:
        after = PORTRAIT[_ROOM - shift : len(PORTRAIT) - shift]
        maps = pooled.of(before).map, pooled.of(after).map
        line: dict[str, Value] = {"shift": shift, "numbers unchanged": float((before == after).mean())}
        lines.append({**line, "pooled numbers unchanged": float(np.isclose(*maps, rtol=0, atol=1e-9).mean())})
    return steps_of(
        "Small shifts",
        lines,
        answers=("pooled numbers unchanged",),
        note="Shares of the numbers that are the same before and after, place by place: the picture of "
        f"numbers in lecture 000 moves down, and its lower {len(before)} rows are looked at.",
    )


def moved_maps() -> Steps:
    """How far the map of a moved picture is from the moved map, inside and at the border."""
    lines: list[dict[str, Value]] = []
    for shift in _SHIFTS:
        apart = np.abs(_map(_down(PORTRAIT, shift)) - _down(_map(PORTRAIT), shift))
        inside = apart[shift + 1 : -1, 1:-1]
        line: dict[str, Value] = {"shift": shift, "largest difference inside": float(inside.max())}
        lines.append({**line, "at the border": float(apart.max())})
    return steps_of(
        "Convolution moves along",
        lines,
        answers=("largest difference inside", "at the border"),
        formula="| map of the moved picture − moved map |",
        note="The same picture under sobel_rows, with a padding of 1 and zeros where it came from.",
    )


def _down(numbers: np.ndarray, shift: int) -> np.ndarray:
    return np.pad(numbers, ((shift, 0), (0, 0)))[: len(numbers)]


def _map(picture: np.ndarray) -> np.ndarray:
    return Sliding(picture[None], KERNELS["sobel_rows"], frame=((1, 1), (1, 1))).map
