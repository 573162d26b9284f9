"""Penalties: what is added to the loss so that the network stays simple.

A penalty is a function of the model and the outputs of its activation layers (rows first). Those that use the
activity are marked by `needs_activity`; for the others the list is empty.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handrail.components import component
from handrail.components.arguments import Fraction, NonNegative
from handrail.errors import RecipeError

Scalar = Float[Tensor, ""]
Activity = list[Float[Tensor, "rows ..."]]
Penalty = TypeVar("Penalty", bound=Callable[..., Any])


def needs_activity(penalty: Penalty) -> Penalty:
    """Mark a penalty that looks at the outputs of the hidden layers."""
    marked: Any = penalty
    marked.needs_activity = True
    return penalty


def wants_activity(penalty: Callable[..., Any]) -> bool:
    """Whether a penalty, its configuration bound or not, is marked by `needs_activity`."""
    return getattr(getattr(penalty, "func", penalty), "needs_activity", False) is True


@component("penalty")
def l1(model: nn.Module, activity: Activity, *, strength: NonNegative = 1e-4) -> Scalar:
    """L1: strength · Σ|w| over all trainable weights with two or more dimensions; drives weights to zero.

    Biases and the scales of normalisation layers are not penalised.

    Raises: `RecipeError` when the model has no such weights.

    Source: Tibshirani 1996
    """
    sums = [torch.linalg.vector_norm(weight, 1) for weight in _weights(model, "l1")]
    return strength * torch.stack(sums).sum()


@component("penalty")
def l2(model: nn.Module, activity: Activity, *, strength: NonNegative = 1e-4) -> Scalar:
    """L2: strength · Σw² over all trainable weights with two or more dimensions; keeps weights small.

    Its gradient is 2·strength·w. With plain gradient descent it equals a `weight_decay` of 2·strength, except
    that an optimizer's `weight_decay` reaches biases too; with Adam it does not equal `adamw`'s decay.

    Raises: `RecipeError` when the model has no such weights.

    Source: Hoerl & Kennard 1970; Krogh & Hertz 1992
    """
    flat = [weight.flatten() for weight in _weights(model, "l2")]
    return strength * torch.stack([torch.dot(weight, weight) for weight in flat]).sum()


@component("penalty")
@needs_activity
def activity_l1(model: nn.Module, activity: Activity, *, strength: NonNegative = 1e-3) -> Scalar:
    """Activity sparsity: strength · mean over the hidden layers of the mean |activation|.

    Source: Glorot, Bordes & Bengio 2011
    """
    return strength * torch.stack([layer.abs().mean() for layer in activity]).mean()


@component("penalty")
@needs_activity
def sparsity_kl(
    model: nn.Module, activity: Activity, *, strength: NonNegative = 1e-3, rate: Fraction = 0.05
) -> Scalar:
    """Sparsity by rates: strength · Σ over hidden units of ρ·log(ρ/ρ̂) + (1 − ρ)·log((1 − ρ)/(1 − ρ̂)).

    ρ̂ is a unit's mean activation over the batch; activations must lie between 0 and 1 (sigmoid).

    Arguments:
        rate: ρ, the mean activation that every unit should have.

    Raises: `RecipeError` when a mean activation lies outside 0 to 1.

    Source: Ng 2011
    """
    means = torch.cat([layer.flatten(1).mean(dim=0) for layer in activity])
    low, high = (float(end) for end in means.detach().aminmax())
    if low < 0 or high > 1:
        raise RecipeError(
            f"sparsity_kl: found mean activations from {low:.3g} to {high:.3g}, expected 0 to 1. "
            "Use sigmoid in the hidden layers, or the penalty activity_l1."
        )
    tiny = torch.finfo(means.dtype).eps
    means = means.clamp(tiny, 1 - tiny)
    active, silent = torch.special.xlogy(rate, rate / means), 1 - rate
    return strength * (active + torch.special.xlogy(silent, silent / (1 - means))).sum()


def _weights(model: nn.Module, penalty: str) -> list[Tensor]:
    weights: list[Tensor] = [
        parameter for parameter in model.parameters() if parameter.ndim >= 2 and parameter.requires_grad
    ]
    if not weights:
        raise RecipeError(
            f"the penalty {penalty} would do nothing: the model has no trainable weights. Leave it out."
        )
    return weights
