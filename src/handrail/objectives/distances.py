"""Losses that measure how far a prediction is from its target."""

from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from handrail.components import component
from handrail.components.arguments import Positive
from handrail.objectives.targets import are_classes, is_binary, same_shape, zero_one

Real = Float[Tensor, "rows outputs"]
Classes = Int64[Tensor, " rows"]
Rows = Float[Tensor, " rows"]


@component("loss", tasks=("binary", "multi-class", "regression"))
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


@component("loss", tasks=("regression",))
def mae(outputs: Real, targets: Real) -> Rows:
    """Absolute error: mean over the outputs of |prediction − target|; its best constant is the median.

    Raises: `RecipeError` when the targets do not have the outputs' shape.

    Source: Laplace 1774
    """
    return functional.l1_loss(outputs, same_shape(outputs, targets), reduction="none").mean(dim=1)


@component("loss", tasks=("regression",))
def huber(outputs: Real, targets: Real, *, delta: Positive = 1.0) -> Rows:
    """Huber: ½e² where |e| ≤ δ, else δ(|e| − ½δ), with e = prediction − target; mean over the outputs.

    Arguments:
        delta: where squared turns to absolute, in the units of the target as the network sees it.

    Raises: `RecipeError` when the targets do not have the outputs' shape.

    Source: Huber 1964
    """
    return functional.huber_loss(outputs, same_shape(outputs, targets), reduction="none", delta=delta).mean(
        dim=1
    )
