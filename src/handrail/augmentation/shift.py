"""Images moved by whole pixels."""

from typing import Annotated

import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from handrail.augmentation.base import Augmentation, Border
from handrail.components import component
from handrail.shapes import ImageShape

_MODES = {"edge": "replicate", "mirror": "reflect", "black": "constant"}


@component("augmentation")
class Shift(Augmentation):
    """Images moved by whole pixels: x'[r, c] = x[r − d, c − e], d and e even within ± share · size.

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
        self.reach = (_pixels(share, inputs[1]), _pixels(share, inputs[2]))
        self.border: Border = border

    def changed(
        self, x: Float[Tensor, "rows channels height width"]
    ) -> Float[Tensor, "rows channels height width"]:
        """The batch with each image moved."""
        return moved(x, self.reach, self.border)


def _pixels(share: float, size: int) -> int:
    return min(round(share * size), size - 1)


def moved(
    x: Float[Tensor, "rows channels height width"], reach: tuple[int, int], border: Border
) -> Float[Tensor, "rows channels height width"]:
    """Each image moved by at most `reach` pixels up or down and left or right, by chance."""
    down, right = reach
    if not (down or right):
        return x
    top = torch.randint(0, 2 * down + 1, (len(x),), device=x.device)
    left = torch.randint(0, 2 * right + 1, (len(x),), device=x.device)
    return cut_out(
        functional.pad(x, (right, right, down, down), mode=_MODES[border]),
        top,
        left,
        (x.shape[2], x.shape[3]),
    )


def cut_out(
    x: Float[Tensor, "rows channels tall wide"],
    top: Int[Tensor, " rows"],
    left: Int[Tensor, " rows"],
    size: tuple[int, int],
) -> Float[Tensor, "rows channels height width"]:
    """A window of `size` from each image, whose first pixel is at (top, left)."""
    # [rows, channels, tops, lefts, height, width], no copy.
    windows = x.unfold(2, size[0], 1).unfold(3, size[1], 1)
    return windows[torch.arange(len(x), device=x.device), :, top, left]
