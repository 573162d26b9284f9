"""Kohonen's rule against its formulas in NumPy, and against MiniSom's maps of the same data."""

import copy
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits, load_iris, load_wine
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from handrail.errors import RecipeError
from handrail.learning.principal_components import lay_plane
from handrail.learning.rule import Batch, TrainingPlan
from handrail.learning.rules.kohonen import Kohonen
from handrail.models.kohonen import KohonenMap
from handrail.objectives.objective import Objective
from handrail.shapes import NoTarget

LOADERS = {"iris": load_iris, "wine": load_wine, "digits": load_digits}


def batch_of(rows: Tensor, weights: Tensor | None = None) -> Batch:
    return Batch(rows, torch.zeros(len(rows), dtype=torch.int64), weights)


def normal(rows: int = 90, width: int = 4) -> Tensor:
    return torch.randn(rows, width, generator=torch.Generator().manual_seed(1))


def begin(
    rows: Batch,
    *,
    height: int = 4,
    width: int = 5,
    grid: Any = "square",
    epochs: int = 6,
    penalties: list[str] | None = None,
    **settings: Any,
) -> tuple[KohonenMap, Kohonen]:
    torch.manual_seed(0)
    model = KohonenMap(rows.inputs.shape[1], NoTarget("map"), height=height, width=width, grid=grid)
    rule, objective = Kohonen(**settings), Objective("distance_to_nearest", penalties or [])
    rule.start(model, TrainingPlan("map", objective, epochs=epochs, steps=1, seed=0, rows=rows))
    return model, rule


def learn(model: KohonenMap, rule: Kohonen, rows: Batch, *, epochs: int = 6, size: int = 64) -> None:
    for _ in range(epochs):
        for start in range(0, len(rows), size):
            rule.step(model, rows.cut(start, start + size))
        rule.end_epoch(model)


def by_batch(rows: np.ndarray, start: np.ndarray, places: np.ndarray, sigmas: list[float]) -> np.ndarray:
    """m_k = Σ_i h(b_i, k)·x_i / Σ_i h(b_i, k), as it is written."""
    prototypes = start.copy()
    for sigma in sigmas:
        best = np.square(rows[:, None] - prototypes).sum(axis=2).argmin(axis=1)
        near = np.exp(
            -np.square(places[best][:, None] - places).sum(axis=2) / (2 * sigma**2)
        )  # [rows, units]
        prototypes = near.T @ rows / near.sum(axis=0)[:, None]
    return prototypes


@pytest.mark.parametrize("grid", ["square", "hexagonal"])
@pytest.mark.parametrize("size", [90, 7])
def test_a_batch_map_is_that_of_the_formula_whatever_the_batches(grid, size):
    """Kohonen 2013."""
    rows = normal()
    model, rule = begin(batch_of(rows), grid=grid, radius=2.0, final_radius=0.5)
    start = model.prototypes.detach().double().numpy()
    learn(model, rule, batch_of(rows), size=size)
    sigmas = [2.0 * 0.25 ** (epoch / 5) for epoch in range(6)]
    expected = by_batch(rows.double().numpy(), start, model.grid.places.numpy(), sigmas)
    np.testing.assert_allclose(model.prototypes.detach().numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("neighbourhood", ["gaussian", "bubble"])
@pytest.mark.parametrize("size", [90, 7])
def test_an_online_map_is_that_of_the_formula_whatever_the_batches(neighbourhood, size):
    """Kohonen 1982: w ← w + η·h·(x − w)."""
    rows, (radius, rate) = normal(), (2.0, 0.4)
    settings: Any = {"mode": "online", "neighbourhood": neighbourhood, "radius": radius, "final_radius": 0.5}
    model, rule = begin(batch_of(rows), learning_rate=rate, final_rate=0.1, epochs=2, **settings)
    prototypes, places = model.prototypes.detach().double().numpy().copy(), model.grid.places.numpy()
    learn(model, rule, batch_of(rows), epochs=2, size=size)
    for number, row in enumerate(np.tile(rows.double().numpy(), (2, 1))):
        share = number / 179
        sigma, eta = radius * (0.5 / radius) ** share, rate * 0.1**share
        best = np.square(row - prototypes).sum(axis=1).argmin()
        squares = np.square(places - places[best]).sum(axis=1)
        near = np.exp(-squares / (2 * sigma**2)) if neighbourhood == "gaussian" else squares <= sigma**2
        prototypes += eta * near[:, None] * (row - prototypes)
    np.testing.assert_allclose(model.prototypes.detach().numpy(), prototypes, atol=1e-4)


def test_the_loss_is_the_mean_squared_distance_before_the_step():
    rows = normal()
    for mode in ("batch", "online"):
        model, rule = begin(batch_of(rows), mode=mode, learning_rate=1e-9 if mode == "online" else None)
        expected = float(model(rows).detach().min(dim=1).values.mean())
        assert float(rule.step(model, batch_of(rows))["loss"]) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("mode", ["batch", "online"])
def test_weights_count_as_copies(mode):
    rows, weights = normal(60), torch.arange(60) % 3
    copies = rows.repeat_interleave(weights, dim=0)
    settings: Any = {"mode": mode, "radius": 1.0, "final_radius": 1.0, "epochs": 1}  # alike for every row
    settings |= {"learning_rate": 0.2, "final_rate": 0.999999} if mode == "online" else {}
    weighted, copied = begin(batch_of(rows, weights.float()), **settings), begin(batch_of(copies), **settings)
    with torch.no_grad():
        copied[0].prototypes.copy_(weighted[0].prototypes)
    learn(*weighted, batch_of(rows, weights.float()), epochs=1)
    learn(*copied, batch_of(copies), epochs=1)
    torch.testing.assert_close(weighted[0].prototypes, copied[0].prototypes, rtol=1e-4, atol=1e-4)


def test_a_unit_without_rows_lies_between_its_neighbours_or_stays():
    rows = torch.tensor([[0.0], [1.0], [8.0]])
    settings: Any = {"height": 1, "width": 5, "radius": 1.0, "final_radius": 1.0}
    model, rule = begin(batch_of(rows), neighbourhood="bubble", **settings)
    with torch.no_grad():
        model.prototypes.copy_(torch.tensor([[0.0], [1.0], [90.0], [91.0], [8.0]]))
    learn(model, rule, batch_of(rows), epochs=1)
    # Unit 2 lies beside that of the row at 1, unit 3 beside that of the row at 8.
    assert model.prototypes.flatten().tolist() == [0.5, 0.5, 1.0, 8.0, 8.0]
    model, rule = begin(batch_of(rows), neighbourhood="bubble", **settings)
    with torch.no_grad():
        model.prototypes.copy_(torch.tensor([[0.0], [91.0], [92.0], [93.0], [94.0]]))
    learn(model, rule, batch_of(rows), epochs=1)
    assert model.prototypes.flatten().tolist() == [3.0, 3.0, 92.0, 93.0, 94.0]
    assert rule.remark() == (
        "; in its last epoch no training row belonged to 4 of the 5 units, which are more than the 3 "
        "training rows"
    )


def test_far_neighbourhoods_that_round_to_nothing_leave_a_prototype_where_it_is():
    rows = torch.zeros(4, 1)
    model, rule = begin(batch_of(rows), height=1, width=60, radius=0.5, final_radius=0.5)
    with torch.no_grad():
        model.prototypes.copy_(torch.arange(60.0).unsqueeze(1))
    learn(model, rule, batch_of(rows), epochs=1)
    assert model.prototypes[0] == 0
    assert model.prototypes[-1] == 59


@pytest.mark.parametrize("mode", ["batch", "online"])
def test_it_resumes_in_the_middle_of_an_epoch_to_the_same_bits(mode):
    rows = batch_of(normal())
    model, rule = begin(rows, mode=mode)
    learn(model, rule, rows, epochs=2)
    rule.step(model, rows.cut(0, 50))
    saved = copy.deepcopy((model.state_dict(), rule.state_dict()))
    twin, successor = begin(rows, mode=mode)
    twin.load_state_dict(saved[0])
    successor.load_state_dict(saved[1])
    for each, learner in ((model, rule), (twin, successor)):
        learner.step(each, rows.cut(50, 90))
        learner.end_epoch(each)
        learn(each, learner, rows, epochs=2)
    assert torch.equal(model.prototypes, twin.prototypes)
    assert rule.remark() == successor.remark()


@pytest.mark.parametrize(("height", "width"), [(3, 6), (6, 3), (1, 7)])
def test_a_map_begins_in_the_plane_of_the_main_components(height, width):
    rows = normal(400, 4) * torch.tensor([0.1, 5.0, 2.0, 0.1]) + 3
    model, _ = begin(batch_of(rows), height=height, width=width)
    torch.testing.assert_close(model.prototypes.mean(dim=0), rows.mean(dim=0), atol=1e-4, rtol=0)
    spread = model.prototypes.detach().std(dim=0, correction=0)
    torch.testing.assert_close(spread[1], rows[:, 1].std(correction=0), rtol=0.01, atol=0)
    assert spread[2] < 0.3 if 1 in (height, width) else spread[2] > 1.8
    along = model.prototypes.detach().reshape(height, width, 4)[:, :, 1]
    gaps = along.diff(dim=int(width > height)).abs()  # the longer side goes along the first component
    torch.testing.assert_close(gaps, gaps.mean().expand_as(gaps), rtol=0.01, atol=0)


def test_a_single_column_and_rows_that_are_all_alike_make_a_start_too():
    assert lay_plane(KohonenMap(1, NoTarget("map")).grid, normal(30, 1)).isfinite().all()
    alike = torch.full((30, 3), 2.5)
    model, rule = begin(batch_of(alike))
    learn(model, rule, batch_of(alike))
    torch.testing.assert_close(model.prototypes.detach(), torch.full((20, 3), 2.5))


def test_a_map_may_begin_at_rows_and_has_each_once_if_there_are_enough():
    rows = normal(20)
    model, _ = begin(batch_of(rows), start="rows")
    found = {tuple(row) for row in model.prototypes.tolist()}
    assert found == {tuple(row) for row in rows.tolist()}
    begin(batch_of(rows[:3]), start="rows")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"learning_rate": 0.1}, r"learning\.kohonen\.learning_rate: has no effect in mode batch"),
        ({"final_rate": 0.1}, r"learning\.kohonen\.final_rate: has no effect in mode batch"),
        ({"radius": 0.5}, r"final_radius: found 1, expected at most radius, 0\.5"),
        ({"penalties": ["l2"]}, r"objective\.penalties: have no effect under learning\.kohonen"),
    ],
)
def test_misuse_is_told(settings, message):
    with pytest.raises(RecipeError, match=message):
        begin(batch_of(normal()), **settings)


def standardised(name: str) -> np.ndarray:
    rows = np.asarray(LOADERS[name](return_X_y=True)[0])
    return np.asarray(StandardScaler().fit_transform(rows)).astype(np.float32)


def errors(model: KohonenMap, rows: np.ndarray) -> tuple[float, float]:
    """Quantisation and topographic error, in a way of its own: by sorting all distances."""
    gaps = np.linalg.norm(rows[:, None] - model.prototypes.detach().numpy(), axis=2)
    first, second = np.argsort(gaps, axis=1)[:, :2].T
    places = model.grid.places.numpy()
    apart = np.linalg.norm(places[first] - places[second], axis=1)
    reach = 1.42 if model.grid.form == "square" else 1.01
    return float(gaps.min(axis=1).mean()), float((apart > reach).mean())


@pytest.mark.parametrize("mode", ["batch", "online"])
@pytest.mark.parametrize(
    ("name", "passes"), [("iris", 30), ("wine", 20), pytest.param("digits", 10, marks=pytest.mark.slow)]
)
def test_errors_are_no_worse_than_minisoms(name, passes, mode):
    """The same grid, start, number of passes, first and last radius; MiniSom's radius falls along a line."""
    minisom = pytest.importorskip("minisom", reason="MiniSom is not installed")
    rows = standardised(name)
    model, rule = begin(batch_of(torch.from_numpy(rows)), height=8, width=8, epochs=passes, mode=mode)
    reference = minisom.MiniSom(
        8, 8, rows.shape[1], sigma=4, sigma_decay_function="linear_decay_to_one", random_seed=0
    )
    reference._weights = model.prototypes.detach().double().numpy().reshape(8, 8, -1).copy()
    for epoch in range(passes):
        order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(epoch))
        learn(model, rule, batch_of(torch.from_numpy(rows)[order]), epochs=1)
    reference.train(rows.astype(np.float64), passes * len(rows), random_order=True)
    quantisation, topographic = errors(model, rows)
    assert quantisation <= reference.quantization_error(rows)
    assert topographic <= reference.topographic_error(rows)
