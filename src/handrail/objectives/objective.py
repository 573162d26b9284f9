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
from handrail.objectives.penalties import wants_activity

_MAPS = 3  # dimensions of masks and of boxes
Mixture = tuple[Float[Tensor, " rows"], Tensor]


class Objective:
    """total = Σᵢ wᵢ·lossᵢ / Σᵢ wᵢ + penalties, over the rows i of a batch.

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
        if self._wants_activity:
            outputs, activity = forward_with_activity(model, batch_inputs)
        else:
            outputs, activity = model(batch_inputs), []
        mixture: Mixture | None = None
        for change in _changes(model):
            if hasattr(change, "follow") and targets.ndim == _MAPS:
                targets = change.follow(targets)
            mixture = mixture or getattr(change, "mixture", None)
        total = (
            self.mean(outputs, targets, weights)
            if mixture is None
            else self._mixture_mean(outputs, targets, weights, mixture)
        )
        for penalty in self.penalties:
            total = total + penalty(model, activity)
        return total, outputs

    def with_numbers(self, numbers: Sequence[Mapping[str, Tensor]]) -> "Objective":
        """The same objective with other numbers: arguments of the loss first, then of each penalty; none
        where a mapping is empty.
        """
        if not any(numbers):
            return self
        other = copy.copy(self)
        loss, *penalties = [
            functools.partial(function, **given) if given else function
            for function, given in zip((self.loss, *self.penalties), numbers, strict=True)
        ]
        other.loss, other.penalties = loss, tuple(penalties)
        return other

    def _mixture_mean(
        self, outputs: Tensor, targets: Tensor, weights: Tensor | None, mixture: Mixture
    ) -> Float[Tensor, ""]:
        """Rows that are mixtures of two are measured against both: Σ wᵢ(λᵢ·lossᵢ + (1 − λᵢ)·loss of the
        other) / Σ wᵢ.
        """
        share, other = mixture
        rows = share * self.rows(outputs, targets) + (1 - share) * self.rows(outputs, targets[other])
        if weights is None:
            return rows.mean()
        weights = (share * weights + (1 - share) * weights[other]).to(rows.dtype)
        return torch.dot(weights, rows) / weights.sum().clamp_min(torch.finfo(rows.dtype).tiny)

    def mean(
        self, outputs: Tensor, targets: Tensor, weights: Float[Tensor, " rows"] | None = None
    ) -> Float[Tensor, ""]:
        """The loss alone, averaged over the rows: Σ wᵢ·lossᵢ / Σ wᵢ; 0 where all weights are 0.

        Raises: `RecipeError` when loss and outputs do not fit.
        """
        if weights is None:
            values = self._values(outputs, targets)
            return values if values.ndim == 0 else values.mean()
        rows = self.rows(outputs, targets)
        weights = weights.to(rows.dtype)
        # clamp_min: a batch of weightless rows has nothing to say, and 0/0 would stop the training.
        return torch.dot(weights, rows) / weights.sum().clamp_min(torch.finfo(rows.dtype).tiny)

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
                "the hardest "
                "examples) need one a row. Use a loss with reduction 'none', or leave the weights out."
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
                f"{_kind(targets)}: "
                f"{error} Choose a loss for this task."
            ) from error
        if not isinstance(values, Tensor) or (values.ndim and values.shape[0] != outputs.shape[0]):
            found = _kind(values) if isinstance(values, Tensor) else type(values).__name__
            raise RecipeError(
                f"the loss {_name(self.loss)} gives {found}, expected a tensor with one value for each of "
                "the "
                f"{outputs.shape[0]} rows, or a single one."
            )
        return values


def batch_weight(
    model: nn.Module, weights: Float[Tensor, " rows"] | None, *, rows: int
) -> Float[Tensor, ""] | int:
    """Σᵢ wᵢ over the rows of the batch that the model was given last, as they were mixed; their number where
    none has a weight.

    By it the means over shares of a batch come together to the mean over all of it. Never quite 0, as 0/0 is
    no mean.
    """
    if weights is None:
        return rows
    mixture = next(
        (found for change in _changes(model) if (found := getattr(change, "mixture", None)) is not None), None
    )
    if mixture is None:
        return weights.sum().clamp_min(1e-12)
    share, other = mixture
    return (share * weights + (1 - share) * weights[other]).sum().clamp_min(1e-12)


def _changes(model: nn.Module) -> list[Any]:
    """The augmentations before the model, whose last changes the targets have to follow."""
    augment = getattr(model, "augment", None) if model.training else None
    return list(augment) if isinstance(augment, nn.Sequential) else []


def forward_with_activity(model: nn.Module, inputs: Any) -> tuple[Tensor, list[Tensor]]:
    """The model's outputs and what each of its activation layers gave, in the order in which they ran.

    An activation that gives the model's outputs themselves is not a hidden layer and is left out.

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
