"""Parts of images erased."""

import math
from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from handrail.augmentation.base import Augmentation, chosen, uniform
from handrail.components import component
from handrail.components.arguments import Share
from handrail.errors import RecipeError
from handrail.shapes import ImageShape

_RATIO = 0.3


@component("augmentation")
class Erasing(Augmentation):
    """A rectangle of some images is filled with random pixels, even in 0 … 1: the network learns not to rest
    on one part.

    The rectangle covers an even share of the area; the logarithm of height : width is even within ± log 0.3
    (the paper's range). Where it would be larger than the image it is cut to it; the paper draws again.

    Arguments:
        inputs: shape of the images.
        probability: that an image loses a part.
        share: smallest and largest share of the area.

    Raises: `RecipeError` when the range begins above its end.

    Source: Zhong 2020
    """

    def __init__(
        self,
        inputs: ImageShape,
        *,
        probability: Annotated[float, Field(ge=0, le=1)] = 0.5,
        share: tuple[Share, Share] = (0.02, 0.3),
    ) -> None:
        super().__init__()
        if share[0] > share[1]:
            raise RecipeError(
                f"augmentation.erasing.share: {share[0]:g} is above {share[1]:g}; expected [smallest, "
                "largest]."
            )
        self.probability, self.share = probability, share

    def changed(
        self, x: Float[Tensor, "rows channels height width"]
    ) -> Float[Tensor, "rows channels height width"]:
        """The batch with holes."""
        height, width = x.shape[2:]
        side = (uniform(x, *self.share) * height * width).sqrt()
        stretch = uniform(x, math.log(_RATIO) / 2, -math.log(_RATIO) / 2).exp()
        rows = _stretch_of(x, height, side * stretch)[:, None, :, None]
        columns = _stretch_of(x, width, side / stretch)[:, None, None, :]
        return torch.where(rows & columns & chosen(x, self.probability), torch.rand_like(x), x)


def _stretch_of(x: Tensor, size: int, length: Float[Tensor, " rows"]) -> Tensor:
    """Which of `size` places lie in a stretch of that length, somewhere within: true or false, [rows, size]."""
    length = length.round().clamp(1, size)
    start = (torch.rand(len(x), device=x.device) * (size - length + 1)).floor()
    places = torch.arange(size, device=x.device)
    return (places >= start[:, None]) & (places < (start + length)[:, None])
