"""Mel filters: triangles that lie as close to each other as the ear tells pitches apart."""

import math
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from handrail.errors import RecipeError

_DOUBLINGS = 3


def mel_filters(rate: int, size: int, mels: int) -> Float[Tensor, "mels bins"]:
    """Triangles of height 1 over the bins of a Fourier transform of `size` samples, from 0 to half the rate.

    Their corners are equally far apart in m = 2595 · log₁₀(1 + f/700): each begins at the peak of the one
    before it and ends at the peak of the one behind it.

    Source: Stevens, Volkmann & Newman 1937; O'Shaughnessy 1987 (the formula); Young et al. 1995 (HTK)
    """
    corners = _frequency(torch.linspace(0, _mel(rate / 2), mels + 2, dtype=torch.float64))
    bins = torch.linspace(0, rate / 2, size // 2 + 1, dtype=torch.float64)
    rising = (bins - corners[:-2, None]) / (corners[1:-1] - corners[:-2])[:, None]
    falling = (corners[2:, None] - bins) / (corners[2:] - corners[1:-1])[:, None]
    return torch.minimum(rising, falling).clamp(min=0).float()


@lru_cache
def transform_size(rate: int, window: int, mels: int) -> int:
    """Samples of the Fourier transform: the power of two that holds a window, or up to eight times that, so
    that no filter falls between two bins.

    Raises: `RecipeError` where more would be needed.
    """
    least = 2 ** math.ceil(math.log2(window))
    for doubling in range(_DOUBLINGS + 1):
        size = least * 2**doubling
        if bool((mel_filters(rate, size, mels).sum(dim=1) > 0).all()):
            return size
    raise RecipeError(
        f"data.audio.mels: {mels} filters are more than windows of {window} samples "
        f"({1000 * window / rate:.0f} ms) can tell apart; "
        "expected fewer filters, or a longer data.audio.window."
    )


def _mel(frequency: float) -> float:
    return 2595 * math.log10(1 + frequency / 700)


def _frequency(mel: Tensor) -> Tensor:
    return 700 * (10 ** (mel / 2595) - 1)
