"""Layers for numbers, and those that suit rows of every form."""

from torch import nn

from handrail.components import component
from handrail.components.arguments import Activation, Count, Finite, NonNegative, Rate
from handrail.errors import RecipeError
from handrail.layers.blocks.stack import Numbers
from handrail.layers.convolution import OverChannels
from handrail.layers.noise import Dropout, GaussianNoise, NoisyLinear
from handrail.layers.normalisation import BatchNorm, BatchNormRows
from handrail.layers.residual import HighwayLayer
from handrail.shapes import SeriesShape


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
def flatten(inputs: Numbers) -> nn.Module:
    """All numbers of a row one after the other: maps and series become a vector."""
    return nn.Flatten()


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
    """Layer normalisation: a row (or a step of a series) by its mean and variance, then γ·x + β.

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
