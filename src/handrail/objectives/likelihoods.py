"""Losses that measure how improbable the targets are under the model: cross-entropies and their kin.

All logarithms are natural: values are in nats. Scores are raw; sigmoid and softmax are part of the loss.
"""

import math

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from handrail.components import component
from handrail.components.arguments import Positive, Rate
from handrail.errors import RecipeError
from handrail.objectives.targets import are_classes, is_binary, same_shape, zero_one

Scores = Float[Tensor, "rows outputs"]
Real = Float[Tensor, "rows outputs"]
Classes = Int64[Tensor, " rows"]
Rows = Float[Tensor, " rows"]


@component("loss", tasks=("binary", "multi-label"))
def binary_cross_entropy(outputs: Scores, targets: Classes | Real, *, label_smoothing: Rate = 0.0) -> Rows:
    """Binary cross-entropy: −t·log p − (1 − t)·log(1 − p) with p = σ(score); mean over the labels.

    Arguments:
        label_smoothing: s; targets become t(1 − s) + s/2.

    Raises: `RecipeError` when outputs and targets do not fit each other.

    Source: Good 1952; Szegedy et al. 2016 (label smoothing)
    """
    if is_binary(outputs, targets):
        outputs, targets = outputs[:, 0], targets.to(outputs.dtype)
    if _smooths(label_smoothing):
        targets = targets * (1 - label_smoothing) + label_smoothing / 2
    values = functional.binary_cross_entropy_with_logits(
        outputs, same_shape(outputs, targets), reduction="none"
    )
    return values if values.ndim == 1 else values.mean(dim=1)


@component("loss", tasks=("multi-class",))
def cross_entropy(outputs: Scores, targets: Classes | Real, *, label_smoothing: Rate = 0.0) -> Rows:
    """Categorical cross-entropy: −Σᵢ tᵢ·log pᵢ with p = softmax(scores).

    Arguments:
        targets: class numbers `[rows]`, or a distribution over the classes `[rows, classes]`.
        label_smoothing: s; targets become t(1 − s) + s / number of classes.

    Source: Good 1952; Szegedy et al. 2016 (label smoothing)
    """
    if not isinstance(label_smoothing, Tensor):
        return functional.cross_entropy(outputs, targets, reduction="none", label_smoothing=label_smoothing)
    # A number for each network of a cohort, which torch's function does not take.
    evenly = -outputs.log_softmax(dim=1).mean(dim=1)
    return (1 - label_smoothing) * functional.cross_entropy(
        outputs, targets, reduction="none"
    ) + label_smoothing * evenly


@component("loss", tasks=("binary", "multi-class"))
def kl_divergence(outputs: Scores, targets: Classes | Real, *, label_smoothing: Rate = 0.0) -> Rows:
    """KL divergence of the model from the target: Σᵢ tᵢ·log(tᵢ / pᵢ), zero where both agree.

    It is the cross-entropy less the target's own entropy, so that with smoothed or soft targets the best
    value is 0.

    Arguments:
        targets: class numbers `[rows]`, or a distribution over the classes `[rows, classes]` (distillation).
        label_smoothing: s; targets become t(1 − s) + s / number of classes.

    Raises: `RecipeError` when outputs and targets do not fit each other.

    Source: Kullback & Leibler 1951
    """
    if is_binary(outputs, targets):
        outputs = torch.cat([torch.zeros_like(outputs), outputs], dim=1)  # σ(z) = softmax(0, z): [rows, 2]
    wanted = zero_one(outputs, targets)
    if _smooths(label_smoothing):
        wanted = wanted * (1 - label_smoothing) + label_smoothing / outputs.shape[1]
    # Written out: torch's own has no stacked form.
    return (torch.special.xlogy(wanted, wanted) - wanted * outputs.log_softmax(dim=1)).sum(dim=1)


@component("loss", tasks=("binary", "multi-class", "regression"))
def negative_log_likelihood(
    outputs: Scores,
    targets: Classes | Real,
    *,
    std: Positive | None = None,
) -> Rows:
    """Negative log-likelihood −log p(target | row) of a Bernoulli, categorical or normal distribution, by the
    task.

    Regression: Σ over outputs of ½·log(2πσ²) + (prediction − target)² / (2σ²).

    Arguments:
        std: σ of the normal distribution, the same for all rows and outputs; 1 where not given.

    Raises: `RecipeError` when `std` is set in classification, where it has no meaning, or shapes do not fit.

    Source: Fisher 1922
    """
    if are_classes(targets):
        if std is not None:
            raise RecipeError(
                f"negative_log_likelihood.std: found {std}, but a classification has no normal "
                "distribution. Leave it out."
            )
        return (
            binary_cross_entropy(outputs, targets)
            if is_binary(outputs, targets)
            else cross_entropy(outputs, targets)
        )
    variance = 1.0 if std is None else std**2
    squares = functional.mse_loss(outputs, same_shape(outputs, targets), reduction="none")
    return squares.sum(dim=1) / (2 * variance) + outputs.shape[1] * 0.5 * math.log(2 * math.pi * variance)


def _smooths(label_smoothing: float | Tensor) -> bool:
    return isinstance(label_smoothing, Tensor) or label_smoothing > 0
