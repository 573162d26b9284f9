"""From one sequence to another in a single stream: what is read, and then what is written."""

from collections.abc import Callable
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from handrail.components import component
from handrail.components.arguments import Count, Rate
from handrail.errors import RecipeError
from handrail.layers.attention import Past, TransformerBlock
from handrail.layers.noise import Dropout
from handrail.layers.steps import LearnedPositions
from handrail.models.gpt import begin_small
from handrail.shapes import StepShape, TokenShape

START = 0
"The token between what is read and what is written."

Tokens = Int[Tensor, "rows length"]
Written = Int[Tensor, "rows steps"]
Scores = Float[Tensor, "rows steps scores"]
Choose = Callable[[int, Float[Tensor, "rows scores"]], Int[Tensor, " rows"]]


@component("model")
class DecoderOnly(nn.Module):
    """One causal transformer over [source, start, y₁ … y_{T−1}]: the last T scores are of y₁ … y_T.

    Source and target have vectors of their own; a place has one vector, padding of the source included. The
    loss is of the target alone, where DALL·E learns to write the caption, too. Blocks and first weights are
    those of `gpt`.

    Arguments:
        inputs: tokens of the source.
        outputs: scores at every step of the target, as many as it has tokens.
        width: numbers a token.
        layers: blocks.
        heads: of each attention; a divisor of the width.
        dropout: share of values set to zero in training.

    Raises: `RecipeError` when heads do not divide the width.

    Source: Ramesh et al. 2021; Liu et al. 2018 (one stream for both)
    """

    causal: ClassVar[bool] = False
    "It reads the whole source, so that the model cannot predict the source's next tokens."
    reads_and_writes: ClassVar[bool] = True
    "Given (source, target) it scores each token of the target by the source and the tokens before."

    def __init__(
        self,
        inputs: TokenShape,
        outputs: StepShape,
        *,
        width: Count = 96,
        layers: Count = 3,
        heads: Count = 4,
        dropout: Rate = 0.0,
    ) -> None:
        super().__init__()
        if width % heads:
            raise RecipeError(
                f"model.decoder_only.heads: {heads} heads cannot share a width of {width}; expected a "
                "divisor."
            )
        self.length, self.never = outputs.length, list(outputs.never)
        self.source = nn.Embedding(inputs.vocabulary, width)
        self.target = nn.Embedding(outputs.scores, width)  # code 0 is the start here
        self.positions = LearnedPositions(inputs.length + outputs.length, width)
        self.dropout = Dropout(dropout)
        blocks = (TransformerBlock(width, heads, dropout=dropout, causal=True) for _ in range(layers))
        self.blocks = nn.ModuleList(blocks)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, outputs.scores, bias=False)
        begin_small(self, layers)

    def forward(self, x: Tokens | tuple[Tokens, Written]) -> Scores:
        """Scores of each token of the target.

        Arguments:
            x: the source alone: each step is given the likeliest token of the step before, for the steps of
                `outputs`; or (source, target), as in training: each step is given the true tokens before.
        """
        if not isinstance(x, tuple):
            return self._write(x, lambda _, scores: scores.argmax(dim=1))[1]
        source, target = x
        stream = torch.cat([self.source(source), self.target(_shifted(target))], dim=1)
        steps = self.dropout(self.positions(stream))
        for block in self.blocks:
            steps = block(steps)
        return self.head(self.norm(steps[:, source.shape[1] :]))

    @torch.no_grad()
    def draw(
        self, source: Tokens, *, temperature: float, generator: torch.Generator | None = None
    ) -> Written:
        """Targets drawn token by token, each from the softmax of its scores / temperature.

        Arguments:
            temperature: 0 takes the likeliest.
            generator: on the processor; the same one gives the same targets on any device.
        """
        if temperature == 0:
            return self._write(source, lambda _, scores: scores.argmax(dim=1))[0]
        chance = torch.rand(self.length, len(source), generator=generator, dtype=torch.float64)

        def choose(step: int, scores: Float[Tensor, "rows scores"]) -> Int[Tensor, " rows"]:
            below = (scores.double() / temperature).softmax(dim=1).cumsum(dim=1)
            level = chance[step].to(scores.device) * below[:, -1]
            return torch.searchsorted(below, level[:, None], right=True)[:, 0].clamp(max=scores.shape[1] - 1)

        return self._write(source, choose)[0]

    def _write(self, source: Tokens, choose: Choose) -> tuple[Written, Scores]:
        """The target as it is chosen, step by step, and the scores that each was chosen by."""
        past: list[Past | None] = [None] * len(self.blocks)
        start = torch.full((len(source), 1), START, dtype=torch.long, device=source.device)
        new, place = torch.cat([self.source(source), self.target(start)], dim=1), 0
        tokens: list[Tensor] = []
        scores: list[Tensor] = []
        for step in range(self.length):
            steps = self.dropout(new + self.positions.weight[place : place + new.shape[1]])
            place += new.shape[1]
            for number, block in enumerate(self.blocks):
                steps, past[number] = block.extend(steps, past[number])  # pyright: ignore
            scores.append(self.head(self.norm(steps[:, -1])))
            tokens.append(choose(step, self._allowed(scores[-1])))
            new = self.target(tokens[-1])[:, None]
        return torch.stack(tokens, dim=1), torch.stack(scores, dim=1)

    def _allowed(self, scores: Float[Tensor, "rows scores"]) -> Float[Tensor, "rows scores"]:
        """The scores, without the tokens that no answer holds."""
        if not self.never:
            return scores
        allowed = scores.clone()
        allowed[:, self.never] = -torch.inf
        return allowed


def _shifted(target: Written) -> Written:
    """The tokens before each: the start, and all but the last."""
    return torch.cat([torch.full_like(target[:, :1], START), target[:, :-1]], dim=1)
