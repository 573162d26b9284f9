"""Feedback alignment: errors go back through fixed random weights."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn.modules.batchnorm import _BatchNorm

from handrail.components import Slot, component
from handrail.components.arguments import Positive
from handrail.errors import RecipeError
from handrail.layers.activations import is_activation
from handrail.learning.directed import refuse_steps
from handrail.learning.local import LocalRule
from handrail.learning.rule import Batch, TrainingPlan

_HERE = "learning.feedback_alignment"


@component("rule")
class FeedbackAlignment(LocalRule):
    """Δa⁽ˡ⁾ = B⁽ˡ⁺¹⁾·δ⁽ˡ⁺¹⁾ in place of W⁽ˡ⁺¹⁾ᵀ·δ⁽ˡ⁺¹⁾, B drawn once; the rest is as in back-propagation.

    δ is the derivative of the objective by the sums of a layer, Δa what comes back to the layer below it.
    Directly, each hidden layer is given the error of the outputs itself: Δa⁽ˡ⁾ = B⁽ˡ⁾·δ of the last layer.
    The weights come to agree with B as they learn, which is why it works. The last layer is taught as by
    back-propagation. It follows penalties and weights of rows.

    Arguments:
        direct: whether errors go from the outputs straight to each hidden layer.
        scale: of B, whose numbers are normal with the standard deviation scale/√(units of the layer below).
        optimizer: how the directions change the parameters.
        schedule: how the learning rate changes over the steps.

    Raises: `RecipeError` for layers with weights other than fully connected ones, step functions, and
    optimizers that search along a gradient.

    Source: Lillicrap et al. 2016; direct: Nøkland 2016
    """

    models: ClassVar[tuple[str, ...]] = ("mlp",)

    def __init__(
        self,
        *,
        direct: bool = False,
        scale: Positive = 1.0,
        optimizer: Annotated[Any, Slot("optimizer")] = "adamw",
        schedule: Annotated[Any, Slot("schedule")] = "constant",
    ) -> None:
        super().__init__(_HERE, optimizer=optimizer, schedule=schedule)
        self.straight, self.scale = direct, scale

    def start(self, model: nn.Module, plan: TrainingPlan) -> None:
        """Draw the feedback weights."""
        refuse_steps(model, _HERE)
        super().start(model, plan)
        generator = torch.Generator().manual_seed(plan.seed)
        outputs = self.layers[-1].out_features
        self.feedback: list[Float[Tensor, "errors units"]] = []
        for layer in self.layers[1:]:
            shape = (outputs if self.straight else layer.out_features, layer.in_features)
            drawn = torch.randn(shape, generator=generator) * (self.scale / layer.in_features**0.5)
            self.feedback.append(drawn.to(layer.weight))

    def matrices(self, model: nn.Module) -> list[Tensor]:
        self.layers = dense_layers(model)
        return [layer.weight for layer in self.layers]

    def direct(self, model: nn.Module, batch: Batch) -> Float[Tensor, ""]:
        """Back-propagation, but for the ways from layer to layer."""
        with self._detours():
            loss, _ = self.objective(model, batch.inputs, batch.targets, batch.weights)
            loss.backward()
        return loss

    @contextmanager
    def _detours(self) -> Iterator[None]:
        """While open, errors do not go back from a layer by its weights, but by the feedback weights."""
        given: list[Tensor] = []

        def cut(_layer: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor]:
            given.append(inputs[0])
            return (inputs[0].detach(),)

        def feed(layer: nn.Module, _inputs: Any, sums: Tensor) -> Tensor:
            if not self.straight:
                return _Feedback.apply(sums, self.feedback[len(given) - 1 :], given[-1])
            return sums if layer is not self.layers[-1] else _Feedback.apply(sums, self.feedback, *given)

        later = self.layers[1:]
        hooks = [layer.register_forward_pre_hook(cut) for layer in later]
        hooks += [layer.register_forward_hook(feed) for layer in later]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "feedback": self.feedback}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.feedback = [
            saved.to(layer.weight) for saved, layer in zip(state["feedback"], self.layers[1:], strict=True)
        ]


class _Feedback(Function):
    """The sums as they are; back goes their error, to them as it is, to each input by its feedback matrix."""

    @staticmethod
    def forward(ctx: Any, sums: Tensor, matrices: list[Tensor], *inputs: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx.matrices = matrices[: len(inputs)]
        return sums.view_as(sums)

    @staticmethod
    def backward(ctx: Any, error: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return (error, None, *(error @ matrix for matrix in ctx.matrices))


def dense_layers(model: nn.Module) -> list[nn.Linear]:
    """The fully connected layers of a network that consists of them, activations and normalisation.

    Raises: `RecipeError` for other layers with weights.
    """
    layers: list[nn.Linear] = []
    within: set[nn.Module] = set()  # activations may have layers of their own
    for module in model.modules():
        if module in within:
            continue
        if is_activation(module):
            within |= set(module.modules())
        elif isinstance(module, nn.Linear):
            layers.append(module)
        elif list(module.parameters(recurse=False)) and not isinstance(module, (nn.LayerNorm, _BatchNorm)):
            text = "expected fully connected layers, activations and normalisation (model: mlp)"
            raise RecipeError(f"{_HERE}: found a layer {type(module).__name__} with weights; {text}.")
    if not layers:
        raise RecipeError(f"{_HERE}: found no fully connected layer; expected some (model: mlp).")
    return layers
