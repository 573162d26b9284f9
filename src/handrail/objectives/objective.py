"""The objective that training minimises: a loss over rows, and penalties on the model."""

import copy
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handrail.components import build
from handrail.errors import HandrailError, RecipeError
from handrail.layers.activations import is_activation
from handrail.objectives.added import watch
from handrail.objectives.penalties import wants_activity

_MAPS = 3  # dimensions of masks and of boxes
Mixture = tuple[Float[Tensor, " rows"], Tensor]


class Objective:
    """total = Σᵢ wᵢ·(lossᵢ + addedᵢ) / Σᵢ wᵢ + penalties, over the rows i of a batch.

    What a model adds of its own (`handrail.objectives.added`) counts in training alone, as penalties do.

    Arguments:
        loss: a loss's name, `{name: arguments}`, an import path such as `torch.nn:HuberLoss`, or any function
            of (outputs, targets). Values with more than one dimension are averaged to rows. One that gives a
            single number is accepted, but then rows cannot have weights.
        penalties: penalties in the same forms.

    Raises: `RecipeError` when a name or an argument is unknown.
    """

    def __init__(self, loss: Any, penalties: Sequence[Any] = ()) -> None:
        self.loss: Callable[..., Tensor] = build("loss", loss)
        self.penalties: tuple[Callable[..., Tensor], ...] = tuple(
            build("penalty", penalty, where=f"penalties[{index}]") for index, penalty in enumerate(penalties)
        )
        self._wants_activity = any(wants_activity(penalty) for penalty in self.penalties)

    def __call__(
        self,
        model: nn.Module,
        batch_inputs: Any,
        targets: Tensor,
        weights: Float[Tensor, " rows"] | None = None,
    ) -> tuple[Float[Tensor, ""], Tensor]:
        """Forward the model and weigh what comes out.

        Returns: the total, which `backward()` can be called on, and the model's outputs.

        Raises: `RecipeError` when loss and outputs do not fit, or a penalty finds nothing to look at.
        """
        with watch(model) as added:
            if self._wants_activity:
                outputs, activity = forward_with_activity(model, batch_inputs)
            else:
                outputs, activity = model(batch_inputs), []
        mixture: Mixture | None = None
        for change in _changes(model):
            if hasattr(change, "follow") and targets.ndim == _MAPS:
                targets = change.follow(targets)
            mixture = mixture or getattr(change, "mixture", None)
        total = self.mean(outputs, targets, weights, mixture)
        for each in added:
            total = total + mean_of_rows(each.rows, targets, weights, mixture)
        for penalty in self.penalties:
            total = total + penalty(model, activity)
        return total, outputs

    def with_numbers(self, numbers: Sequence[Mapping[str, Tensor]]) -> "Objective":
        """The same objective with other arguments of the loss, then of each penalty; empty ones stay."""
        if not any(numbers):
            return self
        other = copy.copy(self)
        loss, *penalties = [
            functools.partial(function, **arguments) if arguments else function
            for function, arguments in zip((self.loss, *self.penalties), numbers, strict=True)
        ]
        other.loss, other.penalties = loss, tuple(penalties)
        return other

    def mean(
        self,
        outputs: Tensor,
        targets: Tensor,
        weights: Float[Tensor, " rows"] | None = None,
        mixture: Mixture | None = None,
    ) -> Float[Tensor, ""]:
        """The loss alone, averaged over the rows: Σ wᵢ·lossᵢ / Σ wᵢ; 0 where all weights are 0.

        Arguments:
            mixture: λ and the partners of rows mixed of two, whose loss is λᵢ·lossᵢ + (1 − λᵢ)·the partner's.

        Raises: `RecipeError` when loss and outputs do not fit.
        """
        if weights is None and mixture is None:
            values = self._values(outputs, targets)
            return values if values.ndim == 0 else values.mean()
        return mean_of_rows(functools.partial(self.rows, outputs), targets, weights, mixture)

    def rows(self, outputs: Tensor, targets: Tensor) -> Float[Tensor, " rows"]:
        """The loss of each row.

        Raises: `RecipeError` when the loss gives one number for all rows, or does not fit the outputs.
        """
        values = self._values(outputs, targets)
        if values.ndim == 1:
            return values
        if values.ndim == 0:
            raise RecipeError(
                f"the loss {_name(self.loss)} gives one number for all rows, but row or class weights (and "
                "the hardest examples) need one a row. Use a loss with reduction 'none', or leave them out."
            )
        return values.flatten(1).mean(dim=1)

    def _values(self, outputs: Tensor, targets: Tensor) -> Tensor:
        try:
            values = self.loss(outputs, targets)
        except (HandrailError, torch.OutOfMemoryError):
            raise
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            raise RecipeError(
                f"the loss {_name(self.loss)} cannot compare outputs {_kind(outputs)} with targets "
                f"{_kind(targets)}: {error} Choose a loss for this task."
            ) from error
        if not isinstance(values, Tensor) or (values.ndim and values.shape[0] != outputs.shape[0]):
            result = _kind(values) if isinstance(values, Tensor) else type(values).__name__
            raise RecipeError(
                f"the loss {_name(self.loss)} gives {result}, expected a tensor with one value for each of "
                f"the {outputs.shape[0]} rows, or a single one."
            )
        return values


def mean_of_rows(
    loss: Callable[[Tensor], Float[Tensor, " rows"]],
    targets: Tensor,
    weights: Float[Tensor, " rows"] | None,
    mixture: Mixture | None,
) -> Float[Tensor, ""]:
    """Σ wᵢ·lossᵢ / Σ wᵢ of a loss that is a function of the targets; of mixed rows by their shares."""
    rows = loss(targets)
    if mixture is not None:
        share, other = mixture
        rows = share * rows + (1 - share) * loss(targets[other])
        weights = None if weights is None else share * weights + (1 - share) * weights[other]
    if weights is None:
        return rows.mean()
    weights = weights.to(rows.dtype)
    # clamp_min: a batch of weightless rows has nothing to say, and 0/0 would stop the training.
    return torch.dot(weights, rows) / weights.sum().clamp_min(torch.finfo(rows.dtype).tiny)


class NetworkWithObjective(nn.Module):
    """Both as one module that gives the loss, so that penalties see the parameters that are put in."""

    def __init__(self, network: nn.Module, objective: Objective) -> None:
        super().__init__()
        self.network, self.objective = network, objective

    def forward(self, batch: Sequence[Tensor], numbers: Sequence[Mapping[str, Tensor]] = ()) -> Tensor:
        return self.objective.with_numbers(numbers)(self.network, *batch)[0]


def batch_weight(
    model: nn.Module, weights: Float[Tensor, " rows"] | None, *, rows: int
) -> Float[Tensor, ""] | int:
    """Σᵢ wᵢ over the rows that the model was given last, as they were mixed; without weights their number.

    It joins the means over shares of a batch to the mean over all of it. Never quite 0, as 0/0 is no mean.
    """
    if weights is None:
        return rows
    mixtures = [getattr(change, "mixture", None) for change in _changes(model)]
    mixture: Mixture | None = next((mixture for mixture in mixtures if mixture is not None), None)
    if mixture is not None:
        share, other = mixture
        weights = share * weights + (1 - share) * weights[other]
    return weights.sum().clamp_min(1e-12)


def _changes(model: nn.Module) -> list[Any]:
    """The augmentations before the model, whose last changes the targets have to follow."""
    augment = getattr(model, "augment", None) if model.training else None
    return list(augment) if isinstance(augment, nn.Sequential) else []


def forward_with_activity(model: nn.Module, inputs: Any) -> tuple[Tensor, list[Tensor]]:
    """The model's outputs and what each of its activation layers gave, in the order in which they ran.

    An activation that gives the model's outputs themselves is no hidden layer and is left out.

    Raises: `RecipeError` when the model has no hidden activation layers.
    """
    activity: list[Tensor] = []

    def collect(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
        activity.append(output)

    # Set for this pass only: hooks that stay would be copied and saved with the model.
    hooks = [layer.register_forward_hook(collect) for layer in model.modules() if is_activation(layer)]
    try:
        outputs = model(inputs)
    finally:
        for hook in hooks:
            hook.remove()
    hidden = [layer for layer in activity if layer is not outputs]
    if not hidden:
        raise RecipeError(
            "a penalty on activity needs hidden layers with activations, but the model has none. "
            "Leave the penalty out, or give your activation class `is_activation = True`."
        )
    return outputs, hidden


def _name(loss: Callable[..., Any]) -> str:
    function = getattr(loss, "func", loss)
    return getattr(function, "__name__", type(function).__name__)


def _kind(values: Tensor) -> str:
    return f"{str(values.dtype).removeprefix('torch.')}{list(values.shape)}"


# The task shows in the shapes of targets: class numbers `[rows]` beside one score a row are binary, beside
# several multi-class; real targets have the outputs' own shape.


def are_classes(targets: Tensor) -> bool:
    """Whether these are class numbers `[rows]`: integers, unlike a single real column."""
    return targets.ndim == 1 and not targets.is_floating_point()


def is_binary(outputs: Tensor, targets: Tensor) -> bool:
    """Whether these are single scores `[rows, 1]` with class numbers 0 and 1 `[rows]`."""
    return outputs.ndim == 2 and outputs.shape[1] == 1 and are_classes(targets)


def zero_one(outputs: Tensor, targets: Tensor) -> Tensor:
    """Targets as 0 and 1 in the outputs' shape: `[rows, 1]`, one-hot or `[rows, labels]`."""
    if is_binary(outputs, targets):
        return targets.to(outputs.dtype).unsqueeze(1)
    if are_classes(targets):
        # Compared: torch's own one-hot cannot be stacked.
        classes = torch.arange(outputs.shape[1], device=targets.device)
        return (targets.unsqueeze(1) == classes).to(outputs.dtype)
    return same_shape(outputs, targets)


def same_shape(outputs: Tensor, targets: Tensor) -> Tensor:
    """The targets, as they are.

    Raises: `RecipeError` when shapes differ: torch would stretch `[rows]` to `[rows, rows]` without a word.
    """
    if outputs.shape != targets.shape:
        raise RecipeError(
            f"the model's outputs have shape {list(outputs.shape)} and the targets {list(targets.shape)}; "
            f"this loss needs the same shape. Does the model have one output for each target column?"
        )
    return targets
