"""What the rules of densities share: what goes together in the rows, less what goes together in the model."""

from abc import abstractmethod
from typing import Any, ClassVar, Generic, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handrail.layers.energy_model import EnergyModel
from handrail.learning.rule import Batch, Measures, Rule, TrainingPlan, refuse_penalties
from handrail.learning.seeding import sample_rows
from handrail.models.annealing import base_biases
from handrail.network import model_inputs

Model = TypeVar("Model", bound=EnergyModel)


class DensityRule(Rule, Generic[Model]):
    """Δθ = η·(positive phase − negative phase), with momentum and weight decay, η falling linearly.

    A rule says in `phases` what is added for a batch. Visible biases begin as those of independent units. The
    loss is measured on a few visible units at a time, so that it costs little; in an epoch on all.

    Arguments:
        parts: the names of the model's parameters; the weights come first, and they alone decay.
    """

    parts: ClassVar[tuple[str, ...]]
    machine: Model

    def __init__(self, *, final: float, weight_decay: float) -> None:
        self.final, self.weight_decay = final, weight_decay

    first: float  # η at first

    def begin(
        self,
        network: nn.Module,
        machine: Model,
        plan: TrainingPlan,
        *,
        rule: str,
        momentum: float,
    ) -> Float[Tensor, "rows visible"]:
        """Set the visible biases by the rows, unless weights are given; forget the constant of other weights.

        Arguments:
            momentum: share of the last change that is made again.

        Returns: a sample of the rows.

        Raises: `RecipeError` for penalties, which no such rule follows.
        """
        refuse_penalties(plan, rule)
        self.machine, self.taken, self.planned = machine, 0, plan.epochs * plan.steps
        self.at_once = -(-len(machine.judged) // plan.steps)
        self.every, self.loss = max(1, plan.steps // len(machine.judged)), machine.log_z.new_zeros(())
        self.momentum = momentum
        self.generator = torch.Generator(machine.log_z.device).manual_seed(plan.seed)
        assert plan.rows is not None, "the engine gives a rule its rows"
        with torch.no_grad():
            machine.log_z.zero_()
            rows = sample_rows(network, plan.rows, torch.Generator().manual_seed(plan.seed))
            if not plan.begun:
                machine.set_visible_bias(base_biases(rows, machine.visible))
        self.speed = {name: torch.zeros_like(machine.get_parameter(name).detach()) for name in self.parts}
        return rows

    @property
    def progress(self) -> float:
        """The share of the training that is over."""
        return min(1.0, self.taken / max(1, self.planned - 1))

    @property
    def learning_rate(self) -> float:
        return self.first * (1 - (1 - self.final) * self.progress)

    @torch.no_grad()
    def step(self, model: nn.Module, batch: Batch) -> Measures:
        """Change weights and biases once."""
        rows = model_inputs(model, batch.inputs).flatten(1)
        weights = None if batch.weights is None else batch.weights.to(rows).unsqueeze(1)
        self._measure(rows, weights)
        for speed in self.speed.values():
            speed.mul_(self.momentum)
        rate, decayed = self.learning_rate, self.parts[0]
        self.phases(rows, weights, rate)
        self.speed[decayed].add_(self.machine.get_parameter(decayed), alpha=-rate * self.weight_decay)
        for name, speed in self.speed.items():
            self.machine.get_parameter(name).add_(speed)
        self.settle()
        self.taken += 1
        return {"loss": self.loss}

    @abstractmethod
    def phases(
        self, rows: Float[Tensor, "rows visible"], weights: Float[Tensor, "rows 1"] | None, rate: float
    ) -> None:
        """Add to `speed` the rate times what goes together in the rows, less what does in the model."""

    def settle(self) -> None:
        """Bring changed parameters back to where there is a density."""

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

    def state_dict(self) -> dict[str, Any]:
        state = {"generator": self.generator.get_state(), "taken": self.taken, "loss": self.loss}
        return {**state, "speed": dict(self.speed)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        device = self.machine.log_z.device
        self.generator.set_state(state["generator"].cpu())
        self.taken, self.loss = state["taken"], state["loss"].to(device)
        self.speed = {name: state["speed"][name].to(device) for name in self.parts}
