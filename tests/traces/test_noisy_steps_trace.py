"""Steps along a noisy slope: the variance that stays, the one that goes, and the library's own steps."""

import numpy as np
import pytest
import torch

import handrail
from handrail.components import build
from handrail.components.pictures import Lines
from handrail.errors import DataError, RecipeError


def test_constant_steps_keep_a_variance() -> None:
    """Lecture 000, Σε = ∞ and Σε² < ∞: η·s²/(2 − η), which is 0.176 at η = .3 and s = 1."""
    trace = handrail.trace("noisy_steps")
    found = trace["Variance over the steps"]
    assert f"{found['Constant'][-1]:.3f}" == "0.176"
    assert "0.1765" in found.note
    assert found["Time decay"][-1] < 0.02
    assert found["Constant, walks"][-1] == pytest.approx(0.3 / 1.7, rel=0.1)
    for rate, noise in ((0.1, 2.0), (1.5, 0.5)):
        other = handrail.trace("noisy_steps", learning_rate=rate, noise=noise, steps=400)
        stays = rate * noise**2 / (2 - rate)
        assert other["Variance over the steps"]["Constant"][-1] == pytest.approx(stays, rel=1e-9)


def test_time_decay_goes_on_to_nothing() -> None:
    """V falls as 1/k, and Σε² stays below its bound while Σε goes on growing."""
    early, late = (handrail.trace("noisy_steps", steps=steps, walks=2).steps[-1] for steps in (1000, 4000))
    assert early["V"][1] / late["V"][1] == pytest.approx(4, rel=0.05)
    assert late["Σε"][1] > early["Σε"][1] + 3
    assert early["Σε²"][1] < late["Σε²"][1] < 0.3**2 * 11
    assert late.frame["Σε² without end"][1] == "below 0.99"


def test_geometric_decay_stops_on_its_way() -> None:
    """Σε = η/(1 − ratio): the mean comes to rest at Π(1 − εₖ) of where it began."""
    sums = handrail.trace("noisy_steps", start=5).steps[-1]
    assert sums["Σε"][2] == pytest.approx(0.3 / 0.2)
    assert sums.frame["Σε without end"][2] == "1.5"
    assert sums["E θ"][2] == pytest.approx(5 * np.prod(1 - 0.3 * 0.8 ** np.arange(200)))
    assert sums["E θ"][2] > 0.5
    assert sums["E θ"][1] < 1e-3


@pytest.mark.parametrize("schedule", ["constant", {"time_decay": {"decay": 0.2}}])
def test_the_walks_are_the_library_s(schedule: str | dict) -> None:
    """Its own `sgd` under its own schedule, on the same noise: the same variance to 1e-6."""
    trace = handrail.trace("noisy_steps", decay=0.2, steps=50, walks=300, seed=3, start=2)
    name = "Constant" if schedule == "constant" else "Time decay"
    (drawn,) = trace.pictures
    assert isinstance(drawn, Lines)
    theta = torch.full((300,), 2.0, dtype=torch.float64)
    optimizer = build("optimizer", {"sgd": {"learning_rate": 0.3}}, [theta])
    changing = build("schedule", schedule, optimizer, 50)
    rng = np.random.default_rng(3)
    for step in range(1, 51):
        theta.grad = theta + torch.from_numpy(rng.normal(size=300))
        optimizer.step()
        changing.step()
        variance = theta.var(correction=0).item()
        assert drawn.curves[f"{name}, walks"][step] == pytest.approx(variance, abs=1e-6)


def test_what_is_worked_out_is_what_many_walks_show() -> None:
    (drawn,) = handrail.trace("noisy_steps", walks=20_000, steps=60).pictures
    assert isinstance(drawn, Lines)
    for name in ("Constant", "Time decay", "Geometric decay"):
        exact, simulated = drawn.curves[f"{name}, worked out"], drawn.curves[f"{name}, walks"]
        np.testing.assert_allclose(simulated[1:], exact[1:], rtol=0.06)


def test_looks_are_few() -> None:
    table = handrail.trace("noisy_steps", steps=1000, walks=2)["Variance over the steps"]
    assert table["after"].tolist() == [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]
    assert handrail.trace("noisy_steps", steps=1)["Variance over the steps"]["after"].tolist() == [0, 1]


@pytest.mark.parametrize("settings", [{"learning_rate": 2}, {"walks": 1}, {"ratio": 1}, {"noise": -1}])
def test_what_does_not_fit_is_said(settings: dict) -> None:
    with pytest.raises((DataError, RecipeError), match=next(iter(settings))):
        handrail.trace("noisy_steps", **settings)
