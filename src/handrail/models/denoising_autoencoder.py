"""The denoising autoencoder: rows given back from rows that were spoiled."""

from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from handrail.components import component
from handrail.components.arguments import Activation, Count, Initialisation, Rate, Share
from handrail.models.autoencoder import Autoencoder
from handrail.shapes import ImageShape, NoTarget, SeriesShape, VolumeShape


@component("model")
class DenoisingAutoencoder(Autoencoder):
    """x̂ = g(f(x̃)), with x̃ a spoiled x, drawn anew at each step of training; the target is x.

    It has to learn what goes with what, and leads from rows beside the data back to them. In use rows are
    taken as they are.

    Arguments:
        inputs: as `autoencoder`.
        corruption: `masking` sets numbers to 0 (in standardised columns the mean), `gaussian` adds noise of
            that standard deviation, `salt_and_pepper` sets them to the smallest or largest of the batch.
        strength: the share of numbers that is set, or the standard deviation of the noise.
        code, hidden, channels, activation, tied, dropout, initialisation: as `autoencoder`.

    Raises: `RecipeError` as `autoencoder`.

    Source: Vincent et al. 2008, 2010
    """

    name: ClassVar[str] = "denoising_autoencoder"

    def __init__(
        self,
        inputs: int | ImageShape | SeriesShape | VolumeShape,
        outputs: NoTarget,
        *,
        corruption: Literal["masking", "gaussian", "salt_and_pepper"] = "masking",
        strength: Share = 0.3,
        code: Count | None = None,
        hidden: list[Count] = [128],  # noqa: B006 - never changed; shown as the default
        channels: list[Count] = [],  # noqa: B006
        activation: Activation = "relu",
        tied: bool = False,
        dropout: Rate = 0.0,
        initialisation: Initialisation = "xavier",
    ) -> None:
        super().__init__(
            inputs,
            outputs,
            code=code,
            hidden=hidden,
            channels=channels,
            activation=activation,
            tied=tied,
            dropout=dropout,
            initialisation=initialisation,
        )
        self.corruption, self.strength = corruption, strength

    def forward(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, "rows width"]:
        return self.reconstruct(self.spoil(x) if self.training else x)

    def spoil(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, "rows ..."]:
        """Rows with some numbers set, or with noise."""
        if self.corruption == "gaussian":
            return x + self.strength * torch.randn_like(x)
        chosen = torch.rand_like(x) < self.strength
        if self.corruption == "masking":
            return x.masked_fill(chosen, 0.0)
        low, high = x.aminmax()
        return torch.where(chosen, torch.where(torch.rand_like(x) < 0.5, low, high), x)
