"""The bounds of single figures and of differences, form by form."""

import numpy as np
import pytest

from handrail.evaluation.bootstrap import difference, measure_with_intervals
from handrail.evaluation.bounds import Setting, bound, bound_difference
from handrail.evaluation.forms import Bounded, Ratio
from handrail.evaluation.outcomes.table import TableOutcome
from handrail.evaluation.proportions import logistic, mean_share


def classified(rng, rows: int, share: float, skill: float) -> TableOutcome:
    """Rows of two classes, the second with this share, and scores that tell them apart by this much."""
    truth = (np.arange(rows) < round(share * rows)).astype(int)
    chances = 1 / (1 + np.exp(-(skill * (truth - 0.5) + rng.normal(size=rows))))
    both, labels = np.stack([1 - chances, chances], 1), (chances > 0.5).astype(int)
    return TableOutcome("binary", truth, both, labels=labels, classes=("no", "yes"))


def test_means_of_shares_cover_on_few_rows_of_each_class():
    rng = np.random.default_rng(4)
    true, totals = np.array([0.95, 0.9, 0.8, 0.6]), np.array([6, 5, 8, 7])
    hits = rng.binomial(totals, true, size=(4000, 4))
    ends = [mean_share(one.astype(float), totals.astype(float), 1.96) for one in hits]
    held = np.mean([end.low <= true.mean() <= end.high for end in ends])
    assert 0.94 < held < 0.985


@pytest.mark.parametrize("hits", [0.0, 1.0])
def test_means_of_shares_at_an_end_are_not_sure(hits):
    ends = mean_share(np.full(3, 10 * hits), np.full(3, 10.0), 1.96)
    assert ends == logistic(hits, 0.0, 1.96, 30.0)
    assert 0.8 < (ends.low if hits else 1 - ends.high) < 1


def test_a_biased_figure_is_corrected_and_held():
    """Without one of g groups it is larger by b / (g − 1): so by b too large with all of them."""
    setting = Setting(confidence=0.95, resamples=100, seed=0, rows=400)
    groups, value, bias = 40, 0.7, 0.05
    left_out = value + bias / (groups - 1) + 0.002 * np.tile([-1.0, 1.0], groups // 2)
    plain = bound(Bounded(400.0), value, left_out, setting)
    corrected = bound(Bounded(400.0, biased=True), value, left_out, setting)
    middle = [np.mean(np.log(np.array(each) / (1 - np.array(each)))) for each in (plain, corrected)]
    np.testing.assert_allclose(1 / (1 + np.exp(-np.array(middle))), [0.7, 0.65], atol=1e-6)


def test_an_area_of_one_but_for_rounding_has_the_interval_of_one():
    setting = Setting(confidence=0.95, resamples=100, seed=0, rows=30)
    exact, rounded = (
        bound(Bounded(14.0, smaller=14, biased=True), value, np.full(30, value), setting)
        for value in (1.0, 1 - 2e-16)
    )
    assert exact == rounded
    assert 0.7 < exact[0] < 0.9  # type: ignore[index]


def test_areas_rest_on_the_smaller_class():
    setting = Setting(confidence=0.95, resamples=100, seed=0, rows=400)
    left_out = 0.9 + 0.002 * np.sin(np.arange(40))
    few, many = (bound(Bounded(12.0, smaller=smaller), 0.9, left_out, setting) for smaller in (12, 200))
    assert few[0] < many[0] < 0.9 < many[1] < few[1]  # type: ignore[index]


def test_differences_of_areas_need_rows_of_both_classes():
    rng = np.random.default_rng(0)
    for share, reason in ((0.06, "the smaller class has 18 rows; a difference needs at least 20"), (0.1, "")):
        a, b = (
            classified(np.random.default_rng(seed), 300, share, skill) for seed, skill in ((1, 3), (2, 1))
        )
        for metric in ("roc_auc", "pr_auc"):
            found = difference(a, b, metric)
            assert found.reason == reason
            assert np.isfinite(found.low) == (not reason)
    alone = measure_with_intervals(classified(rng, 300, 0.06, 3.0))["roc_auc"]
    assert np.isfinite(alone.low)


def test_differences_of_log_losses_need_fifty_rows():
    for rows in (49, 50):
        a, b = (classified(np.random.default_rng(seed), rows, 0.5, skill) for seed, skill in ((1, 3), (2, 1)))
        found = difference(a, b, "log_loss")
        assert np.isfinite(found.low) == (rows == 50)
        if rows == 49:
            assert found.reason == "there are only 49 rows; a difference needs at least 50"


def test_a_difference_that_hangs_on_few_rows_reaches_further():
    """Of two differences with the same error, that of the heavier tails is less well known."""
    setting = Setting(confidence=0.95, resamples=100, seed=0, rows=60)
    even = np.tile([-1.0, 1.0], 30)
    heavy = np.where(np.arange(60) < 4, even, 0.0) * np.sqrt(15)
    np.testing.assert_allclose(even.std(), heavy.std())
    widths = []
    for terms in (even, heavy):
        a = Ratio(10 + terms, np.ones(60))
        found = bound_difference(a, Ratio(np.full(60, 9.0), np.ones(60)), (10.0, 9.0), None, setting)
        widths.append(found[1] - found[0])  # type: ignore[index,operator]
    assert widths[1] > 1.1 * widths[0]
    np.testing.assert_allclose(widths[0], 2 * 2.001 * even.std(ddof=1) / np.sqrt(60), rtol=1e-3)


def test_no_bound_of_a_log_loss_lies_above_what_one_row_can_lose():
    """Answers that are sure but for a few rows: the loss hangs on how wrong the next sure answer will be."""
    truth = np.tile([0, 1], 100)
    chance = np.where(truth == 1, 1 - 1e-9, 1e-9)
    chance[:5] = (1e-3, 1 - 1e-14, 1e-4, 1e-15, 0.02)
    outcome = TableOutcome(
        "binary", truth, np.stack([1 - chance, chance], 1), labels=(chance > 0.5) * 1, classes=("no", "yes")
    )
    found = measure_with_intervals(outcome)["log_loss"]
    assert found.low < found.value < found.high <= -np.log(np.finfo(float).eps)
    assert found.high > 10  # without the bound it would be far beyond


@pytest.mark.parametrize(
    ("wrong", "said"), [(0, "no row has an error"), (1, "only 1 row has"), (3, "only 3 rows have")]
)
def test_too_few_errors_are_said_in_words(wrong: int, said: str):
    setting = Setting(confidence=0.95, resamples=100, seed=0, rows=60)
    found = bound(Ratio((np.arange(60) < wrong) * 1.0, np.ones(60)), wrong / 60, None, setting)
    assert found.reason.startswith(said)  # type: ignore[union-attr]
