"""U-Net."""

from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from handrail.components import component
from handrail.components.arguments import Count, Rate
from handrail.errors import RecipeError
from handrail.layers.convolution import ConvAct, Normalisation
from handrail.layers.initialisations import initialise
from handrail.layers.noise import Dropout
from handrail.layers.pooling import Pool
from handrail.shapes import ImageShape, MapShape


@component("model", name="unet")
class UNet(nn.Module):
    """U-Net: down to coarse maps that see far, up again joined with the fine ones; a score a pixel.

    Deviations from the paper: convolutions keep the size, and images are continued by their last pixels to a
    multiple of 2^depth inside, so that scores come out for every pixel of an image of any size.

    Arguments:
        depth: how often the size is halved.
        width: maps at full size, doubled by each halving. The paper has 64, four times as slow as 32.
        normalisation: before each activation; the paper has none.
        dropout: share of the coarsest maps' values set to zero in training.

    Raises: `RecipeError` when the map that is asked for has another size than the images.

    Source: Ronneberger, Fischer & Brox 2015
    """

    def __init__(
        self,
        inputs: ImageShape,
        outputs: MapShape,
        *,
        depth: Annotated[int, Field(ge=1, le=8)] = 4,
        width: Count = 32,
        normalisation: Normalisation = "batch",
        dropout: Rate = 0.0,
    ) -> None:
        super().__init__()
        if tuple(inputs[1:]) != tuple(outputs[1:]):
            raise RecipeError(
                f"model.unet: found images of {inputs[1]}×{inputs[2]} pixels and masks of "
                f"{outputs[1]}×{outputs[2]}; expected one size."
            )
        widths = [width * 2**level for level in range(depth + 1)]
        self.depth = depth
        pairs = zip([inputs[0], *widths], widths, strict=False)
        self.down = nn.ModuleList(_pair(before, after, normalisation) for before, after in pairs)
        self.pool = Pool("max")
        self.dropout = Dropout(dropout) if dropout else nn.Identity()
        upwards = widths[-2::-1]
        self.up = nn.ModuleList(nn.ConvTranspose2d(2 * wide, wide, 2, stride=2) for wide in upwards)
        self.join = nn.ModuleList(_pair(2 * wide, wide, normalisation) for wide in upwards)
        self.head = nn.Conv2d(width, outputs[0], 1)
        initialise(self, "he")

    def forward(
        self, x: Float[Tensor, "rows channels height width"]
    ) -> Float[Tensor, "rows scores height width"]:
        height, width = x.shape[2:]
        unit = 2**self.depth
        x = functional.pad(x, (0, -width % unit, 0, -height % unit), mode="replicate")
        fine: list[Tensor] = []
        for level, layer in enumerate(self.down):
            x = layer(self.pool(x) if level else x)
            fine.append(x)
        x = self.dropout(fine.pop())
        for up, join in zip(self.up, self.join, strict=True):
            x = join(torch.cat([fine.pop(), up(x)], dim=1))
        return self.head(x)[:, :, :height, :width]


def _pair(inputs: int, outputs: int, normalisation: Normalisation) -> nn.Sequential:
    return nn.Sequential(
        ConvAct(inputs, outputs, normalisation=normalisation),
        ConvAct(outputs, outputs, normalisation=normalisation),
    )
