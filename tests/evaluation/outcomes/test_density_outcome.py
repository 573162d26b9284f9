"""Log-densities: their mean, its interval, and the difference of two."""

import numpy as np
import pytest
from scipy import stats

from handrail.evaluation.bootstrap import difference, measure_with_intervals
from handrail.evaluation.outcomes.density import DensityOutcome


def outcome(values: np.ndarray) -> DensityOutcome:
    return DensityOutcome(values, lengths=np.arange(len(values), dtype=np.float64))


def test_the_interval_of_normal_values_is_nearly_students():
    """With tails of 2 % in place of 2.5 (Student 1908)."""
    values = np.random.default_rng(0).normal(-50, 5, 400)
    found = measure_with_intervals(outcome(values), resamples=20_000)["log_likelihood"]
    expected = stats.t.interval(0.96, 399, values.mean(), stats.sem(values))
    assert found.value == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize("law", ["gumbel", "exponential"])
def test_intervals_hold_the_mean_as_often_as_they_say(law: str):
    """95 % and a little more, of skewed log-densities, over 1,000 samples of 40 rows."""
    chance, held = np.random.default_rng(1), 0
    truth = np.euler_gamma if law == "gumbel" else -1.0
    for seed in range(1000):
        values = chance.gumbel(size=40) if law == "gumbel" else -chance.exponential(size=40)
        found = measure_with_intervals(outcome(values), seed=seed)["log_likelihood"]
        held += found.low <= truth <= found.high
    assert 930 <= held <= 975


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
