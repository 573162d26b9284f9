"""Boltzmann learning against the exact gradient, and what the rule promises by itself."""

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from handrail.learning.rule import Batch, TrainingPlan
from handrail.learning.rules.boltzmann_learning import BoltzmannLearning
from handrail.models.boltzmann import BoltzmannMachine
from handrail.objectives.objective import Objective
from handrail.shapes import NoTarget

ROWS = torch.tensor([[1.0, 1, 0, 0], [1, 1, 1, 0], [0, 0, 1, 1], [0, 0, 0, 1]])
PLAIN: dict[str, Any] = {"learning_rate": 1.0, "momentum": 0.0, "weight_decay": 0.0}


def batch_of(rows: Tensor, weights: Tensor | None = None) -> Batch:
    return Batch(rows, torch.zeros(len(rows), dtype=torch.int64), weights)


def begin(hidden: int = 2, **settings: Any) -> tuple[BoltzmannMachine, BoltzmannLearning]:
    torch.manual_seed(0)
    machine = BoltzmannMachine(4, NoTarget("density"), hidden=hidden)
    upper = torch.randn(machine.weights.shape).triu_(1)
    with torch.no_grad():
        machine.weights.copy_(upper + upper.T)
    rule = BoltzmannLearning(**settings)
    objective = Objective("negative_log_density")
    rule.start(machine, TrainingPlan("density", objective, epochs=10, steps=10, seed=0, rows=batch_of(ROWS)))
    return machine, rule


def exact_gradient(machine: BoltzmannMachine) -> tuple[np.ndarray, np.ndarray]:
    """Of the mean log p of the rows by weights and biases, by sums over all states."""
    weights, bias = (each.detach().double().numpy() for each in (machine.weights, machine.bias))
    states = (np.arange(2 ** len(bias))[:, None] >> np.arange(len(bias))) & 1
    p = np.exp(np.einsum("si,ij,sj->s", states, weights, states) / 2 + states @ bias)

    def means(of: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        share = p[of] / p[of].sum()
        return np.einsum("s,si,sj->ij", share, states[of], states[of]), share @ states[of]

    free = means(np.full(len(p), True))
    clamped = [means((states[:, :4] == row).all(axis=1)) for row in ROWS.numpy()]
    pairs, singles = (np.mean([each[k] for each in clamped], axis=0) - free[k] for k in (0, 1))
    np.fill_diagonal(pairs, 0)
    return pairs, singles


def error_of_a_step(copies: int, **settings: Any) -> float:
    """The largest difference between the change at the rate 1 and the exact gradient."""
    machine, rule = begin(chains=4 * copies, **settings, **PLAIN)
    pairs, singles = exact_gradient(machine)
    before = copy.deepcopy(machine)
    rule.step(machine, batch_of(ROWS.repeat(copies, 1)))
    weights, bias = (machine.weights - before.weights).detach(), (machine.bias - before.bias).detach()
    return max(float(np.abs(weights.numpy() - pairs).max()), float(np.abs(bias.numpy() - singles).max()))


@pytest.mark.parametrize("temperatures", [[], [4.0, 2.0]])
@pytest.mark.parametrize("hidden", [0, 2])
def test_the_change_becomes_the_exact_gradient(hidden: int, temperatures: list[float]) -> None:
    """Ackley, Hinton & Sejnowski 1985, equation 5: at equilibrium, and with more and more chains."""
    many = error_of_a_step(10_000, hidden=hidden, steps=20, temperatures=temperatures)
    assert many < 0.01
    assert error_of_a_step(25, hidden=hidden, steps=20, temperatures=temperatures) > 2 * many


def test_too_few_steps_are_no_equilibrium() -> None:
    assert error_of_a_step(10_000, steps=1) > 0.02


def test_weights_stay_symmetric_without_a_diagonal() -> None:
    machine, rule = begin(learning_rate=0.5)
    for _ in range(20):
        rule.step(machine, batch_of(ROWS))
    assert torch.equal(machine.weights, machine.weights.T)
    assert not machine.weights.diagonal().any()


def test_row_weights_count_as_copies() -> None:
    """Exact without hidden units, and the free chains are the same."""
    weights = torch.tensor([0.0, 1.0, 2.0, 1.0])
    machine, rule = begin(0, **PLAIN)
    rule.step(machine, batch_of(ROWS, weights))
    copied, other = begin(0, **PLAIN)
    other.step(copied, batch_of(ROWS.repeat_interleave(weights.long(), dim=0)))
    torch.testing.assert_close(machine.weights, copied.weights)
    torch.testing.assert_close(machine.bias, copied.bias)


@pytest.mark.parametrize("temperatures", [[], [3.0]])
def test_it_goes_on_to_the_bit_with_hidden_units(temperatures: list[float]) -> None:
    machine, rule = begin(temperatures=temperatures)
    for _ in range(3):
        rule.step(machine, batch_of(ROWS))
    state, kept = copy.deepcopy(rule.state_dict()), copy.deepcopy(machine.state_dict())
    rule.step(machine, batch_of(ROWS))
    other, again = begin(temperatures=temperatures)
    other.load_state_dict(kept)
    again.load_state_dict(state)
    again.step(other, batch_of(ROWS))
    assert all(torch.equal(a, b) for a, b in zip(machine.parameters(), other.parameters(), strict=True))
