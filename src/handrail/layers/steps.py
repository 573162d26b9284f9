"""Rows of steps: tokens or series as vectors, which steps are there, where each stands, and their summary."""

import math
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from handrail.errors import DataError
from handrail.shapes import SeriesShape, TokenShape
from handrail.tools.moved import forward

__getattr__ = forward(__name__)

Tokens = Int[Tensor, "rows length"]
There = Bool[Tensor, "rows length"]
Steps = Float[Tensor, "rows length width"]
Summary = Literal["last", "mean", "max"]


def counts(tokens: Tokens) -> Int[Tensor, " rows"]:
    """How many tokens of each row are no padding (code 0, at the end), one at least."""
    return (tokens != 0).sum(dim=1).clamp(min=1)


def present(x: Tokens | Float[Tensor, "rows channels length"]) -> There:
    """Which steps are no padding: of tokens those up to `counts`, of a series all."""
    steps = torch.arange(x.shape[-1], device=x.device)
    stops = torch.full((len(x),), x.shape[-1], device=x.device) if x.is_floating_point() else counts(x)
    return steps < stops.unsqueeze(1)


def longest_row(x: Float[Tensor, "rows channels length"]) -> int:
    """How many steps there are up to the last that is not zero in all channels of all rows; 1 at least.

    Behind its end a series is zero in every channel, also in the one that marks the end. All steps count
    where a network is written down for any rows, as for ONNX.
    """
    if torch.compiler.is_exporting():
        return x.shape[2]
    there = torch.nonzero((x != 0).any(dim=1).any(dim=0))
    return int(there[-1]) + 1 if len(there) else 1


def pad_steps(steps: Steps, length: int) -> Float[Tensor, "rows padded width"]:
    """Zeros behind the last step, up to that length."""
    return functional.pad(steps, (0, 0, 0, length - steps.shape[1]))


def summarise(steps: Steps, there: There, summary: Summary) -> Float[Tensor, "rows width"]:
    """One vector a row: the last step that is there, or the mean or the largest value over those that are.

    Arguments:
        there: which steps count; they come first in the row, and there is at least one.
    """
    if summary == "last":
        last = there.sum(dim=1) - 1
        return steps[torch.arange(len(steps), device=steps.device), last]
    if summary == "max":
        return steps.masked_fill(~there.unsqueeze(2), -torch.inf).amax(dim=1)
    mask = there.unsqueeze(2).to(steps.dtype)
    return (steps * mask).sum(dim=1) / mask.sum(dim=1)


class TokenVectors(nn.Embedding):
    """A learned vector for each token, [rows, length] ↦ [rows, length, width]; padding (code 0) stays zero.

    A token never seen (code 1) begins at zero too: where training shows none, it says nothing.

    Arguments:
        vocabulary, width: the number of tokens, and of numbers for each.
        std: the vectors begin as N(0, std²).

    Source: Bengio et al. 2003
    """

    def __init__(self, vocabulary: int, width: int, *, std: float = 1.0) -> None:
        super().__init__(vocabulary, width, padding_idx=0)
        with torch.no_grad():
            self.weight.mul_(std)
            self.weight[:2] = 0

    def forward(self, input: Tokens) -> Steps:
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


class SinusoidalPositions(nn.Module):
    """y_t = x_t + p_t with p_t[2i] = sin(t / 10000^(2i/width)) and p_t[2i + 1] = cos of the same.

    Any length will do: nothing is learned.

    Arguments:
        width: numbers a step, an even number.

    Source: Vaswani et al. 2017
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, x: Steps) -> Steps:
        return x + self.table(x.shape[1], x.device).to(x.dtype)

    def table(self, length: int, device: torch.device | None = None) -> Float[Tensor, "length width"]:
        """The vectors p_t of the first steps."""
        steps = torch.arange(length, device=device, dtype=torch.float32).unsqueeze(1)
        rates = torch.exp(torch.arange(0, self.width, 2, device=device) * (-math.log(10_000) / self.width))
        angles = steps * rates  # [length, width / 2]
        return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)


class LearnedPositions(nn.Module):
    """y_t = x_t + p_t with a learned vector p_t for each step.

    Arguments:
        length, width: the most steps of a row, and numbers a step.
        std: of the normal distribution that the vectors begin with.

    Raises: `DataError` for a row that is longer.

    Source: Gehring et al. 2017; Radford 2018
    """

    def __init__(self, length: int, width: int, *, std: float = 0.02) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(length, width) * std)

    def forward(self, x: Float[Tensor, "rows steps width"]) -> Float[Tensor, "rows steps width"]:
        if x.shape[1] > len(self.weight):
            raise DataError(
                f"found rows of {x.shape[1]} steps; this network was made for at most {len(self.weight)}. "
                "Cut the rows, or train it with longer ones."
            )
        return x + self.weight[: x.shape[1]]


def position_layer(kind: Literal["sinusoidal", "learned"], length: int, width: int) -> nn.Module:
    return SinusoidalPositions(width) if kind == "sinusoidal" else LearnedPositions(length, width)


def run_over(
    core: nn.RNNBase,
    steps: Float[Tensor, "rows length inputs"],
    *,
    there: There | None = None,
    start: Float[Tensor, "layers rows width"] | None = None,
) -> Float[Tensor, "rows length outputs"]:
    """The hidden states of the last layer at every step: [rows, length, directions · width].

    Padding at the end cannot reach earlier steps, so it needs care only where the network also reads from the
    end: there each row is read from its own last step on, and padded steps give zeros.

    Arguments:
        core: `torch.nn.RNN`, `LSTM` or `GRU` with `batch_first=True`.
        there: which steps are no padding; by default all.
        start: the first hidden state of each layer, by default zeros; an LSTM's cells begin at zero.
    """
    state = (start, torch.zeros_like(start)) if start is not None and isinstance(core, nn.LSTM) else start
    if there is None or not core.bidirectional:
        return core(steps, state)[0]
    packed = pack_padded_sequence(steps, there.sum(dim=1).cpu(), batch_first=True, enforce_sorted=False)
    return pad_packed_sequence(core(packed, state)[0], batch_first=True, total_length=steps.shape[1])[0]


def last_of_each_direction(
    states: Float[Tensor, "rows length outputs"], there: There
) -> Float[Tensor, "rows outputs"]:
    """The two states after the whole row was read: forwards at its last step, backwards at its first."""
    width = states.shape[2] // 2
    last = states[torch.arange(len(states), device=states.device), there.sum(dim=1) - 1]
    return torch.cat([last[:, :width], states[:, 0, width:]], dim=1)


@torch.no_grad()
def open_forget_gates(core: nn.LSTM, bias: float) -> None:
    """Let the cells of an LSTM begin by remembering: the forget gate's bias becomes `bias`.

    torch adds two biases to each gate; the other becomes zero.

    Source: Gers, Schmidhuber & Cummins 2000; Jozefowicz 2015
    """
    width = core.hidden_size
    for name, parameter in core.named_parameters():
        if "bias" in name:  # the gates stand in the order input, forget, cell, output
            parameter[width : 2 * width] = bias if "bias_ih" in name else 0.0
