"""Parameters by the size of the picture: the printed numbers, and torch's layers."""

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import handrail
from handrail.errors import RecipeError
from handrail.traces.trace import Trace


def columns(trace: Trace, name: str) -> list[tuple[int, int]]:
    """Of each picture, the column of the fully connected layer and of the convolution."""
    dense, shared, _ = trace.steps
    return list(zip(dense[name].tolist(), shared[name].tolist(), strict=True))


def test_the_lectures_pictures() -> None:
    """28² to 100 units against 8 maps of 3×3; 224² × 3."""
    counts = columns(handrail.trace("parameters"), "parameters")
    assert counts[0] == (78_500, 80)
    assert counts[-1] == (15_052_900, 224)


def test_numbers_are_those_of_torch() -> None:
    settings = {"sides": [5, 9], "channels": [2], "units": 7, "maps": 4, "kernel": 5}
    trace = handrail.trace("parameters", **settings)
    for side, parameters, products in zip(
        (5, 9), columns(trace, "parameters"), columns(trace, "products"), strict=True
    ):
        layers = nn.Linear(side * side * 2, 7), nn.Conv2d(2, 4, 5, padding=2)
        pictures = torch.zeros(1, side * side * 2), torch.zeros(1, 2, side, side)
        for layer, picture, count, work in zip(layers, pictures, parameters, products, strict=True):
            assert count == sum(parameter.numel() for parameter in layer.parameters())
            with FlopCounterMode(display=False) as counter:
                layer(picture)
            assert work == counter.get_total_flops() / 2  # a product and a sum


def test_how_many_times_as_many() -> None:
    last = handrail.trace("parameters").steps[-1]
    assert last["parameters, times as many"][0] == pytest.approx(78_500 / 80)


def test_sizes_are_whole_numbers_from_1() -> None:
    with pytest.raises(RecipeError, match="sides"):
        handrail.trace("parameters", sides=[0])
