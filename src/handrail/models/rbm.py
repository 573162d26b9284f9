"""The restricted Boltzmann machine: visible and hidden units with connections between the two alone."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from handrail.components import component
from handrail.components.arguments import Count
from handrail.components.pictures import Picture, Tiles
from handrail.layers.energies import HIDDEN
from handrail.recipe.alone import Alone
from handrail.shapes import ImageShape, InputShape, NoTarget, SeriesShape, VolumeShape, numbers_in

_SPREAD = 0.01  # of the first weights (Hinton 2012)
_JUDGED = 64  # visible units that training is validated by
_SHOWN = 64  # filters


def _between_0_and_1(arguments: Mapping[str, Any]) -> bool:
    return arguments["visible"] == "binary"


@component("model", name="rbm")
class RBM(nn.Module):
    """log p(v) = −F(v) − log Z, with −F(v) = b·v + Σⱼ f(cⱼ + v·Wⱼ) for binary visible units, and
    −‖v − b‖²/2 + Σⱼ f(cⱼ + v·Wⱼ) for Gaussian ones of variance 1.

    f is log(1 + eˣ) for binary hidden units; rectified ones are normal densities cut off at 0. Values between
    0 and 1 are probabilities of binary visible units. log Z is 0 until it is found (`models.annealing`).

    A row gets log p(v), and the figure that training is validated by, which needs no Z: the
    pseudo-log-likelihood Σᵢ log p(vᵢ | the others) over 64 units at most, scaled up to all, or for Gaussian
    units minus Hyvärinen's score Σᵢ ∂ᵢ² log p + (∂ᵢ log p)²/2.

    Arguments:
        inputs: images, series and volumes are flattened.
        visible: kind of the visible units.
        hidden: kind of the hidden units.
        units: hidden ones.

    Source: Smolensky 1986; Hinton 2002; Welling, Rosen-Zvi & Hinton 2004 (Gaussian units); Besag 1975
    (pseudo-likelihood); Hyvärinen 2005 (score)
    """

    alone: ClassVar[Alone] = Alone(
        "density", batch_size=50, patience=None, unit=_between_0_and_1, real="model.rbm.visible=gaussian"
    )
    rules: ClassVar[tuple[str, ...]] = ("contrastive_divergence",)
    judged: Tensor
    log_z: Tensor
    log_z_error: Tensor

    def __init__(
        self,
        inputs: int | ImageShape | SeriesShape | VolumeShape,
        outputs: NoTarget,
        *,
        visible: Literal["binary", "gaussian"] = "binary",
        hidden: Literal["binary", "rectified"] = "binary",
        units: Count = 64,
    ) -> None:
        super().__init__()
        width = numbers_in(inputs)
        self.visible, self.hidden, self.kind = visible, hidden, HIDDEN[hidden]
        self.weights = nn.Parameter(torch.randn(width, units) * _SPREAD)
        self.visible_bias = nn.Parameter(torch.zeros(width))
        self.hidden_bias = nn.Parameter(torch.zeros(units))
        chosen = torch.randperm(width, generator=torch.Generator().manual_seed(0))[:_JUDGED]
        self.register_buffer("judged", chosen.sort().values, persistent=False)
        self.register_buffer("log_z", torch.zeros((), dtype=torch.float64))
        self.register_buffer("log_z_error", torch.zeros((), dtype=torch.float64))

    def forward(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, "rows 2"]:
        return torch.stack([self.score(x), self.judge(x.flatten(1))], dim=1)

    def score(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, " rows"]:
        """log p(x) in nats, where log Z has been found."""
        return -self.free_energy(x.flatten(1)) - self.log_z.to(x)

    def judge(
        self, v: Float[Tensor, "rows visible"], units: Sequence[int] | None = None
    ) -> Float[Tensor, " rows"]:
        """What training is validated by.

        Arguments:
            units: those that the pseudo-likelihood is made from; by default the fixed ones.
        """
        if self.visible == "gaussian":
            return self._hyvarinen(v)
        return self._pseudo_likelihood(v, self.judged.tolist() if units is None else units)

    def hidden_input(self, v: Float[Tensor, "rows visible"]) -> Float[Tensor, "rows units"]:
        return torch.addmm(self.hidden_bias, v, self.weights)

    def visible_input(self, h: Float[Tensor, "rows units"]) -> Float[Tensor, "rows visible"]:
        return torch.addmm(self.visible_bias, h, self.weights.T)

    def visible_term(
        self, v: Float[Tensor, "rows visible"], bias: Float[Tensor, " visible"]
    ) -> Float[Tensor, " rows"]:
        """What the visible units add to the log-density by themselves."""
        return v @ bias if self.visible == "binary" else -(v - bias).square().sum(dim=1) / 2

    def free_energy(self, v: Float[Tensor, "rows visible"]) -> Float[Tensor, " rows"]:
        """F(v): minus the log-density but for a constant."""
        return -self.visible_term(v, self.visible_bias) - self.kind.free(self.hidden_input(v)).sum(dim=1)

    def hidden_given(self, v: Float[Tensor, "rows visible"]) -> Float[Tensor, "rows units"]:
        """The mean of each hidden unit; of binary ones the probability of 1."""
        return self.kind.mean(self.hidden_input(v))

    def visible_mean(self, given: Float[Tensor, "rows visible"]) -> Float[Tensor, "rows visible"]:
        """The mean of each visible unit by its input."""
        return torch.sigmoid(given) if self.visible == "binary" else given

    def visible_given(self, h: Float[Tensor, "rows units"]) -> Float[Tensor, "rows visible"]:
        """The mean of each visible unit; of binary ones the probability of 1."""
        return self.visible_mean(self.visible_input(h))

    def draw_hidden(
        self, given: Float[Tensor, "rows units"], generator: torch.Generator
    ) -> Float[Tensor, "rows units"]:
        """Hidden units by their inputs."""
        return self.kind.draw(given, _chances(given, generator))

    def draw_visible(
        self, given: Float[Tensor, "rows visible"], generator: torch.Generator
    ) -> Float[Tensor, "rows visible"]:
        """Visible units by their inputs."""
        if self.visible == "binary":
            return (_chances(given, generator) < torch.sigmoid(given)).to(given.dtype)
        noise = torch.randn(given.shape, generator=generator, device=generator.device)
        return given + noise.to(given)

    def encode(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, "rows units"]:
        """The mean of each hidden unit."""
        return self.hidden_given(x.flatten(1))

    def reconstruct(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, "rows visible"]:
        """The mean of each visible unit, given the means of the hidden ones."""
        return self.visible_given(self.encode(x))

    @torch.no_grad()
    def generate(
        self, rows: int, *, steps: int, generator: torch.Generator, means: bool = False
    ) -> Float[Tensor, "rows visible"]:
        """Visible units at the ends of chains that begin without any hidden unit; or their `means` there."""
        bias = self.visible_bias
        given = bias.expand(rows, -1)
        for _ in range(steps):
            h = self.draw_hidden(self.hidden_input(self.draw_visible(given, generator)), generator)
            given = self.visible_input(h)
        return self.visible_mean(given) if means else self.draw_visible(given, generator)

    def pictures(self, shape: InputShape) -> Sequence[Picture]:
        """The weights of the strongest hidden units, where rows are pictures."""
        if not isinstance(shape, ImageShape):
            return []
        weights = self.weights.detach().cpu().float()
        strongest = weights.norm(dim=0).argsort(descending=True)[:_SHOWN]
        filters = weights[:, strongest].T.reshape(len(strongest), *shape).mean(dim=1).numpy()
        note = f"The weights of {len(strongest)} of {weights.shape[1]:,} hidden units, the strongest first."
        return [Tiles("What the hidden units look for", filters, note=note, signed=True)]

    def _pseudo_likelihood(
        self, v: Float[Tensor, "rows visible"], units: Sequence[int]
    ) -> Float[Tensor, " rows"]:
        inputs, total = self.hidden_input(v), v.new_zeros(len(v))
        for unit in units:
            value, weights = v[:, unit], self.weights[unit]
            without = inputs - value.unsqueeze(1) * weights
            gain = (self.kind.free(without + weights) - self.kind.free(without)).sum(dim=1)
            odds = self.visible_bias[unit] + gain
            total = total + value * odds - functional.softplus(odds)
        return total * (v.shape[1] / len(units))

    def _hyvarinen(self, v: Float[Tensor, "rows visible"]) -> Float[Tensor, " rows"]:
        inputs = self.hidden_input(v)
        first = self.visible_bias - v + self.kind.mean(inputs) @ self.weights.T
        second = self.kind.slope(inputs) @ self.weights.square().sum(dim=0) - v.shape[1]
        return -second - first.square().sum(dim=1) / 2


def _chances(like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.rand(like.shape, generator=generator, device=generator.device).to(like)
