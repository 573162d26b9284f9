"""Where the weights start.

An initialisation fills one weight tensor `[units, incoming, ...]` in place with numbers from the generator
that it is given, which lives on the weight's device. `initialise` applies one to a whole module.
"""

import math
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn
from torch.nn.modules.conv import _ConvNd

from handrail.components import build, component
from handrail.components.arguments import Count, NonNegative, Positive


@component("initialisation")
@torch.no_grad()
def small_random(weight: Float[Tensor, "units ..."], generator: Generator, *, std: Positive = 0.01) -> None:
    """Small random numbers: w ~ N(0, std²), whatever the layer's size.

    Source: LeCun et al. 1998; Krizhevsky, Sutskever & Hinton 2012 (std 0.01)
    """
    weight.normal_(0.0, std, generator=generator)


@component("initialisation")
@torch.no_grad()
def xavier(
    weight: Float[Tensor, "units ..."],
    generator: Generator,
    *,
    distribution: Literal["uniform", "normal"] = "uniform",
    gain: Positive = 1.0,
) -> None:
    """Xavier: variance gain²·2 / (fan in + fan out), which keeps signals and gradients alike through tanh.

    Source: Glorot & Bengio 2010
    """
    fill = nn.init.xavier_uniform_ if distribution == "uniform" else nn.init.xavier_normal_
    fill(weight, gain, generator=generator)


@component("initialisation")
@torch.no_grad()
def he(
    weight: Float[Tensor, "units ..."],
    generator: Generator,
    *,
    distribution: Literal["uniform", "normal"] = "normal",
    negative_slope: NonNegative = 0.0,
) -> None:
    """He: variance 2 / ((1 + a²)·fan in), which keeps signals alike through ReLU layers.

    Arguments:
        negative_slope: a, the slope below zero of a leaky ReLU; 0 for a plain one.

    Source: He et al. 2015 (Delving Deep into Rectifiers)
    """
    fill = nn.init.kaiming_uniform_ if distribution == "uniform" else nn.init.kaiming_normal_
    fill(weight, a=negative_slope, nonlinearity="leaky_relu", generator=generator)


@component("initialisation")
@torch.no_grad()
def orthogonal(weight: Float[Tensor, "units ..."], generator: Generator, *, gain: Positive = 1.0) -> None:
    """Orthogonal: W·Wᵀ = gain²·I for `[units, incoming]` with units ≤ incoming, else Wᵀ·W = gain²·I.

    Source: Saxe, McClelland & Ganguli 2014
    """
    nn.init.orthogonal_(weight, gain, generator=generator)


@component("initialisation")
@torch.no_grad()
def sparse(
    weight: Float[Tensor, "units ..."], generator: Generator, *, connections: Count = 15, std: Positive = 1.0
) -> None:
    """Sparse: each unit starts with a few incoming weights ~ N(0, std²), the others are zero.

    The sum into a unit then does not grow with the size of the layer below, and units start out different.

    Arguments:
        connections: non-zero incoming weights of a unit; all of them where a unit has fewer.

    Source: Martens 2010
    """
    rows = torch.zeros(weight.shape[0], math.prod(weight.shape[1:]), dtype=weight.dtype, device=weight.device)
    count = min(connections, rows.shape[1])
    # The largest of random numbers: a draw without replacement for each unit. [units, count]
    chosen = torch.rand(rows.shape, generator=generator, device=weight.device).topk(count, dim=1).indices
    values = torch.randn(chosen.shape, generator=generator, dtype=weight.dtype, device=weight.device)
    weight.copy_(rows.scatter_(1, chosen, std * values).view_as(weight))


@component("initialisation")
@torch.no_grad()
def torch_default(weight: Float[Tensor, "units ..."], generator: Generator) -> None:
    """What `torch.nn.Linear` does: w uniform within ±1/√(fan in); biases too (see `initialise`).

    Source: LeCun et al. 1998; PyTorch
    """
    nn.init.kaiming_uniform_(weight, a=math.sqrt(5), generator=generator)


@torch.no_grad()
def initialise(module: nn.Module, spec: Any, *, generator: Generator | None = None) -> None:
    """Fill the weights of all linear and convolution layers of a module, in the module's own order.

    Biases become zero; with `torch_default` they are uniform within ±1/√(fan in).

    Arguments:
        spec: the name of an initialisation, `{name: arguments}`, or a function of (weight, generator).
        generator: where all numbers come from; by default `make_generator()`.

    Raises: `RecipeError` when there is no such initialisation or it does not take these arguments.
    """
    generator = make_generator() if generator is None else generator
    fill = build("initialisation", spec)
    uniform_biases = getattr(fill, "func", fill) is torch_default
    for layer in module.modules():
        if not isinstance(layer, nn.Linear | _ConvNd):
            continue
        fill(layer.weight, generator)
        if layer.bias is not None and uniform_biases:
            bound = 1 / math.sqrt(nn.init._calculate_fan_in_and_fan_out(layer.weight)[0])
            layer.bias.uniform_(-bound, bound, generator=generator)
        elif layer.bias is not None:
            layer.bias.zero_()


def make_generator() -> Generator:
    """A generator that continues from torch's current seed, so that a seeded build repeats."""
    return torch.Generator().manual_seed(int(torch.randint(2**62, ()).item()))
