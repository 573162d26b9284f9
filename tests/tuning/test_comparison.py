"""What is said of differences is right as often as is claimed, although the best of many was chosen."""

from collections.abc import Iterator

import numpy as np
import pytest

from handrail.tuning.comparison import compare_with, find_simplest, find_within_noise, selection_bias

ROWS, TRIALS, RESAMPLES, REPEATED = 160, 32, 400, 250
Search = tuple[np.ndarray, np.ndarray, float, np.ndarray]


def searches(better: np.ndarray, *, like: str, seed: int = 0) -> Iterator[Search]:
    """Made-up searches: trials that are right on each row with a chance of 0.45 + better, and a baseline that
    is with 0.45.

    like: how much trials agree with the baseline and with each other: `few` differ from it on few rows,
    `many` on many, `alike` on the same rows, `none` on no rows but by chance.
    """
    generator = np.random.default_rng(seed)
    for _ in range(REPEATED):
        baseline = generator.random(ROWS) < 0.45
        least, most = {"few": (0.0, 0.1), "none": (1.0, 1.0)}.get(like, (0.3, 1.0))
        shares = generator.uniform(least, most, TRIALS)
        places = generator.random(ROWS) if like == "alike" else generator.random((TRIALS, ROWS))
        own = generator.random((TRIALS, ROWS)) < 0.45 + better[:, None]
        right = np.where(places < shares[:, None], own, baseline)
        weights = generator.multinomial(ROWS, np.full(ROWS, 1 / ROWS), size=RESAMPLES).T
        yield right.mean(axis=1), right @ weights / ROWS, float(baseline.mean()), baseline @ weights / ROWS


@pytest.mark.parametrize("like", ["few", "many", "alike"])
def test_where_no_trial_is_better_one_is_said_to_be_in_a_twentieth_of_all_searches(like: str) -> None:
    equal = searches(np.zeros(TRIALS), like=like)
    said = [compare_with(*search, confidence=0.95).better.any() for search in equal]
    assert np.mean(said) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / REPEATED)


def test_without_the_correction_most_searches_would_boast() -> None:
    """The reason for all of this: by its own interval some trial of 32 nearly always looks better."""

    def boasts(values: np.ndarray, draws: np.ndarray, baseline: float, baseline_draws: np.ndarray) -> bool:
        low = np.quantile(draws - baseline_draws, 0.025, axis=1)
        return bool((low > 0).any())

    said = [boasts(*search) for search in searches(np.zeros(TRIALS), like="many")]
    assert np.mean(said) > 0.25


def test_a_real_difference_is_seen() -> None:
    better = np.zeros(TRIALS)
    better[7] = 0.3
    said = [compare_with(*search, confidence=0.95).better for search in searches(better, like="many", seed=1)]
    assert np.mean([one[7] for one in said]) > 0.7
    assert np.mean([np.delete(one, 7).any() for one in said]) < 0.1


def test_the_truly_best_is_among_those_within_noise() -> None:
    better = np.linspace(0, 0.25, TRIALS)
    runs = searches(better, like="none", seed=2)
    within = [find_within_noise(*search[:2], confidence=0.95) for search in runs]
    assert np.mean([trials[-1] for trials in within]) > 0.9
    assert np.mean([trials[0] for trials in within]) < 0.5


def test_the_best_is_always_within_noise_of_itself() -> None:
    for values, draws, *_ in searches(np.zeros(TRIALS), like="few", seed=3):
        assert find_within_noise(values, draws, confidence=0.95)[values.argmax()]


def test_a_trial_that_answers_as_the_baseline_does_is_not_better() -> None:
    draws = np.random.default_rng(0).normal(0.5, 0.1, (1, 100)).repeat(3, axis=0)
    comparison = compare_with(np.full(3, 0.5), draws, 0.5, draws[0], confidence=0.95)
    assert not comparison.better.any()
    assert find_within_noise(np.full(3, 0.5), draws, confidence=0.95).all()


def test_the_choice_among_many_flatters_and_that_of_one_does_not() -> None:
    values, draws, *_ = next(searches(np.zeros(TRIALS), like="many", seed=4))
    assert selection_bias(values, draws) > 0.01
    assert abs(selection_bias(values[:1], draws[:1])) < 0.01


def test_the_simplest_has_the_fewest_parameters_and_of_equal_ones_the_better_rank() -> None:
    summary = {"table": [{"trial": number} for number in (4, 2, 7, 1)]}
    assert find_simplest(summary, {4: 900, 2: 30, 7: 30}) == 2
    assert find_simplest(summary, {7: 30, 2: 30, 4: 30}) == 4
    assert find_simplest(summary, {4: 10}) == 4


def test_what_rounding_makes_is_neither_better_nor_beyond_noise() -> None:
    weights = np.random.default_rng(0).multinomial(ROWS, np.full(ROWS, 1 / ROWS), size=RESAMPLES).T
    errors = np.random.default_rng(1).random(ROWS)
    baseline = -float(errors.mean()), -errors @ weights / ROWS
    for gain, is_better in ((2e-6, False), (1e-3, True)):
        trials = np.stack([errors - gain, errors])
        values, draws = -trials.mean(axis=1), -trials @ weights / ROWS
        compared = compare_with(values, draws, *baseline, confidence=0.95)
        assert compared.better.tolist() == [is_better, False]
        assert find_within_noise(values, draws, confidence=0.95).tolist() == [True, not is_better]
