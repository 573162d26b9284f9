"""Maxout: an activation that learns its own convex shape."""

from typing import Annotated, ClassVar

from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from handrail.components import component


@component("activation")
class Maxout(nn.Module):
    """Maxout: y = max over k of (W_k·x + b_k), with its own weights for each piece.

    It maps `[..., features]` to the same shape and has pieces · features · (features + 1) parameters, unlike
    the other activations, which have none or a few.

    Arguments:
        features: units in, and units out.
        pieces: how many linear pieces each unit takes the largest of; 2 is the lecture's.

    Source: Goodfellow et al. 2013
    """

    is_activation: ClassVar[bool] = True

    def __init__(self, features: int, *, pieces: Annotated[int, Field(ge=2)] = 2) -> None:
        super().__init__()
        self.features = features
        self.pieces = pieces
        self.affine = nn.Linear(features, features * pieces)

    def forward(self, inputs: Float[Tensor, "*rows features"]) -> Float[Tensor, "*rows features"]:
        # [..., pieces · features] → [..., pieces, features], largest piece of each unit
        return self.affine(inputs).unflatten(-1, (self.pieces, self.features)).amax(dim=-2)

    def extra_repr(self) -> str:
        return f"features={self.features}, pieces={self.pieces}"
