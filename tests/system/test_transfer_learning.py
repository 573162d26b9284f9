"""A fit that begins with what another has learned."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from handrail import RecipeError, RunError, fit, resume
from handrail.data.sources.media.idx import read_idx
from handrail.recipe import Recipe
from handrail.run import Run
from handrail.tools.yaml import read_yaml
from handrail.training.callbacks import Callback

CNN: dict[str, Any] = {"cnn": {"widths": [4, 6], "normalisation": "batch"}}
QUICK: dict[str, Any] = {
    "model": CNN,
    "training.epochs": 4,
    "training.batch_size": 8,
    "training.patience": None,
    "training.checkpoint_seconds": 0.0,
    "training.precision": "float32",
    "training.threads": 1,
    "data.augment": [],
    "evaluation.resamples": 100,
}


def pictures(path: Path, classes: int, seed: int) -> Path:
    """Pictures with a bright bar whose place is their class."""
    chance = np.random.default_rng(seed)
    labels = np.arange(160) % classes
    images = chance.integers(0, 120, (160, 16, 16))
    for image, label in zip(images, labels, strict=True):
        image[3 * label : 3 * label + 2] += 100
    np.savez(
        path,
        images=images.astype(np.uint8),
        labels=np.array([f"bar {label + 10 * seed}" for label in labels]),
    )
    return path


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run on three classes (`run`), and pictures of four other ones (`new.npz`)."""
    folder = tmp_path_factory.mktemp("transfer")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HANDRAIL_HOME", str(folder / "home"))
        patch.setattr(
            "handrail.report.page.write_report", lambda run: run.folder.report.write_text("not drawn")
        )
        fit(pictures(folder / "old.npz", 3, seed=1), changes=QUICK, out=folder / "run")
    pictures(folder / "new.npz", 4, seed=2)
    return folder


def tune(place: Path, out: Path, *callbacks: Callback, **changes: Any) -> Run:
    transfer = {f"transfer.{name}": value for name, value in {"start": place / "run", **changes}.items()}
    return fit(place / "new.npz", changes={**QUICK, **transfer}, out=out, callbacks=callbacks)


def weights(run: Path, part: str = "model") -> dict[str, Tensor]:
    tensors = load_file(run / part / "weights.safetensors")
    return {
        name.removeprefix("network.model."): tensor
        for name, tensor in tensors.items()
        if name.startswith("network.model.")
    }


@pytest.mark.slow
def test_what_has_been_learned_helps_with_few_rows(shared_data: Path, tmp_path: Path) -> None:
    """Digits 0–4 help to learn 5–9 from 50 rows each within 80 steps: two points of accuracy more at least,
    over two seeds.
    """
    images, labels = (
        read_idx(shared_data / "mnist" / f"train-{name}-ubyte.gz") for name in ("images-idx3", "labels-idx1")
    )

    def picked(name: str, digits: range, start: int, rows: int) -> Path:
        places = np.concatenate([np.flatnonzero(labels == digit)[start : start + rows] for digit in digits])
        path = tmp_path / f"{name}.npz"
        np.savez(path, images=images[places], labels=np.array([f"digit {digit}" for digit in labels[places]]))
        return path

    rule = {"gradient": {"optimizer": {"adamw": {"learning_rate": 0.005}}, "schedule": "one_cycle"}}
    common = {
        **QUICK,
        "model": {"lenet5": {"dropout": 0.5}},
        "learning": rule,
        "training.checkpoint_seconds": 60,
    }
    low = {**common, "training.epochs": 5, "training.validate_every": 5, "training.batch_size": 64}
    fit(picked("low", range(5), 0, 1500), changes=low, out=tmp_path / "low")
    few = picked("few", range(5, 10), 0, 50)
    common |= {
        "data.validation": picked("validation", range(5, 10), 1000, 400),
        "data.test": picked("test", range(5, 10), 2000, 10),
        "training.epochs": 8,
        "training.validate_every": 8,
        "training.batch_size": 25,
    }

    def accuracy(name: str, **changes: Any) -> float:
        runs = [
            fit(few, changes={**common, **changes, "seed": seed}, out=tmp_path / f"{name}-{seed}")
            for seed in (0, 1)
        ]
        return sum(run.validation["accuracy"]["value"] or 0.0 for run in runs) / len(runs)

    assert accuracy("tuned", **{"transfer.start": tmp_path / "low"}) > max(0.85, accuracy("scratch") + 0.02)


def test_what_is_frozen_stays_to_the_bit(place: Path, tmp_path: Path) -> None:
    run = tune(place, tmp_path / "out", freeze=["features.0"])
    before, after = weights(place / "run"), weights(run.path)
    held = {
        name
        for name in before
        if torch.equal(before[name], after[name])
        if before[name].shape == after[name].shape
    }
    assert held == {name for name in before if name.startswith("features.0.")}
    assert any("running_mean" in name for name in held), "the network has batch normalisation"
    facts = run.summary["training"]["transfer"]
    parameters = dict(Run(run.path).pipeline.network.named_parameters())
    frozen = sum(tensor.numel() for name, tensor in parameters.items() if ".features.0." in f".{name}")
    assert facts["frozen_parameters"] == frozen > 0
    assert facts["trained_parameters"] == sum(tensor.numel() for tensor in parameters.values()) - frozen
    assert facts["start"] == str(place / "run")
    assert facts["loaded"] == len(before) - 2
    assert facts["begun_anew"] == ["head.weight", "head.bias"]
    assert set(facts["left_out"]) == {"network.model.head.weight", "network.model.head.bias"}
    assert read_yaml(run.folder.resolved_recipe)["transfer"] == {
        "start": str(place / "run"),
        "freeze": ["features.0"],
        "thaw_after": None,
        "rate_decay": 1.0,
        "features": False,
    }


def test_a_head_for_other_classes_begins_anew_even_where_it_would_fit(place: Path, tmp_path: Path) -> None:
    other = pictures(tmp_path / "other.npz", 3, seed=5)
    run = fit(
        other,
        changes={**QUICK, "training.epochs": 1, "transfer.start": place / "run"},
        out=tmp_path / "other",
    )
    facts = run.summary["training"]["transfer"]
    assert facts["left_out"]["network.model.head.bias"] == "it was learned for other classes or targets"
    same = fit(
        place / "old.npz",
        changes={**QUICK, "training.epochs": 1, "transfer.start": place / "run"},
        out=tmp_path / "same",
    )
    assert same.summary["training"]["transfer"]["left_out"] == {}


def test_a_first_layer_for_other_columns_begins_anew_even_where_it_would_fit(tmp_path: Path) -> None:
    chance = np.random.default_rng(0)
    table = pl.DataFrame({name: chance.normal(size=120) for name in "abc"} | {"c2": np.arange(120) % 2})
    changes = {**QUICK, "data.augment": "auto", "model": {"mlp": {"hidden": [5, 4]}}, "training.epochs": 1}
    fit(table, "c2", changes=changes, out=tmp_path / "run")
    changes |= {"transfer.start": tmp_path / "run"}
    other = fit(table.rename({"a": "A"}), "c2", changes=changes, out=tmp_path / "other").summary["training"][
        "transfer"
    ]
    assert other["begun_anew"] == ["features.0.weight", "features.0.bias"]
    assert other["left_out"]["network.features.0.bias"] == "it was learned for other columns or tokens"
    assert (
        fit(table, "c2", changes=changes, out=tmp_path / "same").summary["training"]["transfer"]["left_out"]
        == {}
    )
    shallow = {**changes, "model": {"mlp": {"hidden": [5]}}, "transfer.start": tmp_path / "shallow"}
    fit(table, "c2", changes={**shallow, "transfer.start": None}, out=tmp_path / "shallow")
    with pytest.raises(
        RunError, match=r"'network\.features\.0\.bias' was left out: it was learned for other columns"
    ):
        fit(table.rename({"a": "A"}), "c2", changes=shallow, out=tmp_path / "refused")


def test_vectors_of_other_words_begin_anew_even_where_they_would_fit(tmp_path: Path) -> None:
    def texts(words: str) -> pl.DataFrame:
        rows = [
            {"text": " ".join(words[(i + j) % 5] * 3 for j in range(3 + i % 2)), "label": i % 2}
            for i in range(80)
        ]
        return pl.DataFrame(rows)

    changes = {
        **QUICK,
        "data.augment": "auto",
        "model": {"text_cnn": {}},
        "training.epochs": 1,
        "data.columns": {"text": "text"},
    }
    fit(texts("abcde"), "label", changes=changes, out=tmp_path / "run")
    changes |= {"transfer.start": tmp_path / "run"}
    other = fit(texts("vwxyz"), "label", changes=changes, out=tmp_path / "other").summary["training"][
        "transfer"
    ]
    assert [name for name, why in other["left_out"].items() if "other columns or tokens" in why] == [
        "network.model.vectors.weight"
    ]
    assert (
        fit(texts("abcde"), "label", changes=changes, out=tmp_path / "same").summary["training"]["transfer"][
            "left_out"
        ]
        == {}
    )


def test_features_computed_once_are_the_frozen_network(place: Path, tmp_path: Path) -> None:
    frozen = tune(place, tmp_path / "frozen", freeze=-1)
    cached = tune(place, tmp_path / "cached", features=True)
    one, other = weights(frozen.path), weights(cached.path)
    for name in one:
        torch.testing.assert_close(one[name], other[name], atol=1e-5, rtol=1e-5)
    names = ("trained_parameters", "frozen_parameters", "loaded")
    reports = [[run.summary["training"]["transfer"][name] for name in names] for run in (frozen, cached)]
    assert reports[0] == reports[1]
    assert cached.validation["log_loss"]["value"] == pytest.approx(
        frozen.validation["log_loss"]["value"], abs=1e-5
    )


class KilledError(BaseException):
    """As if the process had been killed: nothing is saved."""


class KillAt(Callback):
    def __init__(self, epoch: int, step: int) -> None:
        self.when = (epoch, step)

    def on_batch_end(self, engine: Any, step: int) -> None:
        if (engine.progress.epoch + 1, step) == self.when:
            raise KilledError


WAYS: dict[str, dict[str, Any]] = {
    "thawed": {"freeze": -1, "thaw_after": 2, "rate_decay": 0.5},
    "features": {"features": True},
    "frozen": {"freeze": 1},
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("moment", [(2, 3), (3, 5)])
def test_a_killed_transfer_resumes_to_the_same_bits(
    way: str, moment: tuple[int, int], place: Path, tmp_path: Path
) -> None:
    """Also where the weights that it began with have gone."""
    own = shutil.copytree(place, tmp_path / "own")
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    tune(own, whole, **WAYS[way])
    with pytest.raises(KilledError):
        tune(own, killed, KillAt(*moment), **WAYS[way])
    shutil.rmtree(own / "run")
    resume(killed)
    assert (killed / "model" / "weights.safetensors").read_bytes() == (
        whole / "model" / "weights.safetensors"
    ).read_bytes()
    assert Run(killed).summary["training"]["transfer"] == Run(whole).summary["training"]["transfer"]


def test_layers_thaw_after_their_epochs(place: Path, tmp_path: Path) -> None:
    seen: dict[int, bool] = {}

    class Look(Callback):
        def on_epoch_end(self, engine: Any, epoch: int, figures: Any) -> None:
            state = {
                name.removeprefix("model."): tensor for name, tensor in engine.model.state_dict().items()
            }
            seen[epoch] = all(
                torch.equal(state[name], tensor)
                for name, tensor in before.items()
                if name.startswith("features.")
            )

    before = weights(place / "run")
    run = tune(place, tmp_path / "out", Look(), freeze=["features"], thaw_after=2)
    assert seen == {1: True, 2: True, 3: False, 4: False}
    facts = run.summary["training"]["transfer"]
    assert facts["trained_parameters"] == run.summary["training"]["parameters"]


def test_each_depth_learns_at_its_rate(place: Path, tmp_path: Path) -> None:
    rates: list[list[float]] = []

    class Look(Callback):
        def on_epoch_end(self, engine: Any, epoch: int, figures: Any) -> None:
            rates.append([group["lr"] for group in engine.rule.optimizer.param_groups])
            assert figures["learning_rate"] == rates[-1][0], "the head's is what the records show"

    tune(place, tmp_path / "out", Look(), rate_decay=0.5, freeze=1)
    assert len(rates) == 4
    assert all(step == pytest.approx([step[0] * 0.5**depth for depth in range(4)]) for step in rates)


def test_a_refit_begins_where_the_fit_began(place: Path, tmp_path: Path) -> None:
    own = shutil.copytree(place, tmp_path / "own")
    run = tune(own, tmp_path / "out", freeze=-1)
    shutil.rmtree(own / "run")
    run.test(refit=True)
    before, after = weights(place / "run"), weights(run.path, "refit")
    assert all(torch.equal(before[name], after[name]) for name in before if not name.startswith("head."))
    assert not torch.equal(after["head.weight"], weights(run.path)["head.weight"])


def test_a_file_of_another_architecture_is_refused(place: Path, tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"feature.0.wieght": torch.zeros(3, 3), "head.bias": torch.zeros(4)}, path)
    with pytest.raises(
        RunError, match=r"(?s)no tensor of '.*other\.safetensors' fits.*Did you mean 'features\.0\..*weight'"
    ):
        tune(place, tmp_path / "out", start=path)
    assert not (tmp_path / "out").exists()
    with pytest.raises(RunError, match=r"no weights at '.*nowhere'"):
        tune(place, tmp_path / "out", start=tmp_path / "nowhere")
    with pytest.raises(RecipeError, match=r"no layer with weights is named 'haed'\. Did you mean 'head'"):
        tune(place, tmp_path / "out", freeze=["haed"])
    with pytest.raises(RecipeError, match="nothing is left to train"):
        tune(place, tmp_path / "out", freeze=["*"])


def test_a_path_is_remembered_in_full(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    run = tune(place, tmp_path / "out", start="run", freeze=1)
    assert read_yaml(run.folder.recipe)["transfer"] == {"start": str(place / "run"), "freeze": 1}


def test_features_refuse_what_acts_by_chance(place: Path, tmp_path: Path) -> None:
    changes = {
        **QUICK,
        "model": {"cnn": {**CNN["cnn"], "dropout": 0.5}},
        "transfer.start": place / "run",
        "transfer.features": True,
    }
    with pytest.raises(RecipeError, match=r"Dropout would have no effect on features.*transfer\.freeze: -1"):
        fit(place / "new.npz", changes=changes, out=tmp_path / "out")


@pytest.mark.parametrize(
    ("settings", "messages"),
    [
        ({"transfer": {"thaw_after": 3}}, ["transfer.thaw_after: has no effect where nothing is frozen"]),
        ({"transfer": {"freeze": 0}}, ["transfer.freeze: 0 freezes nothing"]),
        (
            {"transfer": {"freeze": ["a"], "thaw_after": 9}, "training": {"epochs": 9}},
            [r"transfer.thaw_after: found 9, expected less than training.epochs \(9\)"],
        ),
        (
            {"transfer": {"freeze": -1, "rate_decay": 0.5}},
            ["transfer.rate_decay: has no effect where the head alone is trained"],
        ),
        (
            {
                "transfer": {"features": True, "freeze": 1, "thaw_after": 2, "rate_decay": 0.5},
                "data": {"augment": ["flip"]},
            },
            [
                "transfer.freeze: has no effect where the head",
                "transfer.thaw_after: has no effect where the head",
                "transfer.rate_decay: has no effect where the head",
                "data.augment: has no effect with transfer.features",
            ],
        ),
        (
            {"transfer": {"freeze": ["a"], "rate_decay": 0.5}, "learning": "least_squares"},
            [
                "transfer.freeze: has no effect under learning.least_squares",
                "transfer.rate_decay: has no effect under",
            ],
        ),
        (
            {
                "transfer": {"freeze": 1, "thaw_after": 1, "rate_decay": 0.5},
                "learning": {"gradient": {"optimizer": "lbfgs"}},
            },
            ["transfer.thaw_after: lbfgs takes all layers alike", "transfer.rate_decay: lbfgs takes"],
        ),
        (
            {"transfer": {"rate_decay": 1.5, "feeze": 1, "freeze": True}},
            ["rate_decay: ", "Did you mean 'transfer.freeze'", "transfer.freeze: "],
        ),
    ],
)
def test_mistakes_are_said_all_at_once(settings: dict[str, Any], messages: list[str]) -> None:
    with pytest.raises(RecipeError) as stop:
        Recipe.parse(settings)
    assert len(stop.value.problems) == len(messages), stop.value.problems
    for pattern in messages:
        with pytest.raises(RecipeError, match=pattern):
            raise stop.value
