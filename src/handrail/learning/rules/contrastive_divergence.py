"""Contrastive divergence: what goes together in the rows, less what goes together in the machine's own."""

from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handrail.components import component
from handrail.components.arguments import Count, NonNegative, Positive, Rate, Share
from handrail.errors import RecipeError
from handrail.layers.restricted import RestrictedMachine
from handrail.learning.density import DensityRule
from handrail.learning.rule import TrainingPlan
from handrail.network import model_in

_RATES = {("binary", "binary"): 0.1, ("binary", "rectified"): 0.03}
_RATE = 0.01  # of Gaussian units, whose values have no end
_SHARED = 10  # places; where more share a weight, what they say of it adds up
_LONG = 0.5  # rectified units answer without end to long rows: on 784 pixels 1 / ‖v‖² may explode
_LARGEST = 0.99  # norm of the weights between Gaussian and rectified units: from 1 on there is no density
_COST = 1.0  # of sparsity
_NO_SPARSITY = (
    "learning.contrastive_divergence.sparsity_cost: has no effect without a sparsity; leave it out, or set "
    "learning.contrastive_divergence.sparsity."
)


@component("rule")
class ContrastiveDivergence(DensityRule[RestrictedMachine]):
    """Δw = η·(⟨v·h⟩ of the rows − ⟨v·h⟩ of rows that the machine draws), and so for the biases.

    The machine draws by `steps` Gibbs steps from the rows of the batch (CD-k) or, if `persistent`, from where
    its last ones ended (PCD), as many as the first batch has rows. Visible biases begin as those of
    independent units. Between Gaussian and rectified units, weights are kept small enough for a density.
    Weights that are shared take the sum over the places that share them.

    Arguments:
        steps: k, at first.
        final_steps: k at the last step, towards which it grows evenly; without it k stays as it is.
        persistent: chains go on from step to step.
        learning_rate: η at first; `auto` is 0.1, for rectified units 0.03, or 0.5 by the mean ‖v‖² of the
            rows where that is less, with Gaussian ones 0.01; where more than ten places share a weight,
            times ten by their number.
        final: η falls linearly to this share of itself at the last step.
        momentum: share of the last change that is made again; `auto` is 0.8 between binary units, and 0.5
            for others, shared weights, or persistent chains, which have to follow.
        weight_decay: of the weights, η·decay·w a step.
        sparsity: the mean activation ρ that each hidden unit is held to, by Δc = η·cost·(ρ − activation);
            None for none. `auto` is none, and of a convolutional machine 0.2 for each pooling block.
        sparsity_cost: how strongly; `auto` is 1.

    Raises: `RecipeError` for penalties, which it does not follow, and for a cost without sparsity.

    Source: Hinton 2002; Tieleman 2008 (persistent); Salakhutdinov & Murray 2008 (growing k);
    Hinton 2012 (settings); Lee, Ekanadham & Ng 2008; Lee et al. 2009 (sparsity)
    """

    models: ClassVar[tuple[str, ...]] = ("rbm", "conv_rbm")
    parts: ClassVar[tuple[str, ...]] = ("weights", "visible_bias", "hidden_bias")

    def __init__(
        self,
        *,
        steps: Count = 1,
        final_steps: Count | None = None,
        persistent: bool = False,
        learning_rate: Positive | Literal["auto"] = "auto",
        final: Share = 0.1,
        momentum: Rate | Literal["auto"] = "auto",
        weight_decay: NonNegative = 1e-4,
        sparsity: Share | Literal["auto"] | None = "auto",
        sparsity_cost: Positive | Literal["auto"] = "auto",
    ) -> None:
        super().__init__(final=final, weight_decay=weight_decay)
        self.steps, self.final_steps = steps, steps if final_steps is None else final_steps
        self.persistent, self.rate, self.inertia = persistent, learning_rate, momentum
        self.sparsity, self.cost = sparsity, sparsity_cost
        if sparsity is None and sparsity_cost != "auto":
            raise RecipeError(_NO_SPARSITY)

    def start(self, model: nn.Module, plan: TrainingPlan) -> None:
        """Set the visible biases by the rows."""
        inner = model_in(model)
        assert isinstance(inner, RestrictedMachine)
        binary = (inner.visible, inner.hidden) == ("binary", "binary")
        usual = 0.8 if binary and inner.places == 1 and not self.persistent else 0.5
        momentum = usual if self.inertia == "auto" else float(self.inertia)
        rows = self.begin(model, inner, plan, rule="contrastive_divergence", momentum=momentum)
        self.first = _usual_rate(inner, rows) if self.rate == "auto" else float(self.rate)
        self.chains = torch.zeros(0, inner.units, device=rows.device)
        self.held = inner.sparsity if self.sparsity == "auto" else self.sparsity  # mean activation
        if self.held is None and self.cost != "auto":
            raise RecipeError(_NO_SPARSITY)

    def phases(
        self, rows: Float[Tensor, "rows visible"], weights: Float[Tensor, "rows 1"] | None, rate: float
    ) -> None:
        machine = self.machine
        given = machine.hidden_input(rows)
        fantasy, own = self._draw(given)
        hidden = machine.hidden_mean(given)
        self._add(rows, hidden, rate, weights)
        self._add(fantasy, machine.hidden_mean(own), -rate, None if self.persistent else weights)
        if self.held is not None:
            self._add_sparsity(hidden, rate, weights)

    def _draw(self, given: Float[Tensor, "rows units"]) -> tuple[Tensor, Tensor]:
        """Visible units at the ends of the chains, and the inputs of the hidden ones there."""
        machine, generator = self.machine, self.generator
        begun = self.persistent and len(self.chains) > 0
        h = self.chains if begun else machine.draw_hidden(given, generator)
        steps = round(self.steps + (self.final_steps - self.steps) * self.progress)
        for step in range(steps):
            v = machine.draw_visible(machine.visible_input(h), generator)
            inputs = machine.hidden_input(v)
            if self.persistent or step < steps - 1:
                h = machine.draw_hidden(inputs, generator)
        if self.persistent:
            self.chains = h
        return v, inputs  # pyright: ignore[reportPossiblyUnboundVariable]

    def _add(self, v: Tensor, h: Tensor, rate: float, weights: Float[Tensor, "rows 1"] | None) -> None:
        """Add what goes together in these rows, times the rate."""
        scale = rate / _total(v, weights)
        self.machine.add_slopes(self.speed, v, h, scale=scale, weights=weights)

    def _add_sparsity(
        self, hidden: Float[Tensor, "rows units"], rate: float, weights: Float[Tensor, "rows 1"] | None
    ) -> None:
        """Move the hidden biases towards the mean activation that is asked for."""
        assert isinstance(self.held, float)
        gap = self.held - hidden
        sums = self.machine.bias_sums(gap if weights is None else gap * weights)
        cost = _COST if self.cost == "auto" else float(self.cost)
        self.speed["hidden_bias"].add_(sums, alpha=rate * cost / _total(hidden, weights))

    def settle(self) -> None:
        if (self.machine.visible, self.machine.hidden) != ("gaussian", "rectified"):
            return
        weights = self.machine.get_parameter("weights")
        if weights.isfinite().all():  # the engine tells of others
            size = float(torch.linalg.matrix_norm(weights, 2))
            weights.mul_(min(1.0, _LARGEST / max(size, _LARGEST)))

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "chains": self.chains}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.chains = state["chains"].to(self.machine.log_z.device)


def _total(rows: Tensor, weights: Float[Tensor, "rows 1"] | None) -> float:
    return len(rows) if weights is None else max(float(weights.sum()), 1e-12)


def _usual_rate(machine: RestrictedMachine, rows: Float[Tensor, "rows visible"]) -> float:
    kinds = machine.visible, machine.hidden
    usual = _RATES.get(kinds, _RATE) * min(1.0, _SHARED / machine.places)
    if kinds != ("binary", "rectified"):
        return usual
    return min(usual, _LONG / max(float(rows.square().sum(dim=1).mean()), 1e-12))
