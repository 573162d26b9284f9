"""Parts of images erased."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from handrail.augmentation.base import Augmentation, Images, Probability, check_range, pick_rows, uniform
from handrail.components import component
from handrail.components.arguments import Share
from handrail.shapes import ImageShape

_RATIO = 0.3


@component("augmentation")
class Erasing(Augmentation):
    """A rectangle of some images becomes random pixels: the network learns not to rely on one part.

    Pixels are uniform in 0 … 1; so are the rectangle's share of the area, and log(height : width) within
    ± log 0.3 (the paper's range). A rectangle larger than the image is cut to it; the paper draws again.

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
        probability: Probability = 0.5,
        share: tuple[Share, Share] = (0.02, 0.3),
    ) -> None:
        super().__init__()
        check_range("erasing.share", share)
        self.probability, self.share = probability, share

    def change(self, x: Images) -> Images:
        height, width = x.shape[2:]
        side = (uniform(x, *self.share) * height * width).sqrt()
        stretch = uniform(x, math.log(_RATIO) / 2, -math.log(_RATIO) / 2).exp()
        rows = _stretch_of(x, height, side * stretch)[:, None, :, None]
        columns = _stretch_of(x, width, side / stretch)[:, None, None, :]
        return torch.where(rows & columns & pick_rows(x, self.probability), torch.rand_like(x), x)


def _stretch_of(x: Tensor, size: int, length: Float[Tensor, " rows"]) -> Tensor:
    """Which of `size` places lie in a stretch of that length, somewhere within, `[rows, size]`."""
    length = length.round().clamp(1, size)
    start = (torch.rand(len(x), device=x.device) * (size - length + 1)).floor()
    places = torch.arange(size, device=x.device)
    return (places >= start[:, None]) & (places < (start + length)[:, None])
