"""Learning by gradient: back-propagation and an optimizer."""

from collections.abc import Callable
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor, nn

from handrail.components import Slot, build, component, resolve
from handrail.errors import RecipeError
from handrail.layers.activations import Heaviside
from handrail.learning.fast.flat_step import FlatSteps
from handrail.learning.fast.fused_adam import Stepping
from handrail.learning.optimizers import needs_closure
from handrail.learning.rule import Batch, Measures, Rule, TrainingPlan
from handrail.learning.schedules import schedule_state, steps_each_batch

_HERE = "learning.gradient"


@component("rule")
class Gradient(Rule):
    """θ ← θ + Δθ(∇J(θ)): the objective's gradient by back-propagation, turned into a change by an optimizer.

    Arguments:
        optimizer: how the gradient changes the parameters.
        schedule: how the learning rate changes over the steps.
        clip: what is done to gradients that are too large, before they are used.

    Raises: `RecipeError` when parameters can get no gradient, clipping would spoil an optimizer, or it cannot
    give layers rates of their own.

    Source: Rumelhart, Hinton & Williams 1986
    """

    divides: ClassVar[bool] = True
    groups: Callable[[nn.Module, float], list[dict[str, Any]]] | None = None
    "Torch's parameter groups of a model for a rate, where layers have their own; to be set before `start`."

    def __init__(
        self,
        *,
        optimizer: Annotated[Any, Slot("optimizer")] = "adamw",
        schedule: Annotated[Any, Slot("schedule")] = "constant",
        clip: Annotated[Any, Slot("clip")] = None,
    ) -> None:
        self.specs = (
            resolve("optimizer", optimizer, f"{_HERE}.optimizer"),
            resolve("schedule", schedule, f"{_HERE}.schedule"),
        )
        self.clip = None if clip is None else build("clip", clip, where=f"{_HERE}.clip")

    def start(self, model: nn.Module, plan: TrainingPlan) -> None:
        """Build the optimizer over all parameters to train."""
        self.parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        if not self.parameters:
            raise RecipeError(f"{_HERE}: the model has no parameters to train{_other_rule(model)}.")
        _refuse_steps(model)
        self.objective, self.team = plan.objective, plan.team
        self.optimizer: torch.optim.Optimizer = self._optimizer(model)
        self.stepping = Stepping(self.optimizer)
        steps = plan.epochs * plan.steps
        self.schedule = build("schedule", self.specs[1], self.optimizer, steps, where=f"{_HERE}.schedule")
        if self.groups is not None and not _keeps_ratios(self.schedule, steps):
            text = "brings all layers to one learning rate, so that rates by depth have no effect."
            raise RecipeError(f"{_HERE}.schedule: {text}")
        self.steps_schedule = steps_each_batch(self.schedule)
        self.repeats = needs_closure(self.optimizer)
        self.flat = FlatSteps(model, plan)
        if self.repeats and self.clip is not None:
            text = "spoils the line search of an optimizer that looks ahead (lbfgs); leave it out."
            raise RecipeError(f"{_HERE}.clip: {text}")

    def _optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        optimizer = build("optimizer", self.specs[0], self.parameters, where=f"{_HERE}.optimizer")
        if self.groups is None:
            return optimizer
        rate = optimizer.param_groups[0].get("lr")
        if rate is None or needs_closure(optimizer):
            text = "takes no rates by depth; choose another, or leave transfer.rate_decay out."
            raise RecipeError(f"{_HERE}.optimizer: {type(optimizer).__name__} {text}")
        return build("optimizer", self.specs[0], self.groups(model, float(rate)), where=f"{_HERE}.optimizer")

    def step(self, model: nn.Module, batch: Batch) -> Measures:
        """One forward pass, one backward pass, one change (L-BFGS: several)."""
        if self.repeats:
            # Any: torch's own hint says float, but it takes tensors.
            closure: Any = lambda: self._backward(model, batch)  # noqa: E731
            loss: Any = self.optimizer.step(closure)
        else:
            loss = self._backward(model, batch)
            self.stepping.step()
        if self.steps_schedule:
            self.schedule.step()
        return {"loss": loss.detach()}

    def _backward(self, model: nn.Module, batch: Batch) -> Tensor:
        flat = self.flat(batch)
        if flat is not None:
            loss, gradients = flat
            for parameter, gradient in zip(self.parameters, gradients, strict=True):
                parameter.grad = gradient
        else:
            for parameter in self.parameters:
                parameter.grad = None
            loss, _ = self.objective(model, batch.inputs, batch.targets, batch.weights)
            loss = self.team.backward(loss, self.parameters, model, batch)
        if self.clip is not None:
            self.clip(self.parameters)
        return loss

    def observe(self, loss: float) -> None:
        """Plateau schedules follow the validation loss."""
        if not self.steps_schedule:
            self.schedule.step(loss)

    @property
    def learning_rate(self) -> float | None:
        """Of the first group of parameters."""
        rate = self.optimizer.param_groups[0].get("lr")
        return None if rate is None else float(rate)

    def state_dict(self) -> dict[str, Any]:
        """The optimizer's and the schedule's."""
        return {"optimizer": self.optimizer.state_dict(), "schedule": schedule_state(self.schedule)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue the optimizer and the schedule."""
        self.optimizer.load_state_dict(state["optimizer"])
        self.stepping.forget()
        self.schedule.load_state_dict(state["schedule"])


def _other_rule(model: nn.Module) -> str:
    """What a model without gradients says of its own rule."""
    names = [rules[0] for part in model.modules() if isinstance(rules := getattr(part, "rules", None), tuple)]
    return f" by gradient; expected learning: {names[0]}" if names else ""


def _refuse_steps(model: nn.Module) -> None:
    """No gradient flows back through a step function: layers before one would silently never be trained."""
    before = False
    for module in model.modules():
        before = before or any(parameter.requires_grad for parameter in module.parameters(recurse=False))
        if before and isinstance(module, Heaviside):
            raise RecipeError(
                f"{_HERE}: layers before a heaviside activation get no gradient and would never be trained; "
                "choose another activation, such as sigmoid, or learning: least_squares, which trains the "
                "last layer alone."
            )


def _keeps_ratios(schedule: Any, steps: int) -> bool:
    """Whether every layer's rate gets the same factor; a peak in numbers (one_cycle) is one for all."""
    return len({factor(steps // 2) for factor in getattr(schedule, "lr_lambdas", ())}) <= 1
