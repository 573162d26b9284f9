"""The autoencoder as a user meets it, from the table to the test."""

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image
from test_resume import StopAt, records, weights
from test_split_first import fitted

import handrail
from handrail import fit, resume
from handrail.data.writers import convert
from handrail.errors import DataError, RecipeError
from handrail.training.signals import Interrupted

CHANGES = {
    "model": {"autoencoder": {"code": 1, "hidden": [16]}},
    "learning.gradient.optimizer.adamw.learning_rate": 0.01,
    "training.epochs": 80,
    "evaluation.resamples": 100,
}


def a_table(rows: int = 300) -> pl.DataFrame:
    """Points near an arc, with gaps, a word that goes with the place, and a label."""
    rng = np.random.default_rng(3)
    angle = rng.uniform(0, 3, rows)
    x, y = (part + rng.normal(scale=0.05, size=rows) for part in (np.cos(angle), np.sin(angle)))
    return pl.DataFrame(
        {
            "x": x,
            "y": pl.Series(
                [
                    None if gap else value
                    for gap, value in zip(rng.random(rows) < 0.05, y.tolist(), strict=True)
                ]
            ),
            "side": np.where(x > 0, "right", "left"),
            "group": np.array(["low", "middle", "high"])[angle.astype(int)],
        }
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return fit(
        a_table(), changes={**CHANGES, "data.label": "group"}, out=tmp_path_factory.mktemp("ae") / "run"
    )


def test_dates_come_back_and_are_written(tmp_path):
    rng = np.random.default_rng(0)
    day = np.datetime64("2019-01-01") + rng.integers(0, 900, 120)
    table = pl.DataFrame({"day": day, "x": day.astype(float), "paid": rng.choice(["yes", "no"], 120)})
    changes = {**CHANGES, "model": {"autoencoder": {"code": 8, "hidden": []}}}
    run = fit(table, changes=changes, out=tmp_path / "run")
    again = run.use("reconstruct", table).frame
    assert again.columns == table.columns
    assert again["day"].dtype == pl.Date
    assert np.median(np.abs((again["day"].to_numpy() - day).astype(int))) <= 3
    for ending in (".csv", ".json", ".parquet"):
        convert(again, tmp_path / f"again{ending}")
        codes = run.use("encode", tmp_path / f"again{ending}").frame
        assert len(codes) == 120


def test_an_arc_fits_one_number_better_than_a_line_does(run):
    assert run.summary["task"]["name"] == "reconstruction"
    assert set(run.summary["baselines"]) == {"PCA", "mean row", "rows as encoded"}
    for probe in ("linear_probe", "neighbour_probe"):
        assert run.summary["metrics"][probe]["value"] > 0.4
        assert run.summary["baselines"]["PCA"][probe]["low"] is not None
    own = run.summary["metrics"]["reconstruction_error"]
    assert own["low"] < own["value"] < own["high"]
    assert run.summary["comparison"]["baseline"] == "PCA"
    assert run.summary["comparison"]["verdict"] == "better"
    assert run.summary["reasons"]["code"].startswith("code: 1 number for a row of ")


def test_shuffled_labels_change_no_fitted_bit(run, tmp_path):
    table = a_table()
    shuffled = table.with_columns(group=table["group"].sample(fraction=1, shuffle=True, seed=1))
    other = fit(shuffled, changes={**CHANGES, "data.label": "group"}, out=tmp_path / "run")
    assert fitted(other)[:3] == fitted(run)[:3]
    for name in ("reconstruction_error", "explained_variance"):
        assert other.summary["metrics"][name] == run.summary["metrics"][name]


def test_what_stands_in_the_test_rows_changes_no_fitted_bit(run, tmp_path):
    table = a_table()
    parts = pl.read_parquet(run.folder.split)
    sealed = parts.filter(parts["part"] == "test")["row"] - 1
    x = table["x"].to_numpy().copy()
    x[sealed.to_numpy()] = 1e6
    other = fit(
        table.with_columns(x=pl.Series(x)), changes={**CHANGES, "data.label": "group"}, out=tmp_path / "run"
    )
    assert fitted(other) == fitted(run)


def test_a_stopped_fit_resumes_to_the_same_bits(tmp_path):
    changes = {
        **CHANGES,
        "model": {"autoencoder": {"code": 2, "hidden": [16], "tied": True, "dropout": 0.2}},
        "training.epochs": 4,
        "training.checkpoint_seconds": 0.0,
        "training.batch_size": 8,
        "data.drop": ["group"],
    }
    fit(a_table(), changes=changes, out=tmp_path / "whole")
    with pytest.raises(Interrupted):
        fit(a_table(), changes=changes, out=tmp_path / "cut", callbacks=(StopAt(3, 11, 15).listener,))
    resume(tmp_path / "cut")
    assert weights(tmp_path / "cut") == weights(tmp_path / "whole")
    assert records(tmp_path / "cut") == records(tmp_path / "whole")


def test_the_test_and_a_refit_know_the_size_of_the_code(tmp_path):
    run = fit(a_table().drop("group"), changes=CHANGES, out=tmp_path / "run")
    assert set(run.test()["baselines"]) == {"PCA", "mean row"}
    run.refit()
    tested = run.test(refit=True, again=True)
    assert set(tested["baselines"]) == {"PCA", "mean row"}
    assert tested["reasons"]["code"].startswith("code: 1 number")


def test_the_error_of_new_rows_finds_the_odd_one(run):
    rows = a_table().drop("group").with_columns(pl.col("y").fill_null(0.5))
    odd = pl.DataFrame({"x": [0.0], "y": [-3.0], "side": ["left"]})
    errors = run.predict(pl.concat([rows, odd])).frame
    assert errors.columns == ["reconstruction_error"]
    assert errors["reconstruction_error"].arg_max() == len(rows)
    again = handrail.load(run.path).predict(rows).frame["reconstruction_error"].to_numpy()
    np.testing.assert_allclose(again, errors["reconstruction_error"].to_numpy()[:-1], rtol=1e-5)


def test_its_uses(run):
    rows = a_table()
    assert run.uses == ["encode", "reconstruct", "interpolate", "score"]
    assert run.use("encode", rows).frame.columns == ["code_1"]
    back = run.use("reconstruct", rows).frame
    assert back.columns == ["x", "y", "side"]
    assert back.null_count().sum_horizontal()[0] == 0  # gaps are filled by what the code says
    assert (back["side"] == rows["side"]).mean() > 0.95
    assert np.abs(back["x"] - rows["x"]).mean() < 0.2
    with pytest.raises(
        DataError,
        match=r"'fill' is no use .* reconstruction; it can encode, reconstruct, interpolate and score",
    ):
        run.use("fill", rows)


def test_the_task_alone_chooses_the_autoencoder(tmp_path):
    changes = {"data.task": "reconstruction", "data.label": "group", "training.epochs": 2}
    found = fit(a_table(), changes=changes, out=tmp_path / "run")
    assert found.summary["training"]["why"] == [
        "model autoencoder: an encoder and a decoder give each row back from a code"
    ]


def test_replicas_answer_by_the_best(tmp_path):
    changes = {**CHANGES, "training.epochs": 5, "training.replicas": 3}
    run = fit(a_table().drop("group"), changes=changes, out=tmp_path / "run")
    losses = [member["best_loss"] for member in run.summary["replicas"]["members"]]
    assert min(losses) == losses[run.summary["replicas"]["best"] - 1]
    assert "3 networks are trained as one program" in (run.path / "log.txt").read_text()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data.target": "group"}, r"data\.target: has no effect on reconstruction.*label='group'"),
        ({"data.augment": ["flip"]}, r"data\.augment: on reconstruction the target is the row"),
        ({"learning": "least_squares"}, r"cannot learn the task reconstruction"),
        ({"learning": "lloyd"}, r"learning\.lloyd: teaches kmeans and patch_kmeans, and not autoencoder"),
        ({"learning": "rosenblatt"}, r"learning\.rosenblatt: found the task 'reconstruction'"),
        ({"objective.loss": "cross_entropy"}, r"objective\.loss: 'cross_entropy' serves multi-class"),
        ({"model": {"autoencoder": {"code": 0}}}, r"model\.autoencoder\.code: found 0"),
        ({"model": {"autoencoder": {"size": 3}}}, r"model\.autoencoder\.size: unknown argument"),
        ({"model": "mlp", "data.task": "reconstruction"}, r"'mlp' gives scores.*Expected one of autoencoder"),
        ({"data.encoding.categories": "embedding"}, r"reconstruction is learned without a target.*onehot"),
        ({"evaluation.threshold": 0.5}, r"evaluation\.threshold: has no effect on reconstruction"),
    ],
)
def test_misuse_is_told(changes, message, tmp_path):
    with pytest.raises((RecipeError, DataError), match=message):
        fit(a_table(), changes={**CHANGES, **changes}, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_code_as_large_as_the_row_is_allowed_and_its_baseline_explained(tmp_path):
    changes = {**CHANGES, "model": {"autoencoder": {"code": 9}}, "training.epochs": 2}
    run = fit(a_table().drop("group"), changes=changes, out=tmp_path / "run")
    assert run.summary["baseline_remarks"]["PCA"].startswith(
        "given as many components as a row has numbers (5)"
    )
    assert run.summary["comparison"]["verdict"] == "worse"


@pytest.mark.slow
def test_a_search_with_a_label_ends_and_stands_beside_pca(tmp_path):
    """With a code of the best trial's size; labels are not read in a forked process."""
    changes = {**CHANGES, "training.epochs": 3, "data.label": "group", "tuning.workers": 2}
    space = {"model.autoencoder.code": [1, 2], "model.autoencoder.tied": [False, True]}
    search = handrail.tune(a_table(), changes=changes, space=space, out=tmp_path / "search")
    assert len(search.table) == 4
    assert {"PCA", "mean row"} <= set(search.summary["baselines"])


def bars(folder, size: int = 8):
    rng = np.random.default_rng(0)
    for name in "ab":
        (folder / name).mkdir(parents=True)
    for number in range(60):
        pixels = np.repeat(rng.random((1, size)) < 0.5, size, axis=0)
        Image.fromarray((pixels * 255).astype(np.uint8)).save(folder / "ab"[number % 2] / f"{number}.png")
    return folder


@pytest.mark.pictures
def test_pictures_are_their_own_targets_and_come_back_as_pictures(tmp_path):
    changes = {
        "model": {"autoencoder": {"code": 8, "hidden": []}},
        "learning.gradient.optimizer.adamw.learning_rate": 0.01,
        "training.epochs": 300,
        "training.patience": None,
        "data.images.size": 8,
    }
    run = fit(bars(tmp_path / "bars"), changes=changes, out=tmp_path / "run")
    assert run.summary["metrics"]["explained_variance"]["value"] > 0.95
    shown = run.use("reconstruct", tmp_path / "bars")
    assert shown.maps[0].shape == (8, 8, 1)
    with Image.open(sorted((tmp_path / "bars" / "a").iterdir())[0]) as image:
        original = np.asarray(image)
    assert np.abs(shown.maps[0][..., 0].astype(int) - original).mean() < 40
    page = run.report().read_text()
    assert "Rows beside their reconstructions" in page
    assert "The codes of the rows" in page
    assert "gives rows back from a code" in page


def test_deep_ones_beat_the_main_components_on_digits(tmp_path):
    changes = {
        "model": {"autoencoder": {"code": 8, "hidden": [64]}},
        "data.encoding.scaling": "minmax",
        "training.epochs": 40,
    }
    run = fit("bundled:digits", changes=changes, out=tmp_path / "run")
    assert run.summary["comparison"]["verdict"] == "better"
    own, plane = (
        each["reconstruction_error"]["value"]
        for each in (run.summary["metrics"], run.summary["baselines"]["PCA"])
    )
    assert own < 0.8 * plane


@pytest.mark.slow
def test_deep_ones_beat_the_main_components_on_mnist(shared_data, tmp_path):
    """Hinton & Salakhutdinov 2006, with a code of 30 numbers."""
    changes = {
        "model": {"autoencoder": {"code": 30, "hidden": [512, 128]}},
        "data.images.scaling": "unit",
        "training.epochs": 15,
    }
    run = fit(shared_data / "mnist", changes=changes, out=tmp_path / "run")
    tested = run.test()
    own, plane = (
        each["reconstruction_error"]["value"] for each in (tested["metrics"], tested["baselines"]["PCA"])
    )
    assert own < 0.7 * plane
    assert tested["comparison"]["verdict"] == "better"


def test_the_weights_do_not_depend_on_whether_targets_are_read_twice(tmp_path):
    """Rows that are their own targets are taken once a batch."""
    from handrail.learning.rule import Batch

    rows = torch.randn(6, 3)
    batch = Batch(rows, rows)
    for part in (batch.take(torch.tensor([4, 1])), batch.cut(2, 5)):
        assert part.targets is part.inputs
    other = Batch(rows, rows.clone()).take(torch.tensor([4, 1]))
    assert torch.equal(other.targets, batch.take(torch.tensor([4, 1])).targets)
