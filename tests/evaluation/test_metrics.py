"""Figures against scikit-learn, edge cases, and thresholds."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from handrail.errors import DataError, HandrailError, RecipeError
from handrail.evaluation.calibration import choose_threshold
from handrail.evaluation.metric_names import DESCRIPTIONS, TASKS, higher_is_better, metric_names
from handrail.evaluation.metrics import Predictions, measure


def make_predictions(task: str, *, rows: int = 300, classes: int = 7, seed: int = 0) -> Predictions:
    """Predictions a good deal better than chance, with ties."""
    generator = np.random.default_rng(seed)
    if task == "regression":
        truth = generator.normal(size=(rows, 2))
        return Predictions(task, truth, values=truth + generator.normal(size=truth.shape) * 0.7)
    if task == "multi-label":
        truth = generator.integers(0, 2, (rows, 3))
        chances = np.round(np.clip(0.3 * truth + generator.uniform(0, 0.7, truth.shape), 0.01, 0.99), 2)
        return Predictions(task, truth, chances, labels=(chances >= 0.5).astype(int))
    classes = 2 if task == "binary" else classes
    truth = generator.integers(0, classes, rows)
    chances = np.round(generator.uniform(0.1, 1, (rows, classes)) + 0.5 * np.eye(classes)[truth], 1)
    chances /= chances.sum(axis=1, keepdims=True)
    return Predictions(
        task, truth, chances, labels=chances.argmax(axis=1), classes=tuple("abcdefghij"[:classes])
    )


def test_binary_figures_are_those_of_scikit_learn():
    one = make_predictions("binary")
    assert one.probabilities is not None
    figures, positive = measure(one), one.probabilities[:, 1]
    tn, fp = sk.confusion_matrix(one.truth, one.labels)[0]
    expected = {
        "accuracy": sk.accuracy_score(one.truth, one.labels),
        "balanced_accuracy": sk.balanced_accuracy_score(one.truth, one.labels),
        "precision": sk.precision_score(one.truth, one.labels),
        "recall": sk.recall_score(one.truth, one.labels),
        "false_positive_rate": fp / (fp + tn),
        "f1": sk.f1_score(one.truth, one.labels),
        "roc_auc": sk.roc_auc_score(one.truth, positive),
        "pr_auc": sk.average_precision_score(one.truth, positive),
        "log_loss": sk.log_loss(one.truth, one.probabilities),
    }
    assert list(figures) == metric_names("binary", 2)
    for name, value in expected.items():
        assert figures[name] == pytest.approx(value, abs=1e-12), name


def test_multi_class_figures_are_those_of_scikit_learn():
    one = make_predictions("multi-class")
    figures, codes = measure(one), range(7)
    cells = sk.multilabel_confusion_matrix(one.truth, one.labels)
    expected = {
        "accuracy": sk.accuracy_score(one.truth, one.labels),
        "balanced_accuracy": sk.balanced_accuracy_score(one.truth, one.labels),
        "top_3_accuracy": sk.top_k_accuracy_score(one.truth, one.probabilities, k=3, labels=codes),
        "top_5_accuracy": sk.top_k_accuracy_score(one.truth, one.probabilities, k=5, labels=codes),
        "precision": sk.precision_score(one.truth, one.labels, average="macro"),
        "recall": sk.recall_score(one.truth, one.labels, average="macro"),
        "false_positive_rate": np.mean(cells[:, 0, 1] / cells[:, 0].sum(axis=1)),
        "f1": sk.f1_score(one.truth, one.labels, average="macro"),
        "roc_auc": sk.roc_auc_score(one.truth, one.probabilities, multi_class="ovr", average="macro"),
        "pr_auc": sk.average_precision_score(np.eye(7)[one.truth], one.probabilities, average="macro"),
        "log_loss": sk.log_loss(one.truth, one.probabilities),
    }
    assert list(figures) == metric_names("multi-class", 7)
    for name, value in expected.items():
        assert figures[name] == pytest.approx(value, abs=1e-12), name


def test_multi_label_figures_are_those_of_scikit_learn():
    one = make_predictions("multi-label")
    assert one.probabilities is not None
    figures = measure(one)
    expected = {
        "accuracy": sk.accuracy_score(one.truth, one.labels),
        "f1": sk.f1_score(one.truth, one.labels, average="macro"),
        "f1_micro": sk.f1_score(one.truth, one.labels, average="micro"),
        "precision": sk.precision_score(one.truth, one.labels, average="macro"),
        "recall": sk.recall_score(one.truth, one.labels, average="macro"),
        "roc_auc": sk.roc_auc_score(one.truth, one.probabilities),
        "pr_auc": sk.average_precision_score(one.truth, one.probabilities),
        "log_loss": np.mean(
            [sk.log_loss(t, p) for t, p in zip(one.truth.T, one.probabilities.T, strict=True)]
        ),
    }
    for name, value in expected.items():
        assert figures[name] == pytest.approx(value, abs=1e-12), name


def test_regression_figures_are_those_of_scikit_learn():
    one = make_predictions("regression")
    assert measure(one) == {
        "r2": sk.r2_score(one.truth, one.values),
        "rmse": sk.root_mean_squared_error(one.truth, one.values),
        "mae": sk.mean_absolute_error(one.truth, one.values),
    }


def test_calibration_error_of_probabilities_that_are_right_by_known_amounts():
    # Confidence 0.9 and 8 of 10 right: gap 0.1. Confidence 0.6 and 3 of 10 right: gap 0.3. Equal parts: 0.2.
    truth = np.array([1] * 8 + [0] * 2 + [1] * 3 + [0] * 7)
    positive = np.array([0.9] * 10 + [0.6] * 10)
    one = Predictions(
        "binary", truth, np.stack([1 - positive, positive], axis=1), labels=np.ones(20, dtype=int)
    )
    assert measure(one)["calibration_error"] == pytest.approx(0.2)


def test_every_metric_is_described_and_has_a_direction():
    tasks = (
        *TASKS,
        "mask",
        "boxes",
        "bit-sequence",
        "next-token",
        "sequence",
        "text-to-image",
        "clusters",
        "memory",
        "density",
        "generation",
        "map",
        "reconstruction",
        "translation",
    )
    of_forecasts = {"mase", "nrmse"}
    names = {name for task in tasks for name in metric_names(task, 9)} | of_forecasts
    assert names == set(DESCRIPTIONS)
    assert {name for name in names if not higher_is_better(name)} == {
        "false_positive_rate", "log_loss", "calibration_error", "rmse", "mae", "mase", "nrmse", "nats",
        "bits", "perplexity",
        "character_error_rate", "bit_error_rate", "inertia", "false_recall", "reconstruction_error",
        "map_error", "quantisation_error", "topographic_error", "energy_score", "frechet_distance",
        "copying", "translation_error", "cycle_error", "bits_per_dim", "bits_per_token",
    }  # fmt: skip
    assert [metric_names(task, 9)[0] for task in TASKS] == ["accuracy", "accuracy", "accuracy", "r2"]


def test_top_k_is_told_only_where_there_are_more_classes():
    assert "top_3_accuracy" not in metric_names("multi-class", 3)
    assert "top_3_accuracy" in metric_names("multi-class", 4)
    assert "top_5_accuracy" not in metric_names("multi-class", 5)


def test_unknown_names_are_refused_with_a_hint():
    with pytest.raises(RecipeError, match="Did you mean 'multi-class'"):
        metric_names("multiclass", 3)
    with pytest.raises(RecipeError, match="Did you mean 'roc_auc'"):
        higher_is_better("rocauc")


def test_a_single_class_leaves_figures_undefined():
    chances = np.full((5, 2), 0.5)
    figures = measure(Predictions("binary", np.zeros(5, dtype=int), chances, labels=np.zeros(5, dtype=int)))
    undefined = {name for name, value in figures.items() if math.isnan(value)}
    assert undefined == {"balanced_accuracy", "precision", "recall", "f1", "roc_auc", "pr_auc"}
    assert figures["accuracy"] == 1.0


def test_absent_classes_are_left_out_of_the_means():
    one = make_predictions("multi-class", classes=4)
    assert one.probabilities is not None
    chances = np.concatenate([one.probabilities * 0.999, np.full((300, 1), 0.001)], axis=1)
    wider = Predictions("multi-class", one.truth, chances, labels=one.labels, classes=tuple("abcde"))
    narrow, wide = measure(one), measure(wider)
    for name in ("precision", "recall", "f1", "roc_auc", "pr_auc", "balanced_accuracy"):
        assert wide[name] == pytest.approx(narrow[name], abs=1e-12), name


@pytest.mark.parametrize("task", TASKS)
def test_no_rows_and_no_numbers_give_undefined_figures(task):
    one = make_predictions(task, rows=4)
    cut: dict[str, Any] = {
        name: None if (a := getattr(one, name)) is None else a[:0]
        for name in ("truth", "probabilities", "values", "labels")
    }
    assert all(math.isnan(value) for value in measure(Predictions(task, **cut, classes=one.classes)).values())
    lost = None if one.probabilities is None else one.probabilities * np.nan
    values = None if one.values is None else one.values * np.nan
    figures = measure(Predictions(task, one.truth, lost, values, one.labels, one.classes))
    assert math.isnan(figures["r2" if task == "regression" else "log_loss"])
    assert task == "regression" or figures["accuracy"] >= 0


def test_a_constant_target_has_no_r2():
    figures = measure(Predictions("regression", np.ones((6, 1)), values=np.zeros((6, 1))))
    assert math.isnan(figures["r2"])
    assert figures["mae"] == 1.0


def test_a_model_without_probabilities_has_decisions_only():
    one = make_predictions("binary")
    figures = measure(Predictions("binary", one.truth, labels=one.labels))
    assert figures["accuracy"] == measure(one)["accuracy"]
    assert math.isnan(figures["roc_auc"])


def test_a_single_label_column_is_still_multi_label():
    one = make_predictions("binary")
    assert one.probabilities is not None
    column = Predictions(
        "multi-label", one.truth[:, None], one.probabilities[:, 1:], labels=one.label_codes[:, None]
    )
    figures, expected = measure(column), measure(one)
    for name in ("accuracy", "precision", "recall", "f1", "roc_auc", "pr_auc", "log_loss"):
        assert figures[name] == pytest.approx(expected[name], abs=1e-12), name
    assert figures["f1_micro"] == pytest.approx(expected["f1"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": None}, "have no labels"),
        ({"labels": np.zeros(7, dtype=int)}, r"labels have shape \[7\]; expected \[300\]"),
        ({"probabilities": np.zeros((300, 3))}, r"probabilities have shape \[300, 3\]; expected \[300, 2\]"),
        ({"truth": np.full(300, 2)}, "truth hold 2 in row 0; expected whole numbers from 0 to 1"),
        ({"truth": np.full(300, np.nan)}, "truth hold nan in row 0"),
    ],
)
def test_predictions_that_do_not_fit_are_refused(change, message):
    one = make_predictions("binary")
    fields = {"truth": one.truth, "probabilities": one.probabilities, "labels": one.labels} | change
    with pytest.raises(DataError, match=message):
        Predictions("binary", **fields)


# thresholds


def _quality(metric: str, truth: np.ndarray, said: np.ndarray) -> float:
    return {
        "accuracy": sk.accuracy_score,
        "f1": lambda t, p: sk.f1_score(t, p, zero_division=0),  # pyright: ignore
        "balanced_accuracy": sk.balanced_accuracy_score,
    }[metric](truth, said)


@settings(max_examples=80, deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(0, 10), st.booleans()), min_size=2, max_size=30),
    metric=st.sampled_from(["accuracy", "f1", "balanced_accuracy"]),
)
def test_the_threshold_is_the_best_of_all_candidates_and_nearest_to_a_half(rows, metric):
    scores, truth = np.array([row[0] / 10 for row in rows]), np.array([row[1] for row in rows])
    threshold = choose_threshold(scores, truth, metric=metric)
    if truth.all() or not truth.any():
        assert threshold == 0.5
        return
    distinct = np.unique([0.0, *scores])  # below the lowest score, every row is positive
    candidates = [*((distinct[1:] + distinct[:-1]) / 2), 0.5]
    qualities = [_quality(metric, truth, scores > candidate) for candidate in candidates]
    assert _quality(metric, truth, scores > threshold) == pytest.approx(max(qualities))
    equal = [c for c, q in zip(candidates, qualities, strict=True) if q >= max(qualities) - 1e-9]
    assert abs(threshold - 0.5) == pytest.approx(min(abs(c - 0.5) for c in equal))


def test_the_threshold_between_neighbouring_floats_still_parts_them():
    low = 0.3
    high = np.nextafter(low, 1)
    threshold = choose_threshold(np.array([low, high, low, high]), np.array([0, 1, 0, 1]), metric="f1")
    assert low <= threshold < high


def test_a_threshold_for_an_unknown_metric_is_refused():
    with pytest.raises(HandrailError, match="Did you mean 'accuracy'"):
        choose_threshold(np.array([0.1, 0.9]), np.array([0, 1]), metric="acuracy")  # pyright: ignore
