"""Figures of clusters against scikit-learn's."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score, silhouette_samples

from handrail.evaluation.bootstrap import difference, measure_with_intervals
from handrail.evaluation.outcomes.clusters import ClusterOutcome, adjusted_rand, silhouettes


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
    np.testing.assert_allclose(silhouettes(points, codes), silhouette_samples(points, codes), atol=1e-9)


def test_silhouettes_of_many_rows_are_measured_against_some():
    chance = np.random.default_rng(0)
    codes = chance.integers(0, 3, 9000)
    points = chance.normal(size=(9000, 2)) + 2 * codes[:, None]
    close = np.asarray(silhouette_samples(points, codes))
    assert abs(silhouettes(points, codes).mean() - close.mean()) < 0.01
    assert np.corrcoef(silhouettes(points, codes), close)[0, 1] > 0.99


def test_a_single_cluster_has_no_silhouette():
    assert np.isnan(silhouettes(np.ones((4, 2)), np.zeros(4, dtype=int))).all()


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
        each.silhouettes[places],
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


def test_two_clusterings_of_the_same_rows_are_compared():
    first = outcome()
    other = ClusterOutcome(
        first.codes, first.distances * 2, first.lengths, first.silhouettes, first.labels, first.classes
    )
    gap = difference(first, other, "inertia")
    assert gap.high < 0
    assert not first.same_rows(outcome(seed=9))
