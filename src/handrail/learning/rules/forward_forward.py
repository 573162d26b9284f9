"""Forward-forward: two forward passes, one with the right label and one with a wrong one."""

from typing import Annotated, Any, ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from handrail.components import Slot, component
from handrail.components.arguments import Positive
from handrail.errors import RecipeError
from handrail.learning.local import LocalRule, refuse_mixtures
from handrail.learning.rule import Batch, TrainingPlan, refuse_penalties
from handrail.models.forward_forward_net import ForwardForwardNet, even, goodness_of
from handrail.network import model_inputs

_HERE = "learning.forward_forward"
_TASKS = ("binary", "multi-class")


@component("rule")
class ForwardForward(LocalRule):
    """Each layer by itself goes down log(1 + e^(θ − g⁺)) + log(1 + e^(g⁻ − θ)), g being its goodness.

    g⁺ is that of rows with their label, g⁻ that of the same rows with a wrong one, drawn by how probable the
    network finds it. No layer is told what those above it make of it. Rows count by their weights where they
    have some.

    Arguments:
        threshold: θ.
        optimizer: how the directions change the parameters.
        schedule: how the learning rate changes over the steps.

    Raises: `RecipeError` for tasks other than binary and multi-class, penalties, which it does not follow,
    and augmentations that mix rows.

    Source: Hinton 2022
    """

    models: ClassVar[tuple[str, ...]] = ("forward_forward_net",)

    def __init__(
        self,
        *,
        threshold: Positive = 2.0,
        optimizer: Annotated[Any, Slot("optimizer")] = "adam",
        schedule: Annotated[Any, Slot("schedule")] = "constant",
    ) -> None:
        super().__init__(_HERE, optimizer=optimizer, schedule=schedule)
        self.threshold = threshold

    def start(self, model: nn.Module, plan: TrainingPlan) -> None:
        """Check that there are classes, and begin the sequence of wrong labels."""
        if plan.task not in _TASKS:
            expected = f"expected {' or '.join(_TASKS)}, as a class is put in with the inputs"
            raise RecipeError(f"{_HERE}: found the task '{plan.task}', {expected}; choose another model.")
        refuse_penalties(plan, "forward_forward")
        refuse_mixtures(model, _HERE)
        super().start(model, plan)
        self.generator = torch.Generator(self.parameters[0].device).manual_seed(plan.seed)

    def matrices(self, model: nn.Module) -> list[Tensor]:
        assert isinstance(model, ForwardForwardNet)
        self.net = model
        return [layer.weight for layer in model.dense]

    def direct(self, model: nn.Module, batch: Batch) -> Float[Tensor, ""]:
        """The gradient of each layer's own loss by its own parameters."""
        with torch.no_grad():
            x = model_inputs(model, batch.inputs)
            scores = self.net(x)
        wrong = self.wrong_labels(scores, batch.targets)
        given = torch.cat([self.net.with_label(x, labels) for labels in (batch.targets, wrong)])
        for layer, activation in zip(self.net.dense, self.net.activations, strict=True):
            active = activation(layer(given))
            self.layer_loss(goodness_of(active), batch.weights).backward()
            given = even(active.detach())
        return self.objective.mean(scores, batch.targets, batch.weights)

    def layer_loss(
        self, goodness: Float[Tensor, " rows"], weights: Float[Tensor, " half"] | None
    ) -> Float[Tensor, ""]:
        """The first half of the rows have their own label, the second half a wrong one."""
        right, wrong = goodness.chunk(2)
        rows = functional.softplus(self.threshold - right) + functional.softplus(wrong - self.threshold)
        if weights is None:
            return rows.mean()
        return torch.dot(weights.to(rows), rows) / weights.sum().clamp_min(1e-12)

    def wrong_labels(
        self, scores: Float[Tensor, "rows outputs"], labels: Int[Tensor, " rows"]
    ) -> Int[Tensor, " rows"]:
        """A class other than the row's own, drawn by the probability that the scores give it."""
        if scores.shape[1] == 1:
            return 1 - labels
        others = scores.scatter(1, labels.unsqueeze(1), -torch.inf)
        return torch.multinomial(others.softmax(dim=1), 1, generator=self.generator).squeeze(1)

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "generator": self.generator.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.generator.set_state(state["generator"].cpu())
