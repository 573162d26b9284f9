"""Optimizers on one surface: every step is the library's optimizer's, every slope autograd's."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import handrail
from handrail.components import available, build
from handrail.components.pictures import Lines, Points
from handrail.errors import DataError, RecipeError
from handrail.learning.optimizers import DECAY_APART as LIBRARY_DECAY_APART
from handrail.traces.lines.descents import DECAY_APART, DESCENTS
from handrail.traces.lines.surfaces import SURFACES
from handrail.traces.trace import Trace

_IN_TORCH = {
    "ravine": lambda a, b: a**2 / 50 + b**2,
    "valley": lambda a, b: (1 - a) ** 2 + 10 * (b - a**2) ** 2,
    "saddle": lambda a, b: a**2 - b**2 + b**4 / 4,
    "plateau": lambda a, b: 1 - torch.exp(-(a**2 + b**2) / 2),
    "wall": lambda a, b: (a**2 + b**2) / 10 + 5 * torch.sigmoid(10 * (a - 1)),
}
_SPECS: list[dict[str, dict[str, Any]]] = [
    {"sgd": {"learning_rate": 0.02, "weight_decay": 0.1}},
    {"momentum": {"learning_rate": 0.01, "momentum": 0.8}},
    {"momentum": {"learning_rate": 0.02, "form": "average", "weight_decay": 0.01}},
    {"nesterov": {"learning_rate": 0.01, "momentum": 0.7, "weight_decay": 0.05}},
    {"rprop": {"learning_rate": 0.1, "increase": 1.3, "largest": 0.5}},
    {"adagrad": {"learning_rate": 0.3}},
    {"adadelta": {"rho": 0.8, "delta": 1e-3}},
    {"rmsprop": {"learning_rate": 0.03, "rho": 0.8}},
    {"rmsprop_momentum": {"learning_rate": 0.01, "momentum": 0.5}},
    {"adam": {"learning_rate": 0.1, "beta_1": 0.8}},
    {"adam": {"learning_rate": 0.1, "delta": 0.01, "delta_inside": True}},
    {"adamw": {"learning_rate": 0.1, "weight_decay": 0.2}},
]


def in_torch(
    surface: str, spec: dict[str, Any], start: list[float], steps: int
) -> tuple[Tensor, list[Tensor]]:
    """All places and all slopes, by the library's optimizer and autograd."""
    theta = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    optimizer = build("optimizer", spec, [theta])
    places, slopes = [theta.detach().clone()], []
    for _ in range(steps):
        optimizer.zero_grad()
        _IN_TORCH[surface](theta[0], theta[1]).backward()
        assert theta.grad is not None
        slopes.append(theta.grad.clone())
        optimizer.step()
        places.append(theta.detach().clone())
    return torch.stack(places), slopes


@pytest.mark.parametrize("spec", _SPECS, ids=lambda spec: next(iter(spec)))
@pytest.mark.parametrize("surface", list(SURFACES))
def test_the_steps_are_the_library_s(surface: str, spec: dict[str, Any]) -> None:
    """Forty steps, to 1e-6."""
    start = [0.9, -0.4]
    trace = handrail.trace("optimizers", surface=surface, start=start, optimizers=[spec], steps=40, shown=40)
    places, slopes = in_torch(surface, spec, start, 40)
    steps = trace.steps[0]
    np.testing.assert_allclose(steps["θ"], places[:-1].numpy(), rtol=0, atol=1e-6)
    np.testing.assert_allclose(steps["θ new"], places[1:].numpy(), rtol=0, atol=1e-6)
    name, on = next(iter(spec.items()))
    decay = 0 if name in DECAY_APART else on.get("weight_decay", 0)
    expected = torch.stack(slopes) + decay * places[:-1]
    np.testing.assert_allclose(steps["g"], expected.numpy(), rtol=0, atol=1e-5)
    if name == "rmsprop":
        assert steps["r"][1] == pytest.approx(
            0.8 * 0.2 * slopes[0].numpy() ** 2 + 0.2 * slopes[1].numpy() ** 2
        )


def test_all_that_can_be_followed_are() -> None:
    """L-BFGS tries several places in a step; those whose decay stands apart are the library's."""
    assert set(DESCENTS) == set(available("optimizer")) - {"lbfgs"}
    assert DECAY_APART == LIBRARY_DECAY_APART
    assert {next(iter(spec)) for spec in _SPECS} == set(DESCENTS)


@pytest.mark.parametrize("surface", list(SURFACES))
def test_the_lowest_places_are_lowest(surface: str) -> None:
    known = SURFACES[surface]
    for place in np.array(known.minima):
        assert known.slope(place) == pytest.approx(0, abs=1e-9)
        around = place + np.random.default_rng(1).normal(scale=0.1, size=(50, 2))
        assert (known.height(around) > known.height(place)).all()


def reached(trace: Trace) -> dict[str, float | None]:
    lines = trace.steps[-1].frame.to_dicts()
    return {line["optimizer"]: line["there from"] for line in lines}


def test_each_surface_tells_optimizers_apart() -> None:
    """Lectures 000 and 002: momentum in a ravine, adapted rates on a plateau, signs at a saddle."""
    ravine = reached(handrail.trace("optimizers"))
    assert ravine["sgd"] is None
    assert ravine["nesterov"] is not None
    flat = reached(handrail.trace("optimizers", surface="plateau"))
    assert flat["sgd"] is None
    assert (flat["adagrad"] or 100) < 20
    saddle = reached(handrail.trace("optimizers", surface="saddle"))
    assert (saddle["rprop"] or 100) < (saddle["sgd"] or 100) / 2
    thrown = handrail.trace("optimizers", surface="wall")
    assert thrown["sgd"]["θ new"][0, 0] < -3.5
    assert thrown["adam"]["θ new"][0, 0] > 0.5


def test_average_with_a_larger_rate_is_accelerating() -> None:
    """Lecture 000 prints both forms: η/(1 − α) of one is η of the other."""
    specs = [
        {"momentum": {"learning_rate": 0.01}},
        {"momentum": {"learning_rate": 0.1, "form": "average"}},
    ]
    trace = handrail.trace("optimizers", optimizers=specs, shown=30)
    np.testing.assert_allclose(trace.steps[0]["θ"], trace.steps[1]["θ"], atol=1e-12)


def test_the_pictures_show_paths_and_levels() -> None:
    plane, heights = handrail.trace("optimizers", surface="wall", steps=20).pictures
    assert isinstance(plane, Points)
    assert plane.fields is not None
    assert plane.corners is not None
    assert all(field.min() < 0 < field.max() for field in plane.fields)
    assert (plane.places >= plane.corners[0]).all()
    assert (plane.places <= plane.corners[1]).all()
    assert len(plane.names) == len(np.unique(plane.groups)) == 8
    assert isinstance(heights, Lines)
    assert all(len(curve) == 21 for curve in heights.curves.values())


def test_what_goes_away_stops() -> None:
    rates = [{"sgd": {"learning_rate": rate}} for rate in (0.01, 1.0)]
    trace = handrail.trace("optimizers", surface="valley", optimizers=rates, shown=100)
    assert len(trace["sgd, η 0.01"]) == 100
    assert len(trace["sgd, η 1"]) < 10


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"optimizers": ["adam", "adam"]}, "adam, η 0.001 twice"),
        ({"optimizers": ["lbfgs"]}, "found lbfgs, expected some of sgd"),
        ({"optimizers": []}, "found none"),
        ({"optimizers": ["adom"]}, "adam"),
        ({"optimizers": [{"adam": {"rate": 1}}]}, "rate: unknown argument"),
        ({"optimizers": [{"rprop": {"smallest": 100}}]}, "smallest = 100"),
        ({"start": [1, 2, 3]}, "start"),
    ],
)
def test_what_does_not_fit_is_said(settings: dict, words: str) -> None:
    with pytest.raises((DataError, RecipeError), match=words):
        handrail.trace("optimizers", **settings)
