"""The Kohonen map: by hand, and beside the library's rule in its online mode."""

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch

import handrail
from handrail.components import build
from handrail.components.pictures import Points
from handrail.errors import DataError
from handrail.learning.kmeans import NearestSums
from handrail.learning.rules.kohonen import Kohonen
from handrail.models.kohonen import KohonenMap
from handrail.run import Run
from handrail.shapes import NoTarget


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    changes = {
        "data.task": "map",
        "model": {"kohonen": {"height": 5, "width": 4, "grid": "hexagonal"}},
        "training.epochs": 1,
        "evaluation.resamples": 100,
    }
    return handrail.fit("bundled:iris", changes=changes, out=tmp_path_factory.mktemp("map") / "run")


def test_the_example_can_be_followed_by_hand() -> None:
    trace = handrail.trace("kohonen")
    first, second, _ = trace.steps
    assert first.title == "Row 1: x = (2, 2)"
    assert first["‖x − m‖²"].tolist() == [8, 4, 8, 20]
    assert first["wins"].tolist() == [False, True, False, False]
    assert first["h"] == pytest.approx(np.exp([-1 / 8, 0, -1 / 8, -1 / 2]))
    assert first["m new"][1].tolist() == [2, 1]
    assert second["m"].tolist() == first["m new"].tolist()
    assert "η = 0.25, σ = 1" in second.formula
    (drawn,) = trace.pictures
    assert isinstance(drawn, Points)
    assert drawn.marks is not None


@pytest.mark.parametrize("grid", ["square", "hexagonal"])
@pytest.mark.parametrize("neighbourhood", ["gaussian", "bubble"])
def test_the_updates_are_those_of_the_rule(grid: str, neighbourhood: Literal["gaussian", "bubble"]) -> None:
    rng = np.random.default_rng(2)
    prototypes, rows = rng.normal(size=(12, 3)), rng.normal(size=(5, 3))
    model = build("model", {"kohonen": {"height": 3, "width": 4, "grid": grid}}, 3, NoTarget("map"))
    assert isinstance(model, KohonenMap)
    model.double()
    with torch.no_grad():
        model.prototypes.copy_(torch.from_numpy(prototypes))
    rule = Kohonen(
        mode="online", neighbourhood=neighbourhood, final_radius=0.7, learning_rate=0.4, final_rate=0.3
    )
    rule.grid, rule.prototypes, rule.first = model.grid, model.prototypes, 1.9
    rule.own, rule.taken, rule.planned = NearestSums(model.prototypes), 0, len(rows)
    with torch.no_grad():
        squares = rule._follow(torch.from_numpy(rows), None)
    trace = handrail.trace(
        "kohonen",
        prototypes=prototypes.tolist(),
        points=rows.tolist(),
        height=3,
        grid=grid,
        neighbourhood=neighbourhood,
        radius=1.9,
        final_radius=0.7,
        learning_rate=0.4,
        final_rate=0.3,
    )
    nearest = [steps["‖x − m‖²"].min() for steps in trace.steps]
    assert nearest == pytest.approx(squares.numpy(), abs=1e-6)
    assert trace.steps[-1]["m new"] == pytest.approx(model.prototypes.detach().numpy(), abs=1e-6)


def test_a_run_is_followed(run: Run) -> None:
    trace = handrail.trace("kohonen", run=run, row=3, shown=99)
    model = run.pipeline.network
    assert isinstance(model, KohonenMap)
    (steps,) = trace.steps
    rows = run.parts()[1].pick(np.array([3])).encode_with(run.pipeline.encoder)
    assert steps["‖x − m‖²"] == pytest.approx(model(rows)[0].detach().numpy(), abs=1e-5)
    assert steps["place"] == pytest.approx(model.grid.places.numpy())
    assert int(steps["wins"].argmax()) == int(model(rows).argmin())
    assert "row 3" in trace.subject


def test_a_large_map_is_cut(run: Run) -> None:
    (steps,) = handrail.trace("kohonen", run=run, shown=3, numbers=2).steps
    assert len(steps) == 3
    assert steps["wins"].any()
    assert "Of 20 units the 3 nearest to it on the map" in steps.note
    assert "Of 4 numbers of a prototype the first 2" in steps.note
    assert steps.title.endswith("…)")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"height": 3}, "prototypes: found 4, expected a multiple of 3"),
        ({"prototypes": [[1, 2]]}, "prototypes: found 1, expected a multiple of 1 .height., at least 2"),
        ({"points": [[1, 2, 3]]}, "points: found 3 numbers, expected 2"),
        ({"final_radius": 3}, "final_radius: found 3, expected at most radius, 2"),
    ],
)
def test_what_does_not_fit_is_said(settings: dict, words: str) -> None:
    with pytest.raises(DataError, match=words):
        handrail.trace("kohonen", **settings)


def test_a_run_is_refused_where_it_does_not_fit(run: Run, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="prototypes: without effect where the network of a run"):
        handrail.trace("kohonen", run=run, prototypes=[[1, 2], [2, 1]])
    changes = {"model": "kmeans", "data.task": "clusters", "training.epochs": 1, "evaluation.resamples": 100}
    other = handrail.fit("bundled:iris", changes=changes, out=tmp_path / "run")
    with pytest.raises(DataError, match=r"found no Kohonen map .model=kohonen. in its network, KMeans"):
        handrail.trace("kohonen", run=other)
