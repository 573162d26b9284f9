"""Hidden units of energy models: what they add to the free energy, their mean, and how they are drawn.

Given its input x, a unit h has the density exp(h·x + r(h)) / exp f(x), with r its own measure.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

_TAIL = -10.0  # below it the tail of the normal distribution is Rayleigh's, but for a hundredth
_LEAST = 1e-7


class BinaryUnits:
    """h is 0 or 1: f(x) = log(1 + eˣ). Source: Smolensky 1986"""

    @staticmethod
    def free(x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        return functional.softplus(x)

    @staticmethod
    def mean(x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        return torch.sigmoid(x)

    @staticmethod
    def slope(x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """How the mean moves with x: the variance."""
        p = torch.sigmoid(x)
        return p * (1 - p)

    @staticmethod
    def draw(x: Float[Tensor, "..."], chance: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """A unit by a uniform random number each."""
        return (chance < torch.sigmoid(x)).to(x.dtype)


class RectifiedUnits:
    """h ≥ 0 with r(h) = −h²/2, a normal density cut off at 0: f(x) = x²/2 + log Φ(x) + log √2π.

    Source: Nair & Hinton 2010 (rectified units); Su et al. 2016 (this density, which has an exact f)
    """

    @staticmethod
    def free(x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        return x.square() / 2 + torch.special.log_ndtr(x) + math.log(2 * math.pi) / 2

    @classmethod
    def mean(cls, x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        return x + torch.exp(-cls.free(x))

    @classmethod
    def slope(cls, x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """How the mean moves with x: the variance."""
        ratio = torch.exp(-cls.free(x))
        return 1 - ratio * (x + ratio)

    @staticmethod
    def draw(x: Float[Tensor, "..."], chance: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """A unit by a uniform random number each."""
        chance = chance.clamp(_LEAST, 1 - _LEAST)
        inner = x.clamp_min(_TAIL)
        body = inner - torch.special.ndtri(chance * torch.special.ndtr(inner))
        far = x + (x.square() - 2 * chance.log()).sqrt()
        return torch.where(x > _TAIL, body, far).clamp_min(0)


class RectifiedMean(nn.Module):
    """The mean of rectified units by their inputs: a smooth relu, x + φ(x)/Φ(x)."""

    def forward(self, x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        return RectifiedUnits.mean(x)


HIDDEN = {"binary": BinaryUnits, "rectified": RectifiedUnits}
