"""Losses that measure how far a prediction is from its target, or from the right side of a margin."""

from typing import Literal

from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from handrail.components import component
from handrail.components.arguments import NonNegative, Positive
from handrail.errors import RecipeError
from handrail.objectives.objective import are_classes, is_binary, same_shape, zero_one

Real = Float[Tensor, "rows outputs"]
Classes = Int64[Tensor, " rows"]
Rows = Float[Tensor, " rows"]


@component("loss", tasks=("binary", "multi-class", "regression", "reconstruction"))
def mse(outputs: Real, targets: Real | Classes) -> Rows:
    """Squared error: mean over the outputs of (prediction − target)², without the factor ½.

    In classification the predictions are probabilities (sigmoid or softmax of the scores) and the targets 0
    and 1 (the Brier score), so that the same threshold holds as for the other losses.

    Raises: `RecipeError` when real targets do not have the outputs' shape.

    Source: Rumelhart, Hinton & Williams 1986; Brier 1950
    """
    if not are_classes(targets):
        return functional.mse_loss(outputs, same_shape(outputs, targets), reduction="none").mean(dim=1)
    probabilities = outputs.sigmoid() if is_binary(outputs, targets) else outputs.softmax(dim=1)
    return functional.mse_loss(probabilities, zero_one(outputs, targets), reduction="none").mean(dim=1)


@component("loss", tasks=("regression", "reconstruction"))
def mae(outputs: Real, targets: Real) -> Rows:
    """Absolute error: mean over the outputs of |prediction − target|; its best constant is the median.

    Raises: `RecipeError` when the targets do not have the outputs' shape.

    Source: Laplace 1774
    """
    return functional.l1_loss(outputs, same_shape(outputs, targets), reduction="none").mean(dim=1)


@component("loss", tasks=("regression", "reconstruction"))
def huber(outputs: Real, targets: Real, *, delta: Positive = 1.0) -> Rows:
    """Huber: ½e² where |e| ≤ δ, else δ(|e| − ½δ), with e = prediction − target; mean over the outputs.

    Arguments:
        delta: where squared turns to absolute, in the units of the target as the network sees it.

    Raises: `RecipeError` when the targets do not have the outputs' shape.

    Source: Huber 1964
    """
    targets = same_shape(outputs, targets)
    return functional.huber_loss(outputs, targets, reduction="none", delta=delta).mean(dim=1)


@component("loss", tasks=("binary", "multi-class", "multi-label"))
def hinge(
    outputs: Real,
    targets: Classes | Real,
    *,
    margin: NonNegative = 1.0,
    squared: bool = False,
    multi_class: Literal["crammer_singer", "one_vs_rest"] | None = None,
) -> Rows:
    """Hinge: max(0, margin − t·score) with t = −1 or 1 (targets come as 0 and 1).

    Several classes: max(0, margin + largest wrong score − right score) by Crammer & Singer, or the sum over
    the classes of each one's hinge against the rest. Several labels: the mean over the labels.

    Arguments:
        margin: how far on the right side a score must lie to cost nothing.
        squared: square each hinge, which punishes large violations more and is smooth at the margin.
        multi_class: for several classes only; `crammer_singer` where not given.

    Raises: `RecipeError` when `multi_class` is set for another task, or shapes do not fit.

    Source: Cortes & Vapnik 1995; Crammer & Singer 2001
    """
    several_classes = are_classes(targets) and not is_binary(outputs, targets)
    if multi_class is not None and not several_classes:
        raise RecipeError(f"hinge.multi_class: found '{multi_class}' in another task. Leave it out.")
    if several_classes and multi_class != "one_vs_rest":
        violations = functional.relu(margin - _lead(outputs, targets)).unsqueeze(1)
    else:
        violations = functional.relu(margin - (2 * zero_one(outputs, targets) - 1) * outputs)
    if squared:
        violations = violations.square()
    return violations.sum(dim=1) if several_classes else violations.mean(dim=1)


def _lead(outputs: Real, targets: Classes) -> Rows:
    """The right class's score less the largest wrong one."""
    right = targets.unsqueeze(1)
    wrong = outputs.scatter(1, right, float("-inf")).amax(dim=1)
    return outputs.gather(1, right).squeeze(1) - wrong
