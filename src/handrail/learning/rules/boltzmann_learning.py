"""Boltzmann learning: what goes together with the rows clamped, less what goes together running free."""

from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handrail.components import component
from handrail.components.arguments import Count, NonNegative, Positive, Rate, Share
from handrail.learning.density import DensityRule
from handrail.learning.rule import TrainingPlan
from handrail.models.boltzmann import BoltzmannMachine
from handrail.network import model_in


@component("rule")
class BoltzmannLearning(DensityRule[BoltzmannMachine]):
    """Δw_ij = η·(⟨s_i·s_j⟩⁺ − ⟨s_i·s_j⟩⁻), Δb_i = η·(⟨s_i⟩⁺ − ⟨s_i⟩⁻).

    In the positive phase the visible units are clamped to the rows of the batch, and the hidden ones are
    drawn by `steps` Gibbs steps of each from random states; without hidden units it is exact. In the negative
    phase all units run free, in chains that go on from step to step. With `temperatures`, all chains begin
    anew at each step and are annealed, as in 1985.

    Of each pair one unit counts by its state and the other by its mean given the others, and the other way
    round: this has the expectation of the product of their states, and less noise.

    Arguments:
        steps: Gibbs steps of each unit at temperature 1 before the statistics are taken.
        chains: of the negative phase.
        temperatures: passed through in this order, a Gibbs step each, before `steps`; without any, the free
            chains are persistent.
        learning_rate: η at first.
        final: η falls linearly to this share of itself at the last step.
        momentum: share of the last change that is made again.
        weight_decay: of the weights, η·decay·w a step.

    Raises: `RecipeError` for penalties, which it does not follow.

    Source: Ackley, Hinton & Sejnowski 1985; persistent chains: Younes 1989, Tieleman 2008; means for states:
    Casella & Robert 1996
    """

    models: ClassVar[tuple[str, ...]] = ("boltzmann",)
    parts: ClassVar[tuple[str, ...]] = ("weights", "bias")

    def __init__(
        self,
        *,
        steps: Count = 5,
        chains: Count = 100,
        temperatures: list[Positive] = [],  # noqa: B006 - never changed; shown as the default
        learning_rate: Positive = 0.1,
        final: Share = 0.1,
        momentum: Rate = 0.5,
        weight_decay: NonNegative = 1e-4,
    ) -> None:
        super().__init__(final=final, weight_decay=weight_decay)
        self.inertia = momentum
        self.steps, self.count, self.temperatures, self.rate = steps, chains, temperatures, learning_rate

    def start(self, model: nn.Module, plan: TrainingPlan) -> None:
        """Set the visible biases by the rows, and begin the free chains at random."""
        inner = model_in(model)
        assert isinstance(inner, BoltzmannMachine)
        self.begin(model, inner, plan, rule="boltzmann_learning", momentum=self.inertia)
        self.first = self.rate
        self.chains = inner.begin_states(self.count, self.generator)

    def phases(
        self, rows: Float[Tensor, "rows visible"], weights: Float[Tensor, "rows 1"] | None, rate: float
    ) -> None:
        machine = self.machine
        clamped = self.clamp(rows)
        self._add(clamped, rate, weights, first=machine.width)
        if self.temperatures:
            self.chains = machine.begin_states(self.count, self.generator)
        self._run(self.chains, hidden_only=False)
        self._add(self.chains, -rate, None)

    def clamp(self, rows: Float[Tensor, "rows visible"]) -> Float[Tensor, "units rows"]:
        """States of all units, the visible ones those of the rows."""
        machine = self.machine
        if machine.hidden == 0:
            return rows.T
        states = machine.begin_states(len(rows), self.generator)
        states[: machine.width] = rows.T
        self._run(states, hidden_only=True)
        return states

    def _run(self, states: Float[Tensor, "units chains"], *, hidden_only: bool) -> None:
        betas = [1 / each for each in self.temperatures] + [1.0] * self.steps
        for beta in betas:
            self.machine.sweep(states, self.generator, hidden_only=hidden_only, beta=beta)

    def _add(
        self,
        states: Float[Tensor, "units chains"],
        rate: float,
        weights: Float[Tensor, "chains 1"] | None,
        *,
        first: int = 0,
    ) -> None:
        """Add what goes together, times the rate.

        Arguments:
            first: units before this one are clamped.
        """
        total = states.shape[1] if weights is None else max(float(weights.sum()), 1e-12)
        means = self._means(states, first)
        counted = means if weights is None else means * weights.T
        together = states @ counted.T
        together[first:, :first] = together[:first, first:].T  # a clamped state by a mean is the better one
        together = (together + together.T).fill_diagonal_(0)
        self.speed["weights"].add_(together, alpha=rate / (2 * total))
        self.speed["bias"].add_(counted.sum(dim=1), alpha=rate / total)

    def _means(self, states: Float[Tensor, "units chains"], first: int) -> Float[Tensor, "units chains"]:
        """The mean of each unit given the others; clamped ones as they are."""
        if first == len(states):
            return states
        machine = self.machine
        inputs = torch.addmm(machine.bias[first:].unsqueeze(1), machine.weights[first:], states)
        return torch.cat([states[:first], torch.sigmoid(inputs)])

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "chains": self.chains}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.chains = state["chains"].to(self.machine.weights.device)
