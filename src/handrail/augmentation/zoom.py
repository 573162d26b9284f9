"""Images made larger or smaller."""

import math
from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from handrail.augmentation.base import Border, uniform
from handrail.augmentation.warp import Warp
from handrail.components import component
from handrail.errors import RecipeError
from handrail.shapes import ImageShape

Factor = Annotated[float, Field(gt=0, le=10)]


@component("augmentation")
class Zoom(Warp):
    """What is seen becomes z times as large about the middle of the image, log z even within the range.

    Arguments:
        inputs: shape of the images.
        range: smallest and largest z; below 1 the picture shrinks.
        border: what is seen around a picture that shrinks: the edge's pixels again, the picture mirrored, or
            black (0).

    Raises: `RecipeError` when the range begins above its end.

    Source: Simard 2003
    """

    def __init__(
        self,
        inputs: ImageShape,
        *,
        range: tuple[Factor, Factor] = (0.9, 1.1),
        border: Border = "edge",
    ) -> None:
        super().__init__(border)
        if range[0] > range[1]:
            raise RecipeError(
                f"augmentation.zoom.range: {range[0]:g} is above {range[1]:g}; expected [smallest, largest]."
            )
        self.range = range

    def maps(self, x: Float[Tensor, "rows channels height width"]) -> Float[Tensor, "rows 2 3"]:
        """Where each pixel comes from."""
        shrunk = uniform(x, -math.log(self.range[1]), -math.log(self.range[0])).exp()
        none = torch.zeros_like(shrunk)
        return torch.stack([shrunk, none, none, none, shrunk, none], dim=1).view(-1, 2, 3)
