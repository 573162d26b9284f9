"""The block that transformers are stacked from."""

from typing import Any

from jaxtyping import Bool, Float
from torch import Tensor, nn

from handrail.components import build
from handrail.layers.attention import SelfAttention
from handrail.layers.dropout import Dropout


class TransformerBlock(nn.Module):
    """x ← x + attention(norm(x)), then x ← x + W₂·f(W₁·norm(x)) with a hidden layer four times as wide.

    Normalised before each part ("pre-norm"), not after as in the paper, so that no warm-up of the learning
    rate is needed.

    Arguments:
        width: numbers a step.
        heads: of the attention.
        dropout: share of values set to zero in training, of attention weights and of what each part adds.
        causal: whether later steps are hidden.
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

    def forward(
        self, x: Float[Tensor, "rows length width"], there: Bool[Tensor, "rows length"] | None = None
    ) -> Float[Tensor, "rows length width"]:
        x = x + self.dropout(self.attention(self.norm_attention(x), there))
        return x + self.dropout(self.narrow(self.activation(self.widen(self.norm_dense(x)))))

    def weights(
        self, x: Float[Tensor, "rows length width"], there: Bool[Tensor, "rows length"] | None = None
    ) -> Float[Tensor, "rows heads length length"]:
        """The attention weights for these inputs of the block."""
        return self.attention.weights(self.norm_attention(x), there)
