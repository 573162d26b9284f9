"""Whether hyperplanes part classes, by a linear programme."""

import numpy as np
import pytest
from scipy.optimize import minimize

from handrail.learning.separability import are_separable, widest_separation

CORNERS = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])


@pytest.mark.parametrize(
    ("gate", "separable"), [([0, 1, 1, 1], True), ([0, 0, 0, 1], True), ([0, 1, 1, 0], False)]
)
def test_gates(gate: list[int], separable: bool) -> None:
    for scale, shift in ((1.0, 0.0), (1e6, -3e5), (1e-6, 0.0)):
        assert are_separable(scale * CORNERS + shift, np.array(gate)) is separable
    assert are_separable(np.tile(CORNERS, (9, 1)), np.tile(gate, 9)) is separable


def test_several_classes_and_the_same_row_in_two() -> None:
    angles = 2 * np.pi * np.arange(6) / 6
    rows = np.column_stack([np.cos(angles), np.sin(angles)])
    assert are_separable(rows, np.array([0, 0, 1, 1, 2, 2])) is True
    assert are_separable(rows, np.array([0, 1, 2, 0, 1, 2])) is False
    assert are_separable(np.array([[1.0], [1.0]]), np.array([0, 1])) is False
    assert are_separable(rows, np.zeros(6, dtype=np.int64)) is True
    assert are_separable(np.random.default_rng(0).normal(size=(3000, 100)), np.arange(3000) % 2) is None


@pytest.mark.parametrize(
    ("gate", "weights", "changes"), [([0, 0, 0, 1], [2, 2, -3], 51), ([0, 1, 1, 1], [2, 2, -1], 27)]
)
def test_the_margin_of_gates(gate: list[int], weights: list[float], changes: int) -> None:
    """Lecture 002's separable classes, and Novikoff 1962's figures: AND γ = 1/√17, OR γ = 1/3, R = √3."""
    found = widest_separation(CORNERS, np.array(gate))
    assert found is not None
    np.testing.assert_allclose(found.weights, [weights], atol=1e-9)
    assert found.margin == pytest.approx(1 / np.linalg.norm(weights))
    assert found.radius == pytest.approx(np.sqrt(3))
    assert found.changes == changes


def test_no_margin_where_no_hyperplane_separates() -> None:
    assert widest_separation(CORNERS, np.array([0, 1, 1, 0])) is None
    assert widest_separation(CORNERS, np.zeros(4, dtype=np.int64)) is None
    assert widest_separation(np.array([[1.0], [1.0]]), np.array([0, 1])) is None


@pytest.mark.parametrize("seed", range(4))
def test_no_other_hyperplane_has_a_wider_margin(seed: int) -> None:
    """Beside scipy's general solver (SLSQP) on the same problem, for two classes and for three."""
    chance = np.random.default_rng(seed)
    rows, planes = chance.normal(size=(30, 2)) * 50, chance.normal(size=(3, 3))
    scores = rows @ planes[:, :2].T + 20 * planes[:, 2]
    for classes in (scores[:, 0] > 0, scores.argmax(axis=1)):
        codes = np.unique(classes, return_inverse=True)[1]
        found = widest_separation(rows, codes)
        assert found is not None
        points, units = np.column_stack([rows, np.ones(30)]), len(found.weights)

        def gaps(flat: np.ndarray, points: np.ndarray = points, codes: np.ndarray = codes) -> np.ndarray:
            scores = points @ flat.reshape(-1, 3).T
            if scores.shape[1] == 1:
                return scores[:, 0] * np.where(codes == 1, 1, -1) - 1
            own = scores[np.arange(30), codes][:, None] - scores
            return own[codes[:, None] != np.arange(scores.shape[1])] - 1

        assert gaps(found.weights.ravel()).min() > -1e-6
        start = found.weights.ravel() * 1.5 + 0.01 * chance.normal(size=3 * units)
        least = {"type": "ineq", "fun": gaps}
        theirs = minimize(lambda flat: flat @ flat, start, constraints=least, options={"ftol": 1e-12})
        assert found.margin == pytest.approx(1 / np.sqrt(theirs.fun), rel=1e-4)
