"""Attention: each step takes what it needs from other steps."""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from handrail.errors import RecipeError


class SelfAttention(nn.Module):
    """softmax(Q·Kᵀ / √d)·V for several heads side by side, whose results are joined and mixed: Y = [head₁ …
    headₕ]·Wₒ + b.

    Q, K and V are linear in the same x; d = width / heads. With `causal` a step sees itself and earlier steps
    only.

    Arguments:
        width: numbers a step, in and out.
        heads: a divisor of the width.
        dropout: share of attention weights set to zero in training.
        causal: whether later steps are hidden.

    Raises: `RecipeError` where the width cannot be divided among the heads.

    Source: Vaswani et al. 2017
    """

    def __init__(self, width: int, heads: int, *, dropout: float = 0.0, causal: bool = False) -> None:
        super().__init__()
        if width % heads:
            raise RecipeError(
                f"a width of {width} cannot be divided among {heads} heads; expected a multiple of {heads}."
            )
        self.heads, self.dropout, self.causal = heads, dropout, causal
        self.mix_in = nn.Linear(width, 3 * width)
        self.mix_out = nn.Linear(width, width)

    def forward(
        self, x: Float[Tensor, "rows length width"], there: Bool[Tensor, "rows length"] | None = None
    ) -> Float[Tensor, "rows length width"]:
        """What each step takes from those that are `there`; all of them where nothing is said."""
        queries, keys, values = self._split(x)
        dropout = self.dropout if self.training else 0.0
        seen = None if there is None else self._visible(x.shape[1], there)
        causal = self.causal and seen is None
        if queries.dtype != torch.bfloat16 or x.device.type != "cpu":
            mixed = functional.scaled_dot_product_attention(queries, keys, values, seen, dropout, causal)
        # On processors the fused kernel is several times slower backwards in bfloat16 than in float32.
        else:
            with torch.autocast("cpu", enabled=False):
                parts = (queries.float(), keys.float(), values.float())
                mixed = functional.scaled_dot_product_attention(*parts, seen, dropout, causal)
        return self.mix_out(mixed.transpose(1, 2).flatten(2))  # [rows, length, heads · d]

    def weights(
        self, x: Float[Tensor, "rows length width"], there: Bool[Tensor, "rows length"] | None = None
    ) -> Float[Tensor, "rows heads length length"]:
        """How much each step (third axis) takes from each step (last axis), without dropout."""
        queries, keys, _ = self._split(x)
        there = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device) if there is None else there
        scores = queries @ keys.transpose(2, 3) / math.sqrt(queries.shape[3])
        return scores.masked_fill(~self._visible(x.shape[1], there), -torch.inf).softmax(dim=3)

    def _split(self, x: Float[Tensor, "rows length width"]) -> list[Float[Tensor, "rows heads length _"]]:
        mixed = self.mix_in(x).unflatten(2, (3, self.heads, -1))  # [rows, length, 3, heads, d]
        return [part.transpose(1, 2) for part in mixed.unbind(2)]

    def _visible(self, length: int, there: Bool[Tensor, "rows length"]) -> Bool[Tensor, "rows 1 _ length"]:
        seen = there[:, None, None, :].expand(-1, 1, length, -1)
        if not self.causal:
            return seen
        return seen & torch.ones(length, length, dtype=torch.bool, device=there.device).tril()
