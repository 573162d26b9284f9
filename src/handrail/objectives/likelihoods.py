"""Losses that measure how improbable the targets are under the model: cross-entropies and their kin.

All logarithms are natural: values are in nats. Scores are raw; sigmoid and softmax are part of the loss.
"""

import math

import torch
from jaxtyping import Float, Int, Int64
from torch import Tensor
from torch.nn import functional

from handrail.components import component
from handrail.components.arguments import Positive, Rate
from handrail.errors import RecipeError
from handrail.objectives.objective import are_classes, is_binary, same_shape, zero_one

Real = Float[Tensor, "rows outputs"]
Classes = Int64[Tensor, " rows"]
Rows = Float[Tensor, " rows"]


_PADDING = 0


@component("loss", tasks=("binary", "multi-label"))
def binary_cross_entropy(outputs: Real, targets: Classes | Real, *, label_smoothing: Rate = 0.0) -> Rows:
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
    targets = same_shape(outputs, targets)
    values = functional.binary_cross_entropy_with_logits(outputs, targets, reduction="none")
    return values if values.ndim == 1 else values.mean(dim=1)


@component("loss", tasks=("multi-class",))
def cross_entropy(outputs: Real, targets: Classes | Real, *, label_smoothing: Rate = 0.0) -> Rows:
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
    plain = functional.cross_entropy(outputs, targets, reduction="none")
    return (1 - label_smoothing) * plain + label_smoothing * evenly


@component("loss", tasks=("binary", "multi-class"))
def kl_divergence(outputs: Real, targets: Classes | Real, *, label_smoothing: Rate = 0.0) -> Rows:
    """KL divergence of the model from the target: Σᵢ tᵢ·log(tᵢ / pᵢ), zero where both agree.

    The cross-entropy less the target's own entropy, so that the best value is 0 for soft targets too.

    Arguments:
        targets: class numbers `[rows]`, or a distribution over the classes `[rows, classes]` (distillation).
        label_smoothing: s; targets become t(1 − s) + s / number of classes.

    Raises: `RecipeError` when outputs and targets do not fit each other.

    Source: Kullback & Leibler 1951
    """
    if is_binary(outputs, targets):
        outputs = torch.cat([torch.zeros_like(outputs), outputs], dim=1)  # σ(z) = softmax(0, z): [rows, 2]
    truth = zero_one(outputs, targets)
    if _smooths(label_smoothing):
        truth = truth * (1 - label_smoothing) + label_smoothing / outputs.shape[1]
    # Written out: torch's own has no stacked form.
    return (torch.special.xlogy(truth, truth) - truth * outputs.log_softmax(dim=1)).sum(dim=1)


@component("loss", tasks=("binary", "multi-class", "regression"))
def negative_log_likelihood(outputs: Real, targets: Classes | Real, *, std: Positive | None = None) -> Rows:
    """Negative log-likelihood −log p(target | row): Bernoulli, categorical or normal, by the task.

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
        loss = binary_cross_entropy if is_binary(outputs, targets) else cross_entropy
        return loss(outputs, targets)
    variance = 1.0 if std is None else std**2
    squares = functional.mse_loss(outputs, same_shape(outputs, targets), reduction="none")
    return squares.sum(dim=1) / (2 * variance) + outputs.shape[1] * 0.5 * math.log(2 * math.pi * variance)


def _smooths(label_smoothing: float | Tensor) -> bool:
    return isinstance(label_smoothing, Tensor) or label_smoothing > 0


@component("loss", tasks=("next-token", "sequence", "text-to-image"))
def next_token(
    outputs: Float[Tensor, "rows length vocabulary"],
    targets: Int[Tensor, "rows length"],
    *,
    label_smoothing: Rate = 0.0,
) -> Float[Tensor, " rows"]:
    """Cross-entropy of the tokens: −log p(tokenₜ | those before), the mean over the steps of a row, in nats.

    Steps whose target is padding (code 0) do not count; a row of padding alone has loss 0.

    Arguments:
        targets: codes of the true tokens.
        label_smoothing: s; the probability of the target becomes 1 − s + s/vocabulary, of others
            s/vocabulary.

    Raises: `RecipeError` when outputs and targets do not fit each other.

    Source: Bengio et al. 2003; Szegedy et al. 2016 (label smoothing)
    """
    if outputs.ndim != 3 or targets.shape != outputs.shape[:2]:
        raise RecipeError(
            f"the model's outputs have shape {list(outputs.shape)} and the targets {list(targets.shape)}; "
            "this loss needs scores [rows, length, vocabulary] and targets [rows, length]. Does the model "
            "give scores at every step?"
        )
    # A logarithm of half precision has three digits.
    wide = outputs.float() if outputs.dtype.itemsize < 4 else outputs
    counts = targets != _PADDING
    values = functional.cross_entropy(
        wide.flatten(0, 1),
        targets.flatten().long(),
        ignore_index=_PADDING,
        reduction="none",
        label_smoothing=label_smoothing,
    )
    return values.view_as(targets).sum(dim=1) / counts.sum(dim=1).clamp(min=1)
