"""Baselines against scikit-learn, from stored arrays, and on degenerate rows."""

from typing import Any

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.multiclass import OneVsRestClassifier

from handrail.errors import DataError
from handrail.evaluation.metric_names import TASKS
from handrail.tasks.baselines import fit_baselines, fitting_rows


def make_rows(
    task: str, *, rows: int = 240, width: int = 5, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    generator = np.random.default_rng(seed)
    features = generator.normal(size=(rows, width))
    scores = features @ generator.normal(size=(width, 3)) + generator.normal(size=(rows, 3))
    if task == "regression":
        return features, scores, ()
    if task == "multi-label":
        return features, (scores > 0.3).astype(int), ("x", "y", "z")
    if task == "binary":
        return features, (scores[:, 0] > 0.3).astype(int), ("no", "yes")
    return features, scores.argmax(axis=1), ("a", "b", "c")


def answers(
    task: str, features: np.ndarray, target: np.ndarray, classes: tuple[str, ...] = (), *, of: str = "linear"
) -> Any:
    """The answers of a baseline for the rows that it was fitted on."""
    return fit_baselines(task, features, target, classes)[of].predict(features)


@pytest.mark.parametrize(("task", "model"), [
    ("binary", LogisticRegression()),
    ("multi-class", LogisticRegression()),
    ("multi-label", OneVsRestClassifier(LogisticRegression())),
])  # fmt: skip
def test_linear_probabilities_are_those_of_scikit_learn(task, model):
    features, target, classes = make_rows(task)
    said = answers(task, features, target, classes)
    model.fit(features, target)
    np.testing.assert_allclose(said.probabilities, model.predict_proba(features), atol=1e-9)
    np.testing.assert_array_equal(said.labels, model.predict(features))


def test_linear_values_are_those_of_scikit_learn():
    features, target, _ = make_rows("regression")
    said = answers("regression", features, target)
    np.testing.assert_allclose(
        said.values, Ridge(alpha=1.0).fit(features, target).predict(features), atol=1e-9
    )


def test_guesses_are_those_of_scikit_learn():
    features, target, classes = make_rows("multi-class")
    guess = answers("multi-class", features, target, classes, of="majority")
    dummy = DummyClassifier(strategy="prior").fit(features, target)
    np.testing.assert_allclose(guess.probabilities, dummy.predict_proba(features))
    np.testing.assert_array_equal(guess.labels, dummy.predict(features))
    features, target, _ = make_rows("regression")
    mean = answers("regression", features, target, of="mean")
    np.testing.assert_allclose(mean.values, DummyRegressor().fit(features, target).predict(features))
    features, target, classes = make_rows("multi-label")
    guess = answers("multi-label", features, target, classes, of="majority")
    np.testing.assert_allclose(guess.probabilities, np.broadcast_to(target.mean(axis=0), target.shape))


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("kind", ["constant", "wide", "one row", "no columns", "huge"])
def test_degenerate_features_still_give_finite_figures(task, kind):
    features, target, classes = make_rows(task, rows=8 if kind == "wide" else 60)
    features = {
        "constant": np.ones_like(features),
        "wide": np.random.default_rng(1).normal(size=(8, 50)),
        "one row": features,
        "no columns": features[:, :0],
        "huge": features * 1e8,
    }[kind]
    if kind == "one row":
        features, target = features[:1], target[:1]
    for baseline in fit_baselines(task, features, target, classes).values():
        said = baseline.predict(features)
        numbers = said.values if task == "regression" else said.probabilities
        assert numbers is not None
        assert numbers.shape == (len(features), target.shape[1] if target.ndim == 2 else len(classes))
        assert np.isfinite(numbers).all()


def test_a_class_that_no_row_has_gets_no_probability():
    features, target, classes = make_rows("multi-class")
    target = np.where(target == 1, 2, target)
    for name, baseline in fit_baselines("multi-class", features, target, classes).items():
        probabilities = baseline.predict(features).probabilities
        assert probabilities is not None
        assert (probabilities[:, 1] == 0).all(), name
        np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    two = LogisticRegression().fit(features, target)
    np.testing.assert_allclose(
        answers("multi-class", features, target, classes).probabilities[:, [0, 2]],
        two.predict_proba(features),
        atol=1e-9,
    )


def test_a_label_that_all_rows_have_is_certain():
    features, target, classes = make_rows("multi-label")
    target[:, 1] = 1
    probabilities = answers("multi-label", features, target, classes).probabilities
    assert (probabilities[:, 1] == 1).all()
    assert ((probabilities[:, 0] > 0) & (probabilities[:, 0] < 1)).all()


def test_many_rows_are_thinned_but_no_class_is_lost():
    rows = 150_000
    features = np.random.default_rng(0).normal(size=(rows, 2)).astype(np.float32)
    target = (features[:, 0] > 0).astype(int)
    target[:10] = np.arange(2, 12)  # one row each: a third of them would be lost
    linear = fit_baselines("multi-class", features, target, tuple("abcdefghijkl"))["linear"]
    assert np.isfinite(linear.bias).all()
    assert (linear.predict(features[:1000]).labels == target[:1000]).mean() > 0.98


@pytest.mark.parametrize(
    ("features", "target", "message"),
    [
        (np.array([[0.0], [np.inf]]), np.array([0, 1]), "inf in row 1, column 0"),
        (np.zeros((0, 2)), np.zeros(0, dtype=int), "at least one"),
        (np.zeros((3, 2)), np.zeros(2, dtype=int), "as many targets as rows"),
    ],
)
def test_unusable_rows_are_refused(features, target, message):
    with pytest.raises(DataError, match=message):
        fit_baselines("binary", features, target, ("a", "b"))


def test_rows_of_another_width_are_refused():
    features, target, classes = make_rows("binary")
    linear = fit_baselines("binary", features, target, classes)["linear"]
    with pytest.raises(DataError, match=r"shape \[240, 4\]; expected \[rows, 5\]"):
        linear.predict(features[:, :4])


@pytest.mark.parametrize("task", TASKS)
def test_features_of_the_fitting_rows_suffice(task):
    features, target, classes = make_rows(task, rows=110_000)
    chosen = fitting_rows(task, target, classes, width=features.shape[1])
    assert len(chosen) < len(target)
    whole = fit_baselines(task, features, target, classes)
    some = fit_baselines(task, features[chosen], target, classes, rows=chosen)
    for name, baseline in whole.items():
        np.testing.assert_array_equal(baseline.weights, some[name].weights)
        np.testing.assert_array_equal(baseline.bias, some[name].bias)
