"""Probes of codes against scikit-learn's classifiers, and their edges."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

from handrail.evaluation.bootstrap import measure_with_intervals
from handrail.evaluation.forms import NoInterval, Share
from handrail.evaluation.outcomes.density import DensityOutcome
from handrail.evaluation.outcomes.probes import PROBES, Probes, draw_labelled, fit_probes


def groups(rows: int, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    chance = np.random.default_rng(seed)
    labels = chance.integers(0, 3, rows)
    return chance.normal(size=(rows, 4)) + 1.5 * np.eye(3, 4)[labels], labels


def probes(*each: np.ndarray) -> Probes:
    found = fit_probes(*each)
    assert isinstance(found, Probes)
    return found


def test_they_are_logistic_regression_and_five_neighbours():
    """Alain & Bengio 2017; Fix & Hodges 1951."""
    (before, known), (codes, labels) = groups(300, seed=0), groups(200, seed=1)
    found = probes(before, known, codes, labels).shares(np.ones((200, 1)), PROBES)
    scale = StandardScaler().fit(before)
    linear = LogisticRegression().fit(scale.transform(before), known)
    assert found["linear_probe"][0] == pytest.approx(linear.score(scale.transform(codes), labels))
    nearest = KNeighborsClassifier(5).fit(before, known)
    assert found["neighbour_probe"][0] == pytest.approx(nearest.score(codes, labels))


def test_rows_without_a_label_count_nowhere_and_new_labels_are_never_right():
    (before, known), (codes, labels) = groups(300, seed=0), groups(200, seed=1)
    part = np.where(np.arange(200) < 50, -1, np.where(np.arange(200) < 80, 3, labels))
    drawn = draw_labelled(np.where(np.arange(300) < 100, -1, known))
    assert sorted(drawn) == list(range(100, 300))
    few = probes(before[drawn], known[drawn], codes, part)
    assert few.known.sum() == 150
    for name in PROBES:
        assert not few.right[name][50:80].any()
        form = few.form(name)
        assert isinstance(form, Share)
        assert form.of.sum() == 150
        assert few.shares(np.ones((200, 1)), [name])[name] == pytest.approx(form.hits.sum() / 150)


@pytest.mark.parametrize(
    ("known", "labels", "codes", "reason"),
    [
        (np.zeros(200, int), np.arange(200) % 2, 0.0, "fewer than two different labels"),
        (np.arange(200) % 2, np.full(200, -1), 0.0, "none of these rows has a label"),
        (np.arange(200) % 2, np.arange(200) % 2, np.nan, "not finite"),
    ],
)
def test_where_there_are_no_probes_the_reason_is_said(known, labels, codes, reason):
    rows, _ = groups(200, seed=1)
    found = fit_probes(rows, known, rows + codes, labels)
    assert isinstance(found, NoInterval)
    assert reason in found.reason
    outcome = DensityOutcome(np.arange(200.0), lengths=np.ones(200), probes=found)
    told = measure_with_intervals(outcome, resamples=50)["linear_probe"]
    assert np.isnan(told.value)
    assert reason in told.reason


def test_a_code_without_any_sense_is_worth_no_more_than_chance():
    """Three labels drawn without regard to the codes: a third is right, give or take chance."""
    chance = np.random.default_rng(4)
    noise = chance.normal(size=(4000, 3)), chance.integers(0, 3, 4000)
    found = probes(noise[0][:2000], noise[1][:2000], noise[0][2000:], noise[1][2000:])
    for value in found.shares(np.ones((2000, 1)), PROBES).values():
        assert abs(value[0] - 1 / 3) < 0.05
