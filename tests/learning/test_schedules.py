"""Schedules against their closed forms."""

import math
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, OneCycleLR

from handrail.components import available, build
from handrail.errors import RecipeError
from handrail.learning.schedules import steps_each_batch

RATE = 0.4
EACH_BATCH = [name for name in available("schedule") if name != "on_plateau"]


def _optimizer() -> torch.optim.Optimizer:
    parameter = nn.Parameter(torch.ones(1))
    parameter.grad = torch.ones(1)
    return torch.optim.SGD([parameter], lr=RATE)


def _rates(spec: object, steps: int, *, beyond: int = 0) -> list[float]:
    """The learning rate at each update."""
    optimizer = _optimizer()
    schedule = build("schedule", spec, optimizer, steps)
    rates = []
    for _ in range(steps + beyond):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return rates


def test_constant() -> None:
    assert _rates("constant", 5) == [RATE] * 5


@pytest.mark.parametrize(("every", "length"), [(4, 4), (0.25, 5), (1 / 3, 7), (1, 1), (0.001, 1)])
def test_step(every: float, length: int) -> None:
    rates = _rates({"step": {"every": every, "factor": 0.5}}, 20)
    assert rates == pytest.approx([RATE * 0.5 ** (k // length) for k in range(20)])


def test_time_decay() -> None:
    assert _rates({"time_decay": {"decay": 0.1}}, 15) == pytest.approx(
        [RATE / (1 + 0.1 * k) for k in range(15)]
    )


@pytest.mark.parametrize("final", [0.0, 0.2])
def test_cosine_is_torchs_and_ends_where_asked(final: float) -> None:
    rates = _rates({"cosine": {"final": final}}, 20, beyond=4)
    optimizer = _optimizer()
    theirs = CosineAnnealingLR(optimizer, T_max=20, eta_min=final * RATE)
    for rate in rates[:21]:
        assert rate == pytest.approx(optimizer.param_groups[0]["lr"], abs=1e-9)
        optimizer.step()
        theirs.step()
    assert rates[20:] == pytest.approx([final * RATE] * 4, abs=1e-12)


def test_warm_up_then_constant() -> None:
    assert _rates({"warm_up": {"length": 4}}, 7) == pytest.approx(
        [RATE * f for f in (0.25, 0.5, 0.75, 1, 1, 1, 1)]
    )


def test_warm_up_then_another_schedule_that_counts_from_its_end() -> None:
    rates = _rates({"warm_up": {"length": 0.2, "then": {"cosine": {"final": 0.1}}}}, 20)
    cosine = [RATE * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * k / 16))) for k in range(16)]
    assert rates == pytest.approx([RATE * (k + 1) / 4 for k in range(4)] + cosine)


@pytest.mark.parametrize("then", ["on_plateau", {"warm_up": {"then": "on_plateau"}}])
def test_warm_up_cannot_be_followed_by_what_is_no_formula_of_the_step(then: object) -> None:
    with pytest.raises(RecipeError, match=r"warm_up\.then: found ReduceLROnPlateau, expected"):
        _rates({"warm_up": {"then": then}}, 10)


@pytest.mark.parametrize("steps", [10, 57])
def test_one_cycle_is_torchs(steps: int) -> None:
    rates = _rates({"one_cycle": {"max_learning_rate": 2.0, "rise": 0.4}}, steps)
    optimizer = _optimizer()
    theirs = OneCycleLR(optimizer, 2.0, total_steps=steps, pct_start=0.4, cycle_momentum=False)
    for rate in rates:
        assert rate == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-6)
        optimizer.step()
        theirs.step()


def test_one_cycle_peaks_at_the_optimizers_rate_where_no_other_is_given() -> None:
    rates = _rates("one_cycle", 40, beyond=3)
    assert max(rates) == pytest.approx(RATE, rel=1e-3)
    assert rates[0] == pytest.approx(RATE * 0.04)
    assert rates[39:] == pytest.approx([RATE * 4e-6] * 4)


@pytest.mark.parametrize("steps", [1, 2, 3, 10])
def test_one_cycle_where_torchs_divides_by_zero_or_has_no_peak(steps: int) -> None:
    rates = _rates({"one_cycle": {"rise": 0.1}}, steps)
    assert rates[0] == pytest.approx(RATE)
    assert all(0 < rate <= RATE for rate in rates)


def test_on_plateau_falls_after_patience_validations_without_improvement() -> None:
    optimizer = _optimizer()
    schedule = build(
        "schedule", {"on_plateau": {"factor": 0.5, "patience": 2, "smallest": 0.15}}, optimizer, 100
    )
    rates = []
    for loss in [1.0, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9]:
        optimizer.step()
        schedule.step(loss)
        rates.append(optimizer.param_groups[0]["lr"])
    assert rates == pytest.approx([0.4, 0.4, 0.4, 0.4, 0.2, 0.2, 0.2, 0.15, 0.15, 0.15])


def test_only_on_plateau_waits_for_validations() -> None:
    each_batch = {
        name: steps_each_batch(build("schedule", name, _optimizer(), 10)) for name in available("schedule")
    }
    assert each_batch == {name: name != "on_plateau" for name in each_batch}


@pytest.mark.parametrize("name", [*EACH_BATCH, {"warm_up": {"then": "one_cycle"}}])
@pytest.mark.parametrize("steps", [1, 30])
def test_saved_state_continues_identically(name: Any, steps: int) -> None:
    whole = _rates(name, steps)
    optimizer = _optimizer()
    schedule = build("schedule", name, optimizer, steps)
    for _ in range(steps // 2):
        optimizer.step()
        schedule.step()
    saved = optimizer.state_dict(), schedule.state_dict()
    optimizer = _optimizer()
    schedule = build("schedule", name, optimizer, steps)
    optimizer.load_state_dict(saved[0])
    schedule.load_state_dict(saved[1])
    for rate in whole[steps // 2 :]:
        assert optimizer.param_groups[0]["lr"] == rate
        optimizer.step()
        schedule.step()


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"step": {"every": 2.5}}, "every: found 2.5"),
        ({"step": {"every": 0}}, "every: found 0"),
        ({"cosine": {"final": 1.0}}, "final: found 1.0; expected less than 1"),
        ({"time_decay": {"decay": -1}}, "decay: found -1"),
        ({"warm_up": {"then": "cosin"}}, "warm_up.then: there is no schedule 'cosin'. Did you mean 'cosine'"),
    ],
)
def test_impossible_settings_are_refused(spec: object, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        _rates(spec, 10)


@pytest.mark.parametrize("threshold", [0.0, 1e-4, 0.05])
def test_on_plateau_is_torchs_for_positive_losses(threshold: float) -> None:
    chance = torch.Generator().manual_seed(4)
    losses = (torch.rand(200, generator=chance) * torch.linspace(3, 0.5, 200)).tolist()
    ours, theirs = _optimizer(), _optimizer()
    schedule = build(
        "schedule", {"on_plateau": {"factor": 0.7, "patience": 1, "threshold": threshold}}, ours, 9
    )
    reference = torch.optim.lr_scheduler.ReduceLROnPlateau(
        theirs, factor=0.7, patience=1, threshold=threshold
    )
    for loss in losses:
        schedule.step(loss)
        reference.step(loss)
        assert ours.param_groups[0]["lr"] == theirs.param_groups[0]["lr"]
    assert ours.param_groups[0]["lr"] < 0.1 * RATE


@pytest.mark.parametrize(
    ("losses", "fallen"),
    [
        ([-10.0] * 5, 4),  # no improvement at all: torch's own takes −10 for better than −10 · (1 − t)
        ([-10.0, -10.5, -10.9, -11.3, -11.9], 3),  # each better by less than a tenth of the best
        ([-10.0, -11.1, -12.3, -13.6, -15.0], 0),  # each better by more than that
        ([-10.0, -9.9, -9.8, -9.7, -9.6], 4),  # worse
        ([0.2, -0.1, -0.2, -0.3, -0.4], 0),  # through zero
    ],
)
def test_on_plateau_compares_losses_below_zero(losses: list[float], fallen: int) -> None:
    optimizer = _optimizer()
    schedule = build(
        "schedule", {"on_plateau": {"factor": 0.5, "patience": 0, "threshold": 0.1}}, optimizer, 9
    )
    for loss in losses:
        schedule.step(loss)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(RATE * 0.5**fallen)
