"""Learning without a target: the same honesty as with one, and labels that only judge."""

import json

import numpy as np
import polars as pl
import pytest
from test_split_first import fitted

import handrail
from handrail import fit
from handrail.errors import DataError, RecipeError, RunError
from handrail.run import export_onnx

CHANGES = {"model": {"kmeans": {"clusters": 3}}, "evaluation.resamples": 100}


def a_table(rows: int = 160) -> pl.DataFrame:
    chance = np.random.default_rng(3)
    group = chance.integers(0, 3, rows)
    points = chance.normal(size=(rows, 2)) + 6 * np.stack([group == 1, group == 2], axis=1)
    colour = chance.choice(["red", "green"], size=rows)
    label = np.array(["low", "middle", "high"])[group]
    return pl.DataFrame({"x": points[:, 0], "y": points[:, 1], "colour": colour, "group": label})


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return fit(
        a_table(), changes={**CHANGES, "data.label": "group"}, out=tmp_path_factory.mktemp("k") / "run"
    )


def test_clusters_find_the_groups(run):
    assert run.summary["task"]["name"] == "clusters"
    assert run.summary["metrics"]["label_information"]["value"] > 0.9
    stability = run.summary["metrics"]["stability"]
    assert stability["value"] > 0.9
    assert stability["value"] > run.summary["baselines"]["random centres"]["stability"]["value"] + 0.2
    assert stability["low"] is None
    assert run.summary["comparison"]["verdict"] == "better"
    assert {"one cluster", "random centres"} == set(run.summary["baselines"])
    assert "Learns clusters, without a target, from 3 columns of" in run.card()


def test_shuffled_labels_change_no_fitted_bit(run, tmp_path):
    table = a_table()
    shuffled = table.with_columns(group=table["group"].sample(fraction=1, shuffle=True, seed=1))
    other = fit(shuffled, changes={**CHANGES, "data.label": "group"}, out=tmp_path / "run")
    assert fitted(other)[:3] == fitted(run)[:3]
    for name in ("inertia", "silhouette"):
        assert other.summary["metrics"][name] == run.summary["metrics"][name]
    figures = [each.summary["metrics"]["label_information"]["value"] for each in (run, other)]
    assert figures[1] < 0.3 < figures[0]


def test_a_label_changes_nothing_and_is_no_input(run, tmp_path):
    other = fit(a_table().drop("group"), changes=CHANGES, out=tmp_path / "run")
    weights = [(each.folder.model / "weights.safetensors").read_bytes() for each in (run, other)]
    assert weights[0] == weights[1]
    assert "label_information" not in other.summary["metrics"]


def test_the_seal_opens_once(run):
    tested = run.test()
    assert tested["opening"] == 1
    assert tested["metrics"]["label_information"]["value"] > 0.9


def test_after_a_refit_baselines_have_as_many_clusters(tmp_path):
    run = fit(a_table().drop("group"), changes=CHANGES, out=tmp_path / "run")
    run.refit()
    beside = run.test(refit=True)["baselines"]
    assert beside["random centres"]["inertia"]["value"] < beside["one cluster"]["inertia"]["value"]


def test_new_rows_get_their_cluster_and_their_distances(run):
    answers = run.predict(a_table().drop("group"))
    assert answers.frame.columns == ["cluster", "distance"]
    codes = run.use("encode", a_table()).frame
    assert codes.columns == ["code_1", "code_2", "code_3"]
    nearest = codes.to_numpy().argmin(axis=1)
    np.testing.assert_array_equal(nearest, answers.frame["cluster"].to_numpy())
    np.testing.assert_allclose(codes.to_numpy().min(axis=1), answers.frame["distance"].to_numpy(), rtol=1e-5)
    assert run.uses == ["encode"]


def test_uses_that_there_are_not_are_named(run):
    with pytest.raises(DataError, match=r"'generate' is no use .* clusters; it can encode"):
        run.use("generate")
    with pytest.raises(DataError, match="encode needs rows"):
        run.use("encode")
    with pytest.raises(RecipeError, match="unknown argument"):
        run.use("encode", a_table(), length=3)


@pytest.mark.pictures
def test_the_report_shows_clusters_and_labels(run):
    page = run.report().read_text()
    assert "Clusters" in page
    assert "The same rows by their label" in page
    assert "divides the rows into clusters" in page


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data.target": "group"}, r"data\.target: has no effect on clusters.*label='group'"),
        ({"data.task": "regression"}, r"data\.task: found 'regression'.*learns clusters"),
        ({"data.positive": "a"}, r"data\.positive: has no effect on clusters"),
        ({"data.balance": "oversample"}, r"data\.balance: has no effect on clusters"),
        ({"learning": "least_squares"}, r"learning\.least_squares: cannot teach kmeans; expected lloyd"),
        ({"data.task": "reconstruction"}, r"data\.task: found 'reconstruction'.*learns clusters"),
        ({"data.label": "grup"}, r"data\.label: the table has no column 'grup'.*'group'"),
        ({"data.label": "group", "data.drop": ["group"]}, r"data\.drop: 'group' is data\.label"),
        ({"model": {"kmeans": {"clusters": 500}}}, r"clusters: found 500, expected at most"),
        ({"data.encoding.categories": "embedding"}, r"learned without a target.*onehot"),
    ],
)
def test_misuse_is_told(changes, message, tmp_path):
    with pytest.raises((RecipeError, DataError), match=message):
        fit(a_table(), changes={**CHANGES, **changes}, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_what_learns_a_target_takes_no_label_and_no_rule_for_others(tmp_path):
    with pytest.raises(RecipeError, match=r"data\.label: has no effect where a target is learned"):
        fit(a_table(), "group", changes={"data.label": "colour"}, out=tmp_path / "run")
    with pytest.raises(RecipeError, match=r"learning\.lloyd: teaches kmeans and patch_kmeans, and not mlp"):
        fit(a_table(), "group", changes={"model": "mlp", "learning": "lloyd"}, out=tmp_path / "run")


def test_the_task_alone_chooses_a_model(tmp_path):
    found = fit(a_table(), changes={"data.task": "clusters", "data.label": -1}, out=tmp_path / "run")
    assert found.summary["training"]["why"] == [
        "model kmeans: each row belongs to the nearest of some centres"
    ]
    assert found.summary["task"]["label"] == "group"


def test_replicas_answer_by_the_best(tmp_path):
    changes = {**CHANGES, "training.replicas": 3}
    run = fit(a_table(), changes=changes, out=tmp_path / "run")
    (why,) = [line for line in run.summary["training"]["why"] if "training.keep" in line]
    assert why == "training.keep best: answers to clusters have no mean, so one replica answers"
    assert run.summary["replicas"]["answering"] == [run.summary["replicas"]["best"]]
    assert "keep: best" in (run.path / "resolved.yaml").read_text()
    assert run.test(refit=True)["replicas"]["answering"] == [run.summary["replicas"]["best"]]
    losses = [member["best_loss"] for member in run.summary["replicas"]["members"]]
    assert min(losses) == losses[run.summary["replicas"]["best"] - 1]


def test_an_ensemble_without_a_mean_is_refused_by_name(tmp_path):
    changes = {**CHANGES, "training.replicas": 2, "training.keep": "ensemble"}
    with pytest.raises(
        RecipeError, match=r"training\.keep: found ensemble.*clusters have no mean; expected best"
    ):
        fit(a_table(), changes=changes, out=tmp_path / "run")


def test_a_source_that_names_its_target_keeps_it_from_the_rule(tmp_path):
    run = fit("bundled:iris", changes={**CHANGES, "data.sample": 60}, out=tmp_path / "run")
    assert run.summary["task"]["label"] == "target"
    assert "target" not in [column["name"] for column in run.summary["columns"]]


def test_check_reads_the_same(tmp_path):
    found = handrail.check(a_table(), changes={**CHANGES, "data.label": "group"})
    assert "learned without a target; 'group' is the label" in str(found)
    assert not found.errors


def test_the_records_say_what_was_chosen(run):
    resolved = (run.path / "resolved.yaml").read_text()
    assert "label: group" in resolved
    assert "lloyd" in resolved
    assert json.loads((run.path / "validation.json").read_text())["task"]["targets"] == []


def test_what_has_no_target_is_not_exported(run, tmp_path):
    with pytest.raises(RunError, match="clusters cannot be exported to ONNX yet"):
        export_onnx(run, tmp_path / "k.onnx")
