"""Attention: each step takes what it needs from other steps."""

import math
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from handrail.components import build
from handrail.errors import RecipeError
from handrail.layers.noise import Dropout

Steps = Float[Tensor, "rows length width"]
There = Bool[Tensor, "rows length"]
Weights = Float[Tensor, "rows heads length length"]
Past = tuple[Float[Tensor, "rows heads _ _"], Float[Tensor, "rows heads _ _"]]
"Keys and values of steps that have been seen."


class SelfAttention(nn.Module):
    """Y = [head₁ … headₕ]·Wₒ + b, where each head is softmax(Q·Kᵀ / √d)·V and d = width / heads.

    Q, K and V are linear in the same x. With `causal` a step sees itself and earlier steps only.

    Arguments:
        width, heads: numbers a step, in and out, and a divisor of them.
        dropout: share of attention weights set to zero in training.

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

    def forward(self, x: Steps, there: There | None = None) -> Steps:
        """What each step takes from those that are `there`; by default from all."""
        queries, keys, values = self._split(x)
        dropout = self.dropout if self.training else 0.0
        seen = None if there is None else self._visible(x.shape[1], there)
        causal = self.causal and seen is None
        attend = functional.scaled_dot_product_attention
        if queries.dtype != torch.bfloat16 or x.device.type != "cpu":
            mixed = attend(queries, keys, values, seen, dropout, causal)
        else:  # on processors the kernel is several times slower backwards in bfloat16 than in float32
            with torch.autocast("cpu", enabled=False):
                mixed = attend(queries.float(), keys.float(), values.float(), seen, dropout, causal)
        return self.mix_out(mixed.transpose(1, 2).flatten(2))  # [rows, length, heads · d]

    def extend(self, x: Steps, past: Past | None) -> tuple[Steps, Past]:
        """What steps that follow the `past` ones take from those and from themselves, causally.

        Arguments:
            x: the first steps of all, or a single further one.

        Returns: as `forward` for all steps at once, but of these alone; and the past of the next step.
        """
        queries, keys, values = self._split(x)
        if past is not None:
            assert x.shape[1] == 1, "one step after another"
            keys, values = torch.cat([past[0], keys], dim=2), torch.cat([past[1], values], dim=2)
        attend = functional.scaled_dot_product_attention
        mixed = attend(queries, keys, values, None, 0.0, past is None)
        return self.mix_out(mixed.transpose(1, 2).flatten(2)), (keys, values)

    def weights(self, x: Steps, there: There | None = None) -> Weights:
        """How much each step (third axis) takes from each step (last axis), without dropout."""
        queries, keys, _ = self._split(x)
        there = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device) if there is None else there
        scores = queries @ keys.transpose(2, 3) / math.sqrt(queries.shape[3])
        return scores.masked_fill(~self._visible(x.shape[1], there), -torch.inf).softmax(dim=3)

    def _split(self, x: Steps) -> list[Float[Tensor, "rows heads length _"]]:
        mixed = self.mix_in(x).unflatten(2, (3, self.heads, -1))  # [rows, length, 3, heads, d]
        return [part.transpose(1, 2) for part in mixed.unbind(2)]

    def _visible(self, length: int, there: There) -> Bool[Tensor, "rows 1 _ length"]:
        seen = there[:, None, None, :].expand(-1, 1, length, -1)
        if not self.causal:
            return seen
        return seen & torch.ones(length, length, dtype=torch.bool, device=there.device).tril()


class AdditiveAttention(nn.Module):
    """a = softmax over i of v·tanh(W·s + U·h_i + F·f_i + b), with f = filters ∗ a_before.

    s is the decoder's state, h_i the memory of step i, a_before the weights of the step before. The last
    term, which the paper of 2015 lacks, lets the gaze move on by a fixed distance, however long the row is.

    Arguments:
        memory, state, width: of h, s and v.
        filters, reach: how many are slid over a_before, and how far each sees on either side.

    Source: Bahdanau, Cho & Bengio 2015; location: Chorowski et al. 2015
    """

    def __init__(self, memory: int, state: int, width: int, *, filters: int = 8, reach: int = 2) -> None:
        super().__init__()
        self.memory = nn.Linear(memory, width)
        self.state = nn.Linear(state, width, bias=False)
        self.filters = nn.Conv1d(1, filters, 2 * reach + 1, padding=reach, bias=False)
        self.place = nn.Linear(filters, width, bias=False)
        self.energy = nn.Linear(width, 1, bias=False)  # a bias would cancel in the softmax

    def forward(
        self,
        state: Float[Tensor, "rows state"],
        keys: Steps,
        there: There,
        before: Float[Tensor, "rows length"],
    ) -> Float[Tensor, "rows length"]:
        """The weights of this step, which sum to 1 over those that are `there`.

        Arguments:
            keys: `self.memory(h)`, worked out once for all steps.
        """
        place = self.place(self.filters(before.unsqueeze(1)).transpose(1, 2))  # [rows, length, width]
        energy = self.energy(torch.tanh(self.state(state).unsqueeze(1) + keys + place)).squeeze(2)
        return energy.masked_fill(~there, -torch.inf).softmax(dim=1)


class TransformerBlock(nn.Module):
    """x ← x + attention(norm(x)), then x ← x + W₂·f(W₁·norm(x)) with a hidden layer four times as wide.

    Normalised before each part ("pre-norm"), not after as in the paper, so that it trains without warm-up.

    Arguments:
        width, heads, causal: of the attention.
        dropout: share of values set to zero in training, of attention weights and of what each part adds.
        activation: f; a component of that kind.

    Source: Vaswani et al. 2017; pre-norm: Radford et al. 2019, Xiong et al. 2020
    """

    def __init__(
        self, width: int, heads: int, *, dropout: float = 0.0, causal: bool = False, activation: Any = "gelu"
    ) -> None:
        super().__init__()
        self.norm_attention = nn.LayerNorm(width)
        self.attention = SelfAttention(width, heads, dropout=dropout, causal=causal)
        self.norm_dense = nn.LayerNorm(width)
        self.widen = nn.Linear(width, 4 * width)
        self.activation = build("activation", activation, 4 * width)
        self.narrow = nn.Linear(4 * width, width)
        self.dropout = Dropout(dropout)

    def forward(self, x: Steps, there: There | None = None) -> Steps:
        x = x + self.dropout(self.attention(self.norm_attention(x), there))
        return x + self.dropout(self.narrow(self.activation(self.widen(self.norm_dense(x)))))

    def extend(self, x: Steps, past: Past | None) -> tuple[Steps, Past]:
        """As `forward` without dropout for steps that follow the `past` ones, and the past of the next."""
        taken, past = self.attention.extend(self.norm_attention(x), past)
        x = x + taken
        return x + self.narrow(self.activation(self.widen(self.norm_dense(x)))), past

    def weights(self, x: Steps, there: There | None = None) -> Weights:
        """The attention weights for these inputs of the block."""
        return self.attention.weights(self.norm_attention(x), there)
