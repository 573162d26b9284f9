"""Density without a target, from the table to the test."""

import numpy as np
import polars as pl
import pytest
from PIL import Image
from test_split_first import fitted

import handrail
from handrail import fit
from handrail.data.writers.masks import describe_maps, write_maps
from handrail.errors import DataError, RecipeError
from handrail.network import models_in

CHANGES = {"model": {"rbm": {"units": 6}}, "training.epochs": 60, "evaluation.resamples": 100}


def a_table(rows: int = 300) -> pl.DataFrame:
    """Two prototypes of eight bits, each bit turned with a chance of a tenth, and which it was."""
    chance = np.random.default_rng(5)
    group = chance.integers(0, 2, rows)
    bits = np.array([[1, 1, 1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 0, 1, 1, 1]])[group]
    bits = np.where(chance.random(bits.shape) < 0.1, 1 - bits, bits)
    columns = {f"bit_{place}": bits[:, place] for place in range(8)}
    return pl.DataFrame({**columns, "group": np.array(["a", "b"])[group]})


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return fit(
        a_table(), changes={**CHANGES, "data.label": "group"}, out=tmp_path_factory.mktemp("rbm") / "run"
    )


def test_it_is_better_than_independent_columns(run):
    assert run.summary["task"]["name"] == "density"
    own = run.summary["metrics"]["log_likelihood"]
    assert own["low"] < own["value"] < own["high"]
    others = {name: each["log_likelihood"]["value"] for name, each in run.summary["baselines"].items()}
    assert set(others) == {"independent columns", "Chow–Liu tree", "rows as encoded"}
    assert others.pop("rows as encoded") is None
    assert own["value"] > others["independent columns"] + 0.3
    assert "exact, by enumeration" in run.summary["reasons"]["density"]  # six hidden units
    assert not run.summary["decisions"]  # nothing was chosen


def test_codes_are_judged_by_the_label_beside_the_rows_themselves(run):
    """Alain & Bengio 2017; one bit in ten is turned, so that hardly a row is like the other prototype."""
    for probe in ("linear_probe", "neighbour_probe"):
        figures = run.summary["metrics"][probe]
        assert figures["low"] < figures["value"] <= figures["high"]
        assert figures["value"] > 0.9
        assert run.summary["baselines"]["rows as encoded"][probe]["value"] > 0.9
        assert probe not in run.summary["baselines"]["Chow–Liu tree"]


def test_shuffled_labels_change_no_fitted_bit(run, tmp_path):
    table = a_table()
    shuffled = table.with_columns(group=table["group"].sample(fraction=1, shuffle=True, seed=1))
    other = fit(shuffled, changes={**CHANGES, "data.label": "group"}, out=tmp_path / "run")
    assert fitted(other)[:3] == fitted(run)[:3]
    ours, theirs = (each.summary["metrics"] for each in (run, other))
    assert ours.pop("linear_probe")["value"] > theirs.pop("linear_probe")["value"] + 0.2
    assert ours.pop("neighbour_probe")["value"] > theirs.pop("neighbour_probe")["value"] + 0.2
    assert ours == theirs


def test_its_uses(run):
    rows = a_table().drop("group")
    scores = run.use("score", rows).frame["log_density"].to_numpy()
    np.testing.assert_allclose(scores, run.predict(rows).frame["log_density"].to_numpy(), rtol=1e-5)
    assert run.use("encode", rows).frame.width == 6
    strange = rows.with_columns(bit_3=pl.when(pl.int_range(len(rows)) == 7).then(2.5).otherwise("bit_3"))
    for answers in (run.use("score", strange), run.predict(strange)):
        assert any("values below 0 or above 1, as encoded, in row 8" in told for told in answers.warnings)
    with pytest.raises(DataError, match="above 1, as encoded"):
        run.predict(strange, strict=True)
    assert run.use("reconstruct", rows).frame.columns == rows.columns
    assert run.use("generate", rows=5, steps=20).frame.shape == (5, 8)
    loaded = handrail.load(run.path).use("score", rows).frame["log_density"].to_numpy()
    np.testing.assert_allclose(loaded, scores, rtol=1e-6)


def test_the_probabilities_of_all_rows_add_up_to_one(run):
    bits = (np.arange(256)[:, None] >> np.arange(8)) & 1
    states = pl.DataFrame({f"bit_{place}": bits[:, place] for place in range(8)})
    scores = run.use("score", states).frame["log_density"].to_numpy()
    assert np.exp(scores.astype(np.float64)).sum() == pytest.approx(1, abs=1e-3)


def test_a_refit_has_a_constant_of_its_own(tmp_path):
    run = fit(a_table().drop("group"), changes=CHANGES, out=tmp_path / "run")
    run.refit()
    run.test(refit=True)
    again = handrail.load(tmp_path / "run")
    bits = (np.arange(256)[:, None] >> np.arange(8)) & 1
    states = pl.DataFrame({f"bit_{place}": bits[:, place] for place in range(8)})
    scores = again.use("score", states).frame["log_density"].to_numpy()
    assert np.exp(scores.astype(np.float64)).sum() == pytest.approx(1, abs=1e-3)


def test_real_values_for_binary_units_are_refused_with_ways_out(tmp_path):
    table = a_table().with_columns(weight=pl.Series(np.random.default_rng(0).normal(size=300)))
    message = r"other values in weight.*model\.rbm\.visible=gaussian.*data\.encoding\.scaling=minmax"
    with pytest.raises((RecipeError, DataError), match=message):
        fit(table, changes=CHANGES, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    with pytest.raises((RecipeError, DataError), match=message):
        handrail.check(table, changes=CHANGES)
    for changes in ({"data.encoding.scaling": "minmax"}, {"model": {"rbm": {"visible": "gaussian"}}}):
        assert not handrail.check(table, changes={**CHANGES, **changes}).errors


def test_gaussian_units_take_real_values(tmp_path):
    changes = {**CHANGES, "model": {"rbm": {"units": 4, "visible": "gaussian"}}}
    table = pl.DataFrame(np.random.default_rng(0).normal(size=(200, 3)), schema=["x", "y", "z"])
    run = fit(table, changes=changes, out=tmp_path / "run")
    assert set(run.summary["baselines"]) == {"independent columns", "Gaussian"}
    assert run.summary["metrics"]["log_likelihood"]["value"] == pytest.approx(-4.26, abs=0.3)


def test_each_replica_has_a_constant_of_its_own(tmp_path):
    changes = {**CHANGES, "training.replicas": 2, "training.epochs": 5}
    run = fit(a_table().drop("group"), changes=changes, out=tmp_path / "run")
    constants = [float(model.get_buffer("log_z")) for model in models_in(run.pipeline.network)]
    assert constants[0] != constants[1]
    assert min(constants) > 0


def test_pictures_go_in_from_0_to_1_and_filters_are_shown(tmp_path):
    chance = np.random.default_rng(0)
    for name in "ab":
        (tmp_path / name).mkdir()
    for number in range(60):
        bars = np.repeat(chance.random((1, 8)) < 0.5, 8, axis=0)
        Image.fromarray((bars * 255).astype(np.uint8)).save(tmp_path / "ab"[number % 2] / f"{number}.png")
    changes = {**CHANGES, "training.epochs": 5, "data.images.size": 8}
    run = fit(tmp_path, changes=changes, out=tmp_path.parent / f"{tmp_path.name}-run")
    assert "scaling: unit" in (run.path / "resolved.yaml").read_text()
    made = run.use("generate", rows=3, steps=5)
    assert made.maps[0].shape == (8, 8, 1)
    paths = write_maps(made, tmp_path.parent / "made")
    assert describe_maps(paths, made).startswith("3 pictures (8 × 8 pixels")
    with Image.open(paths[0]) as image:
        assert (image.size, image.mode) == ((8, 8), "L")
    with pytest.raises(RecipeError, match=r"data\.images\.scaling: found standard"):
        fit(tmp_path, changes={**changes, "data.images.scaling": "standard"}, out=tmp_path.parent / "other")
