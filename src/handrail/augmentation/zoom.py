"""Images made larger or smaller."""

import math
from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from handrail.augmentation.base import Border, Images, Warp, affine, check_range, uniform
from handrail.components import component
from handrail.shapes import ImageShape

Factor = Annotated[float, Field(gt=0, le=10)]


@component("augmentation")
class Zoom(Warp):
    """What is seen becomes z times as large about the middle of the image, log z uniform within the range.

    Arguments:
        inputs: shape of the images.
        range: smallest and largest z; below 1 the picture shrinks.
        border: what is seen around a picture that shrinks: `edge`, `mirror` or `black`, as of `rotation`.

    Raises: `RecipeError` when the range begins above its end.

    Source: Simard 2003
    """

    def __init__(
        self, inputs: ImageShape, *, range: tuple[Factor, Factor] = (0.9, 1.1), border: Border = "edge"
    ) -> None:
        super().__init__(border)
        check_range("zoom.range", range)
        self.range = range

    def maps(self, x: Images) -> Float[Tensor, "rows 2 3"]:
        shrunk = uniform(x, -math.log(self.range[1]), -math.log(self.range[0])).exp()
        none = torch.zeros_like(shrunk)
        return affine(shrunk, none, none, none, shrunk, none)
