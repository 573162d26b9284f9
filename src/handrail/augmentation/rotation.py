"""Images turned."""

import math
from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from handrail.augmentation.base import Border, Images, Warp, affine, uniform
from handrail.components import component
from handrail.shapes import ImageShape


@component("augmentation")
class Rotation(Warp):
    """Images turned about their middle by an angle that is uniform within ± degrees.

    Arguments:
        inputs: shape of the images.
        degrees: largest angle; 180 for what has no upright, such as cells.
        border: what is seen in the corners: the edge's pixels again, the picture mirrored, or black (0).

    Source: Simard 2003
    """

    def __init__(
        self,
        inputs: ImageShape,
        *,
        degrees: Annotated[float, Field(ge=0, le=180)] = 10.0,
        border: Border = "edge",
    ) -> None:
        super().__init__(border)
        self.degrees = degrees

    def maps(self, x: Images) -> Float[Tensor, "rows 2 3"]:
        return turns(uniform(x, -self.degrees, self.degrees))


def turns(degrees: Float[Tensor, " rows"]) -> Float[Tensor, "rows 2 3"]:
    """The maps that turn a picture against the clock."""
    angle = degrees * (math.pi / 180)
    cosine, sine, none = angle.cos(), angle.sin(), torch.zeros_like(angle)
    return affine(cosine, -sine, none, sine, cosine, none)
