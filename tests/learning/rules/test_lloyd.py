"""k-means against scikit-learn's from the same start, and what the rule promises by itself."""

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans as Reference
from torch import Tensor

from handrail.errors import DataError, RecipeError
from handrail.learning.rule import Batch, TrainingPlan
from handrail.learning.rules.lloyd import Lloyd
from handrail.models.kmeans import KMeans
from handrail.objectives.objective import Objective
from handrail.shapes import NoTarget


def blobs(rows: int = 300, groups: int = 4, width: int = 3, *, apart: float = 8.0, seed: int = 0) -> Tensor:
    chance = np.random.default_rng(seed)
    centres = chance.normal(size=(groups, width)) * apart
    return torch.from_numpy(centres[np.arange(rows) % groups] + chance.normal(size=(rows, width))).float()


def batch_of(rows: Tensor, weights: Tensor | None = None) -> Batch:
    return Batch(rows, torch.zeros(len(rows), dtype=torch.int64), weights)


def begin(rows: Batch, clusters: int, *, start: Tensor | None = None, seed: int = 0) -> tuple[KMeans, Lloyd]:
    model, rule = KMeans(rows.inputs.shape[1], NoTarget("clusters"), clusters=clusters), Lloyd()
    plan = TrainingPlan(
        "clusters", Objective("distance_to_nearest"), epochs=100, steps=1, seed=seed, rows=rows
    )
    rule.start(model, plan)
    if start is not None:
        with torch.no_grad():
            model.centres.copy_(start)
    return model, rule


def inertia_of(model: KMeans, rows: Tensor) -> float:
    return float(model(rows).detach().min(dim=1).values.double().sum())


def learn(model: KMeans, rule: Lloyd, rows: Batch, *, size: int = 64) -> list[float]:
    """Epochs until nothing moves; the inertia of each."""
    inertia = []
    while not rule.finished:
        for start in range(0, len(rows), size):
            rule.step(model, rows.cut(start, start + size))
        inertia.append(inertia_of(model, rows.inputs))
        rule.end_epoch(model)
    return inertia


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("size", [300, 64])
def test_the_inertia_is_scikit_learns_from_the_same_start(seed, size):
    """MacQueen 1967, Lloyd 1982; within 1 % of scikit-learn's from the same start, whatever the batches."""
    rows = blobs(seed=seed, apart=2.0)
    start = rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))[:4]]
    model, rule = begin(batch_of(rows), 4, start=start)
    learn(model, rule, batch_of(rows), size=size)
    settings: Any = {"init": start.numpy(), "n_init": 1, "tol": 0, "max_iter": 1000}
    reference = Reference(4, **settings).fit(rows.numpy())
    assert inertia_of(model, rows) == pytest.approx(reference.inertia_, rel=1e-4)
    np.testing.assert_allclose(model.centres.detach().numpy(), reference.cluster_centers_, atol=1e-3)


def test_the_inertia_never_rises():
    rows = batch_of(blobs(apart=1.0))
    model, rule = begin(rows, 6, start=rows.inputs[:6])
    course = learn(model, rule, rows)
    assert len(course) > 3
    assert all(later <= before * (1 + 1e-6) for before, later in itertools.pairwise(course))


def test_weights_count_as_copies():
    rows, weights = blobs(60), torch.arange(60) % 3
    start = rows[:3]
    weighted = begin(batch_of(rows, weights.float()), 3, start=start)
    learn(*weighted, batch_of(rows, weights.float()))
    copies = rows.repeat_interleave(weights, dim=0)
    copied = begin(batch_of(copies), 3, start=start)
    learn(*copied, batch_of(copies))
    torch.testing.assert_close(weighted[0].centres, copied[0].centres)


def test_a_centre_without_rows_goes_to_the_row_farthest_from_its_own():
    rows = torch.tensor([[0.0], [1.0], [10.0], [11.0], [40.0]])
    model, rule = begin(batch_of(rows), 3, start=torch.tensor([[0.5], [10.5], [-1000.0]]))
    rule.step(model, batch_of(rows))
    rule.end_epoch(model)
    assert model.centres[2].tolist() == [40.0]
    learn(model, rule, batch_of(rows))
    assert sorted(model.centres.flatten().tolist()) == [0.5, 10.5, 40.0]


def test_more_clusters_than_rows_are_refused():
    with pytest.raises(RecipeError, match=r"model\.kmeans\.clusters: found 9, expected at most .* 5"):
        begin(batch_of(torch.randn(5, 2)), 9)


def test_fewer_different_rows_than_clusters_are_refused():
    with pytest.raises(DataError, match="found 1 different rows for 3 centres"):
        begin(batch_of(torch.ones(10, 2)), 3)


def test_rows_far_from_zero_keep_their_digits():
    """‖x‖² − 2xc + ‖c‖² loses the digits of rows that lie far out, unless both are shifted first."""
    rows = blobs() + 1e4
    model, _ = begin(batch_of(rows), 4)
    exact: Any = torch.cdist(rows.double(), model.centres.double()) ** 2
    torch.testing.assert_close(model(rows).detach().double(), exact.detach(), rtol=1e-3, atol=1e-3)
