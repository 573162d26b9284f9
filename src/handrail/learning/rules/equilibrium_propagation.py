"""Equilibrium propagation: what the units do when the outputs are pushed a little towards the targets."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handrail.components import Slot, component
from handrail.components.arguments import Count, Positive
from handrail.learning.local import LocalRule, refuse_mixtures
from handrail.learning.rule import Batch, TrainingPlan, refuse_penalties
from handrail.models.equilibrium_net import EquilibriumNet, States
from handrail.network import model_inputs

_HERE = "learning.equilibrium_propagation"


@component("rule")
class EquilibriumPropagation(LocalRule):
    """d⁽ˡ⁾ = −(⟨s⁽ˡ⁾·s⁽ˡ⁻¹⁾ᵀ⟩ at β − the same at −β) / 2β: Hebb's rule pushed, less Hebb's rule pushed away.

    The network settles freely, then from there with its outputs nudged by −β·∂C/∂s, C being the loss of the
    row, and again with +β. As β → 0 and sweeps → ∞, d is the gradient of the loss where the network is at
    rest. With `symmetric` off, the free state stands in for that at −β, and the divisor is β.

    Classes are learned by the squared error to −1 and 1: where a loss asks for ever larger scores, as the
    cross-entropy does, the outputs come to hold the units below them where they are, and learning ends. Rows
    count by their weights where they have some.

    Arguments:
        beta: β.
        sweeps: of each nudged phase; the free one has those of the model.
        symmetric: whether the outputs are nudged both ways, which leaves an error of β² in place of β.
        optimizer: how the directions change the parameters.
        schedule: how the learning rate changes over the steps.

    Raises: `RecipeError` for penalties, which it does not follow, and augmentations that mix rows.

    Source: Scellier & Bengio 2017; symmetric: Laborieux et al. 2021
    """

    models: ClassVar[tuple[str, ...]] = ("equilibrium_net",)
    losses: Mapping[str, Any] = dict.fromkeys(("binary", "multi-class", "multi-label"), "sign_mse")

    def __init__(
        self,
        *,
        beta: Positive = 1.0,
        sweeps: Count = 6,
        symmetric: bool = True,
        optimizer: Annotated[Any, Slot("optimizer")] = "adamw",
        schedule: Annotated[Any, Slot("schedule")] = "constant",
    ) -> None:
        super().__init__(_HERE, optimizer=optimizer, schedule=schedule)
        self.beta, self.sweeps, self.symmetric = beta, sweeps, symmetric

    def start(self, model: nn.Module, plan: TrainingPlan) -> None:
        """Check that there is a loss alone to follow."""
        refuse_penalties(plan, "equilibrium_propagation")
        refuse_mixtures(model, _HERE)
        super().start(model, plan)

    def matrices(self, model: nn.Module) -> list[Tensor]:
        assert isinstance(model, EquilibriumNet)
        self.net = model
        return [layer.weight for layer in model.dense]

    @torch.no_grad()
    def direct(self, model: nn.Module, batch: Batch) -> Float[Tensor, ""]:
        """Settle three times, and compare."""
        x = model_inputs(model, batch.inputs).flatten(1)
        free = self.net.settle(x, sweeps=self.net.sweeps)
        pushed = self._nudged(x, free, batch, self.beta)
        other = self._nudged(x, free, batch, -self.beta) if self.symmetric else free
        share = batch.shares(x) / ((2 if self.symmetric else 1) * self.beta)
        for place, layer in enumerate(self.net.dense):
            plus, minus = pushed[place] * share, other[place] * share
            below_plus, below_minus = (x, x) if place == 0 else (pushed[place - 1], other[place - 1])
            layer.weight.grad = minus.T @ below_minus - plus.T @ below_plus
            layer.bias.grad = (minus - plus).sum(dim=0)
        return self.objective.mean(free[-1], batch.targets, batch.weights)

    def _nudged(self, x: Tensor, free: States, batch: Batch, beta: float) -> States:
        def nudge(outputs: Tensor) -> Tensor:
            return -beta * self._slope(outputs, batch.targets)

        return self.net.settle(x, free, sweeps=self.sweeps, nudge=nudge)

    def _slope(
        self, outputs: Float[Tensor, "rows outputs"], targets: Tensor
    ) -> Float[Tensor, "rows outputs"]:
        """The derivative of each row's loss by its outputs."""
        with torch.enable_grad():
            outputs = outputs.detach().requires_grad_()
            return torch.autograd.grad(self.objective.rows(outputs, targets).sum(), outputs)[0]
