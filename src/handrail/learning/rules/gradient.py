"""Learning by gradient: back-propagation and an optimizer."""

from collections.abc import Callable
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor, nn

from handrail.components import Slot, build, component
from handrail.errors import RecipeError
from handrail.learning.directed import DirectedRule, refuse_steps
from handrail.learning.fast.flat_step import FlatSteps
from handrail.learning.fast.fused_adam import Stepping
from handrail.learning.optimizers import needs_closure
from handrail.learning.rule import Batch, Measures, TrainingPlan

_HERE = "learning.gradient"


@component("rule")
class Gradient(DirectedRule):
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
        super().__init__(_HERE, optimizer=optimizer, schedule=schedule)
        self.clip = None if clip is None else build("clip", clip, where=f"{_HERE}.clip")

    def start(self, model: nn.Module, plan: TrainingPlan) -> None:
        """Build the optimizer over all parameters to train."""
        self.parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        if not self.parameters:
            raise RecipeError(f"{_HERE}: the model has no parameters to train{_other_rule(model)}.")
        refuse_steps(model, _HERE)
        self.objective, self.team = plan.objective, plan.team
        self.optimizer = self._optimizer(model)
        self.stepping = Stepping(self.optimizer)
        self.make_schedule(plan)
        if self.groups is not None and not _keeps_ratios(self.schedule, plan.epochs * plan.steps):
            text = "brings all layers to one learning rate, so that rates by depth have no effect."
            raise RecipeError(f"{_HERE}.schedule: {text}")
        self.repeats = needs_closure(self.optimizer)
        self.flat = FlatSteps(model, plan)
        if self.repeats and self.clip is not None:
            text = "spoils the line search of an optimizer that looks ahead (lbfgs); leave it out."
            raise RecipeError(f"{_HERE}.clip: {text}")

    def _optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        optimizer = self.make_optimizer(self.parameters)
        if self.groups is None:
            return optimizer
        rate = optimizer.param_groups[0].get("lr")
        if rate is None or needs_closure(optimizer):
            text = "takes no rates by depth; choose another, or leave transfer.rate_decay out."
            raise RecipeError(f"{_HERE}.optimizer: {type(optimizer).__name__} {text}")
        return self.make_optimizer(self.groups(model, float(rate)))

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

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.stepping.forget()


def _other_rule(model: nn.Module) -> str:
    """What a model without gradients says of its own rule."""
    names = [rules[0] for part in model.modules() if isinstance(rules := getattr(part, "rules", None), tuple)]
    return f" by gradient; expected learning: {names[0]}" if names else ""


def _keeps_ratios(schedule: Any, steps: int) -> bool:
    """Whether every layer's rate gets the same factor; a peak in numbers (one_cycle) is one for all."""
    return len({factor(steps // 2) for factor in getattr(schedule, "lr_lambdas", ())}) <= 1
