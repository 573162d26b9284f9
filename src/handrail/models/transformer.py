"""The transformer's encoder, for classes and numbers."""

from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from handrail.components import component
from handrail.components.arguments import Count, Rate
from handrail.errors import RecipeError
from handrail.layers.attention import TransformerBlock
from handrail.layers.noise import Dropout
from handrail.layers.steps import SeriesVectors, Summary, TokenVectors, position_layer, present, summarise
from handrail.shapes import SeriesShape, TokenShape

Rows = Int[Tensor, "rows length"] | Float[Tensor, "rows channels length"]


@component("model")
class Transformer(nn.Module):
    """Transformer encoder: every step looks at every other, block by block; their mean is scored.

    Padding of tokens is hidden from the attention and from the mean. Of series every step counts.

    Arguments:
        inputs: tokens, or series, each step of which becomes a vector by a linear layer.
        width: numbers a step, an even number.
        layers: blocks.
        heads: of each attention; a divisor of the width.
        dropout: share of values set to zero in training.
        positions: how a step knows where it stands: fixed waves, or a learned vector for each step.
        activation: inside the blocks.
        summary: what is scored of a row: the mean of its steps, the largest values, or the last step.

    Raises: `RecipeError` when the width is odd or cannot be divided among the heads.

    Source: Vaswani et al. 2017; pre-norm: Xiong et al. 2020
    """

    def __init__(
        self,
        inputs: TokenShape | SeriesShape,
        outputs: int,
        *,
        width: Count = 64,
        layers: Count = 2,
        heads: Count = 4,
        dropout: Rate = 0.1,
        positions: Literal["sinusoidal", "learned"] = "sinusoidal",
        activation: Literal["relu", "gelu"] = "gelu",
        summary: Summary = "mean",
    ) -> None:
        super().__init__()
        _check(width, heads)
        self.summary: Summary = summary
        self.vectors = _vectors(inputs, width)
        self.positions = position_layer(positions, inputs.length, width)
        self.dropout = Dropout(dropout)
        self.blocks = nn.ModuleList(
            TransformerBlock(width, heads, dropout=dropout, activation=activation) for _ in range(layers)
        )
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, outputs)

    def forward(self, x: Rows) -> Float[Tensor, "rows outputs"]:
        there, steps = present(x), self.dropout(self.positions(self.vectors(x)))
        for block in self.blocks:
            steps = block(steps, None if x.is_floating_point() else there)
        return self.head(summarise(self.norm(steps), there, self.summary))

    @torch.no_grad()
    def attention_maps(self, x: Rows) -> Float[Tensor, "rows layers heads length length"]:
        """How much each step (fourth axis) takes from each step (last axis), in every head of every block."""
        there, steps = present(x), self.positions(self.vectors(x))
        maps = []
        for block in self.blocks:
            maps.append(block.weights(steps, there))  # pyright: ignore
            steps = block(steps, there)
        return torch.stack(maps, dim=1)


def _vectors(inputs: TokenShape | SeriesShape, width: int) -> nn.Module:
    if isinstance(inputs, TokenShape):
        return TokenVectors(inputs.vocabulary, width)
    return nn.Sequential(SeriesVectors(), nn.Linear(inputs.channels, width))


def _check(width: int, heads: int) -> None:
    problems: list[str] = []
    if width % 2:
        problems.append(
            f"model.transformer.width: found {width}, expected an even number (sines and cosines)."
        )
    if width % heads:
        problems.append(
            f"model.transformer.heads: {heads} heads cannot share a width of {width}; take a divisor."
        )
    if problems:
        raise RecipeError(problems)
