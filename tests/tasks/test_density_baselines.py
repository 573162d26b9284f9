"""Densities in closed form against sums over all states and other implementations."""

import itertools

import numpy as np
import pytest
from scipy import stats

from handrail.tasks.baselines.densities import (
    chow_liu,
    full_gaussian,
    independent_bernoulli,
    independent_gaussian,
)


def chain(rows: int, width: int = 6, *, seed: int = 0) -> np.ndarray:
    """Zeros and ones of which each repeats the one before with a chance of 0.9."""
    chance = np.random.default_rng(seed)
    columns = [chance.integers(0, 2, rows)]
    for _ in range(width - 1):
        columns.append(np.where(chance.random(rows) < 0.9, columns[-1], 1 - columns[-1]))
    return np.stack(columns, axis=1).astype(float)


@pytest.mark.parametrize("density", [independent_bernoulli, chow_liu])
def test_probabilities_of_all_states_add_up_to_one(density):
    states = np.array(list(itertools.product([0.0, 1.0], repeat=6)))
    assert np.exp(density(chain(200), states)).sum() == pytest.approx(1, abs=1e-9)


def test_the_tree_finds_a_chain():
    """Chow & Liu 1968: the entropy of the chain is log 2 + 5·H(0.9)."""
    entropy = np.log(2) + 5 * (-0.9 * np.log(0.9) - 0.1 * np.log(0.1))
    found = chow_liu(chain(20_000), chain(20_000, seed=1)).mean()
    assert found == pytest.approx(-entropy, abs=0.02)


def test_columns_that_never_change_are_no_trouble():
    train, rows = chain(50), chain(20, seed=1)
    train[:, 2] = 0
    for density in (chow_liu, independent_bernoulli):
        assert np.isfinite(density(train, rows)).all()


def test_gaussians_are_scipys():
    chance = np.random.default_rng(0)
    train = chance.normal(size=(5000, 3)) @ np.array([[1, 0.5, 0], [0, 1, 0.3], [0, 0, 2]])
    rows = train[:40]
    covariance = np.cov(train.T, bias=True)
    full = stats.multivariate_normal.logpdf(rows, train.mean(axis=0), covariance)  # pyright: ignore
    np.testing.assert_allclose(full_gaussian(train, rows), full, atol=0.03)
    own = stats.norm.logpdf(rows, train.mean(axis=0), train.std(axis=0)).sum(axis=1)
    np.testing.assert_allclose(independent_gaussian(train, rows), own)
