"""Maps: figures, baselines and pictures of a task whose network is laid by hand."""

from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from sklearn.datasets import load_wine

from handrail.components.pictures import Cells, Tiles
from handrail.data.columns.schema import infer
from handrail.data.encoders.row_encoder import fit_encoder
from handrail.data.encoders.table import TableEncoder
from handrail.data.part import Part
from handrail.data.table import Table
from handrail.data.task import TaskSpec
from handrail.learning.principal_components import lay_plane
from handrail.models.kohonen import KohonenMap
from handrail.recipe.sections import DataRecipe
from handrail.shapes import ImageShape, NoTarget
from handrail.tasks.alone.map import MapTask
from handrail.tasks.alone.map_pictures import label_pictures, map_pictures
from handrail.tasks.task import Answered


def wine() -> pl.DataFrame:
    return pl.DataFrame(
        np.asarray(load_wine(return_X_y=True)[0]), schema=[f"c{place}" for place in range(13)]
    )


def a_part(frame: pl.DataFrame) -> Part:
    rows = np.arange(len(frame))
    target = torch.zeros(len(frame), dtype=torch.int64)
    return Part("train", frame, frame, target, rows, Table(frame, "memory"))


def a_task(frame: pl.DataFrame, **arguments: Any) -> tuple[MapTask, TableEncoder, Part, KohonenMap]:
    """A map at random rows, for which distances and neighbours are all there is to measure."""
    encoder, part = fit_encoder(frame, infer(frame), {}, DataRecipe()), a_part(frame)
    assert isinstance(encoder, TableEncoder)
    task = MapTask(TaskSpec(name="map", targets=()), encoder.shape)
    model = KohonenMap(encoder.shape, NoTarget("map"), **arguments)
    rows = encoder.encode(frame)
    with torch.no_grad():
        model.prototypes.copy_(rows[torch.arange(model.grid.units) * 7 % len(rows)] + 0.1)
    task.settle_network(model)
    return task, encoder, part, model


@pytest.mark.parametrize("grid", ["square", "hexagonal"])
def test_figures_are_those_of_all_distances(grid):
    task, encoder, part, model = a_task(wine(), height=3, width=4, grid=grid)
    rows = encoder.encode(part.raw)
    found = task.outcome(model, rows, part).measure()
    gaps = np.linalg.norm(rows.double().numpy()[:, None] - model.prototypes.detach().double().numpy(), axis=2)
    first, second = np.argsort(gaps, axis=1)[:, :2].T
    assert found["quantisation_error"] == pytest.approx(gaps.min(axis=1).mean(), rel=1e-6)
    places = model.grid.places.numpy()
    apart = np.linalg.norm(places[first] - places[second], axis=1) > (1.42 if grid == "square" else 1.01)
    assert found["topographic_error"] == pytest.approx(apart.mean())
    assert 0.1 < apart.mean() < 0.9
    ways = model.way_lengths(torch.from_numpy(first), torch.from_numpy(second)).mean()
    assert found["map_error"] == pytest.approx(gaps.min(axis=1).mean() + float(ways), rel=1e-6)
    assert task.reasons == {"map": f"map: 3 × 4 units on a {grid} grid"}
    columns = task.columns(model, rows)
    assert ((columns["map_row"] - 1) * 4 + columns["map_column"] - 1 == first).all()
    np.testing.assert_allclose(columns["distance"], gaps.min(axis=1), rtol=1e-3)


def test_a_map_of_neighbours_alone_has_no_topographic_error():
    task, encoder, part, model = a_task(wine(), height=2, width=2)
    outcome = task.outcome(model, encoder.encode(part.raw), part)
    assert np.isnan(outcome.measure()["topographic_error"])
    assert outcome.why_undefined("topographic_error") == "on so small a map all units are neighbours"


def test_baselines_are_the_plane_and_k_means_which_lies_on_no_map():
    task, encoder, part, model = a_task(wine(), height=3, width=4)
    train, others = part.pick(np.arange(120)), part.pick(np.arange(120, 178))
    found = task.baselines(train, others, encoder)
    assert set(found) == {"PCA grid", "k-means"}
    rows = encoder.encode(part.raw)
    laid = lay_plane(model.grid, rows[:120])
    expected = torch.cdist(rows[120:], laid).min(dim=1).values
    np.testing.assert_allclose(found["PCA grid"].errors(), expected, rtol=1e-4)
    plane, kmeans = (found[name].measure() for name in ("PCA grid", "k-means"))
    assert kmeans["quantisation_error"] < plane["quantisation_error"]
    assert np.isnan(kmeans["map_error"])
    assert "12), which lie on no map: its quantisation error alone is known" in found.remarks["k-means"]


def test_more_units_than_different_rows_leave_k_means_out():
    task, encoder, part, _ = a_task(wine(), height=3, width=4)
    found = task.baselines(part.pick(np.arange(8)), part, encoder)
    assert set(found) == {"PCA grid"}
    assert found.remarks == {"k-means": "left out: found 8 rows for 12 centres; expected 1 to 8 centres"}


def test_many_training_rows_are_sampled_and_that_is_said(monkeypatch):
    monkeypatch.setattr("handrail.tasks.alone.map._MOST_ROWS", 50)
    task, encoder, part, _ = a_task(wine(), height=3, width=4)
    assert "fitted on 50 of 178 training rows" in task.baselines(part, part, encoder).remarks["k-means"]


def test_what_a_task_has_noted_comes_back():
    task, *_ = a_task(wine(), height=3, width=4, grid="hexagonal")
    other = MapTask(task.spec, task.shape)
    assert other.reasons == {}
    other.restore(task.facts())
    assert other.grid == task.grid


def test_planes_are_in_the_units_of_the_columns():
    frame = wine().with_columns(colour=pl.Series(["red", "white"] * 89))
    _, encoder, _, model = a_task(frame, height=3, width=4, grid="hexagonal")
    with torch.no_grad():
        model.prototypes.copy_(encoder.encode(frame)[:12])  # prototypes that are rows
    borders, planes = map_pictures(model, encoder)
    assert isinstance(borders, Cells)
    assert isinstance(planes, Cells)
    np.testing.assert_allclose(borders.values[0], model.u_matrix())
    assert planes.values.shape == (12, 3, 4)
    assert planes.hexagonal
    assert "The 12 of 15 encoded columns that differ most" in planes.note
    columns = {name: frame[name] for name in frame.columns if name != "colour"}
    columns |= {f"colour = {name}": (frame["colour"] == name) for name in ("red", "white")}
    for caption, values in zip(planes.captions, planes.values, strict=True):
        expected = columns[caption].cast(pl.Float64).to_numpy()[:12].reshape(3, 4)
        np.testing.assert_allclose(values, expected, rtol=1e-4)


def test_prototypes_of_pictures_are_pictures_in_their_places():
    class Encoder:
        shape = ImageShape(1, 4, 4)

    model = KohonenMap(ImageShape(1, 4, 4), NoTarget("map"), height=2, width=3)
    tiles = map_pictures(model, Encoder())[1]  # pyright: ignore[reportArgumentType]
    assert isinstance(tiles, Tiles)
    assert (tiles.pictures.shape, tiles.columns) == ((6, 4, 4), 3)


def test_units_show_their_rows_and_the_commonest_label():
    task, encoder, part, model = a_task(wine(), height=3, width=4)
    rows = encoder.encode(part.raw)
    outcome = task.outcome(model, rows, part)
    (shown,) = task.pictures(Answered(model, rows, part, outcome, part, encoder))
    assert isinstance(shown, Cells)
    counts = np.bincount(outcome.units, minlength=12).reshape(3, 4)  # pyright: ignore
    np.testing.assert_array_equal(np.nan_to_num(shown.values), [counts, counts])
    grid, units = model.grid, torch.tensor([0, 0, 0, 5, 5])
    known, others = np.array([1, 0, 1, -1, 0]), np.array([-1, -1, -1, 0, 0])
    labels = label_pictures(grid, [units, units], [(known, ("b", "a")), (others, ("c",))])
    assert labels.names == ("b", "a", "c")
    assert labels.values[0].flatten().tolist() == [1, -1, -1, -1, -1, 0, *[-1] * 6]
    assert labels.values[1].flatten().tolist() == [-1, -1, -1, -1, -1, 2, *[-1] * 6]
