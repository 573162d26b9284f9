"""Folders of files without classes, learned without a target: each file is a row, its name no input."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from kinds import (
    bare_pictures,
    masks,
    new_pictures,
    new_sounds,
    pictures,
    pixels_of,
    samples_of,
    save,
    write_sound,
)

from handrail import fit
from handrail.errors import DataError
from handrail.run import Run

QUICK = {"training.epochs": 2, "evaluation.resamples": 100}
RBM = {"rbm": {"units": 8}}
MODELS: dict[str, Any] = {
    "kmeans": {"kmeans": {"clusters": 2}},
    "rbm": RBM,
    "conv_rbm": {"conv_rbm": {"filters": 2, "kernel": 9}},
    "autoencoder": {"autoencoder": {"code": 3, "hidden": [8]}},
}
ANSWERS = {
    "kmeans": "cluster",
    "rbm": "log_density",
    "conv_rbm": "log_density",
    "autoencoder": "reconstruction_error",
}


def fit_alone(source: Any, out: Path, model: Any = RBM, **changes: Any) -> Run:
    return fit(source, changes={**QUICK, "model": model, **changes}, out=out)


def parts_of(run: Run) -> np.ndarray:
    return pl.read_parquet(run.folder.split)["part"].to_numpy()


def inputs_of(run: Run) -> list[str]:
    return [column["name"] for column in run.summary["columns"] if column["kind"] in ("image", "audio")]


@pytest.mark.parametrize(
    "model",
    [pytest.param(name, marks=[pytest.mark.slow] if name == "conv_rbm" else []) for name in ANSWERS],
)
def test_a_bare_folder_is_learned_sealed_and_used(model: str, tmp_path: Path) -> None:
    run = fit_alone(bare_pictures(tmp_path / "bare", ()), tmp_path / "run", MODELS[model])
    assert [run.summary["rows"][part] for part in ("train", "validation", "test")] == [28, 6, 6]
    assert inputs_of(run) == ["image"]
    assert "label" not in str(run.summary["task"]["why"])
    tested = run.test()
    assert (tested["rows"], tested["opening"]) == (6, 1)

    new = new_pictures(tmp_path / "new")
    answers = run.predict(new).frame
    assert answers.columns[:2] == ["file", ANSWERS[model]]
    assert answers["file"].to_list() == [f"{item}.bmp" for item in range(100, 104)]
    codes = run.use("encode", new).frame
    assert codes["file"].to_list() == answers["file"].to_list()
    assert np.isfinite(codes.drop("file").to_numpy()).all()


def test_pictures_come_back_beside_their_files(tmp_path: Path) -> None:
    run = fit_alone(bare_pictures(tmp_path / "bare", ()), tmp_path / "run")
    again = run.use("reconstruct", new_pictures(tmp_path / "new"))
    assert again.frame.rows() == [(f"{item}.bmp", f"{item - 99}.png") for item in range(100, 104)]
    assert [picture.shape for picture in again.maps] == [(12, 12, 3)] * 4
    assert run.use("score", tmp_path / "new").frame.columns == ["file", "log_density", "p_value", "anomaly"]


def test_names_of_files_are_no_input_and_may_be_the_label(tmp_path: Path) -> None:
    source = bare_pictures(tmp_path / "bare", ())
    runs = [
        fit_alone(source, tmp_path / "run", MODELS["kmeans"]),
        fit_alone(source, tmp_path / "labelled", MODELS["kmeans"], **{"data.label": "name_2"}),
    ]
    weights = [(run.folder.model / "weights.safetensors").read_bytes() for run in runs]
    assert weights[0] == weights[1]
    assert "learned without a target and without 'name_1' and 'name_2'" in runs[0].summary["notes"]
    assert runs[1].summary["task"]["label"] == "name_2"
    assert "label_information" in runs[1].summary["metrics"]


def test_rows_are_divided_by_a_part_of_the_name_that_the_recipe_names(tmp_path: Path) -> None:
    for item in range(40):
        save(tmp_path / "bare" / f"{item // 4}_{item}.png", pixels_of(item, 40, ()))
    by_group = {"data.split.method": "group", "data.split.column": "name_1"}
    run = fit_alone(tmp_path / "bare", tmp_path / "run", MODELS["kmeans"], **by_group)
    assert inputs_of(run) == ["image"]
    parts = parts_of(run).reshape(10, 4)
    assert (parts == parts[:, :1]).all()


def test_class_folders_are_a_label_that_changes_no_fitted_bit(tmp_path: Path) -> None:
    source = pictures(tmp_path / "classes", ())
    run = fit_alone(source, tmp_path / "run", MODELS["kmeans"])
    assert run.summary["task"]["label"] == "class"
    assert inputs_of(run) == ["image"]
    dropped = fit_alone(source, tmp_path / "dropped", MODELS["kmeans"], **{"data.drop": ["class"]})
    weights = [(each.folder.model / "weights.safetensors").read_bytes() for each in (run, dropped)]
    assert weights[0] == weights[1]


def test_masks_are_neither_seen_nor_taken_for_labels(tmp_path: Path) -> None:
    source = masks(tmp_path / "masks", ())
    run = fit_alone(source, tmp_path / "run", MODELS["kmeans"])
    assert run.summary["task"]["label"] is None
    assert inputs_of(run) == ["image"]
    with pytest.raises(DataError, match=r"data\.label: 'mask' is of kind mask; expected a column of words"):
        fit_alone(source, tmp_path / "other", MODELS["kmeans"], **{"data.label": "mask"})


def test_the_test_rows_may_be_a_bare_folder_of_their_own(tmp_path: Path) -> None:
    for item in range(12):
        save(tmp_path / "apart" / f"{item}.png", pixels_of(item + 60, 40, ()))
    source = bare_pictures(tmp_path / "bare", ())
    run = fit_alone(source, tmp_path / "run", **{"data.test": str(tmp_path / "apart")})
    assert run.test()["rows"] == 12


def test_bare_folders_in_parts_keep_them(tmp_path: Path) -> None:
    for part, items in (("train", range(30)), ("test", range(30, 40))):
        for item in items:
            save(tmp_path / "parts" / part / f"{item}.png", pixels_of(item, 40, ()))
    run = fit_alone(tmp_path / "parts", tmp_path / "run")
    assert (parts_of(run)[30:] == "test").all()


def test_a_bare_folder_of_sounds(tmp_path: Path) -> None:
    for item in range(32):
        write_sound(tmp_path / "sounds" / f"{item:02d}.wav", samples_of(item, 32, ()))
    changes = {"data.audio.mels": 8}
    run = fit_alone(tmp_path / "sounds", tmp_path / "run", MODELS["kmeans"], **changes)
    assert run.predict(new_sounds(tmp_path / "new")).frame.columns == ["file", "cluster", "distance"]


def test_a_target_still_asks_for_classes_and_names_the_other_way(tmp_path: Path) -> None:
    for item in range(3):
        save(tmp_path / "bare" / f"{item}.png", pixels_of(item, 40, ()))
    with pytest.raises(DataError, match=r"a folder for each class.*Without a target,.*\(model=autoencoder\)"):
        fit(tmp_path / "bare", out=tmp_path / "run")
    (tmp_path / "texts").mkdir()
    for name in "ab":
        (tmp_path / "texts" / f"{name}.txt").write_text("words")
    with pytest.raises(DataError, match=r"a column of what is to be learned\.$"):
        fit(tmp_path / "texts", out=tmp_path / "run")
