"""Conformal p-values: that so many rows are called strange as may be, and not more."""

import json

import numpy as np
import pytest

from handrail.evaluation.points.conformal import keep_scores, least_p_value, p_values


@pytest.mark.parametrize("rows", [20, 99, 4000])
@pytest.mark.parametrize("level", [0.01, 0.05, 0.2])
def test_no_more_rows_are_strange_than_the_level_says(rows: int, level: float):
    """Over 2,000 draws of both, whatever the law of the scores. Source: Vovk, Gammerman & Shafer 2005"""
    rng = np.random.default_rng(0)
    called = [
        (p_values(rng.standard_cauchy(10), keep_scores(rng.standard_cauchy(rows))) <= level).mean()
        for _ in range(2000)
    ]
    spread = 4 * np.std(called) / np.sqrt(len(called))
    assert np.mean(called) <= level + spread
    if rows >= 99:
        assert np.mean(called) >= level - 1 / rows - spread


def test_they_count_the_rows_that_score_no_higher():
    held_out = keep_scores(np.array([3.0, 1.0, 2.0]))
    found = p_values(np.array([0.0, 1.0, 2.5, 9.0, np.nan]), held_out)
    np.testing.assert_allclose(found, [1 / 4, 2 / 4, 3 / 4, 1, 1 / 4])
    assert found.min() == least_p_value(held_out)


@pytest.mark.parametrize("nothing", [np.nan, -np.inf])
def test_a_held_out_score_that_is_no_number_is_the_strangest_also_when_it_was_saved(nothing: float):
    held_out = json.loads(json.dumps(keep_scores(np.array([3.0, nothing, 2.0])), allow_nan=False))
    found = p_values(np.array([1.0, 2.0, 9.0, np.nan, -np.inf]), held_out)
    np.testing.assert_allclose(found, [2 / 4, 3 / 4, 1, 2 / 4, 2 / 4])
    early = [2.0, 3.0, nothing]  # as runs have kept them whose scores stand in any order
    np.testing.assert_allclose(p_values(np.array([1.0, 2.0, 9.0]), early), [2 / 4, 3 / 4, 1])
