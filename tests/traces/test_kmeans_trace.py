"""k-means: by hand, beside scikit-learn and the library's rule, and an inertia that never rises."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans

import handrail
from handrail.components.pictures import Points
from handrail.errors import DataError
from handrail.learning.kmeans import NearestSums, assign

POINTS, CENTRES = "Each point to its nearest centre", "Each centre to the mean of its points"


def reference(points: np.ndarray, start: np.ndarray, passes: int) -> Any:
    settings: Any = {"init": start, "n_init": 1, "max_iter": passes, "tol": 0}
    return KMeans(len(start), **settings).fit(points)


def test_the_example_can_be_followed_by_hand() -> None:
    trace = handrail.trace("kmeans")
    assert trace[POINTS]["nearest"].tolist() == [1, 2, 1, 2, 2, 2, *[1, 1, 1, 2, 2, 2] * 2]
    moves = trace[CENTRES]
    assert moves["c new"].tolist() == [[[1.5, 0], [5.25, 6]], [[1, 1], [7, 7]], [[1, 1], [7, 7]]]
    assert moves["inertia"].tolist() == [216, 39.9375, 24]
    (drawn,) = trace.pictures
    assert isinstance(drawn, Points)
    assert drawn.marks is not None
    assert drawn.marks.tolist() == [[1, 1], [7, 7]]
    assert drawn.groups.tolist() == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize("seed", range(4))
def test_every_pass_is_that_of_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(30, 3))
    start = points[rng.choice(30, 4, replace=False)]
    trace = handrail.trace("kmeans", points=points.tolist(), centres=start.tolist(), passes=50)
    moves = trace[CENTRES]
    for number, centres in enumerate(moves["c new"], start=1):
        other = reference(points, start, number)
        assert centres == pytest.approx(other.cluster_centers_, abs=1e-6)
    other = reference(points, start, 50)
    assert moves["inertia"][-1] == pytest.approx(other.inertia_, abs=1e-6)
    assert trace[POINTS]["nearest"][-24:].tolist() == (other.labels_[:24] + 1).tolist()


def test_a_pass_is_that_of_the_rule() -> None:
    rng = np.random.default_rng(9)
    points, start = rng.normal(size=(20, 2)), rng.normal(size=(3, 2))
    rows, centres = torch.from_numpy(points), torch.from_numpy(start)
    own = NearestSums(centres)
    codes, squares = assign(rows, centres)
    own.add(rows, codes, None)
    trace = handrail.trace("kmeans", points=points.tolist(), centres=start.tolist(), passes=1)
    assert trace[CENTRES]["inertia"][0] == pytest.approx(float(squares.sum()), abs=1e-6)
    assert trace[CENTRES]["c new"][0] == pytest.approx((own.sums / own.weights[:, None]).numpy(), abs=1e-6)
    assert trace[POINTS]["nearest"].tolist() == (codes + 1).tolist()


@given(st.data(), st.integers(1, 3), st.integers(3, 12))
@settings(max_examples=40, deadline=None)
def test_the_inertia_never_rises(data: st.DataObject, numbers: int, count: int) -> None:
    row = st.lists(st.integers(-5, 5).map(float), min_size=numbers, max_size=numbers)
    points = data.draw(st.lists(row, min_size=count, max_size=count))
    centres = data.draw(st.lists(row, min_size=1, max_size=3))
    moves = handrail.trace("kmeans", points=points, centres=centres)[CENTRES]
    halves = np.stack([moves["inertia"], moves["inertia after"]], axis=1).ravel()
    assert (np.diff(halves) <= 1e-9).all()


def test_a_centre_without_points_goes_far_away() -> None:
    trace = handrail.trace("kmeans", points=[[0], [1], [9]], centres=[[0], [-5]], passes=1)
    assert trace[CENTRES]["c new"][0].tolist() == [[10 / 3], [9]]
    assert "In pass 1 a centre has no point" in trace.remarks[0]


def test_many_points_are_cut() -> None:
    points = handrail.trace("kmeans", shown=2)[POINTS]
    assert len(points) == 3 * 2
    assert "The first 2 of 6 points" in points.note
    assert "Pass 1 still moves centres" in handrail.trace("kmeans", passes=1)[CENTRES].note


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"points": []}, "points: found rows of no numbers"),
        ({"points": [[1], [1, 2]]}, "points: found rows of"),
        ({"centres": [[1, 2, 3]]}, "centres: found 3 numbers, expected 2"),
        ({"points": [[1, 2]], "centres": [[0, 0], [1, 1]]}, "centres: found 2, expected at most one"),
    ],
)
def test_what_does_not_fit_is_said(settings: dict, words: str) -> None:
    with pytest.raises(DataError, match=words):
        handrail.trace("kmeans", **settings)
