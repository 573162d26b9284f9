"""The Kohonen map as a user meets it, from the table to the test."""

import numpy as np
import polars as pl
import pytest

from handrail import fit
from handrail.errors import RecipeError

CHANGES = {
    "model": {"kohonen": {"height": 4, "width": 6, "grid": "hexagonal"}},
    "training.epochs": 20,
    "evaluation.resamples": 100,
}


def a_table(rows: int = 240) -> pl.DataFrame:
    """Points along a bow in three columns, with a word and a label."""
    rng = np.random.default_rng(3)
    angle = rng.uniform(0, 3, rows)
    x, y, z = (part + rng.normal(scale=0.05, size=rows) for part in (np.cos(angle), np.sin(angle), angle))
    label = np.array(["low", "middle", "high"])[angle.astype(int)]
    side = np.where(x > 0, "right", "left")
    return pl.DataFrame({"x": x, "y": 1000 * y, "z": z, "side": side, "group": label})


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    changes = {**CHANGES, "data.label": "group"}
    return fit(a_table(), changes=changes, out=tmp_path_factory.mktemp("map") / "run")


def test_a_map_is_better_than_the_plane_and_k_means_is_not_compared(run):
    summary = run.summary
    assert summary["task"]["name"] == "map"
    assert set(summary["baselines"]) == {"PCA grid", "k-means", "rows as encoded"}
    metrics, comparison = summary["metrics"], summary["comparison"]
    assert (comparison["metric"], comparison["baseline"]) == ("map_error", "PCA grid")
    assert comparison["verdict"] == "better"
    for name in ("map_error", "quantisation_error", "topographic_error", "linear_probe"):
        assert metrics[name]["low"] <= metrics[name]["value"] <= metrics[name]["high"]
    assert summary["baselines"]["k-means"]["map_error"]["value"] is None
    assert metrics["neighbour_probe"]["value"] > 0.8
    assert "in its last epoch no training row belonged to" in (run.path / "log.txt").read_text()
    assert run.summary["reasons"] == {"map": "map: 4 × 6 units on a hexagonal grid"}


def test_new_rows_get_their_place(run):
    answers = run.predict(a_table().drop("group")).frame
    assert answers.columns == ["map_row", "map_column", "distance"]
    codes = run.use("encode", a_table()).frame
    assert codes.columns == ["code_1", "code_2"]
    down, across = (answers[name].to_numpy() - 1 for name in ("map_row", "map_column"))
    np.testing.assert_allclose(codes["code_1"].to_numpy(), across + 0.5 * (down % 2))
    np.testing.assert_allclose(codes["code_2"].to_numpy(), down * 0.75**0.5, rtol=1e-6)
    assert run.uses == ["encode"]


def test_the_seal_opens_once_and_a_refitted_map_has_the_same_grid(tmp_path):
    run = fit(a_table(), changes={**CHANGES, "data.label": "group"}, out=tmp_path / "run")
    run.refit()
    tested = run.test(refit=True)
    assert tested["opening"] == 1
    assert tested["baselines"]["PCA grid"]["map_error"]["value"] > tested["metrics"]["map_error"]["value"]


@pytest.mark.pictures
def test_the_report_shows_borders_columns_rows_and_labels(run):
    page = run.report().read_text()
    for title in ("U-matrix", "Columns on the map", "Rows of each unit", "The label"):
        assert title in page
    assert "side = right" in page
    assert "lays the rows out on a map" in page
    assert "which lie on no map: its quantisation error alone is known" in page


def test_shuffled_labels_change_no_fitted_bit(run, tmp_path):
    table = a_table()
    shuffled = table.with_columns(group=table["group"].sample(fraction=1, shuffle=True, seed=1))
    other = fit(shuffled, changes={**CHANGES, "data.label": "group"}, out=tmp_path / "run")
    weights = [(each.folder.model / "weights.safetensors").read_bytes() for each in (run, other)]
    assert weights[0] == weights[1]
    assert other.summary["metrics"]["map_error"] == run.summary["metrics"]["map_error"]


def test_more_units_than_rows_are_said_and_leave_k_means_out(tmp_path):
    changes = {**CHANGES, "model": {"kohonen": {"height": 12, "width": 12}}, "data.sample": 60}
    run = fit(a_table().drop("group"), changes=changes, out=tmp_path / "run")
    log = (run.path / "log.txt").read_text()
    assert "of the 144 units, which are more than the" in log
    assert "found" in run.summary["baseline_remarks"]["k-means"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": {"kohonen": {"height": 1, "width": 1}}}, r"expected at least 2 units"),
        ({"learning": "lloyd"}, r"learning\.lloyd: teaches kmeans and patch_kmeans, and not kohonen"),
        ({"learning": "gradient"}, r"learning\.gradient: cannot teach kohonen; expected kohonen"),
        ({"data.task": "clusters"}, r"data\.task: found 'clusters'.*learns map"),
        ({"data.target": "group"}, r"data\.target: has no effect on map"),
        ({"objective.penalties": ["l2"]}, r"objective\.penalties: have no effect under learning\.kohonen"),
        ({"learning.kohonen.learning_rate": 0.1}, r"learning_rate: has no effect in mode batch"),
        ({"learning.kohonen.radius": 0.5}, r"final_radius: found 1, expected at most radius, 0\.5"),
        ({"learning.kohonen.mode": "offline"}, r"learning\.kohonen\.mode.*'batch' or 'online'"),
        ({"data.encoding.categories": "embedding"}, r"learned without a target.*onehot"),
    ],
)
def test_misuse_is_told(changes, message, tmp_path):
    learning = {} if "learning" in changes else {"learning": "kohonen"}
    with pytest.raises(RecipeError, match=message):
        fit(a_table(), changes={**CHANGES, **learning, **changes}, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
