"""Descent on a curve: torch's steps, autograd's slopes, and where small and large steps end."""

import math

import numpy as np
import pytest
import torch

import handrail
from handrail.components.pictures import Lines, Points
from handrail.errors import DataError
from handrail.traces.lines.curves import CURVES, minima, polynomial
from handrail.traces.trace import Trace

_IN_TORCH = {
    "bowl": lambda x: x**2,
    "two_valleys": lambda x: x**4 / 10 - x**2 + x / 2,
    "dent": lambda x: x**2 / 20 - 0.5 * torch.exp(-2 * (x - 4) ** 2),
}


def ends(trace: Trace) -> list[str]:
    (verdicts,) = (column.values for column in trace.steps[-1].columns if column.name == "it")
    return [str(verdict) for verdict in verdicts]


@pytest.mark.parametrize("curve", list(CURVES))
def test_the_steps_are_torch_s(curve: str) -> None:
    """Those of `torch.optim.SGD` with autograd's slopes, to 1e-6."""
    trace = handrail.trace("gradient_descent", curve=curve, steps=30, shown=30)
    for rate, table in zip(CURVES[curve].rates, trace.steps, strict=False):
        x = torch.tensor(CURVES[curve].start, dtype=torch.float64, requires_grad=True)
        optimizer = torch.optim.SGD([x], lr=rate)
        for place in range(30):
            assert table["x"][place] == pytest.approx(x.item(), rel=1e-6, abs=1e-6)
            optimizer.zero_grad()
            height = _IN_TORCH[curve](x)
            height.backward()
            assert x.grad is not None
            assert table["f(x)"][place] == pytest.approx(height.item(), rel=1e-6, abs=1e-6)
            assert table["f′(x)"][place] == pytest.approx(x.grad.item(), rel=1e-6, abs=1e-6)
            optimizer.step()
            assert table["x new"][place] == pytest.approx(x.item(), rel=1e-6, abs=1e-6)


def test_on_a_bowl_each_step_multiplies() -> None:
    """Lecture 002, "learning rate impact": x·(1 − 2η)^k, slow, quick, to and fro, and away."""
    trace = handrail.trace("gradient_descent", curve="bowl", learning_rates=[0.1, 0.5, 0.9, 1.1], shown=20)
    assert trace["η = 0.1"]["x"] == pytest.approx(-2 * 0.8 ** np.arange(20))
    assert trace["η = 0.5"]["x new"][0] == 0
    assert trace["η = 1.1"]["x"] == pytest.approx(-2 * (-1.2) ** np.arange(20))
    assert ends(trace) == [*["is in the lowest minimum"] * 3, "goes to and fro, ever wider"]


def test_small_steps_are_stuck_and_larger_ones_get_out() -> None:
    """Lecture 002, a cost that is not convex: a low rate ends in a local minimum."""
    stuck, out = "is stuck in a higher minimum", "is in the lowest minimum"
    assert ends(handrail.trace("gradient_descent", curve="two_valleys")) == [stuck, out, "goes to and fro"]
    assert ends(handrail.trace("gradient_descent", curve="dent")) == [stuck, out]
    assert "Minima: x = −2.352, f(x) = −3.648; x = 2.099" in handrail.trace("gradient_descent").steps[-1].note


def test_minima_are_found() -> None:
    """(x − 1)²·(x + 2)² has its minima at 1 and −2."""
    curve = polynomial([4, -4, -3, 2, 1])
    assert minima(curve, -10, 10) == pytest.approx([-2, 1], abs=1e-8)
    assert curve.formula == "f(x) = 4 − 4x − 3x² + 2x³ + x⁴    f′(x) = −4 − 6x + 6x² + 4x³"
    assert minima(polynomial([0, 1]), -10, 10) == []


def test_a_path_without_end_stops() -> None:
    trace = handrail.trace("gradient_descent", coefficients=[0, 0, 0, 0, 1], start=3, learning_rates=[1])
    assert ends(trace) == ["goes away without end"]
    assert len(trace["η = 1"]) < 6
    fall = handrail.trace("gradient_descent", coefficients=[0, 1], learning_rates=[1], steps=3)
    assert ends(fall) == ["is still on its way"]
    assert "Minimum: none" in fall.steps[-1].note
    top = handrail.trace("gradient_descent", coefficients=[0, 0, -1], start=0)
    assert set(ends(top)) == {"rests at no minimum"}


def test_the_pictures_show_the_curve_and_the_paths() -> None:
    curve, heights = handrail.trace("gradient_descent", curve="bowl").pictures
    assert isinstance(curve, Points)
    assert curve.fields is not None
    assert curve.corners is not None
    assert curve.places[:, 1] == pytest.approx(curve.places[:, 0] ** 2)
    left, right = curve.corners[:, 0]
    at = curve.fields[0][:, 0] + left**2  # the height of each line of the grid
    assert at[[0, -1]] == pytest.approx(curve.corners[:, 1])
    assert left < -2 < right
    assert isinstance(heights, Lines)
    assert math.isnan(heights.curves["η = 1.05"][5])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"learning_rates": [0.1, 0.5, 0.1]}, "found η = 0.1 twice"),
        ({"learning_rates": []}, "learning_rates"),
        ({"coefficients": [1]}, "coefficients"),
        ({"start": 1e9}, "start"),
    ],
)
def test_what_does_not_fit_is_said(settings: dict, words: str) -> None:
    with pytest.raises((DataError, handrail.errors.RecipeError), match=words):
        handrail.trace("gradient_descent", **settings)
