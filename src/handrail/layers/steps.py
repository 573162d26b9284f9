"""Rows of steps: tokens or series as vectors at every step, which steps are there, and many steps summed up
in one vector.
"""

from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from handrail.shapes import SeriesShape, TokenShape
from handrail.tools.moved import forward

__getattr__ = forward(__name__)

Summary = Literal["last", "mean", "max"]


def counts(tokens: Int[Tensor, "rows length"]) -> Int[Tensor, " rows"]:
    """How many tokens of each row are no padding (code 0, at the end), one at least."""
    return (tokens != 0).sum(dim=1).clamp(min=1)


def present(
    x: Int[Tensor, "rows length"] | Float[Tensor, "rows channels length"],
) -> Bool[Tensor, "rows length"]:
    """Which steps are no padding: of tokens those up to `counts`, of a series all."""
    steps = torch.arange(x.shape[-1], device=x.device)
    stops = torch.full((len(x),), x.shape[-1], device=x.device) if x.is_floating_point() else counts(x)
    return steps < stops.unsqueeze(1)


def summarise(
    steps: Float[Tensor, "rows length width"], there: Bool[Tensor, "rows length"], summary: Summary
) -> Float[Tensor, "rows width"]:
    """One vector a row: the last step that is there, or the mean or the largest value over those that are.

    Arguments:
        there: which steps count; they come first in the row, and there is at least one.
    """
    if summary == "last":
        last = there.sum(dim=1) - 1
        return steps[torch.arange(len(steps), device=steps.device), last]
    if summary == "max":
        return steps.masked_fill(~there.unsqueeze(2), -torch.inf).amax(dim=1)
    kept = there.unsqueeze(2).to(steps.dtype)
    return (steps * kept).sum(dim=1) / kept.sum(dim=1)


class TokenVectors(nn.Embedding):
    """A learned vector for each token, [rows, length] ↦ [rows, length, width]; padding (code 0) is the zero
    vector and stays it.

    A token never seen (code 1) begins at zero too: where training shows none, it says nothing.

    Arguments:
        vocabulary: number of tokens.
        width: numbers a token. The vectors begin as N(0, std²).
        std: of the first values.

    Source: Bengio et al. 2003
    """

    def __init__(self, vocabulary: int, width: int, *, std: float = 1.0) -> None:
        super().__init__(vocabulary, width, padding_idx=0)
        with torch.no_grad():
            self.weight.mul_(std)
            self.weight[:2] = 0

    def forward(self, input: Int[Tensor, "rows length"]) -> Float[Tensor, "rows length width"]:
        return super().forward(input)


class SeriesVectors(nn.Module):
    """A series as a vector at every step: [rows, channels, length] ↦ [rows, length, channels]."""

    def forward(self, x: Float[Tensor, "rows channels length"]) -> Float[Tensor, "rows length channels"]:
        return x.transpose(1, 2)


def step_vectors(inputs: SeriesShape | TokenShape, embedding: int) -> tuple[nn.Module, int]:
    """The layer that turns inputs into a vector at every step, and its width."""
    if isinstance(inputs, TokenShape):
        return TokenVectors(inputs.vocabulary, embedding), embedding
    return SeriesVectors(), inputs.channels
