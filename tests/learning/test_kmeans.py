"""k-means against scikit-learn's, and its seeds against their definition."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from torch import Tensor

from handrail.errors import DataError
from handrail.learning.kmeans import (
    kmeans,
    lloyd,
    nearest,
    own_squares,
    seed_centres,
    squared_distances,
    totals,
    update,
)


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _blobs(
    rows: int = 3000, width: int = 5, blobs: int = 12, *, dtype: torch.dtype = torch.float32
) -> Tensor:
    generator = _generator(3)
    centres = 4 * torch.randn(blobs, width, generator=generator)
    return (centres[torch.arange(rows) % blobs] + torch.randn(rows, width, generator=generator)).to(dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_lloyds_iterations_are_scikit_learns_from_the_same_start(dtype: torch.dtype) -> None:
    rows = _blobs(dtype=dtype)
    start = seed_centres(rows, 20, _generator())
    ours = lloyd(rows, start, tolerance=0)
    settings: dict[str, Any] = {"init": start.numpy(), "n_init": 1, "tol": 0, "algorithm": "lloyd"}
    theirs: Any = KMeans(20, **settings).fit(rows.numpy())
    assert ours.inertia == pytest.approx(theirs.inertia_, rel=1e-5)
    assert (ours.codes.numpy() == theirs.labels_).mean() > 0.999
    assert ours.centres.dtype == ours.squares.dtype == dtype


def test_each_row_belongs_to_its_nearest_centre_wherever_the_data_lie() -> None:
    """Far from the origin a squared distance by products alone would have no digit left."""
    rows = _blobs() + 3000
    centres = rows[:9]
    codes = nearest(rows, centres)
    squares = own_squares(rows, codes, centres)
    exact = (rows.double().unsqueeze(1) - centres.double()).square().sum(dim=2)
    torch.testing.assert_close(squares.double(), exact.amin(dim=1), rtol=1e-5, atol=1e-6)
    assert torch.equal(codes, exact.argmin(dim=1))
    torch.testing.assert_close(squared_distances(rows, centres).double(), exact, rtol=1e-3, atol=1e-6)


def test_seeds_are_drawn_in_proportion_to_the_squared_distance() -> None:
    """Two centres, two draws for the second: the first row is drawn with 1/3, and what follows is counted."""
    rows = torch.tensor([[0.0], [1.0], [3.0]])
    firsts, seconds = torch.zeros(3), torch.zeros(3)
    for seed in range(1200):
        first, second = seed_centres(rows, 2, _generator(seed))[:, 0].tolist()
        firsts[[0.0, 1.0, 3.0].index(first)] += 1
        if first == 0:
            seconds[[0.0, 1.0, 3.0].index(second)] += 1
    np.testing.assert_allclose(firsts / 1200, 1 / 3, atol=0.04)
    # From 0 the rows 1 and 3 have 1 and 9 of 10; 3 leaves 1, and 1 leaves 4, so 1 needs both draws: 1/100.
    assert seconds[0] == 0
    np.testing.assert_allclose(float(seconds[1] / seconds.sum()), 0.01, atol=0.01)


def test_seeds_repeat_and_are_rows() -> None:
    rows = _blobs(200)
    seeds = seed_centres(rows, 30, _generator(1))
    assert torch.equal(seeds, seed_centres(rows, 30, _generator(1)))
    assert not torch.equal(seeds, seed_centres(rows, 30, _generator(2)))
    assert len(torch.unique(seeds, dim=0)) == 30
    assert bool((squared_distances(rows, seeds).amin(dim=0) == 0).all())


def test_good_seeds_are_worth_a_lot() -> None:
    rows = 5 * _blobs(blobs=40)
    seeded = [kmeans(rows, 40, _generator(seed)).inertia for seed in range(5)]
    drawn = [
        lloyd(rows, rows[torch.randperm(3000, generator=_generator(seed))[:40]]).inertia for seed in range(5)
    ]
    assert np.mean(seeded) < 0.8 * np.mean(drawn)


def test_as_many_centres_as_different_rows_leave_nothing_over() -> None:
    rows = torch.tensor([[1.0, 2.0], [1.0, 2.0], [5.0, 5.0], [1.0, 2.0001]])
    assert kmeans(rows, 3, _generator()).inertia == 0


@pytest.mark.parametrize(
    ("k", "message"),
    [(4, "found 3 different rows for 4 centres"), (6, "found 5 rows for 6"), (0, "for 0 centres")],
)
def test_more_centres_than_rows_are_refused(k: int, message: str) -> None:
    rows = torch.tensor([[1.0], [2.0], [2.0], [7.0], [7.0]])
    with pytest.raises(DataError, match=message):
        seed_centres(rows, k, _generator())


def test_a_centre_without_rows_takes_the_row_farthest_from_its_own() -> None:
    rows = torch.tensor([[0.0], [1.0], [10.0], [11.0], [30.0]])
    centres = torch.tensor([[0.5], [14.0], [99.0]])
    codes = nearest(rows, centres)
    assert codes.tolist() == [0, 0, 1, 1, 1]
    assert update(rows, codes, centres)[:, 0].tolist() == [0.5, 10.5, 30.0]
    assert lloyd(rows, centres).inertia == 1.0


def test_totals_of_parts_add_up() -> None:
    rows = _blobs(500)
    codes = torch.arange(500) % 7
    whole, counts = totals(rows, codes, 9)
    first, second = totals(rows[:200], codes[:200], 9), totals(rows[200:], codes[200:], 9)
    torch.testing.assert_close(first[0] + second[0], whole, rtol=1e-6, atol=1e-5)
    assert torch.equal(first[1] + second[1], counts)
    assert counts[7:].sum() == 0
    torch.testing.assert_close(whole[3], rows[codes == 3].double().sum(dim=0), rtol=1e-6, atol=1e-5)


_MILLION = """
import resource, sys, torch
from handrail.learning.kmeans import kmeans
generator = torch.Generator().manual_seed(0)
rows = torch.randn(1_000_000, 50, generator=generator)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
clusters = kmeans(rows, 100, generator, iterations=2)
assert clusters.inertia < float(rows.square().sum())
more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(more * (1 if sys.platform == "darwin" else 1024))
"""


@pytest.mark.slow
def test_a_million_rows_need_little_beside_them() -> None:
    """10⁶ × 50 rows are 200 MB; 100 distances a row would be 400 MB. Measured apart from other tests."""
    ran = subprocess.run([sys.executable, "-c", _MILLION], capture_output=True, text=True, check=True)
    assert int(ran.stdout) < 250e6
