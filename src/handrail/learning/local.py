"""Rules without back-propagation, whose directions are held beside the gradient that it would find."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call

from handrail.components.pictures import Lines, Picture
from handrail.errors import RecipeError
from handrail.learning.directed import DirectedRule
from handrail.learning.rule import Batch, Measures, Records, TrainingPlan
from handrail.network import model_in
from handrail.objectives.objective import NetworkWithObjective

_NAME = "angle/"
_NOTE = (
    "On the first batch of each epoch. At 90° a direction has nothing to do with the gradient; below, a step "
    "that is small enough goes down."
)


class LocalRule(DirectedRule):
    """A direction for each parameter from what is at hand at its unit, and no gradient through the network.

    A rule says in `direct` what the directions are, and in `matrices` which weights its layers have. On the
    first batch of each epoch the angle between the direction of each layer's weights and the gradient of the
    objective is measured, in degrees, as `angle/layer 1` and so on. That changes no weight, no running
    average and no random number.
    """

    def start(self, model: nn.Module, plan: TrainingPlan) -> None:
        """Make the optimizer over all parameters to train.

        Raises: `RecipeError` for layers before the model that would have to be trained, too.
        """
        inner = model_in(model)
        self.parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        own = {id(parameter) for parameter in inner.parameters()}
        if any(id(parameter) not in own for parameter in self.parameters):
            text = "found layers before the model that have to be trained, to which it brings no error"
            raise RecipeError(f"{self.where}: {text}; learn by gradient, or leave out their columns.")
        self.objective = plan.objective
        matrices = enumerate(self.matrices(inner), start=1)
        self.weights = {f"{_NAME}layer {number}": each for number, each in matrices if each.requires_grad}
        self.begin(self.parameters, plan)
        self.due = True  # an angle is measured in the next step

    @abstractmethod
    def matrices(self, model: nn.Module) -> list[Tensor]:
        """The weights of the model's layers, from the inputs on.

        Raises: `RecipeError` for a model that the rule cannot teach.
        """

    @abstractmethod
    def direct(self, model: nn.Module, batch: Batch) -> Float[Tensor, ""]:
        """Put a direction into the `grad` of each parameter; return the objective's loss of the batch."""

    def step(self, model: nn.Module, batch: Batch) -> Measures:
        """One change of all parameters."""
        weights = list(self.weights.values())
        gradients = true_gradients(model, self.objective, batch, weights) if self.due else ()
        for parameter in self.parameters:
            parameter.grad = None
        measures = {"loss": self.direct(model, batch).detach()}
        for name, gradient in zip(self.weights, gradients, strict=False):
            measures[name] = angle(self.weights[name].grad, gradient)
        self.change()
        self.due = False
        return measures

    def end_epoch(self, model: nn.Module) -> None:
        self.due = True

    @classmethod
    def pictures(cls, records: Records) -> list[Picture]:
        """The angle of each layer by epoch."""
        begin = f"train_{_NAME}"
        names = dict.fromkeys(name for line in records for name in line if name.startswith(begin))
        if not names:
            return []
        epochs = np.array([line["epoch"] for line in records], dtype=np.float64)
        curves = {
            name.removeprefix(begin): np.array([line.get(name, np.nan) for line in records]) for name in names
        }
        title, axes = "Angle to the true gradient by epoch", ("epoch", "degrees")
        return [Lines(title, epochs, curves, note=_NOTE, axes=axes)]

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "due": self.due}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.due = state["due"]


def true_gradients(
    model: nn.Module, objective: Any, batch: Batch, weights: Sequence[Tensor]
) -> tuple[Tensor | None, ...]:
    """The gradient of the objective by back-propagation; None where it does not depend on a weight.

    Buffers and random numbers are afterwards what they were before.
    """
    buffers = {f"network.{name}": buffer.clone() for name, buffer in model.named_buffers()}
    devices = [weight.device for weight in weights[:1] if weight.device.type == "cuda"]
    with torch.random.fork_rng(devices), torch.enable_grad():
        rows = (batch.inputs, batch.targets, batch.weights)
        loss = functional_call(NetworkWithObjective(model, objective), buffers, (rows,))
        return torch.autograd.grad(loss, weights, allow_unused=True)


def angle(direction: Tensor | None, gradient: Tensor | None) -> Float[Tensor, ""]:
    """Degrees between the two, as vectors; 90 where one of them is 0."""
    if direction is None or gradient is None:
        return torch.tensor(90.0)
    ours, theirs = direction.detach().double().flatten(), gradient.detach().double().flatten()
    size = (ours.norm() * theirs.norm()).clamp_min(torch.finfo(torch.float64).tiny)
    return torch.rad2deg(torch.arccos((torch.dot(ours, theirs) / size).clamp(-1, 1))).float()


def refuse_mixtures(model: nn.Module, where: str) -> None:
    """Raises: `RecipeError` for augmentations that mix rows, and with them their targets."""
    mixed = [change for change in getattr(model, "augment", ()) if hasattr(change, "mixture")]
    if mixed:
        name = type(mixed[0]).__name__
        raise RecipeError(
            f"{where}: found the augmentation {name}, which mixes the targets of rows; leave it out."
        )
