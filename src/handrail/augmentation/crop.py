"""Images cut out of themselves: with a padded rim, or a part blown up."""

import math
from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from handrail.augmentation.base import Augmentation, Border, Images, Warp, affine, check_range, uniform
from handrail.augmentation.shift import shift_rows
from handrail.components import component
from handrail.components.arguments import Positive, Share
from handrail.errors import RecipeError
from handrail.shapes import ImageShape


@component("augmentation")
class Crop(Augmentation):
    """A rim of `padding` pixels is added and the old size cut out anywhere: usual for CIFAR's 32 × 32 photos.

    Arguments:
        inputs: shape of the images.
        padding: pixels that are added at each side.
        border: what they hold: the edge's pixels again, the picture mirrored, or black (in He 2016).

    Raises: `RecipeError` when the rim would be as wide as the image.

    Source: Lee 2015; He 2016; mirrored: Zagoruyko & Komodakis 2016
    """

    def __init__(
        self, inputs: ImageShape, *, padding: Annotated[int, Field(ge=0)] = 4, border: Border = "mirror"
    ) -> None:
        super().__init__()
        if padding >= min(inputs[1:]):
            raise RecipeError(
                f"augmentation.crop.padding: found {padding} for images of {inputs[1]} × {inputs[2]} pixels; "
                f"expected less than {min(inputs[1:])}."
            )
        self.padding = padding
        self.border: Border = border

    def change(self, x: Images) -> Images:
        return shift_rows(x, (self.padding, self.padding), self.border)


@component("augmentation")
class ResizedCrop(Warp):
    """A part of each image, blown up to the whole: usual for large photos.

    The part covers a share of the area, uniform; its width : height is √r : 1/√r times the image's, log r
    uniform; it lies anywhere within. What would be wider or taller than the image is cut to it.

    Arguments:
        inputs: shape of the images.
        area: smallest and largest share of the image's area; 0.08 to 1 in the paper, more for few images.
        ratio: the narrowest and the widest r.

    Raises: `RecipeError` when a range begins above its end.

    Source: Szegedy 2015
    """

    def __init__(
        self,
        inputs: ImageShape,
        *,
        area: tuple[Share, Share] = (0.35, 1.0),
        ratio: tuple[Positive, Positive] = (0.75, 4 / 3),
    ) -> None:
        super().__init__("edge")
        check_range("resized_crop.area", area)
        check_range("resized_crop.ratio", ratio)
        self.area, self.ratio = area, ratio

    def maps(self, x: Images) -> Float[Tensor, "rows 2 3"]:
        side = uniform(x, *self.area).sqrt()
        stretch = uniform(x, math.log(self.ratio[0]) / 2, math.log(self.ratio[1]) / 2).exp()
        wide, tall = (side * stretch).clamp(max=1), (side / stretch).clamp(max=1)
        right = (1 - wide) * x.shape[3] / 2 * uniform(x, -1, 1)
        down = (1 - tall) * x.shape[2] / 2 * uniform(x, -1, 1)
        none = torch.zeros_like(wide)
        return affine(wide, none, right, none, tall, down)
