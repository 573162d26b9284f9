"""The restricted Boltzmann machine: visible and hidden units with connections between the two alone."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from handrail.components import component
from handrail.components.arguments import Count
from handrail.components.pictures import Picture, Tiles
from handrail.layers.energies import HIDDEN, RectifiedMean
from handrail.layers.energy_model import MOST_ENUMERATED, binary_states
from handrail.layers.restricted import RestrictedMachine, Slopes, uniform_like
from handrail.recipe.alone import Alone
from handrail.shapes import ImageShape, InputShape, NoTarget, SeriesShape, VolumeShape, numbers_in
from handrail.tools.moved import forward

__getattr__ = forward(__name__)

_SPREAD = 0.01  # of the first weights (Hinton 2012)
_SHOWN = 64  # filters


def _between_0_and_1(arguments: Mapping[str, Any]) -> bool:
    return arguments["visible"] == "binary"


@component("model", name="rbm")
class RBM(RestrictedMachine):
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

    def __init__(
        self,
        inputs: int | ImageShape | SeriesShape | VolumeShape,
        outputs: NoTarget,
        *,
        visible: Literal["binary", "gaussian"] = "binary",
        hidden: Literal["binary", "rectified"] = "binary",
        units: Count = 64,
    ) -> None:
        width = numbers_in(inputs)
        super().__init__(width, visible=visible)
        self.hidden, self.kind, self.units = hidden, HIDDEN[hidden], units
        self.weights = nn.Parameter(torch.randn(width, units) * _SPREAD)
        self.visible_bias = nn.Parameter(torch.zeros(width))
        self.hidden_bias = nn.Parameter(torch.zeros(units))

    @torch.no_grad()
    def set_visible_bias(self, bias: Float[Tensor, " visible"]) -> None:
        self.visible_bias.copy_(bias)

    def hidden_input(self, v: Float[Tensor, "rows visible"]) -> Float[Tensor, "rows units"]:
        return torch.addmm(self.hidden_bias, v, self.weights)

    def visible_input(
        self, h: Float[Tensor, "rows units"], bias: Float[Tensor, " visible"] | None = None
    ) -> Float[Tensor, "rows visible"]:
        return torch.addmm(self.visible_bias if bias is None else bias, h, self.weights.T)

    @property
    def visible_biases(self) -> Float[Tensor, " visible"]:
        return self.visible_bias

    def hidden_free(self, given: Float[Tensor, "rows units"]) -> Float[Tensor, "rows units"]:
        return self.kind.free(given)

    def hidden_mean(self, given: Float[Tensor, "rows units"]) -> Float[Tensor, "rows units"]:
        return self.kind.mean(given)

    def draw_hidden(
        self, given: Float[Tensor, "rows units"], generator: torch.Generator
    ) -> Float[Tensor, "rows units"]:
        return self.kind.draw(given, uniform_like(given, generator))

    def add_slopes(
        self,
        into: Slopes,
        v: Float[Tensor, "rows visible"],
        h: Float[Tensor, "rows units"],
        *,
        scale: float,
        weights: Float[Tensor, "rows 1"] | None = None,
    ) -> None:
        hidden = h
        if weights is not None:
            v, hidden = v * weights, h * weights
        into["weights"].addmm_(v.T, h, alpha=scale)
        into["visible_bias"].add_(v.sum(dim=0), alpha=scale)
        into["hidden_bias"].add_(self.bias_sums(hidden), alpha=scale)

    def bias_sums(self, h: Float[Tensor, "rows units"]) -> Float[Tensor, " units"]:
        return h.sum(dim=0)

    def coding_layers(self) -> nn.Sequential:
        """What `encode` does, as layers with weights of their own."""
        width, units = self.weights.shape
        into = nn.Linear(width, units)
        own = {"weight": self.weights.T, "bias": self.hidden_bias}
        into.load_state_dict({name: value.detach() for name, value in own.items()})
        return nn.Sequential(nn.Flatten(), into, nn.Sigmoid() if self.hidden == "binary" else RectifiedMean())

    def decoding_layers(self) -> nn.Sequential:
        """What `visible_given` does, as layers with weights of their own."""
        width, units = self.weights.shape
        back = nn.Linear(units, width)
        back.load_state_dict({"weight": self.weights.detach(), "bias": self.visible_bias.detach()})
        return nn.Sequential(back, nn.Sigmoid() if self.visible == "binary" else nn.Identity())

    def pictures(self, shape: InputShape) -> Sequence[Picture]:
        """The weights of the strongest hidden units, where rows are pictures."""
        if not isinstance(shape, ImageShape):
            return []
        weights = self.weights.detach().cpu().float()
        strongest = weights.norm(dim=0).argsort(descending=True)[:_SHOWN]
        filters = weights[:, strongest].T.reshape(len(strongest), *shape).mean(dim=1).numpy()
        note = f"The weights of {len(strongest)} of {weights.shape[1]:,} hidden units, the strongest first."
        return [Tiles("What the hidden units look for", filters, note=note, signed=True)]

    def exact_log_z(self) -> float | None:
        """Where one side has at most 20 binary units."""
        visible, units = self.weights.shape
        if self.hidden == "binary" and units <= MOST_ENUMERATED:
            return self.enumerate_hidden()
        if self.visible == "binary" and visible <= MOST_ENUMERATED:
            return self.enumerate_visible()
        return None

    @torch.no_grad()
    def enumerate_hidden(self) -> float:
        """log Σ over the states of binary hidden units of the sum, or integral, over the visible ones."""
        weights, bias, own = self._double()
        parts = []
        for h in binary_states(len(own), weights.device):
            given = h @ weights.T
            if self.visible == "binary":
                rest = functional.softplus(given + bias).sum(dim=1)
            else:
                rest = given @ bias + given.square().sum(dim=1) / 2 + len(bias) * math.log(2 * math.pi) / 2
            parts.append(torch.logsumexp(h @ own + rest, dim=0))
        return float(torch.logsumexp(torch.stack(parts), dim=0))

    @torch.no_grad()
    def enumerate_visible(self) -> float:
        """log Σ over the states of binary visible units of exp(−F)."""
        weights, bias, own = self._double()
        parts = [
            torch.logsumexp(v @ bias + self.kind.free(v @ weights + own).sum(dim=1), dim=0)
            for v in binary_states(len(bias), weights.device)
        ]
        return float(torch.logsumexp(torch.stack(parts), dim=0))

    def _double(self) -> tuple[Tensor, Tensor, Tensor]:
        return self.weights.double(), self.visible_bias.double(), self.hidden_bias.double()

    def pseudo_likelihood(
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

    def hyvarinen(self, v: Float[Tensor, "rows visible"]) -> Float[Tensor, " rows"]:
        inputs = self.hidden_input(v)
        first = self.visible_bias - v + self.kind.mean(inputs) @ self.weights.T
        second = self.kind.slope(inputs) @ self.weights.square().sum(dim=0) - v.shape[1]
        return -second - first.square().sum(dim=1) / 2
