"""Stages: models that learn without a target, under a network on top."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

import handrail
from handrail.errors import RecipeError, TrainingError
from handrail.models.autoencoder import Autoencoder
from handrail.models.kmeans import KMeans
from handrail.models.rbm import RBM
from handrail.models.staged import Staged
from handrail.recipe import Recipe
from handrail.run import Run
from handrail.shapes import ImageShape, NoTarget

QUICK = {"evaluation.resamples": 100, "training.epochs": 3, "training.batch_size": 32}
RBMS = [{"model": {"rbm": {"units": 12}}, "epochs": 2}, {"model": {"rbm": {"units": 8}}, "epochs": 3}]


def table(path: Path, *, labelled: int = 200, moved: slice = slice(0)) -> Path:
    """Zeros and ones of two kinds; the first 200 rows and some others have a label, and some are garbage."""
    generator = np.random.default_rng(0)
    label = generator.integers(0, 2, 400)
    pixels = (generator.random((400, 16)) < np.where(label[:, None] == np.arange(16) % 2, 0.8, 0.2)).astype(
        int
    )
    pixels[moved] = 1
    known = [str(value) if row < labelled else None for row, value in enumerate(label)]
    frame = pl.DataFrame({f"p{column}": pixels[:, column] for column in range(16)} | {"kind": known})
    frame.write_csv(path)
    return path


def fit(source: Path, stages: list[dict[str, Any]], out: Path, **changes: Any) -> Run:
    return handrail.fit(source, "kind", changes={**QUICK, "stages": stages, **changes}, out=out)


def state_of(run: Run) -> dict[str, torch.Tensor]:
    return {
        name.removeprefix("network."): value
        for name, value in run.pipeline.state_dict().items()
        if name.startswith("network.")
    }


def records_of(run: Run, stage: int) -> list[dict[str, Any]]:
    path = run.path / "checkpoints" / f"stage-{stage}" / "metrics.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]


def adopt(staged: Staged, *models: Any) -> Staged:
    for number, model in enumerate(models):
        staged.adopt(number, model)
    return staged.eval()


@torch.no_grad()
def scatter(model: Any) -> Any:
    """The model with weights and biases that are not near 0."""
    for parameter in model.parameters():
        parameter.copy_(torch.randn_like(parameter))
    return model.eval()


def test_the_network_codes_as_its_stages_do():
    """Hinton, Osindero & Teh 2006: up through the means of the hidden units."""
    torch.manual_seed(0)
    below, above = (
        scatter(RBM(9, NoTarget("density"), units=7)),
        scatter(RBM(7, NoTarget("density"), units=5)),
    )
    staged = adopt(Staged(9, 3, stages=[{"rbm": {"units": 7}}, {"rbm": {"units": 5}}]), below, above)
    rows = torch.rand(20, 9)
    torch.testing.assert_close(staged.codes(rows), above.encode(below.encode(rows)))
    torch.testing.assert_close(staged(rows), staged.head(above.encode(below.encode(rows))))


@pytest.mark.parametrize("tied", [False, True])
def test_unrolled_stages_reconstruct_as_they_did(tied: bool):
    """Hinton & Salakhutdinov 2006: down again through the stages in reverse, at first by the same weights."""
    torch.manual_seed(0)
    below = scatter(RBM(9, NoTarget("density"), units=7))
    above = scatter(Autoencoder(7, NoTarget("reconstruction"), hidden=[6], code=2, tied=tied))
    stages = [{"rbm": {"units": 7}}, {"autoencoder": {"hidden": [6], "code": 2, "tied": tied}}]
    staged = adopt(Staged(9, NoTarget("reconstruction"), stages=stages), below, above)
    rows = torch.rand(20, 9)
    codes = above.encode(below.encode(rows))
    torch.testing.assert_close(staged.encode(rows), codes)
    torch.testing.assert_close(staged(rows), below.visible_given(above.decode(codes)))
    assert staged.encode(rows).shape == (20, 2)


def test_a_code_of_centres_is_how_much_nearer_they_are_than_the_mean():
    """Coates, Lee & Ng 2011, "triangle", in NumPy."""
    torch.manual_seed(0)
    model = scatter(KMeans(4, NoTarget("clusters"), clusters=6))
    staged = adopt(Staged(4, 2, stages=[{"kmeans": {"clusters": 6}}]), model)
    rows = torch.randn(10, 4)
    centres = model.centres.detach().numpy()
    distances = np.linalg.norm(rows.numpy()[:, None] - centres[None], axis=2)
    expected = np.maximum(0, distances.mean(axis=1, keepdims=True) - distances)
    np.testing.assert_allclose(staged.codes(rows).detach().numpy(), expected, atol=1e-5)


def test_pictures_go_into_the_first_stage():
    staged = Staged(ImageShape(1, 4, 5), 3, stages=["rbm", {"rbm": {"units": 6}}])
    assert staged(torch.rand(2, 1, 4, 5)).shape == (2, 3)
    first, second = staged.pictures(ImageShape(1, 4, 5))
    assert (first.pictures.shape, second.pictures.shape) == ((32, 4, 5), (6, 4, 5))  # type: ignore


def test_frozen_stages_stay_as_they_were_trained(tmp_path: Path):
    source = table(tmp_path / "t.csv", labelled=400)
    frozen = [{**stage, "frozen": True} for stage in RBMS]
    runs = {
        name: fit(source, stages, tmp_path / name, **{"training.epochs": epochs})
        for name, stages, epochs in (("free", RBMS, 3), ("still", frozen, 3), ("brief", frozen, 1))
    }
    states = {name: state_of(run) for name, run in runs.items()}
    below = [name for name in states["free"] if name.startswith("stages.")]
    assert len(below) == 4
    assert all(torch.equal(states["still"][name], states["brief"][name]) for name in below)
    assert not any(torch.equal(states["free"][name], states["still"][name]) for name in below)
    assert not torch.equal(states["still"]["head.head.weight"], states["brief"]["head.head.weight"])


@pytest.mark.pictures
def test_a_fit_says_how_its_stages_went(tmp_path: Path):
    run = fit(table(tmp_path / "t.csv", labelled=400), RBMS, tmp_path / "run")
    assert [len(records_of(run, number)) for number in (1, 2)] == [2, 3]
    stages = run.summary["training"]["stages"]
    assert [stage["model"] for stage in stages] == ["rbm", "rbm"]
    assert run.summary["training"]["seconds"] > sum(stage["seconds"] for stage in stages) > 0
    page = (run.path / "report.html").read_text()
    assert "Loss of stage 2, rbm, by epoch" in page
    resolved = Recipe.load(run.path / "resolved.yaml")
    assert resolved.stages[0].batch_size == 50
    again = handrail.load(run.path)
    assert torch.equal(state_of(again)["head.head.weight"], state_of(run)["head.head.weight"])


def test_stages_learn_from_rows_without_a_label(tmp_path: Path):
    few = fit(table(tmp_path / "few.csv"), RBMS, tmp_path / "few")
    steps = [records_of(few, 1)[0]["step"], -(-few.summary["rows"]["train"] // 50)]
    assert steps[0] > steps[1]
    note = next(each for each in few.summary["findings"] if each["name"] == "no-target")
    unlabelled = few.summary["rows"]["train"]
    assert "The stages learn from the " in note["action"]
    assert note["level"] == "note"
    assert unlabelled < 200


@pytest.mark.parametrize(("stages", "moves"), [(RBMS, True), ([], False)])
def test_only_stages_look_at_rows_without_a_label(stages: list[dict[str, Any]], moves: bool, tmp_path: Path):
    plain, garbled = table(tmp_path / "a.csv"), table(tmp_path / "b.csv", moved=slice(200, 400))
    states = [state_of(fit(path, stages, tmp_path / path.stem, model="linear")) for path in (plain, garbled)]
    same = all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert same != moves


@pytest.mark.pictures
def test_a_refit_trains_its_stages_as_long_as_was_best(tmp_path: Path):
    stages = [{"model": {"autoencoder": {"hidden": [], "code": 4}}, "epochs": 6, "patience": 1}]
    run = fit(table(tmp_path / "t.csv", labelled=400), stages, tmp_path / "run")
    run.test(refit=True)
    assert (run.path / "refit" / "weights.safetensors").exists()
    assert "Loss of stage 1" in (run.path / "report.html").read_text()


def test_replicas_have_stages_of_their_own(tmp_path: Path):
    run = fit(table(tmp_path / "t.csv", labelled=400), RBMS[:1], tmp_path / "run", **{"training.replicas": 2})
    state = state_of(run)
    first, second = (state[f"members.{number}.stages.0.1.weight"] for number in (0, 1))
    assert not torch.equal(first, second)
    assert (run.path / "checkpoints/group-1/replica-2/stage-1/metrics.jsonl").exists()


def test_a_search_trains_stages(tmp_path: Path):
    changes = {**QUICK, "stages": RBMS[:1], "tuning.space": {"training.batch_size": [16, 32]}}
    handrail.tune(table(tmp_path / "t.csv", labelled=400), "kind", changes=changes, out=tmp_path / "s")
    trials = pl.read_csv(tmp_path / "s" / "trials.csv")
    assert trials["failure"].to_list() == ["", ""]


def test_a_deep_autoencoder_by_a_recipe(tmp_path: Path):
    stages = [RBMS[0], {"model": {"autoencoder": {"hidden": [], "code": 3}}, "epochs": 2}]
    changes = {**QUICK, "stages": stages, "data.task": "reconstruction", "data.label": "kind"}
    run = handrail.fit(table(tmp_path / "t.csv", labelled=400), changes=changes, out=tmp_path / "run")
    assert run.summary["metrics"]["reconstruction_error"]["value"] > 0
    codes = run.use("encode", tmp_path / "t.csv").frame
    assert codes.columns[-3:] == ["code_1", "code_2", "code_3"]


REFUSED = {
    "no code": (
        [{"model": "mlp"}],
        {},
        r"stages\[0\]: 'mlp' makes no code without a target; expected autoenc",
    ),
    "an object": ([{"model": "auto"}], {}, r"stages\[0\]\.model: expected a name"),
    "unit": (
        [{"model": "autoencoder"}, {"model": "rbm"}],
        {},
        r"stages\[1\]: its visible units are 0 or 1, but the codes of the stage before are any numbers; "
        r"rbm\.visible=gaussian takes them",
    ),
    "shape": ([{"model": "rbm"}], {"model": "cnn"}, r"model: 'cnn' takes images.*given numbers here"),
    "rule": (
        RBMS,
        {"learning": "least_squares"},
        r"learning\.least_squares: a network on stages learns by grad",
    ),
    "head": (
        RBMS,
        {"model": "kmeans", "data.target": None},
        r"learning\.lloyd: a network on stages learns by",
    ),
    "its rule": (
        [{"model": "rbm", "learning": "lloyd"}],
        {},
        r"stages\[0\]: learning\.lloyd: teaches kmeans",
    ),
    "transfer": (RBMS, {"transfer.start": "elsewhere"}, r"transfer\.start: has no effect beside stages"),
    "decoding": (
        [{"model": "kmeans"}],
        {"data.task": "reconstruction", "data.target": None},
        r"stages\[0\]: its codes cannot be decoded",
    ),
    "unknown": (
        [{"model": "rbm", "epoch": 3}],
        {},
        r"stages\[0\]\.epoch: unknown setting. Did you mean 'stages\[0\]\.epochs'",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused(name: str, tmp_path: Path):
    stages, changes, message = REFUSED[name]
    source = table(tmp_path / "t.csv", labelled=400)
    values = {**QUICK, "data.target": "kind", "stages": stages, **changes}
    with pytest.raises(RecipeError, match=message):
        handrail.fit(source, changes=values, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_stage_that_fails_is_named(tmp_path: Path):
    rule = {"contrastive_divergence": {"learning_rate": 1e30, "final": 1.0}}
    stages = [{"model": {"rbm": {"visible": "gaussian"}}, "learning": rule, "epochs": 3}]
    with pytest.raises(TrainingError, match=r"^stages\[0\]: "):
        fit(table(tmp_path / "t.csv", labelled=400), stages, tmp_path / "run")


def test_import_paths_in_stages_need_trust(tmp_path: Path):
    path = tmp_path / "recipe.yaml"
    path.write_text("stages: [{model: 'package.module:Net'}]\n")
    with pytest.raises(RecipeError, match=r"package\.module:Net"):
        Recipe.load(path)
