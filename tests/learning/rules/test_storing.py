"""The rules of memories against plain NumPy formulas, and what they promise by themselves."""

import copy

import numpy as np
import pytest
import torch
from torch import Tensor

from handrail.learning.rule import Batch, Rule, TrainingPlan
from handrail.learning.rules.hebb import Hebb
from handrail.learning.rules.store import Store
from handrail.learning.rules.storkey import Storkey
from handrail.models.hopfield import Hopfield
from handrail.models.modern_hopfield import ModernHopfield
from handrail.objectives.objective import Objective
from handrail.shapes import NoTarget

MEMORY = NoTarget("memory")


def bits(rows: int = 12, units: int = 30, *, seed: int = 0) -> Tensor:
    return torch.randint(0, 2, (rows, units), generator=torch.Generator().manual_seed(seed)).float()


def batch_of(rows: Tensor) -> Batch:
    return Batch(rows, torch.zeros(len(rows), dtype=torch.int64))


def learn(rule: Rule, model: Hopfield | ModernHopfield, rows: Tensor, *, size: int = 5) -> None:
    plan = TrainingPlan("memory", Objective("state_energy"), epochs=1, steps=1, seed=0, rows=batch_of(rows))
    rule.start(model, plan)
    for part in rows.split(size):
        rule.step(model, batch_of(part))
    rule.end_epoch(model)


@pytest.mark.parametrize("bias", [False, True])
def test_hebbs_weights_are_the_mean_outer_product(bias):
    """Hopfield 1982, equation 2, for units of −1 and +1, divided by N."""
    rows = bits()
    model = Hopfield(30, MEMORY, bias=bias)
    learn(Hebb(), model, rows)
    patterns = 2 * rows.double().numpy() - 1
    weights = np.sum([np.outer(pattern, pattern) for pattern in patterns], axis=0) / 30
    np.fill_diagonal(weights, 0)
    np.testing.assert_allclose(model.weights.numpy(), weights, atol=1e-6)
    assert (model.thresholds is not None) == bias
    if model.thresholds is not None:
        np.testing.assert_allclose(model.thresholds.numpy(), patterns.sum(axis=0) / 30, atol=1e-6)
    np.testing.assert_array_equal(model.patterns.numpy(), patterns)


def storkey_by_loops(patterns: np.ndarray, units: int) -> np.ndarray:
    """Storkey 1997, term by term."""
    width = patterns.shape[1]
    weights = np.zeros((width, width))
    for pattern in patterns:
        before = weights.copy()
        for i in range(width):
            for j in range(width):
                if i != j:
                    others = [k for k in range(width) if k not in (i, j)]
                    one = sum(before[i, k] * pattern[k] for k in others)
                    other = sum(before[j, k] * pattern[k] for k in others)
                    weights[i, j] += (pattern[i] * pattern[j] - pattern[i] * other - one * pattern[j]) / units
    return weights


@pytest.mark.parametrize("bias", [False, True])
def test_storkeys_weights_are_those_of_the_plain_sums(bias):
    rows = bits(6, 9)
    model = Hopfield(9, MEMORY, bias=bias)
    learn(Storkey(), model, rows, size=4)
    patterns = 2 * rows.double().numpy() - 1
    if model.thresholds is not None:
        patterns = np.hstack([patterns, np.ones((6, 1))])  # a unit that is always on
    weights = storkey_by_loops(patterns, 9)
    np.testing.assert_allclose(model.weights.numpy(), weights[:9, :9], atol=1e-5)
    if model.thresholds is not None:
        np.testing.assert_allclose(model.thresholds.numpy(), weights[:9, 9], atol=1e-5)


def test_storkey_holds_more_than_hebb():
    """Storkey & Valabregue 1999: at a load of 0.25, beyond Hebb's limit, Storkey's patterns still hold."""
    rows, shares = bits(50, 200), []
    for rule in (Hebb(), Storkey()):
        model = Hopfield(200, MEMORY)
        learn(rule, model, rows)
        shares.append(float((model(rows)[:, 1] == 0).float().mean()))
    assert shares[0] < 0.1
    assert shares[1] > 0.9


@pytest.mark.parametrize("kind", [Hebb, Storkey, Store])
def test_rules_resume_between_batches_to_the_same_bits(kind):
    def begin() -> tuple[Rule, Hopfield | ModernHopfield]:
        model = ModernHopfield(30, MEMORY) if kind is Store else Hopfield(30, MEMORY)
        rule = kind()
        rule.start(model, TrainingPlan("memory", Objective("state_energy"), 1, 2, 0, rows=batch_of(rows)))
        return rule, model

    rows = bits()
    rule, model = begin()
    rule.step(model, batch_of(rows[:7]))
    saved = copy.deepcopy((model.state_dict(), rule.state_dict()))
    successor, twin = begin()
    twin.load_state_dict(saved[0])
    successor.load_state_dict(saved[1])
    for learner, each in ((rule, model), (successor, twin)):
        learner.step(each, batch_of(rows[7:]))
        learner.end_epoch(each)
        assert learner.finished
    for name, value in model.state_dict().items():
        assert torch.equal(value, twin.state_dict()[name]), name
    assert len(model.patterns) == 12


def test_a_second_pass_stores_nothing_twice():
    rows, model, rule = bits(), Hopfield(30, MEMORY), Hebb()
    learn(rule, model, rows)
    before = model.weights.clone()
    rule.step(model, batch_of(rows))
    assert torch.equal(before, model.weights)
    assert len(model.patterns) == 12
