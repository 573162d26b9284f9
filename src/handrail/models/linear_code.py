"""A linear code of centred rows."""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handrail.components import component
from handrail.components.arguments import Count
from handrail.recipe.alone import Alone
from handrail.shapes import ImageShape, NoTarget, SeriesShape, VolumeShape, numbers_in


@component("model")
class LinearCode(nn.Module):
    """c = (x − μ)·W and x̂ = μ + c·Wᵀ: a few linear units whose weights W also make the row of its code.

    `sanger` teaches it the main components of the rows, in their order; `oja` the first one, or the space
    that the first ones span. Both set μ to the mean of the training rows.

    Arguments:
        inputs: images, series and volumes are flattened.
        code: units, and numbers in the code.

    Source: Oja 1982
    """

    alone: ClassVar[Alone] = Alone("reconstruction", epochs=100, patience=None)
    rules: ClassVar[tuple[str, ...]] = ("sanger", "oja")
    mean: Tensor

    def __init__(
        self,
        inputs: int | ImageShape | SeriesShape | VolumeShape,
        outputs: NoTarget,
        *,
        code: Count = 2,
    ) -> None:
        super().__init__()
        width = numbers_in(inputs)
        self.weight = nn.Parameter(torch.randn(width, code) / width**0.5)
        self.register_buffer("mean", torch.zeros(width))

    def forward(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, "rows width"]:
        return self.reconstruct(x)

    def encode(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, "rows code"]:
        """The code of each row."""
        return (x.flatten(1) - self.mean) @ self.weight

    def decode(self, code: Float[Tensor, "rows code"]) -> Float[Tensor, "rows width"]:
        """The row of each code, flat, in encoded units."""
        return self.mean + code @ self.weight.T

    def reconstruct(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, "rows width"]:
        """Each row, encoded and decoded."""
        return self.decode(self.encode(x))
