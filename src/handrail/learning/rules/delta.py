"""The delta rule of a single layer of neurons."""

from collections.abc import Mapping
from typing import Annotated, Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handrail.components import Slot, build, component, resolve
from handrail.components.arguments import Activation, Positive
from handrail.errors import RecipeError
from handrail.learning.rule import Batch, Measures, Rule, TrainingPlan, refuse_penalties
from handrail.learning.schedules import schedule_state, steps_each_batch
from handrail.learning.single_layer import single_layer

_HERE = "learning.delta"
_CLASSES = ("binary", "multi-class", "multi-label")
_TASKS = (*_CLASSES, "regression")
_LOG_ODDS = ("sigmoid", "softmax")  # whose scores minimise the usual losses of classes
_LOSSES: Mapping[str, Any] = {"heaviside": {"hinge": {"margin": 0.0}}}
_FAR = 50.0  # a weighted sum at which units that have a limit have reached it
_NEAR = 1e-3
_ALIKE = 0.01


@component("rule")
class Delta(Rule):
    """Δw = η·Σ(t − ŷ)·x, the sum over the rows of a batch, with ŷ = f(w·x + b); Δb likewise with x = 1.

    The activation f of the units is the rule's; the network's scores stay w·x + b. With `heaviside` the
    steps are Rosenblatt's, with `linear` it is ADALINE and descends the squared error, with `sigmoid` the
    cross-entropy. Batch learning is `training.batch_size` of all rows, online learning of 1.

    Values are learned as they are. Of classes, each unit has one: t is f(0) + 1 for the rows of its class and
    f(0) − 1 for others, or as far to that side as f goes (linear and tanh: ±1; sigmoid and heaviside: 0, 1).

    ADALINE converges in batches below η = 2/λ with λ the largest eigenvalue of XᵀX, X `[rows, inputs + 1]` of
    a batch with the 1 of the bias, and diverges above. Online it comes to rest under a schedule whose
    rates go to 0 (`time_decay`). A row's weight multiplies its η.

    Arguments:
        activation: f.
        learning_rate: η; the larger the batches, the smaller it has to be.
        schedule: how η changes over the steps.

    Raises: `RecipeError` for other tasks, models of more than a single layer, penalties, which it does not
    follow, and activations with weights of their own, or whose answers the scores do not tell.

    Source: Widrow & Hoff 1960
    """

    def __init__(
        self,
        *,
        activation: Activation = "linear",
        learning_rate: Positive = 0.001,
        schedule: Annotated[Any, Slot("schedule")] = "constant",
    ) -> None:
        self.rate = learning_rate
        self.activation_spec = resolve("activation", activation, f"{_HERE}.activation")
        self.schedule_spec = resolve("schedule", schedule, f"{_HERE}.schedule")
        name = next(iter(self.activation_spec)) if isinstance(self.activation_spec, dict) else ""
        self.losses = {} if name in _LOG_ODDS else dict.fromkeys(_CLASSES, _LOSSES.get(name, "sign_mse"))
        self.changed = self.at_rest = False

    def start(self, model: nn.Module, plan: TrainingPlan) -> None:
        """Check the model and the activation, and find the values that stand for classes."""
        if plan.task not in _TASKS:
            raise RecipeError(f"{_HERE}: found the task '{plan.task}', expected one of {', '.join(_TASKS)}.")
        refuse_penalties(plan, "delta")
        self.task, self.layer = plan.task, single_layer(model, "delta")
        weight, units = self.layer.weight, self.layer.out_features
        self.activation = build("activation", self.activation_spec, units).to(weight.device, weight.dtype)
        self.low, self.high = self._values(units)
        self.optimizer = torch.optim.SGD([weight, self.layer.bias], lr=self.rate)
        steps = plan.epochs * plan.steps
        self.schedule = build(
            "schedule", self.schedule_spec, self.optimizer, steps, where=f"{_HERE}.schedule"
        )
        self.steps_schedule = steps_each_batch(self.schedule)

    @torch.no_grad()
    def _values(self, units: int) -> tuple[float, float]:
        """What a unit is to give for rows of other classes and of its own.

        Raises: `RecipeError` where f has weights, or does not fit the way in which scores are read.
        """
        if list(self.activation.parameters()):
            self._refuse("has weights of its own, which this rule does not train")
        sums = self.layer.weight.new_tensor([[-1.0], [1.0]]) if units == 1 else 2 * torch.eye(units) - 1
        sums = sums.to(self.layer.weight)
        if self.task == "regression":
            if not torch.equal(self.activation(sums), sums):
                self._refuse("bends values, which the network answers with as they are; expected linear")
            return 0.0, 1.0
        own = sums > 0
        far, middle = self.activation(_FAR * sums), self.activation(0 * sums).mean()
        low, high = max(far[~own].max(), middle - 1), min(far[own].min(), middle + 1)
        if not high > low:
            self._refuse("does not tell classes apart; expected one that rises with the score")
        around = (self.activation(_NEAR * sums) + self.activation(-_NEAR * sums)).mean() / 2
        if self.task != "multi-class" and abs(around - (low + high) / 2) > _ALIKE:
            text = "is not at its middle where the score is 0, which is where the answer turns"
            self._refuse(f"{text}; expected linear, heaviside, sigmoid or tanh")
        if self.task != "multi-class" and middle - (low + high) / 2 > _ALIKE:
            self._refuse("fires where the score is 0, which is answered with no; leave at_zero out")
        return float(low), float(high)

    def _refuse(self, why: str) -> None:
        spec = self.activation_spec
        name = next(iter(spec)) if isinstance(spec, dict) else type(self.activation).__name__
        raise RecipeError(f"{_HERE}.activation: '{name}' {why}.")

    @torch.no_grad()
    def step(self, model: nn.Module, batch: Batch) -> Measures:
        """One change by all rows of the batch."""
        x = batch.inputs.flatten(1).to(self.layer.weight.dtype)
        targets = self._targets(batch.targets).to(x.dtype)
        errors = targets - self.activation(self.layer(x))
        turn = errors if batch.weights is None else errors * batch.weights.to(x.dtype).unsqueeze(1)
        self.changed = self.changed or bool(turn.any())
        self.layer.weight.grad, self.layer.bias.grad = -turn.T @ x, -turn.sum(dim=0)
        self.optimizer.step()
        if self.steps_schedule:
            self.schedule.step()
        squares = (turn * errors).mean(dim=1).sum()
        return {"loss": squares / max(batch.weight, 1e-12)}

    def _targets(self, targets: Tensor) -> Float[Tensor, "rows units"]:
        if self.task == "regression":
            return targets
        if self.task == "multi-class":
            targets = nn.functional.one_hot(targets, self.layer.out_features)
        elif self.task == "binary":
            targets = targets.unsqueeze(1)
        return torch.where(targets > 0, self.high, self.low)

    def end_epoch(self, model: nn.Module) -> None:
        """Note whether no row of the epoch changed anything."""
        self.at_rest, self.changed = not self.changed, False

    def observe(self, loss: float) -> None:
        """Plateau schedules follow the validation loss."""
        if not self.steps_schedule:
            self.schedule.step(loss)

    @property
    def finished(self) -> bool:
        """After an epoch whose rows were all answered exactly, as step functions can."""
        return self.at_rest

    @property
    def learning_rate(self) -> float | None:
        return float(self.optimizer.param_groups[0]["lr"])

    def state_dict(self) -> dict[str, Any]:
        flags = {"changed": self.changed, "at_rest": self.at_rest}
        return {"optimizer": self.optimizer.state_dict(), "schedule": schedule_state(self.schedule), **flags}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.changed, self.at_rest = state["changed"], state["at_rest"]
