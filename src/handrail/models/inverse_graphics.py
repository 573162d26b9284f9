"""Inverse graphics: a variational autoencoder each of whose first numbers stands for one factor."""

from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from handrail.components import component
from handrail.components.arguments import Activation, Count, Initialisation, NonNegative
from handrail.models.vae import VAE, takes_unit_values
from handrail.recipe.alone import Alone
from handrail.shapes import ImageShape, NoTarget, SeriesShape, VolumeShape

OfRows = Float[Tensor, "rows code"]


@component("model")
class InverseGraphics(VAE):
    """A `vae` that is trained by pairs of rows which differ in one known factor alone: in a pair that differs
    in factor j number j of the code may differ, and all others are the same in both.

    These have the mean of both rows' μ and of both σ², and invariance·KL(q ‖ q̄) of each row's own q from it
    is added to the loss. So the first numbers come to stand for the factors, one for each, in their order;
    what no factor says is left to the others. A code is read and written as that of a `vae`.

    Arguments:
        inputs: as `vae`.
        code: numbers in z, at least one for each factor; None as `vae`.
        invariance: how much it counts that numbers stay what they are when another factor changes.
        hidden, channels, activation, likelihood, beta, free_bits, samples, bound_samples, binarise,
            initialisation: as `vae`.

    Raises: `RecipeError` as `vae`.

    Source: Kulkarni et al. 2015 (DCIGN, where z less its mean goes back); Hosoya 2019 (means of both)
    """

    alone: ClassVar[Alone] = Alone(
        "density",
        epochs=200,
        patience=20,
        unit=takes_unit_values,
        real="model.inverse_graphics.likelihood=gaussian",
    )
    name: ClassVar[str] = "inverse_graphics"
    rules: ClassVar[tuple[str, ...]] = ("factor_pairs",)

    def __init__(
        self,
        inputs: int | ImageShape | SeriesShape | VolumeShape,
        outputs: NoTarget,
        *,
        code: Count | None = None,
        invariance: NonNegative = 5.0,
        hidden: list[Count] = [128],  # noqa: B006 - never changed; shown as the default
        channels: list[Count] = [],  # noqa: B006
        activation: Activation = "relu",
        likelihood: Literal["auto", "bernoulli", "gaussian"] = "auto",
        beta: NonNegative = 1.0,
        free_bits: NonNegative = 0.0,
        samples: Count = 1,
        bound_samples: Count = 64,
        binarise: bool = False,
        initialisation: Initialisation = "xavier",
    ) -> None:
        layers: Any = {"code": code, "hidden": hidden, "channels": channels, "activation": activation}
        bound: Any = {
            "beta": beta,
            "free_bits": free_bits,
            "samples": samples,
            "bound_samples": bound_samples,
        }
        rows: Any = {"likelihood": likelihood, "binarise": binarise, "initialisation": initialisation}
        super().__init__(inputs, outputs, **layers, **bound, **rows)
        self.invariance = invariance

    def pairs(
        self,
        x: Float[Tensor, "rows ..."],
        others: Float[Tensor, "rows ..."],
        factor: int,
        *,
        generator: torch.Generator,
    ) -> Float[Tensor, " both"]:
        """What training follows, of rows and of those that differ from them in one factor.

        Outside its own number both have the same draw of the same law.
        """
        both = torch.cat([x, others])
        if self.binarise:
            both = torch.bernoulli(both.clamp(0, 1).cpu(), generator=generator).to(both)
        mean, log_spread = self._posterior(both)
        own = torch.arange(self.code, device=mean.device) == factor
        variance = (2 * log_spread).exp()
        shared, shared_variance = (
            values.unflatten(0, (2, -1)).mean(dim=0).repeat(2, 1) for values in (mean, variance)
        )
        shared_spread = shared_variance.log() / 2
        moved = ((mean - shared).square() + variance) / shared_variance / 2 - 0.5 + shared_spread - log_spread
        noise = torch.randn(self.samples, len(x), self.code, generator=generator).to(mean)
        mean, log_spread = torch.where(own, mean, shared), torch.where(own, log_spread, shared_spread)
        figure = self._figure(both.flatten(1), mean, log_spread, noise.repeat(1, 2, 1))
        return figure - self.invariance * moved.masked_fill(own, 0.0).sum(dim=1)
