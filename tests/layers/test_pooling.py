"""Pooling against NumPy loops, and the windows at the border."""

from typing import Literal, get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from handrail.components import build
from handrail.errors import RecipeError
from handrail.layers.convolution import ConvAct
from handrail.layers.pooling import Pool, StochasticPool, convolve_and_pool
from handrail.shapes import ImageShape

Kind = Literal["max", "average"]
SHARES = [(2, None), (3, 2), (2, 3)]  # window and stride


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


def _windows(x: np.ndarray, window: int, stride: int) -> list[list[np.ndarray]]:
    """The values of each window of [height, width], cut at the far border."""
    rows, columns = (Pool.size_after(side, window=window, stride=stride) for side in x.shape)
    return [
        [
            x[r * stride : r * stride + window, c * stride : c * stride + window].ravel()
            for c in range(columns)
        ]
        for r in range(rows)
    ]


@pytest.mark.parametrize(("window", "stride"), SHARES)
def test_in_use_stochastic_pooling_is_the_mean_by_shares(window: int, stride: int | None) -> None:
    """Zeiler & Fergus 2013: s = Σ pᵢ·aᵢ with pᵢ = aᵢ / Σ a; a window without activations gives 0."""
    x = torch.randn(1, 1, 5, 7, generator=torch.Generator().manual_seed(0)).relu()
    x[:, :, :3, :3] = 0
    pool = StochasticPool(window=window, stride=stride).eval()
    expected = [
        [(each**2).sum() / max(each.sum(), 1e-30) for each in line]
        for line in _windows(x[0, 0].numpy(), window, stride or window)
    ]
    np.testing.assert_allclose(pool(x)[0, 0], expected, rtol=1e-5)
    assert pool(x)[0, 0, 0, 0] == 0


@pytest.mark.parametrize(("window", "stride"), SHARES)
def test_in_training_a_value_is_drawn_in_proportion_to_it(window: int, stride: int | None) -> None:
    """Zeiler & Fergus 2013; no value of 0 is ever drawn beside others."""
    x = torch.randn(1, 1, 5, 7, generator=torch.Generator().manual_seed(0)).relu()
    x[:, :, :3, :3] = 0
    pool = StochasticPool(window=window, stride=stride)
    torch.manual_seed(0)
    drawn = pool(x.expand(-1, 20_000, -1, -1))[0].numpy()  # [draws, height, width]
    for r, line in enumerate(_windows(x[0, 0].numpy(), window, stride or window)):
        for c, values in enumerate(line):
            assert set(np.unique(drawn[:, r, c])) <= ({0.0} if not values.any() else set(values[values > 0]))
            for value in values[values > 0]:
                share = (drawn[:, r, c] == value).mean()
                assert share == pytest.approx(value / values.sum(), abs=0.015)


def test_stochastic_pooling_draws_by_the_seed_and_sends_the_gradient_to_what_was_drawn() -> None:
    x = torch.rand(2, 3, 6, 6).requires_grad_()
    pool, draws = StochasticPool(), []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        draws.append(pool(x))
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    (slope,) = torch.autograd.grad(draws[0].sum(), x)
    torch.testing.assert_close((slope * x).sum(), draws[0].sum())
    assert set(slope.unique().tolist()) == {0.0, 1.0}
    nothing = torch.zeros(1, 1, 4, 4, requires_grad=True)
    for training in (True, False):
        (slope,) = torch.autograd.grad(pool.train(training)(nothing).sum(), nothing)
        assert slope.isfinite().all()


@pytest.mark.parametrize("training", [True, False])
def test_values_below_zero_count_as_zero(training: bool) -> None:
    x = torch.randn(2, 3, 6, 5, 4, generator=torch.Generator().manual_seed(0))
    pool, answers = StochasticPool().train(training), []
    for values in (x, x.relu()):
        torch.manual_seed(0)
        answers.append(pool(values))
    assert torch.equal(*answers)
    assert answers[0].shape == (2, 3, 3, 3, 2)


@pytest.mark.parametrize(
    "activation", ["relu", "sigmoid", "softplus", "tanh", "elu", "linear", "gelu", "prelu"]
)
def test_activations_that_can_be_negative_are_refused(activation: str) -> None:
    """It is refused where the activation is known; in a list of layers, values below 0 count as 0."""
    if activation in ("relu", "sigmoid", "softplus"):
        ConvAct(2, 3, activation=activation, pooling="stochastic")
        return
    with pytest.raises(
        RecipeError, match=r"pooling: .*must not be negative; these go down to -.*such as relu"
    ):
        ConvAct(2, 3, activation=activation, pooling="stochastic")


@pytest.mark.parametrize(
    "model",
    [
        {"cnn": {"pooling": "stochastic"}},
        {"lenet5": {"pooling": "stochastic", "activation": "relu"}},
        {"layers": {"layers": [{"convolution": {"channels": 4}}, "relu", {"pool": {"kind": "stochastic"}}]}},
    ],
)
def test_wherever_pooling_is_chosen_it_may_be_stochastic(model: dict) -> None:
    network = build("model", model, ImageShape(1, 28, 28), 3)
    x = torch.rand(4, 1, 28, 28)
    assert not torch.equal(network(x), network(x))
    assert torch.equal(network.eval()(x), network(x))
    with pytest.raises(RecipeError, match="pooling"):
        build("model", {"lenet5": {"pooling": "stochastic", "activation": "tanh"}}, ImageShape(1, 28, 28), 3)
