"""Views: what they find is held against what is known of a network; each runs or says why it does not."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

import handrail
from handrail.cli import app
from handrail.components import available
from handrail.data.part import Part
from handrail.errors import DataError, HandrailError, RecipeError
from handrail.run import Run
from handrail.views.embedding import in_plane
from handrail.views.watching import layer_outputs

VIEWS = sorted(available("view"))
QUICK = {"training.epochs": 3, "evaluation.resamples": 100}


@pytest.fixture(scope="module")
def iris(tmp_path_factory: pytest.TempPathFactory) -> Run:
    changes = {**QUICK, "model": {"mlp": {"hidden": [12, 6]}}, "training.epochs": 30}
    return handrail.fit(
        "bundled:iris", target="target", changes=changes, out=tmp_path_factory.mktemp("i") / "iris"
    )


@pytest.fixture(scope="module")
def diabetes(tmp_path_factory: pytest.TempPathFactory) -> Run:
    changes = {**QUICK, "model": {"mlp": {"hidden": [4], "activation": "tanh"}}}
    return handrail.fit(
        "bundled:diabetes", target="target", changes=changes, out=tmp_path_factory.mktemp("d") / "run"
    )


@pytest.mark.parametrize("name", VIEWS)
def test_every_view_is_data_and_a_page_and_the_same_each_time(iris: Run, name: str) -> None:
    found, again = iris.view(name), iris.view(name)
    assert found.source
    assert found.arrays
    for key, values in found.arrays.items():
        assert np.array_equal(values, again.arrays[key], equal_nan=values.dtype.kind == "f")
    assert found.to_html() == again.to_html()
    assert found.source in str(found)
    assert "http" not in found.to_html().replace("http://www.w3.org", "")


@pytest.mark.parametrize("name", VIEWS)
def test_of_values_every_view_is_shown_or_says_what_it_needs(diabetes: Run, name: str) -> None:
    if name in ("probes", "regions"):
        with pytest.raises(DataError, match=f"{name}: needs classes to tell apart"):
            diabetes.view(name)
    else:
        assert diabetes.view(name).arrays


def test_test_rows_are_never_looked_at(iris: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Run.parts
    monkeypatch.setattr(Run, "parts", lambda self, source=None: (*whole(self, source=source)[:2], None))
    for name in VIEWS:
        handrail.load(iris.path).view(name)
    assert not iris.openings()


def test_outputs_of_layers_are_those_of_the_modules(iris: Run) -> None:
    part = iris.parts()[1]
    rows = part.encode_with(iris.pipeline.encoder)
    network: nn.Module = iris.pipeline.network
    layers = layer_outputs(network, rows)
    model = network
    assert isinstance(rows, torch.Tensor)
    x = rows
    for module in [*model.features, model.head]:  # pyright: ignore[reportGeneralTypeIssues, reportCallIssue]
        x = module(x)
        assert torch.equal(layers.pop(0).outputs, x.detach())
    assert not layers


def test_dead_units_are_found(iris: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run = handrail.load(iris.path)
    first = next(each for each in run.pipeline.network.modules() if isinstance(each, nn.Linear))
    with torch.no_grad():
        first.bias[:3] = -1e6
    table = run.view("activations").table
    dead = table.filter(pl.col("kind") == "ReLU")["dead"]
    assert dead[0] >= 3 / 12
    assert table.filter(pl.col("kind") == "Linear")["dead"].null_count() == 3


def test_a_column_without_meaning_is_without_importance(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    told, noise = rng.normal(size=(2, 400))
    frame = pl.DataFrame({"noise": noise, "told": told, "y": np.where(told > 0, "yes", "no")})
    changes = {**QUICK, "model": {"mlp": {"hidden": [8]}}, "training.epochs": 40}
    run = handrail.fit(frame, target="y", changes=changes, out=tmp_path / "run")
    table = run.view("importance").table
    assert table["column"].to_list() == ["told", "noise"]
    assert table["error added"][0] > 10 * abs(table["error added"][1])
    curve = run.view("dependence", column="told").arrays["answers"]
    yes = list(run.pipeline.task.classes).index("yes")
    assert curve[0, yes] < 0.1
    assert curve[-1, yes] > 0.9
    assert np.allclose(curve.sum(axis=1), 1)
    decided = run.view("regions", across="told", up="noise", side=50).arrays["decided"]
    assert (decided[:, 5] == 1 - yes).mean() > 0.9
    assert (decided[:, -5] == yes).mean() > 0.9


def numbers_of(run: Run, part: Part) -> dict[str, np.ndarray]:
    """What each layer gives for the rows of a part."""
    layers = layer_outputs(run.pipeline.network, part.encode_with(run.pipeline.encoder))
    return {each.name: each.outputs.double().numpy() for each in layers}


def test_the_nearest_rows_are_the_nearest(iris: Run) -> None:
    found = iris.view("neighbours", rows=4, nearest=3)
    train, validation, _ = iris.parts()
    known, asked = (numbers_of(iris, part)["features.3"] for part in (train, validation))
    places = {row: place for place, row in enumerate(validation.rows)}
    arrays = found.arrays
    for row, nearest, lengths in zip(arrays["rows"], arrays["places"], arrays["distances"], strict=True):
        apart = np.linalg.norm(known - asked[places[row]], axis=1)
        assert np.allclose(np.sort(apart)[:3], lengths)
        assert set(nearest) <= set(train.rows)


def test_probes_rise_beside_an_untrained_network(iris: Run) -> None:
    table = iris.view("probes").table
    assert table["layer"][0] == "inputs"
    assert ((table["low"] <= table["accuracy"]) & (table["accuracy"] <= table["high"])).all()
    assert table["accuracy"][0] == table["untrained"][0]
    deep = table.filter(table["layer"] == "features.3")
    assert deep["accuracy"][0] > deep["untrained"][0]


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("embedding", {"layer": "featurs.1"}, "no layer 'featurs.1'.*Did you mean"),
        ("embedding", {"by": "tsne"}, "expected pca or umap"),
        ("neighbours", {"layer": "no"}, "no layer 'no'"),
        ("regions", {"up": "petal"}, "no numeric column 'petal'"),
        ("dependence", {"column": "petal"}, "no numeric column 'petal'"),
    ],
)
def test_what_there_is_not_is_said(iris: Run, name: str, settings: dict, words: str) -> None:
    with pytest.raises(DataError, match=words):
        iris.view(name, **settings)
    with pytest.raises(RecipeError, match="there is no view 'weight'"):
        iris.view("weight")


def test_the_command_lists_prints_and_writes(iris: Run, tmp_path: Path) -> None:
    def invoke(*words: object) -> str:
        result = CliRunner().invoke(app, ["view", str(iris.path), *map(str, words)], catch_exceptions=False)
        assert result.exit_code == 0
        return result.output

    assert all(name in invoke() for name in VIEWS)
    with pytest.raises(HandrailError, match="there is no such setting"):
        invoke("weights", "-s", "source=x")
    assert "features.0" in invoke("weights")
    assert '"rows"' in invoke("weights", "--json")
    invoke("weights", "-o", tmp_path / "page.html")
    assert "<svg" in (tmp_path / "page.html").read_text()
    invoke("weights", "-o", tmp_path / "table.csv")
    assert "layer" in pl.read_csv(tmp_path / "table.csv").columns
    with pytest.raises(HandrailError, match="already exists"):
        invoke("weights", "-o", tmp_path / "page.html")
    with pytest.raises(HandrailError, match=r"ends in .html, .csv"):
        invoke("weights", "-o", tmp_path / "page.docx")


@pytest.mark.slow
def test_umap_keeps_groups_together() -> None:
    """Of three groups in 20 dimensions, the nearest row in the plane is of the same one."""
    pytest.importorskip("umap")
    groups = np.repeat([0, 1, 2], 60)
    rows = np.random.default_rng(0).normal(size=(180, 20)) + 4 * np.eye(3, 20)[groups]
    places = in_plane(torch.from_numpy(rows), "umap")
    apart = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    assert (groups[apart.argmin(axis=1)] == groups).mean() > 0.95
