"""Pictures of a diffusion: what noise is on the way to a row."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from handrail.components.pictures import Lines, Picture, Points, Tiles
from handrail.shapes import ImageShape, InputShape

_STAGES = 8
_PANELS = (1.0, 0.5, 0.25, 0.1, 0.0)  # of the steps that are left, where rows are points in the plane
_SHOWN = 6  # numbers of a row of another kind


def way_pictures(passed: Sequence[Float[Tensor, "rows width"]], shape: InputShape) -> list[Picture]:
    """Pictures at some stages, points in the plane, or the numbers of one row over all steps.

    Arguments:
        passed: the noise, and what it is after each step.
    """
    steps = len(passed) - 1
    if isinstance(shape, ImageShape):
        return [_tiles(passed, shape, steps)]
    if passed[0].shape[1] == 2:
        return [_points(passed, round(share * steps), steps) for share in _PANELS]
    curves = torch.stack([each[0, :_SHOWN] for each in passed]).double().numpy()
    named = {f"number {place + 1}": curves[:, place] for place in range(curves.shape[1])}
    note = "A new row, in encoded units: noise on the left, and the row on the right."
    axes = ("steps taken", "value")
    return [Lines("From noise to a row", np.arange(steps + 1.0), named, note=note, axes=axes)]


def _tiles(passed: Sequence[Tensor], shape: ImageShape, steps: int) -> Tiles:
    left = [round(steps * (1 - stage / (_STAGES - 1)) ** 2) for stage in range(_STAGES)]
    some = torch.stack([passed[steps - each] for each in left], dim=1)
    pictures = some.unflatten(2, tuple(shape)).mean(dim=2).flatten(0, 1)
    # Each by itself: noise reaches further than the pixels of a picture do.
    low, high = pictures.amin(dim=(1, 2), keepdim=True), pictures.amax(dim=(1, 2), keepdim=True)
    scaled = ((pictures - low) / (high - low).clamp_min(1e-6)).numpy()
    headings = tuple(f"{each} left" for each in left)
    note = "A line a new picture: noise on the left, and fewer steps left to the right. Each is scaled alone."
    return Tiles("From noise to pictures", scaled, note=note, columns=_STAGES, headings=headings)


def _points(passed: Sequence[Tensor], left: int, steps: int) -> Points:
    places = passed[steps - left].double().numpy()
    title = f"From noise to rows: {left} of {steps} steps left" if left else "New rows"
    return Points(title, places, np.zeros(len(places), dtype=np.int64), note="In encoded units.")
