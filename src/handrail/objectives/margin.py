"""The margin loss: each class is there, or it is not."""

from jaxtyping import Float, Int64
from torch import Tensor

from handrail.components import component
from handrail.components.arguments import Fraction, NonNegative
from handrail.objectives.objective import zero_one


@component("loss", tasks=("binary", "multi-class", "multi-label"))
def margin(
    outputs: Float[Tensor, "rows outputs"],
    targets: Int64[Tensor, " rows"] | Float[Tensor, "rows outputs"],
    *,
    present: Fraction = 0.9,
    absent: Fraction = 0.1,
    weight: NonNegative = 0.5,
) -> Float[Tensor, " rows"]:
    """Margin loss: Σ over the classes of t·max(0, m⁺ − v)² + λ·(1 − t)·max(0, v − m⁻)², with v = σ(score).

    v is a length between 0 and 1, that of a capsule whose score is log(v / (1 − v)). Each class is asked for
    by itself, so that several may be there. Scores beyond the margins cost nothing, and are no log odds.

    Arguments:
        present: m⁺, the length that suffices for a class that is there.
        absent: m⁻, the length that is allowed to one that is not.
        weight: λ, of the classes that are not there; below 1, lest all lengths shrink at the beginning.

    Raises: `RecipeError` when shapes do not fit.

    Source: Sabour, Frosst & Hinton 2017
    """
    there, lengths = zero_one(outputs, targets), outputs.sigmoid()
    missed = there * (present - lengths).clamp_min(0).square()
    claimed = (1 - there) * (lengths - absent).clamp_min(0).square()
    return (missed + weight * claimed).sum(dim=1)
