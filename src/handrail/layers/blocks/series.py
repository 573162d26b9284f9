"""Layers for tokens and series; series are `[rows, channels, length]` between layers, states too."""

from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from handrail.components import component
from handrail.components.arguments import Activation, Count, Rate
from handrail.errors import RecipeError
from handrail.layers.attention import SelfAttention, TransformerBlock
from handrail.layers.steps import (
    TokenVectors,
    last_of_each_direction,
    open_forget_gates,
    position_layer,
    run_over,
)
from handrail.shapes import SeriesShape, TokenShape

_CELLS: dict[str, Any] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


class TokenSeries(TokenVectors):
    """A vector for each token, as a series: [rows, length] ↦ [rows, width, length]."""

    def forward(self, input: Int[Tensor, "rows length"]) -> Float[Tensor, "rows width length"]:
        return super().forward(input).transpose(1, 2)


@component("layer")
def embedding(inputs: TokenShape, *, width: Count = 64) -> nn.Module:
    """Embedding: a learned vector for each token, as a series; padding is the zero vector.

    Arguments:
        width: numbers a token.

    Source: Bengio et al. 2003
    """
    return TokenSeries(inputs.vocabulary, width)


class OverSteps(nn.Module):
    """Applies a layer for `[rows, length, width]` to a series `[rows, width, length]`."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Float[Tensor, "rows channels length"]) -> Float[Tensor, "rows width length"]:
        return self.module(x.transpose(1, 2)).transpose(1, 2)


@component("layer")
def positions(inputs: SeriesShape, *, kind: Literal["sinusoidal", "learned"] = "sinusoidal") -> nn.Module:
    """Positions: a vector that says where a step stands is added to each step, before attention.

    Arguments:
        kind: fixed waves (an even number of channels), or a learned vector for each step.

    Raises: `RecipeError` for waves and an odd number of channels.

    Source: Vaswani et al. 2017; learned: Gehring et al. 2017
    """
    if kind == "sinusoidal" and inputs.channels % 2:
        raise RecipeError(
            f"positions.kind: sinusoidal needs an even number of channels, not {inputs.channels}."
        )
    return OverSteps(position_layer(kind, inputs.length, inputs.channels))


class States(nn.Module):
    """The states of a recurrent layer over a series: at every step, or after the last."""

    def __init__(self, core: nn.RNNBase, *, last: bool) -> None:
        super().__init__()
        self.core, self.last = core, last

    def forward(self, x: Float[Tensor, "rows channels length"]) -> Float[Tensor, "rows width *length"]:
        states = run_over(self.core, x.transpose(1, 2))
        if not self.last:
            return states.transpose(1, 2)
        if self.core.bidirectional:
            there = torch.ones(states.shape[:2], dtype=torch.bool, device=states.device)
            return last_of_each_direction(states, there)
        return states[:, -1]


@component("layer")
def recurrent(
    inputs: SeriesShape,
    *,
    cell: Literal["rnn", "lstm", "gru"] = "lstm",
    units: Count = 64,
    bidirectional: bool = False,
    gives: Literal["last", "steps"] = "last",
) -> nn.Module:
    """Recurrent layer: a state is carried from step to step of a series.

    It reads each row to its end, padding included; the models `rnn`, `lstm` and `gru` leave padding out.

    Arguments:
        cell: what the state is made of.
        units: numbers of the state.
        bidirectional: whether a second state is carried from the end.
        gives: the state after the last step as numbers, or the states of all steps as a series.

    Source: Elman 1990; Hochreiter & Schmidhuber 1997; Cho et al. 2014
    """
    core = _CELLS[cell](inputs.channels, units, batch_first=True, bidirectional=bidirectional)
    if cell == "lstm":
        open_forget_gates(core, 1.0)
    return States(core, last=gives == "last")


@component("layer")
def attention(
    inputs: SeriesShape, *, heads: Count = 1, dropout: Rate = 0.0, causal: bool = False
) -> nn.Module:
    """Self-attention: each step takes what it needs from all steps of a series.

    Arguments:
        heads: a divisor of the channels.
        dropout: share of attention weights set to zero in training.
        causal: whether later steps are hidden.

    Raises: `RecipeError` when the channels cannot be divided among the heads.

    Source: Vaswani et al. 2017
    """
    _check_heads("attention", inputs, heads)
    return OverSteps(SelfAttention(inputs.channels, heads, dropout=dropout, causal=causal))


@component("layer")
def transformer_block(
    inputs: SeriesShape,
    *,
    heads: Count = 1,
    dropout: Rate = 0.0,
    causal: bool = False,
    activation: Activation = "gelu",
) -> nn.Module:
    """Transformer block: x ← x + attention(norm(x)), then x ← x + W₂·f(W₁·norm(x)), 4 times as wide.

    Arguments:
        heads: of the attention; a divisor of the channels.
        dropout: share of values set to zero in training, of attention weights and of what each part adds.
        causal: whether later steps are hidden.
        activation: f.

    Raises: `RecipeError` when the channels cannot be divided among the heads.

    Source: Vaswani et al. 2017; pre-norm: Radford et al. 2019, Xiong et al. 2020
    """
    _check_heads("transformer_block", inputs, heads)
    block = TransformerBlock(inputs.channels, heads, dropout=dropout, causal=causal, activation=activation)
    return OverSteps(block)


def _check_heads(name: str, inputs: SeriesShape, heads: int) -> None:
    channels = inputs.channels
    if channels % heads:
        raise RecipeError(
            f"{name}.heads: {heads} heads cannot share {channels} channels; expected a divisor."
        )
