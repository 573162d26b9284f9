"""The sparse autoencoder: codes of many units, of which few are on for any row."""

from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from handrail.components import build, component
from handrail.components.arguments import Activation, Count, Fraction, Initialisation, NonNegative, Rate
from handrail.models.autoencoder import Autoencoder
from handrail.shapes import ImageShape, NoTarget, SeriesShape, VolumeShape, numbers_in


@component("model")
class SparseAutoencoder(Autoencoder):
    """x̂ = g(σ(f(x))), with weight·Σⱼ KL(ρ ‖ ρ̂ⱼ) added to the loss: ρ̂ⱼ, the mean of unit j of the code over a
    batch, is to be ρ.

    KL(ρ ‖ ρ̂) = ρ·log ρ/ρ̂ + (1 − ρ)·log (1 − ρ)/(1 − ρ̂). A code may then have more numbers than a row.

    Arguments:
        inputs: as `autoencoder`.
        code: units in the code; None is as many as a row has numbers.
        sparsity: ρ, how far on a unit is to be in the mean.
        weight: how much the added loss counts.
        hidden, channels, activation, tied, dropout, initialisation: as `autoencoder`.

    Raises: `RecipeError` as `autoencoder`.

    Source: Ng 2011; Lee, Ekanadham & Ng 2008
    """

    name: ClassVar[str] = "sparse_autoencoder"
    added_loss_from: ClassVar[tuple[str, ...]] = ("encoder",)

    def __init__(
        self,
        inputs: int | ImageShape | SeriesShape | VolumeShape,
        outputs: NoTarget,
        *,
        code: Count | None = None,
        sparsity: Fraction = 0.05,
        weight: NonNegative = 0.01,
        hidden: list[Count] = [],  # noqa: B006 - never changed; shown as the default
        channels: list[Count] = [],  # noqa: B006
        activation: Activation = "relu",
        tied: bool = False,
        dropout: Rate = 0.0,
        initialisation: Initialisation = "xavier",
    ) -> None:
        super().__init__(
            inputs,
            outputs,
            code=numbers_in(inputs) if code is None else code,
            hidden=hidden,
            channels=channels,
            activation=activation,
            tied=tied,
            dropout=dropout,
            initialisation=initialisation,
        )
        self.encoder.append(nn.Sigmoid())
        self.penalty = build("penalty", {"sparsity_kl": {"strength": weight, "rate": sparsity}})

    def added_loss(
        self,
        inputs: Float[Tensor, "rows ..."],
        outputs: Float[Tensor, "rows width"],
        targets: Tensor,
        codes: Float[Tensor, "rows code"],
    ) -> Float[Tensor, " rows"]:
        """weight·Σⱼ KL(ρ ‖ ρ̂ⱼ), the same for each row of a batch."""
        return self.penalty(self, [codes]).expand(len(codes))
