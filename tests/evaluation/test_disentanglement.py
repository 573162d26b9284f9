"""The mutual information gap, by cases whose answer is known and by an independent implementation."""

import numpy as np
import pytest
from sklearn.metrics import mutual_info_score

from handrail.evaluation.points.disentanglement import mutual_information_gap

RNG = np.random.default_rng(0)
FACTOR = RNG.integers(0, 6, 20_000)
NOISE = RNG.normal(size=(20_000, 3))


@pytest.mark.parametrize(
    ("codes", "gap"),
    [
        ([FACTOR, NOISE[:, 0]], 1.0),
        ([FACTOR, -2.0 * FACTOR], 0.0),
        ([NOISE[:, 0], NOISE[:, 1]], 0.0),
        ([FACTOR], 1.0),
        ([FACTOR // 2, FACTOR % 2], (np.log(3) - np.log(2)) / np.log(6)),
    ],
)
def test_cases_whose_answer_is_known(codes, gap: float):
    """Source: Chen et al. 2018, section 4.1"""
    found = mutual_information_gap(np.stack(codes, axis=1).astype(np.float64), FACTOR)
    assert found == pytest.approx(gap, abs=5e-3)


def test_information_is_that_of_scikit_learn():
    codes = np.stack([FACTOR + NOISE[:, 0], FACTOR**2 + 9 * NOISE[:, 1]], axis=1)
    binned = [np.digitize(each, np.histogram_bin_edges(each, 20)[1:-1]) for each in codes.T]
    first, second = sorted((mutual_info_score(each, FACTOR) for each in binned), reverse=True)
    entropy = mutual_info_score(FACTOR, FACTOR)
    assert mutual_information_gap(codes, FACTOR) == pytest.approx((first - second) / entropy, rel=1e-6)


def test_a_factor_that_does_not_vary_has_none_and_a_still_code_tells_nothing():
    assert np.isnan(mutual_information_gap(NOISE, np.zeros(len(NOISE), dtype=np.int64)))
    assert np.isnan(mutual_information_gap(NOISE[:0], FACTOR[:0]))
    assert mutual_information_gap(np.ones((len(FACTOR), 2)), FACTOR) == 0
