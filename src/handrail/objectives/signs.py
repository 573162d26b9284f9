"""Squared error of scores against the signs of classes."""

from jaxtyping import Float, Int64
from torch import Tensor

from handrail.components import component
from handrail.objectives.objective import zero_one


@component("loss", tasks=("binary", "multi-class", "multi-label"))
def sign_mse(
    outputs: Float[Tensor, "rows outputs"],
    targets: Int64[Tensor, " rows"] | Float[Tensor, "rows outputs"],
) -> Float[Tensor, " rows"]:
    """Squared error of the scores: mean over the outputs of (score − t)² with t = −1 or 1; ADALINE's.

    `mse` compares probabilities. Here the score itself is to be 1 for the class of a row, and −1 for others.

    Raises: `RecipeError` when shapes do not fit.

    Source: Widrow & Hoff 1960
    """
    return (outputs - (2 * zero_one(outputs, targets) - 1)).square().mean(dim=1)
