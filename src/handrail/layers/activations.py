"""Activation functions: what a unit makes of its weighted sum.

Each is a function of `features`, the number of units that it is applied to, and returns a module that maps
`[rows, features]` to the same shape. Only those with parameters of their own look at `features`.
"""

from typing import Annotated, ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from handrail.components import component
from handrail.components.arguments import Finite, Positive, Rate


class Identity(nn.Identity):
    """y = x, marked as an activation: `torch.nn.Identity` also stands for layers that were left out."""

    is_activation: ClassVar[bool] = True


class Heaviside(nn.Module):
    """y = 1 where x > 0, `at_zero` where x = 0, else 0, in x's shape and type; no gradient flows through."""

    is_activation: ClassVar[bool] = True

    def __init__(self, at_zero: float = 0.0) -> None:
        super().__init__()
        self.at_zero = at_zero

    def forward(self, inputs: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        above = (inputs > 0).to(inputs.dtype)
        return above + self.at_zero * (inputs == 0).to(inputs.dtype) if self.at_zero else above


class Gaussian(nn.Module):
    """y = exp(−x²)."""

    is_activation: ClassVar[bool] = True

    def forward(self, inputs: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        return torch.exp(-inputs.square())


def is_activation(module: nn.Module) -> bool:
    """Whether a module is an activation: torch's own, ours, or any class with `is_activation = True`."""
    kind = type(module)
    ours = getattr(kind, "is_activation", False) is True
    return ours or (kind.__module__ == "torch.nn.modules.activation" and kind is not nn.MultiheadAttention)


@component("activation")
def linear(features: int) -> nn.Module:
    """Linear: y = x, for the output layer of a regression."""
    return Identity()


@component("activation")
def heaviside(features: int, *, at_zero: Annotated[float, Field(ge=0, le=1)] = 0.0) -> nn.Module:
    """Heaviside step: y = 1 where x > 0, else 0.

    The derivative is zero, so that layers below it learn by no gradient; rules without gradients can use it.

    Arguments:
        at_zero: y where x = 0: a unit whose sum is exactly at its threshold is silent at 0 and fires at 1
            (McCulloch & Pitts). The lectures print both x > 0 and x ≥ 0.

    Source: McCulloch & Pitts 1943
    """
    return Heaviside(at_zero)


@component("activation")
def gaussian(features: int) -> nn.Module:
    """Gaussian: y = exp(−x²), a unit that answers to sums near 0 alone.

    Source: Hartman, Keeler & Kowalski 1990
    """
    return Gaussian()


@component("activation")
def sigmoid(features: int) -> nn.Module:
    """Sigmoid: y = 1 / (1 + e⁻ˣ), between 0 and 1.

    Source: Rumelhart, Hinton & Williams 1986
    """
    return nn.Sigmoid()


@component("activation")
def softplus(features: int) -> nn.Module:
    """Softplus: y = log(1 + eˣ), a smooth ReLU.

    Source: Dugas et al. 2001
    """
    return nn.Softplus()


@component("activation")
def tanh(features: int) -> nn.Module:
    """Hyperbolic tangent, between −1 and 1.

    Source: LeCun et al. 1998
    """
    return nn.Tanh()


@component("activation")
def relu(features: int) -> nn.Module:
    """Rectified linear unit: y = max(0, x).

    Source: Nair & Hinton 2010
    """
    return nn.ReLU()


@component("activation")
def leaky_relu(features: int, *, negative_slope: Rate = 0.1) -> nn.Module:
    """Leaky ReLU: y = max(a·x, x).

    Arguments:
        negative_slope: a, the slope below zero; 0.1 is the lecture's.

    Source: Maas, Hannun & Ng 2013
    """
    return nn.LeakyReLU(negative_slope)


@component("activation")
def prelu(features: int, *, per_unit: bool = True, initial: Finite = 0.25) -> nn.Module:
    """Parametric ReLU: y = max(0, x) + a·min(0, x) with a learned.

    Arguments:
        per_unit: one a for each unit (axis 1 of the input), else one for all.
        initial: where a starts.

    Source: He et al. 2015 (Delving Deep into Rectifiers)
    """
    return nn.PReLU(features if per_unit else 1, init=initial)


@component("activation")
def elu(features: int, *, alpha: Positive = 1.0) -> nn.Module:
    """Exponential linear unit: y = x where x ≥ 0, else α(eˣ − 1).

    Source: Clevert, Unterthiner & Hochreiter 2016
    """
    return nn.ELU(alpha)


@component("activation")
def gelu(features: int, *, approximate: Literal["none", "tanh"] = "none") -> nn.Module:
    """Gaussian error linear unit: y = x·Φ(x), Φ the standard normal's distribution function.

    Arguments:
        approximate: `tanh` uses the paper's quicker approximation.

    Source: Hendrycks & Gimpel 2016
    """
    return nn.GELU(approximate)


@component("activation")
def silu(features: int) -> nn.Module:
    """Sigmoid linear unit (swish): y = x·σ(x).

    Source: Elfwing, Uchibe & Doya 2018
    """
    return nn.SiLU()


@component("activation")
def softmax(features: int) -> nn.Module:
    """Softmax over the last axis: yᵢ = e^xᵢ / Σⱼ e^xⱼ; the outputs are positive and sum to 1.

    Source: Bridle 1990
    """
    return nn.Softmax(dim=-1)


@component("activation")
class Maxout(nn.Module):
    """Maxout: y = max over k of (W_k·x + b_k), with its own weights for each piece.

    It maps `[..., features]` to the same shape and has pieces · features · (features + 1) parameters, unlike
    the other activations, which have none or a few.

    Arguments:
        features: units in, and units out.
        pieces: how many linear pieces each unit takes the largest of; 2 is the lecture's.

    Source: Goodfellow et al. 2013
    """

    is_activation: ClassVar[bool] = True

    def __init__(self, features: int, *, pieces: Annotated[int, Field(ge=2)] = 2) -> None:
        super().__init__()
        self.features = features
        self.pieces = pieces
        self.affine = nn.Linear(features, features * pieces)

    def forward(self, inputs: Float[Tensor, "*rows features"]) -> Float[Tensor, "*rows features"]:
        # [..., pieces · features] → [..., pieces, features], largest piece of each unit
        return self.affine(inputs).unflatten(-1, (self.pieces, self.features)).amax(dim=-2)

    def extra_repr(self) -> str:
        return f"features={self.features}, pieces={self.pieces}"
