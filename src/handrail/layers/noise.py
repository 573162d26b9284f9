"""Noise while training: on values between layers and on weights. Both are silent in evaluation.

The numbers come from torch's global generator, which the engine seeds at each epoch.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from handrail.errors import RecipeError


class GaussianNoise(nn.Module):
    """y = x + ε, ε ~ N(0, std²) for each value, while training; y = x otherwise.

    On the inputs it acts like an L2 penalty on the network's slope.

    Arguments:
        std: standard deviation in the units of x (scaled inputs have a standard deviation of 1); 0 for none.

    Raises: `RecipeError` when `std` is negative or not finite.

    Source: Sietsma & Dow 1991; Bishop 1995
    """

    def __init__(self, std: float) -> None:
        super().__init__()
        self.std = _check_std(std, "input noise")

    def forward(self, inputs: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        if not self.training or self.std == 0:
            return inputs
        return inputs + self.std * torch.randn_like(inputs)

    def extra_repr(self) -> str:
        return f"std={self.std}"


class NoisyLinear(nn.Linear):
    """y = (W + E)·x + b with E ~ N(0, std²) drawn anew for each batch while training; E = 0 otherwise.

    The network settles where small changes of its weights matter little. Biases stay without noise.

    Arguments:
        in_features, out_features, bias: as for `torch.nn.Linear`.
        std: standard deviation of the noise, in the units of the weights; 0 for none.

    Raises: `RecipeError` when `std` is negative or not finite.

    Source: Murray & Edwards 1994
    """

    def __init__(self, in_features: int, out_features: int, *, std: float, bias: bool = True) -> None:
        super().__init__(in_features, out_features, bias=bias)
        self.std = _check_std(std, "weight noise")

    def forward(self, input: Float[Tensor, "*rows in_features"]) -> Float[Tensor, "*rows out_features"]:
        if not self.training or self.std == 0:
            return super().forward(input)
        noisy = self.weight + self.std * torch.randn_like(self.weight)
        return functional.linear(input, noisy, self.bias)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, std={self.std}"


def _check_std(std: float, what: str) -> float:
    if not (math.isfinite(std) and std >= 0):
        raise RecipeError(
            f"the standard deviation of {what} is {std!r}; expected a finite number, zero or above."
        )
    return float(std)
