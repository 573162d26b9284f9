"""Pooling against NumPy loops, and the windows at the border."""

from typing import Literal, get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from handrail.layers.pooling import Pool, convolve_and_pool

Kind = Literal["max", "average"]


def _looped(x: np.ndarray, kind: str, window: int, stride: int) -> np.ndarray:
    """Pooling of [height, width] as one would write it down: a window begins inside, and ends at the border
    at the latest.

    The last window is the first one that reaches the border.
    """
    height, width = x.shape

    def starts(side: int) -> list[int]:
        positions = [0]
        while positions[-1] + window < side and positions[-1] + stride < side:
            positions.append(positions[-1] + stride)
        return positions

    answer = np.max if kind == "max" else np.mean
    return np.array(
        [
            [answer(x[r : min(r + window, height), c : min(c + window, width)]) for c in starts(width)]
            for r in starts(height)
        ]
    )


@settings(max_examples=40, deadline=None)
@given(
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    kind=st.sampled_from(get_args(Kind)),
    shape=st.sampled_from([(2, 2), (3, 2), (3, 3), (2, 1)]),
)
def test_windows_are_cut_at_the_border(size: tuple[int, int], kind: Kind, shape: tuple[int, int]) -> None:
    window, stride = shape
    x = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0))
    pooled = Pool(kind, window=window, stride=stride)(x)
    for row in range(2):
        for channel in range(3):
            np.testing.assert_allclose(
                pooled[row, channel],
                _looped(x[row, channel].numpy(), kind, window, stride),
                rtol=1e-4,
                atol=1e-6,
            )
    assert pooled.shape[2:] == tuple(Pool.size_after(side, window=window, stride=stride) for side in size)


@pytest.mark.parametrize("kind", ["max", "average"])
def test_series_and_volumes(kind: Kind) -> None:
    """An axis of one position stays as it is."""
    x = torch.randn(2, 3, 6, 4, generator=torch.Generator().manual_seed(0))
    flat = Pool(kind)(x)
    torch.testing.assert_close(Pool(kind)(x.unsqueeze(2)).squeeze(2), flat)
    series = torch.randn(2, 3, 7, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(Pool(kind)(series), Pool(kind)(series.unsqueeze(2)).squeeze(2))


@pytest.mark.parametrize("padding", [(0, 0), (2, 2), (3, 1)])
def test_phases_give_the_pooled_convolution_and_its_gradients(padding: tuple[int, int]) -> None:
    chance = torch.Generator().manual_seed(0)
    x, weight, bias = (
        torch.randn(*shape, generator=chance).requires_grad_()
        for shape in ((3, 2, 12, 14), (5, 2, 5, 5), (5,))
    )
    expected = functional.max_pool2d(functional.conv2d(x, weight, bias, padding=padding), 2)
    pooled = convolve_and_pool(x, weight, bias, padding=padding)
    torch.testing.assert_close(pooled, expected)
    slope = torch.randn(pooled.shape, generator=chance)
    for ours, theirs in zip(
        torch.autograd.grad((pooled * slope).sum(), (x, weight, bias)),
        torch.autograd.grad((expected * slope).sum(), (x, weight, bias)),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
