"""Rules that find a direction for each parameter, which an optimizer turns into a change."""

from typing import Any

import torch
from torch import nn

from handrail.components import build, resolve
from handrail.errors import RecipeError
from handrail.layers.activations import Heaviside
from handrail.learning.optimizers import needs_closure
from handrail.learning.rule import Rule, TrainingPlan
from handrail.learning.schedules import schedule_state, steps_each_batch


class DirectedRule(Rule):
    """θ ← θ + Δθ(d): the direction d stands in each parameter's `grad` as a gradient would.

    Arguments:
        where: the rule's place in a recipe, such as `learning.gradient`.
        optimizer: how directions change the parameters.
        schedule: how the learning rate changes over the steps.
    """

    optimizer: torch.optim.Optimizer

    def __init__(self, where: str, *, optimizer: Any, schedule: Any) -> None:
        self.where = where
        self.specs = (
            resolve("optimizer", optimizer, f"{where}.optimizer"),
            resolve("schedule", schedule, f"{where}.schedule"),
        )

    def make_optimizer(self, parameters: list[Any]) -> torch.optim.Optimizer:
        """The recipe's, over parameters or torch's groups of them."""
        return build("optimizer", self.specs[0], parameters, where=f"{self.where}.optimizer")

    def make_schedule(self, plan: TrainingPlan) -> None:
        """The recipe's, over all steps of the plan; the optimizer stands already."""
        steps = plan.epochs * plan.steps
        self.schedule = build(
            "schedule", self.specs[1], self.optimizer, steps, where=f"{self.where}.schedule"
        )
        self.steps_schedule = steps_each_batch(self.schedule)

    def begin(self, parameters: list[Any], plan: TrainingPlan) -> None:
        """Make optimizer and schedule.

        Raises: `RecipeError` for an optimizer that needs a loss to descend.
        """
        self.optimizer = self.make_optimizer(parameters)
        if needs_closure(self.optimizer):
            text = "searches along the gradient of a loss, which this rule does not follow; choose another."
            raise RecipeError(f"{self.where}.optimizer: {type(self.optimizer).__name__} {text}")
        self.make_schedule(plan)

    def change(self) -> None:
        """Change the parameters by the directions in their `grad`."""
        self.optimizer.step()
        if self.steps_schedule:
            self.schedule.step()

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
        self.schedule.load_state_dict(state["schedule"])


def refuse_steps(model: nn.Module, where: str) -> None:
    """No error flows back through a step function: layers before one would silently never be trained.

    Raises: `RecipeError` for a model with parameters before a `heaviside` activation.
    """
    before = False
    for module in model.modules():
        before = before or any(parameter.requires_grad for parameter in module.parameters(recurse=False))
        if before and isinstance(module, Heaviside):
            raise RecipeError(
                f"{where}: layers before a heaviside activation get no gradient and would never be trained; "
                "choose another activation, such as sigmoid, or learning: least_squares, which trains the "
                "last layer alone."
            )
