"""Noise and dropout: on values between layers and on weights while training, silent in evaluation.

The numbers come from torch's global generator, which the engine seeds at each epoch. Dropout takes its masks
from sixteen random bits a unit: the same function as torch's, drawn several times as fast.
"""

import math

import torch
from jaxtyping import Float, Int16, Int64
from torch import Generator, Tensor, nn
from torch.nn import functional

from handrail.errors import RecipeError

_STEPS = 65_536  # values of sixteen bits
_LOWEST = -(2**63)


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
            f"the standard deviation of {what} is {std!r}; expected a finite number from zero on."
        )
    return float(std)


class Dropout(nn.Dropout):
    """y = x · m / (1 − p) in training, with m = 0 for a share p of the values, drawn anew each time, else 1.

    p is met to 1/65,536.

    Source: Srivastava et al. 2014
    """

    def forward(self, input: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        if not self.training or self.p == 0:
            return input
        bits = random_bits(input.shape, input.device)
        return input * keep_mask(bits, keep_threshold(self.p), 1 / (1 - self.p), input.dtype)


def random_bits(shape: torch.Size, device: torch.device) -> Int16[Tensor, "*shape"]:
    """Sixteen bits for each value, from torch's global generator."""
    words = torch.empty(words_for(shape.numel()), dtype=torch.int64, device=device)
    return fill_words(words).view(torch.int16)[: shape.numel()].view(shape)


def words_for(values: int) -> int:
    """How many numbers of 64 bits hold sixteen bits for each value."""
    return -(-values // 4)


def fill_words(words: Int64[Tensor, "..."], generator: Generator | None = None) -> Int64[Tensor, "..."]:
    """Random bits, all 64 of each number."""
    return words.random_(_LOWEST, None, generator=generator)


def keep_threshold(share: float) -> int:
    """The lowest of sixteen bits, as a number from −32,768, whose value is kept when a share is dropped."""
    return min(round(share * _STEPS), _STEPS - 1) - _STEPS // 2


def keep_mask(
    bits: Int16[Tensor, "..."],
    first: int | Float[Tensor, "networks ..."],
    scale: float | Float[Tensor, "networks ..."],
    dtype: torch.dtype,
) -> Float[Tensor, "..."]:
    """What values are multiplied by: `scale` where their bits are kept, else 0.

    `bits` are those of each network or of all. Numbers of one type are compared, into numbers: torch takes
    several times as long to make truth values of integers.
    """
    level = bits.float()
    room = level if isinstance(first, int) else level.new_empty((len(first), *level.shape[1:]))
    return torch.ge(level, first, out=room).to(dtype).mul_(scale)
