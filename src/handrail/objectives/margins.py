"""Losses that ask for a margin between right and wrong scores."""

from typing import Literal

from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from handrail.components import component
from handrail.components.arguments import NonNegative
from handrail.errors import RecipeError
from handrail.objectives.targets import are_classes, is_binary, zero_one

Scores = Float[Tensor, "rows outputs"]
Classes = Int64[Tensor, " rows"]
Labels = Float[Tensor, "rows outputs"]
Rows = Float[Tensor, " rows"]


@component("loss", tasks=("binary", "multi-class", "multi-label"))
def hinge(
    outputs: Scores,
    targets: Classes | Labels,
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
        raise RecipeError(
            f"hinge.multi_class: found '{multi_class}', but the task does not have several classes. Leave "
            "it out."
        )
    if several_classes and multi_class != "one_vs_rest":
        violations = functional.relu(margin - _lead(outputs, targets)).unsqueeze(1)
    else:
        violations = functional.relu(margin - (2 * zero_one(outputs, targets) - 1) * outputs)
    if squared:
        violations = violations.square()
    return violations.sum(dim=1) if several_classes else violations.mean(dim=1)


def _lead(outputs: Scores, targets: Classes) -> Rows:
    """The right class's score less the largest wrong one."""
    right = targets.unsqueeze(1)
    wrong = outputs.scatter(1, right, float("-inf")).amax(dim=1)
    return outputs.gather(1, right).squeeze(1) - wrong
