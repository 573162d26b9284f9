"""The weighted figures equal those of literally resampled rows; intervals hold the truth as often as they
say.
"""

import math
import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from handrail.errors import DataError, RecipeError
from handrail.evaluation.bootstrap import difference, draw_counts, measure_with_intervals
from handrail.evaluation.metric_names import TASKS
from handrail.evaluation.metrics import measure
from handrail.evaluation.outcomes.table import TableOutcome
from handrail.evaluation.resampled_metrics import statistics


def random_predictions(generator: np.random.Generator, task: str, *, rows: int, classes: int) -> TableOutcome:
    """Bad predictions with many ties and possibly absent classes: the hard cases."""
    if task == "regression":
        truth = generator.integers(-3, 4, (rows, classes)).astype(float) * 100 + 1e4
        return TableOutcome(task, truth, values=truth + generator.normal(size=truth.shape))
    if task == "multi-label":
        truth, chances = (
            generator.integers(0, 2, (rows, classes)),
            generator.integers(0, 5, (rows, classes)) / 4,
        )
        return TableOutcome(task, truth, chances, labels=(chances >= 0.5).astype(int))
    classes = 2 if task == "binary" else classes
    chances = generator.integers(1, 6, (rows, classes)).astype(float)
    chances /= chances.sum(axis=1, keepdims=True)
    names = tuple(str(code) for code in range(classes))
    return TableOutcome(
        task, generator.integers(0, classes, rows), chances, labels=chances.argmax(axis=1), classes=names
    )


def take_rows(one: TableOutcome, rows: np.ndarray) -> TableOutcome:
    """The same rows, literally repeated."""
    parts = [None if array is None else array[rows] for array in (one.probabilities, one.values, one.labels)]
    return TableOutcome(one.task, one.truth[rows], *parts, classes=one.classes)


@settings(max_examples=120, deadline=None)
@given(
    task=st.sampled_from(TASKS),
    rows=st.integers(1, 25),
    classes=st.integers(3, 7),
    seed=st.integers(0, 10**6),
)
def test_weighted_figures_equal_those_of_resampled_rows(task, rows, classes, seed):
    generator = np.random.default_rng(seed)
    one = random_predictions(generator, task, rows=rows, classes=classes)
    weights = draw_counts(generator, rows, 4)
    defined = [name for name, value in measure(one).items() if not math.isnan(value)]
    with np.errstate(all="ignore"):
        figures = {
            name: values for part in statistics(one, defined) for name, values in part(weights).items()
        }
    for column in range(4):
        expected = measure(take_rows(one, np.repeat(np.arange(rows), weights[:, column].astype(int))))
        for name in defined:
            assert figures[name][column] == pytest.approx(expected[name], rel=1e-9, abs=1e-9, nan_ok=True), (
                name
            )


def test_counts_are_draws_with_replacement():
    counts = draw_counts(np.random.default_rng(0), 50, 4000)
    assert (counts.sum(axis=0) == 50).all()
    assert counts.mean(axis=1) == pytest.approx(1.0, abs=0.08)
    assert counts.var() == pytest.approx(1 - 1 / 50, rel=0.03)  # of a binomial of 50 draws with chance 1/50


@pytest.mark.parametrize("task", TASKS)
def test_intervals_hold_their_figures_and_repeat_for_a_seed(task):
    one = random_predictions(np.random.default_rng(3), task, rows=200, classes=4)
    first = measure_with_intervals(one, resamples=200, seed=5)
    assert first == measure_with_intervals(one, resamples=200, seed=5)
    assert first != measure_with_intervals(one, resamples=200, seed=6)
    values = measure(one)
    assert list(first) == list(values)
    for name, interval in first.items():
        assert interval.value == values[name], name
        assert interval.low <= interval.value <= interval.high, name
        assert interval.low < interval.high, name


@pytest.mark.parametrize("metric", ["accuracy", "r2"])
def test_intervals_cover_the_true_figure_about_as_often_as_they_say(metric):
    generator, inside = np.random.default_rng(11), 0
    for simulation in range(200):
        if metric == "accuracy":  # right with chance 0.8
            truth = generator.integers(0, 2, 300)
            one = TableOutcome(
                "binary", truth, labels=np.where(generator.uniform(size=300) < 0.8, truth, 1 - truth)
            )
            true_figure = 0.8
        else:  # signal variance 1, noise variance 1/4, the prediction is the signal: 1 − 0.25 / 1.25
            signal = generator.normal(size=(300, 1))
            one = TableOutcome("regression", signal + 0.5 * generator.normal(size=(300, 1)), values=signal)
            true_figure = 0.8
        interval = measure_with_intervals(one, resamples=300, seed=simulation)[metric]
        inside += interval.low <= true_figure <= interval.high
    assert 0.90 <= inside / 200 <= 0.99


def test_more_confidence_is_a_wider_interval():
    one = random_predictions(np.random.default_rng(0), "binary", rows=300, classes=2)
    narrow, wide = (measure_with_intervals(one, confidence=level)["accuracy"] for level in (0.5, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high


def test_undefined_figures_have_undefined_intervals():
    one = TableOutcome("binary", np.zeros(5, dtype=int), np.full((5, 2), 0.5), labels=np.zeros(5, dtype=int))
    intervals = measure_with_intervals(one)
    assert math.isnan(intervals["roc_auc"].low)
    assert (intervals["accuracy"].low, intervals["accuracy"].high) == (pytest.approx(0.5655, abs=1e-4), 1.0)


def test_a_paired_difference_sees_what_separate_intervals_hide():
    generator = np.random.default_rng(0)
    truth = generator.integers(0, 2, 2000)
    worse = np.where(generator.uniform(size=2000) < 0.80, truth, 1 - truth)
    better = np.where((worse != truth) & (generator.uniform(size=2000) < 0.1), truth, worse)
    a, b = (TableOutcome("binary", truth, labels=labels) for labels in (better, worse))
    of_a, of_b = (measure_with_intervals(one)["accuracy"] for one in (a, b))
    gain = difference(a, b, "accuracy")
    assert of_a.low < of_b.high  # the two intervals overlap
    assert 0 < gain.low < gain.value < gain.high
    assert gain.value == pytest.approx(of_a.value - of_b.value)
    same = difference(a, a, "accuracy")
    assert same.value == 0
    assert -0.005 < same.low < 0 < same.high < 0.005  # never surely equal
    assert math.isnan(difference(a, b, "roc_auc").value)


def test_a_difference_needs_the_same_rows_and_a_known_metric():
    a, b = (random_predictions(np.random.default_rng(seed), "binary", rows=20, classes=2) for seed in (0, 1))
    with pytest.raises(DataError, match="truths differ"):
        difference(a, b, "accuracy")
    with pytest.raises(RecipeError, match=r"has no metric 'acuracy'\. Did you mean 'accuracy'"):
        difference(a, a, "acuracy")


@pytest.mark.parametrize(
    ("setting", "message"), [({"resamples": 1}, "at least 2"), ({"confidence": 95}, "between 0 and 1")]
)
def test_settings_out_of_range_are_refused(setting, message):
    with pytest.raises(RecipeError, match=message):
        measure_with_intervals(
            random_predictions(np.random.default_rng(0), "binary", rows=9, classes=2), **setting
        )


def test_a_thousand_resamples_of_all_figures_are_quick():
    one = random_predictions(np.random.default_rng(0), "binary", rows=5000, classes=2)
    start = time.perf_counter()
    measure_with_intervals(one)
    assert time.perf_counter() - start < 5  # about half a second on an idle core


def test_memory_stays_bounded_for_many_rows():
    one = random_predictions(np.random.default_rng(0), "binary", rows=300_000, classes=2)
    tracemalloc.start()
    measure_with_intervals(one, resamples=8)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 300_000 * 8 * 60  # a few dozen columns of floats, however many the resamples


def right(hits: int, rows: int) -> TableOutcome:
    truth = np.arange(rows) % 2
    return TableOutcome("binary", truth, labels=np.where(np.arange(rows) < hits, truth, 1 - truth))


@pytest.mark.parametrize(("hits", "rows"), [(12, 12), (15, 15), (52, 52), (0, 12), (9, 12), (80, 100)])
@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
def test_shares_have_wilsons_interval(hits, rows, confidence):
    interval = measure_with_intervals(right(hits, rows), confidence=confidence)["accuracy"]
    expected = binomtest(hits, rows).proportion_ci(confidence, method="wilson")
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_twelve_of_twelve_is_not_surely_one():
    interval = measure_with_intervals(right(12, 12))["accuracy"]
    assert (interval.low, interval.high) == (pytest.approx(0.7575, abs=1e-4), 1.0)


def forecast(blocks: int, horizon: int = 6, seed: int = 0) -> TableOutcome:
    noise = np.random.default_rng(seed).normal(size=blocks * horizon + horizon - 1)
    truth = np.lib.stride_tricks.sliding_window_view(noise, horizon)
    return TableOutcome("regression", truth, values=np.zeros_like(truth), block=horizon)


@pytest.mark.parametrize("blocks", [1, 2, 5])
def test_few_blocks_of_a_forecast_have_no_interval_and_say_why(blocks):
    for name, interval in measure_with_intervals(forecast(blocks)).items():
        assert math.isnan(interval.low), name
        assert math.isfinite(interval.value)
        assert "independent blocks" in interval.reason


def test_intervals_of_forecasts_hold_the_truth():
    errors = [measure_with_intervals(forecast(60, seed=seed))["mae"] for seed in range(150)]
    shown = [interval for interval in errors if math.isfinite(interval.low)]
    inside = [interval.low <= math.sqrt(2 / math.pi) <= interval.high for interval in shown]
    assert len(shown) > 140
    assert np.mean(inside) > 0.9


def test_rare_positives_of_many_rows_have_intervals():
    rng = np.random.default_rng(0)
    truth = np.zeros(600_000, dtype=int)
    truth[rng.choice(600_000, 40, replace=False)] = 1
    chances = 1 / (1 + np.exp(5 - 3 * truth - rng.normal(size=600_000)))
    one = TableOutcome(
        "binary",
        truth,
        np.stack([1 - chances, chances], 1),
        labels=(chances > 0.1).astype(int),
        classes=("n", "y"),
    )
    intervals = measure_with_intervals(one, resamples=100)
    for name in ("recall", "precision", "f1", "roc_auc", "pr_auc", "log_loss"):
        interval = intervals[name]
        assert interval.low < interval.value < interval.high, name
    assert intervals["recall"].high - intervals["recall"].low > 0.1


def test_few_positives_have_no_area_and_say_why():
    truth = np.r_[np.ones(3, dtype=int), np.zeros(97, dtype=int)]
    chances = np.linspace(0.9, 0.1, 100)
    one = TableOutcome(
        "binary",
        truth,
        np.stack([1 - chances, chances], 1),
        labels=(chances > 0.5).astype(int),
        classes=("n", "y"),
    )
    interval = measure_with_intervals(one)["roc_auc"]
    assert math.isnan(interval.low)
    assert "only 3 rows are" in interval.reason


def test_the_interval_of_the_calibration_error_holds_no_error():
    rng, inside = np.random.default_rng(0), 0
    for _ in range(100):
        chances = rng.uniform(0.01, 0.99, 200)
        truth = (rng.uniform(size=200) < chances).astype(int)
        both = np.stack([1 - chances, chances], 1)
        one = TableOutcome("binary", truth, both, labels=both.argmax(1), classes=("n", "y"))
        inside += measure_with_intervals(one, resamples=100)["calibration_error"].low == 0  # it is calibrated
    assert inside >= 93
