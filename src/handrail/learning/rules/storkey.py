"""Storkey's rule: Hebb's, less what the fields of the patterns before say already."""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from handrail.components import component
from handrail.learning.rules.store import StoringRule
from handrail.models.hopfield import Hopfield


@component("rule")
class Storkey(StoringRule):
    """W_ij += (ξ_i·ξ_j − ξ_i·h_ji − h_ij·ξ_j) / N for each pattern ξ, with h_ij = Σ_{k ≠ i, j} W_ik·ξ_k.

    One pass, its diagonal 0; it is local and incremental as Hebb's rule, and holds more patterns, also of
    those that are alike. Thresholds are the weights from a further unit that is always on.

    Raises: `RecipeError` for penalties, which it does not follow.

    Source: Storkey 1997; Storkey & Valabregue 1999
    """

    models: ClassVar[tuple[str, ...]] = ("hopfield",)

    def add(self, states: Float[Tensor, "rows units"]) -> None:
        memory = self.memory
        assert isinstance(memory, Hopfield)
        memory.keep(states)
        if memory.thresholds is None:
            for pattern in states:
                storkey_step(memory.weights, pattern, memory.units)
            return
        units = memory.units
        whole = memory.weights.new_zeros(units + 1, units + 1)
        whole[:units, :units], whole[:units, units] = memory.weights, memory.thresholds
        whole[units, :units] = memory.thresholds
        for pattern in torch.cat([states, torch.ones_like(states[:, :1])], dim=1):
            storkey_step(whole, pattern, units)
        memory.weights.copy_(whole[:units, :units])
        memory.thresholds.copy_(whole[units, :units])


def storkey_step(weights: Float[Tensor, "units units"], pattern: Float[Tensor, " units"], count: int) -> None:
    """Store a pattern in place; the diagonal is 0 before and after.

    Arguments:
        count: N.
    """
    fields = weights @ pattern
    # h_ij = (Wξ)_i − W_ij·ξ_j, whence h_ij·ξ_j = (Wξ)_i·ξ_j − W_ij, as ξ_j² = 1.
    joint = torch.outer(fields, pattern) - weights
    weights.add_(torch.outer(pattern, pattern) - joint - joint.T, alpha=1 / count)
    weights.fill_diagonal_(0)
