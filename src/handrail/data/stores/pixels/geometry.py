"""Where a picture of one size lies in a picture of another: scaled until it covers it, then cut at the
centre.

Pictures, masks and boxes go through the same geometry, so that they stay one upon the other.
"""

from typing import NamedTuple


class Crop(NamedTuple):
    """The part of the original that is kept, in its pixels: left and right from the left edge, top and bottom
    from the top.
    """

    left: float
    top: float
    right: float
    bottom: float


def crop(original: tuple[int, int], size: tuple[int, int]) -> Crop:
    """The largest centred part of a picture of `original` (height, width) that has the proportions of `size`.

    With the scale s = max(H / h, W / w), it is H / s high and W / s wide.
    """
    (height, width), (new_height, new_width) = original, size
    scale = max(new_height / height, new_width / width)
    kept_height, kept_width = min(new_height / scale, height), min(new_width / scale, width)
    left, top = (width - kept_width) / 2, (height - kept_height) / 2
    return Crop(left, top, left + kept_width, top + kept_height)


def shares(original: tuple[int, int], size: tuple[int, int]) -> tuple[float, float, float, float]:
    """(x scale, y scale, x shift, y shift) with which a point of the original becomes one of the cut picture:
    x · scale + shift.
    """
    left, top, right, bottom = crop(original, size)
    across, down = size[1] / (right - left), size[0] / (bottom - top)
    return across, down, -left * across, -top * down
