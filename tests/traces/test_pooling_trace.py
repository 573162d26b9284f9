"""Pooling there and back: the lectures' numbers, torch, and what shifts change."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import handrail
from handrail.errors import DataError
from handrail.layers.pooling import Pool
from handrail.traces.given import Given
from handrail.traces.layers.pooling import pooling
from handrail.traces.layers.windows.portrait import PORTRAIT
from handrail.traces.trace import Trace


def follow(**settings: Any) -> Trace:
    return handrail.trace("pooling", **settings)


def given(layer: nn.Module, inputs: torch.Tensor) -> Given:
    return Given(nn.Sequential(layer), "regression", inputs, None, (), "a row")


def test_example_f_comes_out_as_printed() -> None:
    """Lecture 004, "Pooling layer": 2×2, stride 2, the largest number."""
    steps = follow()["Window by window"]
    assert steps["window"].tolist() == [[[6, 4], [-7, 5]], [[-7, 6], [8, -2]]]
    assert steps["y"].tolist() == [6, 8]
    assert steps["∂L/∂window"].tolist() == [[[1, 0], [0, 0]], [[0, 0], [1, 0]]]


@pytest.mark.parametrize("kind", ["max", "average"])
@pytest.mark.parametrize(("window", "stride"), [(2, None), (3, 2), (3, 1), (2, 3), (20, None)])
def test_there_and_back_are_those_of_torch(kind: Any, window: int, stride: int | None) -> None:
    """Also for windows that overlap, that are cut at the border, and that are larger than the picture."""
    rng = np.random.default_rng(5)
    picture = rng.integers(-3, 4, (7, 6)).astype(float)  # with equal ones, of which the first counts
    x = torch.tensor(picture[None, None], requires_grad=True)
    y = Pool(kind, window=window, stride=stride)(x)
    gradient = rng.normal(size=y.shape[2:])
    y.backward(torch.from_numpy(gradient)[None, None])
    trace = follow(
        picture=picture.tolist(),
        **{"kind": kind, "window": window, "stride": stride, "gradient": gradient.tolist(), "windows": 99},
    )
    assert trace["Window by window"]["y"] == pytest.approx(y.detach().numpy().ravel(), abs=1e-12)
    assert x.grad is not None
    assert trace["And back"]["∂L/∂x"][0] == pytest.approx(x.grad[0, 0].numpy(), abs=1e-12)


def test_what_is_too_large_for_a_table_is_drawn_alone() -> None:
    wide = np.random.default_rng(0).normal(size=(4, 40))
    titles = [steps.title for steps in follow(picture=wide.tolist()).steps]
    assert titles == ["Window by window", "Small shifts", "Convolution moves along"]
    assert [steps.title for steps in follow(example="picture").steps][1:3] == ["There", "And back"]


def test_convolution_moves_along_and_pooling_forgets_small_moves() -> None:
    trace = follow()
    moved = trace["Convolution moves along"]
    assert moved["shift"].tolist() == [1, 2, 4, 8]
    assert (moved["largest difference inside"] <= 1e-6).all()
    assert (moved["at the border"] > 1).all()
    shares = trace["Small shifts"]["pooled numbers unchanged"]
    pool = nn.MaxPool2d(2, ceil_mode=True)
    before, after = (torch.tensor(PORTRAIT[start : start + 14])[None] for start in (8, 7))
    assert shares[0] == pytest.approx(float((pool(before) == pool(after)).double().mean()))
    assert shares[0] > 2 * trace["Small shifts"]["numbers unchanged"][0]
    assert shares[0] > 5 * shares[-1]


@pytest.mark.parametrize("shape", [(1, 3, 5, 6), (1, 3, 9)])
def test_the_first_pooling_of_a_network_is_followed(shape: tuple[int, ...]) -> None:
    layer, x = Pool("average", window=2, stride=3), torch.randn(shape)
    trace = pooling(given(layer, x), channel=2)
    wanted = layer(x)[0, 2].numpy().ravel()
    assert trace["Window by window"]["y"] == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"channel": 1}, "channel: found 1, expected a number from 0 to 0"),
        ({"gradient": [[1, 2, 3]]}, "gradient: found 1×3 numbers, expected 1×2"),
        ({"picture": [[[[1.0]]]]}, "picture"),
    ],
)
def test_what_does_not_fit_is_said(settings: dict, words: str) -> None:
    with pytest.raises(handrail.HandrailError, match=words):
        follow(**settings)


def test_what_does_not_fit_a_network_is_said() -> None:
    with pytest.raises(
        DataError, match="found no pooling by the largest or the mean, without padding, in its"
    ):
        pooling(given(nn.Identity(), torch.zeros(1, 1, 4, 4)))
    with pytest.raises(DataError, match="window: without effect"):
        pooling(given(Pool("max"), torch.zeros(1, 1, 4, 4)), window=3)
    with pytest.raises(DataError, match="of volumes"):
        pooling(given(Pool("max"), torch.zeros(1, 1, 4, 4, 4)))
