"""Colour, shape, size and place of the one shape on a picture, measured from its pixels alone."""

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from handrail.data.sources.toys.pictures import SHAPES, draw_shapes

COLOURS = {
    "red": (1.0, 0.0, 0.0),
    "yellow": (1.0, 1.0, 0.0),
    "green": (0.0, 1.0, 0.0),
    "cyan": (0.0, 1.0, 1.0),
    "blue": (0.0, 0.0, 1.0),
    "magenta": (1.0, 0.0, 1.0),
}
RADII = ((0.18, 0.2), (0.265, 0.285))  # of small and of large shapes, in shares of the side
SIZES = ("small", "large")
_AT = (0.32, 0.5, 0.68)  # low, middle and high, in shares of the way from the first pixel to the last
CENTRES = {
    "top left": (_AT[0], _AT[0]),
    "top": (_AT[1], _AT[0]),
    "top right": (_AT[2], _AT[0]),
    "left": (_AT[0], _AT[1]),
    "centre": (_AT[1], _AT[1]),
    "right": (_AT[2], _AT[1]),
    "bottom left": (_AT[0], _AT[2]),
    "bottom": (_AT[1], _AT[2]),
    "bottom right": (_AT[2], _AT[2]),
}
PLACES = tuple(CENTRES)
FACTORS = {"colour": tuple(COLOURS), "shape": SHAPES, "size": SIZES, "place": PLACES}
NOTHING = "nothing"
"Where a picture shows no shape."

_BRIGHT = 0.4  # from which a pixel is taken for the shape, where white is 1
_FEWEST = 6  # pixels of a shape
_LIMIT = (RADII[0][1] + RADII[1][0]) / 2
_STEPS = (0.0, -0.04, 0.04, -0.08, 0.08)  # by which radii are tried, as shares; the nearest first
# Half the larger side of each shape, and how far the middle of its box is below the centre, in radii.
_HALF = {"circle": 1.0, "square": 0.85, "triangle": 0.9, "cross": 1.0}
_BELOW = {"circle": 0.0, "square": 0.0, "triangle": -0.1, "cross": 0.0}

Mask = Bool[np.ndarray, "rows height width"]


def read_shapes(pixels: UInt8[np.ndarray, "rows 3 height width"]) -> dict[str, np.ndarray]:
    """What each picture shows, by name: `colour`, `shape`, `size` and `place`; `nothing` where it is dark.

    The shape is where a channel is bright. Its colour is the nearest to the mean there, its place the nearest
    to its middle. Of the four shapes, each drawn at its place and size, that one is meant which overlaps it
    most; the radius of the best one tells small from large.
    """
    values = pixels.astype(np.float32) / 255
    mask = values.max(axis=1) > _BRIGHT
    size = mask.sum(axis=(1, 2))
    shapes, radii, centres = _fit(mask)
    mean = (values * mask[:, None]).sum(axis=(2, 3)) / size[:, None].clip(min=1)
    read = {
        "colour": np.array(list(COLOURS))[_nearest(mean, np.array(list(COLOURS.values())))],
        "shape": np.array(SHAPES)[shapes],
        "size": np.array(SIZES)[(radii > _LIMIT).astype(np.int64)],
        "place": np.array(PLACES)[_nearest(centres, np.array(list(CENTRES.values())))],
    }
    return {name: np.where(size < _FEWEST, NOTHING, words) for name, words in read.items()}


def _nearest(
    points: Float[np.ndarray, "rows numbers"], known: Float[np.ndarray, "kinds numbers"]
) -> Int[np.ndarray, " rows"]:
    return np.square(points[:, None] - known[None]).sum(axis=2).argmin(axis=1)


def _fit(
    mask: Mask,
) -> tuple[Int[np.ndarray, " rows"], Float[np.ndarray, " rows"], Float[np.ndarray, "rows 2"]]:
    """The shape that overlaps each mask most, its radius, and its centre, in shares of the side."""
    count, height, width = mask.shape
    left, right = _bounds(np.any(mask, axis=1))
    top, bottom = _bounds(np.any(mask, axis=2))
    middle = np.stack([left + right, top + bottom], axis=1) / 2
    half = (np.maximum(right - left, bottom - top) + 1) / 2
    best = np.full(count, -1.0)
    shapes, radii, centres = np.zeros(count, dtype=np.int64), np.zeros(count), np.zeros((count, 2))
    for code, name in enumerate(SHAPES):
        for step in _STEPS:
            radius = half / _HALF[name] * (1 + step)
            centre = middle + np.stack([0 * radius, -_BELOW[name] * radius], axis=1)
            drawn = draw_shapes(np.full(count, code), centre, radius.clip(min=0.5), width)
            overlap = (drawn & mask).sum(axis=(1, 2)) / (drawn | mask).sum(axis=(1, 2)).clip(min=1)
            better = overlap > best
            best[better], shapes[better], radii[better] = overlap[better], code, radius[better]
            centres[better] = centre[better]
    return shapes, radii / width, centres / np.array([width - 1, height - 1])


def _bounds(line: Bool[np.ndarray, "rows places"]) -> tuple[np.ndarray, np.ndarray]:
    """The first and the last place of each row where there is something."""
    return line.argmax(axis=1), line.shape[1] - 1 - line[:, ::-1].argmax(axis=1)
