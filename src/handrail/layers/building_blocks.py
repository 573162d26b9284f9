"""Layers that a recipe names one after the other, as the model `layers` builds them.

Each is a function of `inputs`, the shape of its rows; the annotation says which shapes it takes, and the shape that it
gives is measured. Between layers series are always `[rows, channels, length]`, tokens' vectors and states too.
"""

from typing import Annotated, Any, Literal

import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor, nn

from handrail.components import Slot, component
from handrail.components.arguments import Activation, Count, Finite, NonNegative, Rate
from handrail.errors import RecipeError
from handrail.layers.attention import SelfAttention
from handrail.layers.convolution import OverChannels
from handrail.layers.dropout import Dropout
from handrail.layers.locally_connected import LocallyConnected
from handrail.layers.noise import GaussianNoise, NoisyLinear
from handrail.layers.normalisation import BatchNorm, BatchNormRows
from handrail.layers.pooling import Pool
from handrail.layers.positions import position_layer
from handrail.layers.recurrent import last_of_each_direction, open_forget_gates, run_over
from handrail.layers.residual import Bottleneck, HighwayLayer, ResidualBlock
from handrail.layers.sequence import stack_layers
from handrail.layers.steps import TokenVectors
from handrail.layers.transformer_block import TransformerBlock
from handrail.shapes import ImageShape, InputShape, SeriesShape, TokenShape, VolumeShape, describe

Maps = SeriesShape | ImageShape | VolumeShape
Numbers = int | SeriesShape | ImageShape | VolumeShape
Layers = Annotated[Any, Slot("layer", many=True)]
Natural = Annotated[int, Field(ge=0)]
_CONVOLUTIONS: dict[int, Any] = {2: nn.Conv1d, 3: nn.Conv2d, 4: nn.Conv3d}
_CELLS: dict[str, Any] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


@component("layer")
def convolution(
    inputs: Maps,
    *,
    channels: Count = 32,
    kernel: Count = 3,
    stride: Count = 1,
    padding: Natural | Literal["same"] = 0,
    dilation: Count = 1,
    groups: Count = 1,
    bias: bool = True,
) -> nn.Module:
    """Convolution: y = W ∗ x + b over the positions of a series, an image or a volume.

    Arguments:
        channels: maps that it gives.
        kernel: side of the kernel, in positions.
        stride: distance of the positions where it is applied.
        padding: zeros on either side; `same` for as many as keep the size with stride 1 (odd kernels).
        dilation: distance of the positions that a kernel sees.
        groups: how many groups of channels are convolved by themselves.
        bias: whether b is there; batch normalisation takes it away.

    Raises: `RecipeError` for groups that do not divide the channels, or a kernel larger than its input.

    Source: Fukushima 1980; LeCun et al. 1998
    """
    border = dilation * (kernel - 1) // 2 if padding == "same" else padding
    if inputs[0] % groups or channels % groups:
        raise RecipeError(
            f"convolution.groups: {groups} groups cannot share {inputs[0]} channels and {channels} maps; "
            "expected a divisor of both."
        )
    if dilation * (kernel - 1) + 1 > min(inputs[1:]) + 2 * border:
        raise RecipeError(
            f"convolution.kernel: {kernel} is larger than {describe(inputs)}; expected a smaller kernel, "
            "or padding."
        )
    make = _CONVOLUTIONS[len(inputs)]
    options = {"stride": stride, "padding": border, "dilation": dilation, "groups": groups, "bias": bias}
    return make(inputs[0], channels, kernel, **options)


@component("layer")
def pool(
    inputs: Maps,
    *,
    kind: Literal["max", "average"] = "max",
    window: Count = 2,
    stride: Count | None = None,
) -> nn.Module:
    """Pooling: the largest or the mean of the values in each window, channel by channel.

    Arguments:
        kind: which of both.
        window: side of the window, in positions; windows are cut at the far border.
        stride: from one window to the next; the window's side where not given.

    Source: Fukushima 1980; LeCun et al. 1998
    """
    return Pool(kind, window=window, stride=stride)


class GlobalPool(nn.Module):
    """y = the mean or the largest value of each channel."""

    def __init__(self, kind: Literal["max", "average"]) -> None:
        super().__init__()
        self.kind = kind

    def forward(self, x: Float[Tensor, "rows channels *size"]) -> Float[Tensor, "rows channels"]:
        return x.flatten(2).mean(dim=2) if self.kind == "average" else x.flatten(2).amax(dim=2)


@component("layer")
def global_pool(inputs: Maps, *, kind: Literal["max", "average"] = "average") -> nn.Module:
    """Global pooling: the mean or the largest value of each channel, so that one number a channel is left.

    Source: Lin, Chen & Yan 2013
    """
    return GlobalPool(kind)


@component("layer")
def locally_connected(
    inputs: ImageShape, *, channels: Count = 8, kernel: Count = 3, stride: Count = 1, padding: Natural = 0
) -> nn.Module:
    """Locally connected units: a convolution with weights of its own at each position.

    Arguments:
        channels: units at each position.
        kernel, stride, padding: as for `convolution`.

    Raises: `RecipeError` for a kernel larger than its input.

    Source: LeCun 1989; Taigman et al. 2014
    """
    if kernel > min(inputs[1:]) + 2 * padding:
        raise RecipeError(f"locally_connected.kernel: {kernel} is larger than {describe(inputs)}.")
    size = (inputs.height, inputs.width)
    return LocallyConnected(inputs[0], channels, size=size, kernel=kernel, stride=stride, padding=padding)


@component("layer")
def flatten(inputs: Numbers) -> nn.Module:
    """All numbers of a row one after the other: maps and series become a vector."""
    return nn.Flatten()


@component("layer")
def dense(inputs: int, *, units: Count = 64, bias: bool = True, weight_noise: NonNegative = 0.0) -> nn.Module:
    """Fully connected units: y = W·x + b.

    Arguments:
        units: how many.
        bias: whether b is there.
        weight_noise: standard deviation of Gaussian noise added to the weights in training.

    Source: Rosenblatt 1958; noise: Murray & Edwards 1994
    """
    if weight_noise:
        return NoisyLinear(inputs, units, std=weight_noise, bias=bias)
    return nn.Linear(inputs, units, bias=bias)


@component("layer")
def highway(inputs: int, *, activation: Activation = "tanh", gate_bias: Finite = -4.0) -> nn.Module:
    """Highway layer: y = H(x)·T(x) + x·(1 − T(x)) with H = f(W·x + b) and the gate T = σ(W_T·x + b_T).

    Arguments:
        activation: f.
        gate_bias: where b_T begins; below zero, so that at first most of x is carried on.

    Source: Srivastava, Greff & Schmidhuber 2015
    """
    return HighwayLayer(inputs, activation=activation, gate_bias=gate_bias)


@component("layer")
def dropout(inputs: Numbers, *, rate: Rate = 0.5) -> nn.Module:
    """Dropout: a share of the values is set to zero in training, and the others are scaled up.

    Source: Srivastava et al. 2014
    """
    return Dropout(rate)


@component("layer")
def noise(inputs: Numbers, *, std: NonNegative = 0.1) -> nn.Module:
    """Gaussian noise: y = x + ε, ε ~ N(0, std²), in training.

    Source: Sietsma & Dow 1991; Bishop 1995
    """
    return GaussianNoise(std)


@component("layer")
def batch_norm(inputs: Numbers) -> nn.Module:
    """Batch normalisation: each unit or channel by its mean and variance over the batch, then γ·x + β.

    Source: Ioffe & Szegedy 2015
    """
    return BatchNormRows(inputs) if isinstance(inputs, int) else BatchNorm(inputs[0])


@component("layer")
def layer_norm(inputs: Numbers) -> nn.Module:
    """Layer normalisation: all values of a row (of series: of a step) by their mean and variance, then γ·x + β.

    γ and β belong to a unit, or to a channel.

    Raises: `RecipeError` for a single number, which would always become zero.

    Source: Ba, Kiros & Hinton 2016
    """
    if inputs == 1 or (isinstance(inputs, SeriesShape) and inputs.channels == 1):
        raise RecipeError("layer_norm: needs two numbers or channels at least, found 1.")
    if isinstance(inputs, int):
        return nn.LayerNorm(inputs)
    if isinstance(inputs, SeriesShape):
        return OverChannels(nn.LayerNorm(inputs.channels))
    return nn.GroupNorm(1, inputs[0])


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
            f"positions.kind: sinusoidal needs an even number of channels, found {inputs.channels}."
        )
    return OverSteps(position_layer(kind, inputs.length, inputs.channels))


class OverSteps(nn.Module):
    """Applies a layer for `[rows, length, width]` to a series `[rows, width, length]`."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Float[Tensor, "rows channels length"]) -> Float[Tensor, "rows width length"]:
        return self.module(x.transpose(1, 2)).transpose(1, 2)


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
    """Transformer block: x ← x + attention(norm(x)), then x ← x + W₂·f(W₁·norm(x)), four times as wide inside.

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
    if inputs.channels % heads:
        raise RecipeError(
            f"{name}.heads: {heads} heads cannot share {inputs.channels} channels; expected a divisor."
        )


@component("layer")
def residual_block(
    inputs: ImageShape,
    *,
    channels: Count = 64,
    stride: Count = 1,
    shortcut: Literal["zeros", "projection"] = "projection",
) -> nn.Module:
    """Residual block: y = relu(F(x) + shortcut(x)) with F = conv–norm–relu–conv–norm, 3×3.

    Arguments:
        channels: maps that it gives.
        stride: of the first convolution and of the shortcut.
        shortcut: where stride or channels change: `zeros` (option A) or `projection` (option B).

    Raises: `RecipeError` for zeros where there are fewer channels afterwards.

    Source: He et al. 2016 (Deep Residual Learning)
    """
    _check_shortcut("residual_block", inputs, channels, shortcut)
    return ResidualBlock(inputs.channels, channels, stride=stride, shortcut=shortcut)


@component("layer")
def bottleneck(
    inputs: ImageShape,
    *,
    channels: Count = 64,
    stride: Count = 1,
    shortcut: Literal["zeros", "projection"] = "projection",
) -> nn.Module:
    """Bottleneck block: y = relu(F(x) + shortcut(x)), F = 1×1 convolution to a quarter, 3×3, 1×1 back.

    Arguments:
        channels: maps that it gives, a multiple of 4.
        stride: of the 3×3 convolution and of the shortcut.
        shortcut: as for `residual_block`.

    Raises: `RecipeError` when the channels are no multiple of 4, or zeros cannot make them fewer.

    Source: He et al. 2016 (Deep Residual Learning); stride in the 3×3 convolution: Goyal et al. 2017
    """
    if channels % 4:
        raise RecipeError(f"bottleneck.channels: found {channels}, expected a multiple of 4.")
    _check_shortcut("bottleneck", inputs, channels, shortcut)
    return Bottleneck(inputs.channels, channels, stride=stride, shortcut=shortcut)


def _check_shortcut(name: str, inputs: ImageShape, channels: int, shortcut: str) -> None:
    if shortcut == "zeros" and channels < inputs.channels:
        raise RecipeError(
            f"{name}.shortcut: zeros can only add channels, found {inputs.channels} before and {channels} after."
        )


class Residual(nn.Module):
    """y = F(x) + shortcut(x)."""

    def __init__(self, body: list[nn.Module], shortcut: nn.Module) -> None:
        super().__init__()
        self.body = nn.Sequential(*body)
        self.shortcut = shortcut

    def forward(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, "rows ..."]:
        return self.body(x) + self.shortcut(x)


@component("layer")
def residual(inputs: Numbers, *, layers: Layers = ("relu",)) -> nn.Module:
    """A way around a list of layers: y = F(x) + x, or F(x) + W·x where they change channels or size.

    Arguments:
        layers: F, a list of layers and activations.

    Raises: `RecipeError` when a layer does not fit, or F gives a shape that cannot be added to x.

    Source: He et al. 2016 (Deep Residual Learning)
    """
    body, outputs = stack_layers(layers, inputs, where="residual.layers")
    return Residual(body, _shortcut(inputs, outputs))


def _shortcut(inputs: InputShape, outputs: InputShape) -> nn.Module:
    if inputs == outputs:
        return nn.Identity()
    if isinstance(inputs, int) and isinstance(outputs, int):
        return nn.Linear(inputs, outputs, bias=False)
    if type(inputs) is type(outputs) and isinstance(inputs, Maps) and isinstance(outputs, Maps):
        stride = -(-inputs[1] // outputs[1])
        if all(-(-before // stride) == after for before, after in zip(inputs[1:], outputs[1:], strict=True)):
            make = _CONVOLUTIONS[len(inputs)]
            return make(inputs[0], outputs[0], 1, stride=stride, bias=False)
    raise RecipeError(
        f"residual.layers: turn {describe(inputs)} into {describe(outputs)}, which cannot be added; "
        "expected the same size, such as by padding: same, or one divided by a stride."
    )


@component("layer")
def repeat(inputs: Numbers, *, times: Count = 2, layers: Layers = ("relu",)) -> nn.Module:
    """A list of layers several times in a row, each time with weights of its own.

    Arguments:
        times: how often.
        layers: a list of layers and activations.

    Raises: `RecipeError` when a layer does not fit.
    """
    modules: list[nn.Module] = []
    shape: InputShape = inputs
    for _ in range(times):
        added, shape = stack_layers(layers, shape, where="repeat.layers")
        modules += added
    return nn.Sequential(*modules)
