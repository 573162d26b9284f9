"""Contrastive divergence against the exact gradient, and what the rule promises by itself."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor

from handrail.learning.rule import Batch, TrainingPlan
from handrail.learning.rules.contrastive_divergence import ContrastiveDivergence
from handrail.models.rbm import RBM
from handrail.objectives.objective import Objective
from handrail.shapes import NoTarget

ROWS = torch.tensor([[1.0, 1, 0, 0], [1, 1, 1, 0], [0, 0, 1, 1], [0, 0, 0, 1]])


def batch_of(rows: Tensor) -> Batch:
    return Batch(rows, torch.zeros(len(rows), dtype=torch.int64))


def begin(rows: Tensor, *, spread: float = 1.0, model: dict[str, Any] | None = None, **settings: Any):
    torch.manual_seed(0)
    machine = RBM(rows.shape[1], NoTarget("density"), **{"units": 3, **(model or {})})
    rule = ContrastiveDivergence(**settings)
    objective = Objective("negative_log_density")
    rule.start(machine, TrainingPlan("density", objective, epochs=10, steps=10, seed=0, rows=batch_of(rows)))
    with torch.no_grad():
        machine.weights.normal_(std=spread)
    return machine, rule


def exact_gradient(machine: RBM, rows: Tensor) -> Tensor:
    """Of the mean log-likelihood by the weights, by sums over all visible states."""
    machine = copy.deepcopy(machine)
    states = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * rows.shape[1])
    log_likelihood = -machine.free_energy(rows).mean() - torch.logsumexp(-machine.free_energy(states), dim=0)
    (gradient,) = torch.autograd.grad(log_likelihood, machine.weights)
    return gradient


def mean_update(steps: int) -> tuple[Tensor, Tensor]:
    rows = ROWS.repeat(15_000, 1)
    machine, rule = begin(ROWS, spread=1.5, steps=steps, learning_rate=1.0, momentum=0, weight_decay=0)
    gradient, before = exact_gradient(machine, ROWS), machine.weights.detach().clone()
    rule.step(machine, batch_of(rows))
    return machine.weights.detach() - before, gradient


def test_the_mean_update_becomes_the_exact_gradient():
    """Hinton 2002: with k the bias of CD-k goes; measured over 60,000 chains."""
    errors = []
    for steps in (1, 30):
        update, gradient = mean_update(steps)
        errors.append(float((update - gradient).abs().max()))
    assert errors[1] < 0.01
    assert errors[0] > 5 * errors[1]


@pytest.mark.parametrize("persistent", [False, True])
def test_the_rows_become_likely(persistent):
    machine, rule = begin(ROWS, spread=0.01, steps=5, persistent=persistent, learning_rate=0.2, final=1.0)

    def log_likelihood() -> float:
        return float(-machine.free_energy(ROWS).mean().detach()) - machine.enumerate_hidden()

    before = log_likelihood()
    for _ in range(600):
        rule.step(machine, batch_of(ROWS.repeat(8, 1)))
    assert before == pytest.approx(-2.773, abs=0.05)  # 4·log 2: independent units
    assert log_likelihood() > -1.75  # at best −log 4 = −1.386


def test_visible_biases_begin_as_those_of_independent_units():
    machine, _ = begin(ROWS.repeat(100, 1)[:300])
    shares = ROWS.repeat(100, 1)[:300].mean(dim=0)
    torch.testing.assert_close(machine.visible_bias.detach().sigmoid(), shares, atol=0.005, rtol=0)


def test_gibbs_steps_grow_to_the_end():
    machine, rule = begin(ROWS, steps=1, final_steps=5)
    counts, draw = [], machine.draw_visible
    machine.draw_visible = lambda *given: counts.append(rule.taken) or draw(*given)  # type: ignore
    for _ in range(100):
        rule.step(machine, batch_of(ROWS))
    steps = [counts.count(step) for step in range(100)]
    assert steps == sorted(steps)
    assert (steps[0], steps[50], steps[99]) == (1, 3, 5)


def test_it_goes_on_to_the_bit():
    machine, rule = begin(ROWS, persistent=True)
    for _ in range(3):
        rule.step(machine, batch_of(ROWS))
    state, kept = copy.deepcopy(rule.state_dict()), copy.deepcopy(machine.state_dict())
    rule.step(machine, batch_of(ROWS))
    other, again = begin(ROWS, persistent=True)
    other.load_state_dict(kept)
    again.load_state_dict(state)
    again.step(other, batch_of(ROWS))
    assert all(torch.equal(a, b) for a, b in zip(machine.parameters(), other.parameters(), strict=True))


def test_weights_count_as_copies():
    """Of chains that begin at the rows; the rows' part is exact, the fantasies' is not, so none are drawn."""
    rows, weights = ROWS, torch.tensor([0.0, 1.0, 2.0, 1.0])
    machine, rule = begin(rows, learning_rate=1.0, momentum=0, weight_decay=0)
    copied, other = begin(rows, learning_rate=1.0, momentum=0, weight_decay=0)
    for each in (rule, other):
        each._draw = lambda given: (torch.zeros(len(given), 4), torch.zeros(len(given), 3))  # type: ignore
    rule.step(machine, Batch(rows, torch.zeros(4), weights))
    other.step(copied, batch_of(rows.repeat_interleave(weights.long(), dim=0)))
    torch.testing.assert_close(machine.weights, copied.weights)


def test_gaussian_and_rectified_units_keep_a_density():
    rows = torch.randn(64, 4, generator=torch.Generator().manual_seed(0))
    model = {"visible": "gaussian", "hidden": "rectified"}
    machine, rule = begin(rows, spread=0.3, model=model)
    for _ in range(50):
        machine.weights.data.mul_(1.5)
        rule.step(machine, batch_of(rows))
    assert float(torch.linalg.matrix_norm(machine.weights.detach(), 2)) < 1
    assert all(parameter.isfinite().all() for parameter in machine.parameters())


@pytest.mark.parametrize(("rate", "holds"), [("auto", True), (0.03, False)])
def test_the_usual_rate_of_rectified_units_holds_on_many_visible_ones(rate, holds):
    """As on MNIST, where 0.03, which suits 64 of them, explodes within three epochs.

    Measured: with η = c / mean ‖v‖² and c of 0.25, 0.5, 1 and 2, on 64 and 784 visible and 50 and 400 hidden
    units, only c of 1 and 2 exploded, on 784.
    """
    chance = torch.Generator().manual_seed(0)
    prototypes = torch.rand(10, 784, generator=chance).pow(3)
    rows = torch.bernoulli(prototypes.repeat(60, 1), generator=chance)
    machine, rule = begin(rows, spread=0.01, model={"hidden": "rectified", "units": 50}, learning_rate=rate)
    rule.planned = 300
    before = float(-machine.judge(rows).detach().mean())
    for step in range(300):
        rule.step(machine, batch_of(rows[step % 12 * 50 :][:50]))
    after = float(-machine.judge(rows).detach().mean())
    assert (after < before) == holds
