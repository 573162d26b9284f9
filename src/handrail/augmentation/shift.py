"""Images moved by whole pixels."""

from typing import Annotated

import torch
from pydantic import Field
from torch.nn import functional

from handrail.augmentation.base import Augmentation, Border, Images
from handrail.components import component
from handrail.shapes import ImageShape

_MODES = {"edge": "replicate", "mirror": "reflect", "black": "constant"}


@component("augmentation")
class Shift(Augmentation):
    """Images moved by whole pixels: x'[r, c] = x[r − d, c − e], d and e uniform within ± share · size.

    Whole pixels need no interpolation: nothing is blurred, and it costs a tenth of a shift by fractions.

    Arguments:
        inputs: shape of the images.
        share: largest shift as a share of height and of width.
        border: what comes in from outside: the edge's pixels again, the picture mirrored, or black (0).

    Source: LeCun 1998
    """

    def __init__(
        self,
        inputs: ImageShape,
        *,
        share: Annotated[float, Field(ge=0, le=0.5)] = 0.08,
        border: Border = "edge",
    ) -> None:
        super().__init__()
        down, right = (min(round(share * size), size - 1) for size in inputs[1:])
        self.reach = (down, right)
        self.border: Border = border

    def change(self, x: Images) -> Images:
        return shift_rows(x, self.reach, self.border)


def shift_rows(x: Images, reach: tuple[int, int], border: Border) -> Images:
    """Each image moved at random by at most `reach` pixels up or down and left or right."""
    down, right = reach
    if not (down or right):
        return x
    top = torch.randint(0, 2 * down + 1, (len(x),), device=x.device)
    left = torch.randint(0, 2 * right + 1, (len(x),), device=x.device)
    padded = functional.pad(x, (right, right, down, down), mode=_MODES[border])
    windows = padded.unfold(2, x.shape[2], 1).unfold(3, x.shape[3], 1)  # [rows, channels, tops, lefts, h, w]
    return windows[torch.arange(len(x), device=x.device), :, top, left]
