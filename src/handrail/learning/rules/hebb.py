"""Hebb's rule: units that are active together are joined."""

from typing import ClassVar

from handrail.components import component
from handrail.learning.rules.store import StoringRule


@component("rule")
class Hebb(StoringRule):
    """W = 1/N · Σ ξξᵀ over the patterns ξ of N units, its diagonal 0, in one pass; thresholds θ = 1/N · Σ ξ.

    Raises: `RecipeError` for penalties, which it does not follow.

    Source: Hebb 1949; Hopfield 1982
    """

    models: ClassVar[tuple[str, ...]] = ("hopfield",)
