"""Two clouds of points: against closed forms, other programs, and how often a true law is flagged."""

import numpy as np
import pytest
from scipy.linalg import sqrtm
from scipy.stats import mannwhitneyu, norm
from sklearn.neighbors import NearestNeighbors

from handrail.evaluation.points import sample_quality
from handrail.evaluation.points.sample_quality import (
    copying,
    energy_scores,
    frechet_distance,
    nearest,
    precision_and_recall,
)


def normal(seed: int, rows: int = 400, width: int = 3, scale: float = 1.0) -> np.ndarray:
    return scale * np.random.default_rng(seed).standard_normal((rows, width))


def test_the_energy_score_of_a_normal_law_is_its_closed_form() -> None:
    """CRPS(N(0, 1), x) = x(2Φ(x) − 1) + 2φ(x) − 1/√π. Source: Gneiting & Raftery 2007 (equation 21)"""
    x = np.linspace(-2, 2, 9)
    closed = x * (2 * norm.cdf(x) - 1) + 2 * norm.pdf(x) - 1 / np.sqrt(np.pi)
    np.testing.assert_allclose(energy_scores(x[:, None], normal(0, 4000, 1)), closed, atol=0.03)


@pytest.mark.parametrize("width", [3, 40])
def test_the_energy_score_is_its_formula(width: int) -> None:
    rows, draws = normal(1, 7, width), normal(2, 30, width)
    apart = np.linalg.norm(draws[:, None] - draws[None], axis=2)[~np.eye(len(draws), dtype=bool)]
    expected = [np.linalg.norm(row - draws, axis=1).mean() - apart.mean() / 2 for row in rows]
    np.testing.assert_allclose(energy_scores(rows, draws), expected)


@pytest.mark.parametrize(("scale", "shift"), [(0.5, 0.0), (1.5, 0.0), (1.0, 0.7)])
def test_the_energy_score_is_least_for_the_true_law(scale: float, shift: float) -> None:
    rows = normal(3, 2000)
    true, other = normal(4, 1000), normal(4, 1000, scale=scale) + shift
    assert energy_scores(rows, true).mean() < energy_scores(rows, other).mean()


def test_the_frechet_distance_of_normal_laws_is_its_closed_form() -> None:
    """Of N(0, 1) and N(m, s²) in each of w columns: w·(m² + (1 − s)²). Source: Dowson & Landau 1982"""
    first, second = normal(5, 40_000), normal(6, 40_000, scale=2.0) + 0.5
    assert frechet_distance(first, second) == pytest.approx(3 * (0.25 + 1), rel=0.03)
    assert frechet_distance(first, first) == pytest.approx(0, abs=1e-8)


def test_the_frechet_distance_agrees_with_the_root_of_a_matrix() -> None:
    first, second = normal(7) @ normal(8, 3), normal(9) @ normal(10, 3) + 1
    one, two = np.cov(first.T), np.cov(second.T)
    gap = first.mean(0) - second.mean(0)
    expected = gap @ gap + np.trace(one + two - 2 * np.real(sqrtm(one @ two)))
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-6)


def test_precision_and_recall_agree_with_neighbours_found_elsewhere() -> None:
    real, made = normal(11, 120), normal(12, 150, scale=1.4)

    def among(points: np.ndarray, cloud: np.ndarray) -> np.ndarray:
        radii = NearestNeighbors(n_neighbors=4).fit(cloud).kneighbors(cloud)[0][:, 3]
        return np.array([(np.linalg.norm(point - cloud, axis=1) <= radii).any() for point in points])

    precise, recalled = precision_and_recall(real, made)
    np.testing.assert_array_equal(precise, among(made, real))
    np.testing.assert_array_equal(recalled, among(real, made))


def test_what_makes_few_kinds_is_precise_and_what_makes_more_recalls() -> None:
    """Source: Kynkäänmiemi et al. 2019 (figure 2)"""
    real = np.concatenate([normal(13, 200), normal(14, 200) + 20])
    precise, recalled = precision_and_recall(real, normal(15, 400))
    assert precise.mean() > 0.9
    assert 0.35 < recalled.mean() < 0.55
    precise, recalled = precision_and_recall(normal(16, 400), real)
    assert 0.35 < precise.mean() < 0.6
    assert recalled.mean() > 0.9


def copying_of(seed: int, draws: np.ndarray):
    rows = normal(seed, 250)
    return copying(draws, rows[:200], rows[200:])


def test_the_test_for_copies_holds_its_level_also_for_a_law_that_is_too_narrow() -> None:
    """A generator that knows the law is flagged at 5 % in about 5 % of all cases; so is one that keeps too
    near to the middle, which the rank test of distances to training rows takes for copies.

    Source: Meehan, Chaudhuri & Dasgupta 2020
    """
    cases, flags, ranked = 120, {1.0: 0, 0.7: 0}, 0
    for case in range(cases):
        for scale in flags:
            found = copying_of(1000 + case, normal(5000 + case, 150, scale=scale))
            flags[scale] += found.p_value <= 0.05
            if scale < 1:
                ranked += mannwhitneyu(found.own, found.held_out, alternative="less").pvalue <= 0.05
    for count in flags.values():
        assert count <= 0.05 * cases + 3 * np.sqrt(0.05 * 0.95 * cases)
    assert ranked > 0.5 * cases


def test_copies_of_training_rows_are_flagged() -> None:
    for case in range(10):
        rows = normal(case, 250)
        near = rows[:200][np.arange(150)] + normal(case + 50, 150, scale=0.1)
        found = copying(near, rows[:200], rows[200:])
        assert found.p_value <= 0.01
        assert found.excess > 0.5


def test_equal_rows_are_no_copies() -> None:
    """Rows of a few categories are all found among training rows and among the others."""
    rows = np.random.default_rng(0).integers(0, 2, (250, 3)).astype(float)
    draws = np.random.default_rng(1).integers(0, 2, (150, 3)).astype(float)
    assert copying(draws, rows[:200], rows[200:]).p_value > 0.01


def test_nearest_is_the_nearest() -> None:
    places, lengths = nearest(normal(1, 20), normal(2, 30))
    apart = np.linalg.norm(normal(1, 20)[:, None] - normal(2, 30)[None], axis=2)
    np.testing.assert_array_equal(places, apart.argmin(axis=1))
    np.testing.assert_allclose(lengths, apart.min(axis=1))
    with pytest.raises(ValueError, match="held-out"):
        copying(normal(1), normal(2), normal(3)[:0])


@pytest.mark.parametrize("width", [3, 40])
def test_no_more_distances_are_held_than_there_is_room_for(
    width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    points, cloud = normal(11, 50, width), normal(12, 70, width)
    whole = nearest(points, cloud)
    monkeypatch.setattr(sample_quality, "_DISTANCES", 500)
    assert [len(some) for some in sample_quality._distances(points, cloud)] == [7] * 7 + [1]
    places, lengths = nearest(points, cloud)
    assert (places == whole[0]).all()
    np.testing.assert_allclose(lengths, whole[1], rtol=1e-12)
    monkeypatch.setattr(sample_quality, "_DISTANCES", 1)
    assert [len(some) for some in sample_quality._distances(points, cloud)] == [1] * 50
