"""GPT: a transformer that predicts the next token."""

import math
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from handrail.components import component
from handrail.components.arguments import Count, Rate
from handrail.errors import RecipeError
from handrail.layers.attention import TransformerBlock
from handrail.layers.noise import Dropout
from handrail.layers.steps import LearnedPositions
from handrail.shapes import StepShape, TokenShape


@component("model", name="gpt")
class GPT(nn.Module):
    """Generative pre-trained transformer: vectors of tokens and positions, blocks of causal attention.

    The score of a step depends on this token and earlier ones alone. Weights begin as N(0, 0.02²), those that
    add to the stream of the blocks smaller by √(2·layers), so that the sum keeps its size; biases as zero.

    Arguments:
        inputs: tokens; their length is the context, the most that the network sees at once.
        outputs: scores at every step.
        width: numbers a token.
        layers: blocks.
        heads: of each attention; a divisor of the width.
        dropout: share of values set to zero in training.
        tied: whether a token's vector is also the weights of its score; needs as many scores as tokens.

    Raises: `RecipeError` when heads do not divide the width, or the outputs do not fit the inputs.

    Source: Radford et al. 2018, 2019 (pre-norm, first weights); tied weights: Press & Wolf 2017
    """

    causal: ClassVar[bool] = True
    "Causal: no step's score depends on later steps."

    def __init__(
        self,
        inputs: TokenShape,
        outputs: StepShape,
        *,
        width: Count = 128,
        layers: Count = 4,
        heads: Count = 4,
        dropout: Rate = 0.0,
        tied: bool = True,
    ) -> None:
        super().__init__()
        problems = _misfits(inputs, outputs, width, heads, tied)
        if problems:
            raise RecipeError(problems)
        self.vectors = nn.Embedding(inputs.vocabulary, width)
        self.positions = LearnedPositions(inputs.length, width)
        self.dropout = Dropout(dropout)
        blocks = (TransformerBlock(width, heads, dropout=dropout, causal=True) for _ in range(layers))
        self.blocks = nn.ModuleList(blocks)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, outputs.scores, bias=False)
        begin_small(self, layers)
        if tied:
            self.head.weight = self.vectors.weight

    def forward(self, x: Int[Tensor, "rows length"]) -> Float[Tensor, "rows length scores"]:
        """Raw scores of the token after each step.

        Raises: `DataError` when there are more steps than the context holds.
        """
        steps = self.dropout(self.positions(self.vectors(x)))
        for block in self.blocks:
            steps = block(steps)
        return self.head(self.norm(steps))

    @torch.no_grad()
    def attention_maps(
        self, x: Int[Tensor, "rows length"]
    ) -> Float[Tensor, "rows layers heads length length"]:
        """How much each step (fourth axis) takes from each step (last axis), in every head of every block."""
        steps, maps = self.positions(self.vectors(x)), []
        for block in self.blocks:
            maps.append(block.weights(steps))  # pyright: ignore
            steps = block(steps)
        return torch.stack(maps, dim=1)


def begin_small(model: nn.Module, layers: int) -> None:
    """Weights from N(0, 0.02²), those that add to the stream of so many blocks smaller; biases zero."""
    into_the_stream = 0.02 / math.sqrt(2 * layers)
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            adds = name.endswith(("mix_out", "narrow"))
            nn.init.normal_(module.weight, std=into_the_stream if adds else 0.02)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)


def _misfits(inputs: TokenShape, outputs: StepShape, width: int, heads: int, tied: bool) -> list[str]:
    problems: list[str] = []
    if width % heads:
        problems.append(
            f"model.gpt.heads: {heads} heads cannot share a width of {width}; expected a divisor."
        )
    if inputs.length != outputs.length:
        problems.append(
            f"model.gpt: gives scores at each of the {inputs.length} steps that it reads; expected "
            f"{outputs.length}. The model encoder_decoder reads and writes different lengths."
        )
    if tied and inputs.vocabulary != outputs.scores:
        problems.append(
            f"model.gpt.tied: needs as many scores ({outputs.scores}) as tokens ({inputs.vocabulary}); "
            "set it to false."
        )
    return problems
