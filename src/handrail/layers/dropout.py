"""Dropout with masks from sixteen random bits a unit: the same function as torch's, drawn several times as
fast.
"""

import torch
from jaxtyping import Float, Int16, Int64
from torch import Generator, Tensor, nn

_STEPS = 65_536  # values of sixteen bits
_LOWEST = -(2**63)


class Dropout(nn.Dropout):
    """y = x · m / (1 − p) while training, with m = 0 for a share p of the values, drawn anew each time, and 1
    for the rest; y = x otherwise.

    p is met to 1/65,536.

    Source: Srivastava et al. 2014
    """

    def forward(self, input: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        if not self.training or self.p == 0:
            return input
        return input * keep_mask(
            random_bits(input.shape, input.device), keep_threshold(self.p), 1 / (1 - self.p), input.dtype
        )


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
    """What values are multiplied by: `scale` where their bits are kept, else 0; for several networks, the
    bits of each or of all.

    Numbers of one type are compared, into numbers: torch takes several times as long to make truth values of
    integers.
    """
    level = bits.float()
    room = level if isinstance(first, int) else level.new_empty((len(first), *level.shape[1:]))
    return torch.ge(level, first, out=room).to(dtype).mul_(scale)
