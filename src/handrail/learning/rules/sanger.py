"""Sanger's rule: Oja's, in which each unit learns what those before it leave over."""

from typing import Annotated, Any

from jaxtyping import Float
from torch import Tensor

from handrail.components import Slot, component
from handrail.components.arguments import Positive
from handrail.learning.rules.oja import HebbianRule


@component("rule")
class Sanger(HebbianRule):
    """Δw_j = η·c_j·(x − Σ_{i ≤ j} c_i·w_i) for the codes c = Wᵀ·x: the generalised Hebbian algorithm.

    w_1 learns by Oja's rule, each other one by Oja's rule of what those before it leave over, so that they
    become the main components of the rows, in their order.

    Arguments:
        learning_rate: η times the variance of the rows, all their numbers together.
        schedule: how η changes over the steps; as it goes to 0 the weights come to rest.

    Raises: `RecipeError` for penalties, which it does not follow.

    Source: Sanger 1989
    """

    def __init__(
        self,
        *,
        learning_rate: Positive = 1.0,
        schedule: Annotated[Any, Slot("schedule")] = "cosine",
    ) -> None:
        super().__init__("learning.sanger", learning_rate=learning_rate, schedule=schedule)

    def forget(self, products: Float[Tensor, "code code"]) -> Float[Tensor, "code code"]:
        """Of those up to each unit itself."""
        return products.triu()
