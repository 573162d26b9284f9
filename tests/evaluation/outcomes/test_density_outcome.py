"""Log-densities: their mean, its interval, and the difference of two."""

import numpy as np
import pytest
from scipy import stats

from handrail.evaluation.bootstrap import difference, measure_with_intervals
from handrail.evaluation.outcomes.density import DensityOutcome


def outcome(values: np.ndarray) -> DensityOutcome:
    return DensityOutcome(values, np.arange(len(values), dtype=np.float64))


def test_the_interval_is_students():
    """Of normal values that of scipy, but for the freedom of the error, which is that of these rows."""
    values = np.random.default_rng(0).normal(-50, 5, 400)
    found = measure_with_intervals(outcome(values))["log_likelihood"]
    expected = stats.t.interval(0.95, 399, values.mean(), stats.sem(values))
    assert found.value == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx(expected, abs=0.02)


def test_intervals_hold_the_mean_as_often_as_they_say():
    """95 % within three standard errors, over 1,000 samples of 60 rows."""
    chance, held = np.random.default_rng(1), 0
    for _ in range(1000):
        found = measure_with_intervals(outcome(chance.gumbel(size=60)))["log_likelihood"]
        held += found.low <= np.euler_gamma <= found.high
    assert 930 <= held <= 971


def test_the_difference_is_one_of_pairs():
    chance = np.random.default_rng(2)
    rows, noise = chance.normal(-80, 30, 200), chance.normal(1, 0.5, 200)
    found = difference(outcome(rows + noise), outcome(rows), "log_likelihood")
    assert found.low < noise.mean() < found.high
    assert found.high - found.low < 0.3


def test_few_rows_and_equal_ones_have_no_interval():
    few = measure_with_intervals(outcome(np.arange(5.0)))["log_likelihood"]
    assert "only 5 rows" in few.reason
    same = difference(outcome(np.arange(50.0)), outcome(np.arange(50.0)), "log_likelihood")
    assert "the same on every row" in same.reason
