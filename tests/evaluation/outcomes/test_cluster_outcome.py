"""Figures of clusters against scikit-learn's."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score, silhouette_samples

from handrail.evaluation.bootstrap import difference, measure_with_intervals
from handrail.evaluation.outcomes.clusters import ClusterOutcome, adjusted_rand
from handrail.evaluation.points.silhouettes import Silhouettes, silhouettes


def outcome(rows: int = 200, clusters: int = 3, *, seed: int = 0, labels: bool = True) -> ClusterOutcome:
    chance = np.random.default_rng(seed)
    codes = chance.integers(0, clusters, rows)
    points = chance.normal(size=(rows, 4)) + codes[:, None]
    known = np.where(chance.random(rows) < 0.8, codes, chance.integers(-1, 4, rows)) if labels else None
    lengths, distances = (points**2).sum(axis=1), chance.exponential(size=rows)
    names = ("a", "b", "c", "d")
    return ClusterOutcome(codes, distances, lengths, silhouettes(points, codes), known, names)


@pytest.mark.parametrize("seed", range(5))
def test_silhouettes_are_scikit_learns(seed):
    """Rousseeuw 1987."""
    chance = np.random.default_rng(seed)
    points, codes = chance.normal(size=(150, 3)), chance.integers(0, 5, 150)
    codes[0] = 7  # alone in its cluster
    np.testing.assert_allclose(
        silhouettes(points, codes).values, silhouette_samples(points, codes), atol=1e-9
    )


def test_silhouettes_of_many_rows_are_measured_against_some():
    chance = np.random.default_rng(0)
    codes = chance.integers(0, 3, 9000)
    points = chance.normal(size=(9000, 2)) + 2 * codes[:, None]
    close = np.asarray(silhouette_samples(points, codes))
    assert abs(silhouettes(points, codes).values.mean() - close.mean()) < 0.01
    assert np.corrcoef(silhouettes(points, codes).values, close)[0, 1] > 0.99


def test_the_error_of_the_silhouettes_counts_rows_as_neighbours_too():
    """Their influence is the slope of the mean in the weight of each row (Hampel 1974)."""
    chance = np.random.default_rng(3)
    codes = chance.integers(0, 3, 40)
    points = chance.normal(size=(40, 2)) + codes[:, None]
    found, gap = silhouettes(points, codes), 1e-6
    apart = np.linalg.norm(points[:, None] - points, axis=2)

    def mean(weights: np.ndarray) -> float:
        each = np.where(codes == np.arange(3)[:, None], weights, 0.0)  # [clusters, rows]
        values = []
        for row, code in enumerate(codes):
            others = np.where(np.arange(40) == row, 0.0, each)
            means = others @ apart[row] / others.sum(axis=1)
            b = np.delete(means, code).min()
            values.append((b - means[code]) / max(means[code], b))
        return float(weights @ values / weights.sum())

    ones = np.ones(40)
    slopes = [(mean(ones + gap * (np.arange(40) == row)) - mean(ones)) / gap for row in range(40)]
    np.testing.assert_allclose(found.influence, found.values.mean() + 40 * np.array(slopes), atol=1e-3)
    assert found.influence.mean() == pytest.approx(found.values.mean())


def test_of_many_rows_those_that_are_measured_against_pull():
    chance = np.random.default_rng(0)
    codes = chance.integers(0, 3, 5000)
    found = silhouettes(chance.normal(size=(5000, 2)) + 2 * codes[:, None], codes)
    assert (found.pulls != 0).sum() == 4000
    few = [silhouettes(chance.normal(size=(5000, 2)) + 2 * codes[:, None], codes) for _ in range(30)]
    spread = np.std([each.values.mean() for each in few], ddof=1)
    assert found.influence.std() / np.sqrt(5000) == pytest.approx(spread, rel=0.35)


def test_a_single_cluster_has_no_silhouette():
    assert np.isnan(silhouettes(np.ones((4, 2)), np.zeros(4, dtype=int)).values).all()


def test_the_information_of_labels_is_scikit_learns():
    for seed in range(5):
        each = outcome(seed=seed)
        assert each.labels is not None
        known = each.labels >= 0
        expected = normalized_mutual_info_score(each.labels[known], each.codes[known])
        assert each.measure()["label_information"] == pytest.approx(expected)


@pytest.mark.parametrize("clusters", [1, 2, 5])
def test_the_adjusted_rand_index_is_scikit_learns(clusters):
    """Hubert & Arabie 1985; rows that count twice are two rows."""
    chance = np.random.default_rng(clusters)
    codes, others = chance.integers(0, clusters, 80), chance.integers(0, 4, 80)
    others = np.where(chance.random(80) < 0.5, codes, others)
    weights = chance.integers(0, 3, (80, 2))
    found = adjusted_rand(codes, others, weights.astype(float))
    for column, value in zip(weights.T, found, strict=True):
        twice = np.repeat(np.arange(80), column)
        assert value == pytest.approx(adjusted_rand_score(codes[twice], others[twice]))


def test_weights_are_copies():
    each = outcome(60)
    weights = np.arange(60) % 3
    places = np.repeat(np.arange(60), weights)
    assert each.labels is not None
    copied = ClusterOutcome(
        each.codes[places],
        each.distances[places],
        each.lengths[places],
        each.silhouettes.take(places),
        each.labels[places],
        each.classes,
    )
    (statistic,) = each.statistics(each.names())
    figures = statistic(weights[:, None].astype(float))
    for name, value in copied.measure().items():
        assert figures[name][0] == pytest.approx(value), name


def test_without_a_label_nothing_is_said_of_it():
    assert "label_information" not in outcome(labels=False).names()


def test_every_figure_has_an_interval_around_it():
    for name, interval in measure_with_intervals(outcome()).items():
        assert interval.low < interval.value < interval.high, name


@pytest.mark.parametrize(("rows", "labels"), [(300, 4), (6000, 4), (5100, 900)])
def test_labels_that_tell_nothing_are_within_the_bounds(rows, labels):
    """By shuffled labels and, of many rows in full cells, by χ²; the information itself is never below 0."""
    chance, held, runs = np.random.default_rng(rows), 0, 40 if labels == 4 else 8
    for _ in range(runs):
        codes = chance.integers(0, 3, rows)
        found = ClusterOutcome(
            codes,
            np.ones(rows),
            np.ones(rows),
            Silhouettes(np.full(rows, np.nan), np.full(rows, np.nan)),
            chance.integers(0, labels, rows),
            tuple(map(str, range(labels))),
        )
        interval = measure_with_intervals(found, resamples=50)["label_information"]
        held += interval.low == 0
        assert interval.high < max(0.1, 2 * interval.value)
    assert held >= 0.87 * runs
    low = measure_with_intervals(outcome(rows), resamples=50)["label_information"].low
    assert low > 0.2


def test_labels_that_hardly_any_row_breaks_have_no_interval():
    each = outcome(60)
    perfect = replace(each, labels=each.codes)
    found = measure_with_intervals(perfect, resamples=50)["label_information"]
    assert found.value == pytest.approx(1)
    assert "no row of another label" in found.reason


def test_two_clusterings_of_the_same_rows_are_compared():
    first = outcome()
    other = ClusterOutcome(
        first.codes, first.distances * 2, first.lengths, first.silhouettes, first.labels, first.classes
    )
    gap = difference(first, other, "inertia")
    assert gap.high < 0
    assert not first.same_rows(outcome(seed=9))
