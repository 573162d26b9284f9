"""Contrastive divergence: what goes together in the rows, less what goes together in the machine's own."""

from typing import Annotated, Any, ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from handrail.components import component
from handrail.components.arguments import Count, Positive, Share
from handrail.learning.rule import Batch, Measures, Rule, TrainingPlan, refuse_penalties
from handrail.learning.seeding import sample_rows
from handrail.models.annealing import base_biases
from handrail.models.rbm import RBM
from handrail.network import model_in, model_inputs

_RATES = {("binary", "binary"): 0.1, ("binary", "rectified"): 0.03}
_RATE = 0.01  # of Gaussian units, whose values have no end
_LARGEST = 0.99  # norm of the weights between Gaussian and rectified units: from 1 on there is no density
_PARTS = ("weights", "visible_bias", "hidden_bias")


@component("rule")
class ContrastiveDivergence(Rule):
    """Δw = η·(⟨v·h⟩ of the rows − ⟨v·h⟩ of rows that the machine draws), and so for the biases.

    The machine draws by `steps` Gibbs steps from the rows of the batch (CD-k) or, if `persistent`, from where
    its last ones ended (PCD), as many as the first batch has rows. Visible biases begin as those of
    independent units. Between Gaussian and rectified units, weights are kept small enough for a density.

    Arguments:
        steps: k, at first.
        final_steps: k at the last step, towards which it grows evenly; without it k stays as it is.
        persistent: chains go on from step to step.
        learning_rate: η at first; `auto` is 0.1, for rectified units 0.03, for Gaussian ones 0.01.
        final: η falls linearly to this share of itself at the last step.
        momentum: share of the last change that is made again.
        weight_decay: of the weights, η·decay·w a step.

    Raises: `RecipeError` for penalties, which it does not follow.

    Source: Hinton 2002; Tieleman 2008 (persistent); Salakhutdinov & Murray 2008 (growing k);
    Hinton 2012 (settings)
    """

    models: ClassVar[tuple[str, ...]] = ("rbm",)

    def __init__(
        self,
        *,
        steps: Count = 1,
        final_steps: Count | None = None,
        persistent: bool = False,
        learning_rate: Positive | Literal["auto"] = "auto",
        final: Share = 0.1,
        momentum: Annotated[float, Field(ge=0, lt=1)] = 0.5,
        weight_decay: Annotated[float, Field(ge=0)] = 1e-4,
    ) -> None:
        self.steps, self.final_steps = steps, steps if final_steps is None else final_steps
        self.persistent, self.rate = persistent, learning_rate
        self.final, self.momentum, self.weight_decay = final, momentum, weight_decay

    def start(self, model: nn.Module, plan: TrainingPlan) -> None:
        """Set the visible biases by the rows."""
        refuse_penalties(plan, "contrastive_divergence")
        inner = model_in(model)
        assert isinstance(inner, RBM)
        self.machine, self.taken, self.planned = inner, 0, plan.epochs * plan.steps
        self.at_once = -(-len(inner.judged) // plan.steps)
        self.every, self.loss = max(1, plan.steps // len(inner.judged)), inner.log_z.new_zeros(())
        self.first = (
            _RATES.get((inner.visible, inner.hidden), _RATE) if self.rate == "auto" else float(self.rate)
        )
        device = inner.weights.device
        self.generator = torch.Generator(device).manual_seed(plan.seed)
        assert plan.rows is not None, "the engine gives a rule its rows"
        with torch.no_grad():
            inner.log_z.zero_()  # of other weights
            rows = sample_rows(model, plan.rows, torch.Generator().manual_seed(plan.seed))
            inner.visible_bias.copy_(base_biases(rows, inner.visible))
        self.speed = {name: torch.zeros_like(getattr(inner, name).detach()) for name in _PARTS}
        self.chains = torch.zeros(0, inner.weights.shape[1], device=device)

    @property
    def _way(self) -> float:
        """The share of the training that is over."""
        return min(1.0, self.taken / max(1, self.planned - 1))

    @property
    def learning_rate(self) -> float:
        return self.first * (1 - (1 - self.final) * self._way)

    @torch.no_grad()
    def step(self, model: nn.Module, batch: Batch) -> Measures:
        """Change weights and biases once."""
        machine, rate = self.machine, self.learning_rate
        rows = model_inputs(model, batch.inputs).flatten(1)
        weights = None if batch.weights is None else batch.weights.to(rows).unsqueeze(1)
        self._measure(rows, weights)
        given = machine.hidden_input(rows)
        fantasy, own = self._draw(given)
        for speed in self.speed.values():
            speed.mul_(self.momentum)
        self._add(rows, machine.kind.mean(given), rate, weights)
        self._add(fantasy, machine.kind.mean(own), -rate, None if self.persistent else weights)
        self.speed["weights"].add_(machine.weights, alpha=-rate * self.weight_decay)
        for name, speed in self.speed.items():
            getattr(machine, name).add_(speed)
        self._keep_density()
        self.taken += 1
        return {"loss": self.loss}

    def _measure(self, rows: Float[Tensor, "rows visible"], weights: Tensor | None) -> None:
        """The loss, by a few units every few steps; in between it stays as it is."""
        if self.taken % self.every == 0:
            losses = -self.machine.judge(rows, self._judged()).unsqueeze(1)
            total = 0 if weights is None else weights.sum().clamp_min(1e-12)
            self.loss = losses.mean() if weights is None else (losses * weights).sum() / total

    def _judged(self) -> list[int]:
        """Units whose pseudo-likelihood is the loss: in an epoch all."""
        places = torch.arange(self.at_once) + self.taken // self.every * self.at_once
        units = self.machine.judged
        return units[places.to(units.device) % len(units)].tolist()

    def _draw(self, given: Float[Tensor, "rows units"]) -> tuple[Tensor, Tensor]:
        """Visible units at the ends of the chains, and the inputs of the hidden ones there."""
        machine, generator = self.machine, self.generator
        begun = self.persistent and len(self.chains) > 0
        h = self.chains if begun else machine.draw_hidden(given, generator)
        steps = round(self.steps + (self.final_steps - self.steps) * self._way)
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
        total = len(v) if weights is None else max(float(weights.sum()), 1e-12)
        hidden = h
        if weights is not None:
            v, hidden = v * weights, h * weights
        self.speed["weights"].addmm_(v.T, h, alpha=rate / total)
        self.speed["visible_bias"].add_(v.sum(dim=0), alpha=rate / total)
        self.speed["hidden_bias"].add_(hidden.sum(dim=0), alpha=rate / total)

    def _keep_density(self) -> None:
        if (self.machine.visible, self.machine.hidden) != ("gaussian", "rectified"):
            return
        weights = self.machine.weights
        if weights.isfinite().all():  # the engine tells of others
            size = float(torch.linalg.matrix_norm(weights, 2))
            weights.mul_(min(1.0, _LARGEST / max(size, _LARGEST)))

    def state_dict(self) -> dict[str, Any]:
        state = {"generator": self.generator.get_state(), "chains": self.chains, "taken": self.taken}
        state["loss"] = self.loss
        return {**state, "speed": dict(self.speed)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        device = self.machine.weights.device
        self.generator.set_state(state["generator"].cpu())
        self.taken, self.chains = state["taken"], state["chains"].to(device)
        self.loss = state["loss"].to(device)
        self.speed = {name: state["speed"][name].to(device) for name in _PARTS}
