"""Whether hyperplanes part classes, by a linear programme."""

import numpy as np
import pytest

from handrail.learning.separability import are_separable

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
