"""The promises of a fit for every kind of data: split first, the seal, resuming, the same bits twice, answers
for new items.
"""

import json
import os
import signal
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from kinds import CLASSES, KINDS, Kind, label_of, pixels_of, save

from handrail import DataError, SealError, fit, resume
from handrail.components import available
from handrail.run import Run
from handrail.training.callbacks import Callback
from handrail.training.signals import Interrupted

QUICK = {
    "name": "same",
    "training.epochs": 2,
    "training.batch_size": 8,
    "training.patience": None,
    "training.precision": "float32",
    "evaluation.resamples": 100,
}


def fit_kind(
    kind: Kind, source: Path, out: Path, *, callbacks: tuple[Callback, ...] = (), **more: Any
) -> Run:
    return fit(source, kind.target, changes={**QUICK, **kind.changes, **more}, out=out, callbacks=callbacks)


def results_of(run: Run) -> tuple[bytes, bytes, list[dict], dict]:
    """Everything that was learned, and every validation figure."""
    lines = [json.loads(line) for line in run.folder.metrics.read_text().splitlines()]
    records = [{key: value for key, value in line.items() if key != "seconds"} for line in lines]
    facts = ("task", "columns", "decisions", "metrics", "baselines", "comparison", "hardest")
    summary = {key: run.summary[key] for key in facts}
    return (
        (run.folder.model / "weights.safetensors").read_bytes(),
        (run.folder.model / "pipeline.json").read_bytes(),
        records,
        summary,
    )


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The fit of a kind's untouched source, made once."""
    runs: dict[str, Run] = {}

    def run(name: str) -> Run:
        if name not in runs:
            folder = tmp_path_factory.mktemp(name.replace(" ", "-"))
            runs[name] = fit_kind(KINDS[name], KINDS[name].write(folder / "source", ()), folder / "run")
        return runs[name]

    return run


def items_in(run: Run, kind: Kind, part: str) -> list[int]:
    """The items whose rows are in a part; a forecast's windows reach over several, of which the first ones
    train.
    """
    if part == "test" and kind.test:
        return list(kind.test)
    parts = pl.read_parquet(run.folder.split)["part"]
    return np.flatnonzero((parts == part).to_numpy()).tolist()


@pytest.mark.parametrize("name", KINDS)
def test_garbage_in_test_rows_changes_nothing_that_is_fitted(name: str, clean: Any, tmp_path: Path) -> None:
    """Which shows as well that a fit made twice comes to the same bits."""
    kind, first = KINDS[name], clean(name)
    second = fit_kind(kind, kind.write(tmp_path / "source", items_in(first, kind, "test")), tmp_path / "run")
    assert results_of(first) == results_of(second)
    assert first.folder.split.read_bytes() == second.folder.split.read_bytes()
    assert first.folder.sealed_hashes.read_bytes() != second.folder.sealed_hashes.read_bytes(), (
        "the test rows were not replaced"
    )


@pytest.mark.parametrize("name", KINDS)
def test_the_same_garbage_in_training_rows_is_felt(name: str, clean: Any, tmp_path: Path) -> None:
    kind, first = KINDS[name], clean(name)
    second = fit_kind(
        kind, kind.write(tmp_path / "source", items_in(first, kind, "train")[:1]), tmp_path / "run"
    )
    assert results_of(first)[0] != results_of(second)[0]
    assert first.folder.sealed_hashes.read_bytes() == second.folder.sealed_hashes.read_bytes()


class StopAt(Callback):
    """Sends the signal of Ctrl-C in the middle of an epoch."""

    def __init__(self, epoch: int, step: int) -> None:
        self.epoch, self.step = epoch, step

    def on_batch_end(self, engine: Any, step: int) -> None:
        if (engine.progress.epoch + 1, step) == (self.epoch, self.step):
            os.kill(os.getpid(), signal.SIGINT)


def check_resumed(name: str, whole: Run, folder: Path) -> None:
    kind = KINDS[name]
    with pytest.raises(Interrupted, match=r"epoch 2, after step 1"):
        fit_kind(kind, kind.write(folder / "source", ()), folder / "run", callbacks=(StopAt(2, 1),))
    assert results_of(resume(folder / "run")) == results_of(whole)


@pytest.mark.parametrize("name", KINDS)
def test_a_fit_that_was_stopped_resumes_to_the_same_bits(name: str, clean: Any, tmp_path: Path) -> None:
    check_resumed(name, clean(name), tmp_path)


@pytest.mark.parametrize("name", ["pictures", "masks"])
def test_pictures_on_disk_resume_to_the_same_bits(
    name: str, clean: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = clean(name)
    monkeypatch.setattr("handrail.data.stores.pixels.cache.IN_MEMORY", 0)
    check_resumed(name, whole, tmp_path)
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        path.name for path in whole.path.iterdir()
    }


@pytest.mark.parametrize("name", KINDS)
def test_the_seal_opens_once(name: str, clean: Any) -> None:
    run = clean(name)
    result = run.test(again=True)  # the ledger is each test's own
    with pytest.raises(SealError, match=r"have been opened once.*again=True"):
        run.test()
    again = run.test(again=True)
    assert (result["again"], again["again"], again["opening"]) == (False, True, 2)
    assert result["metrics"] == again["metrics"]
    assert set(result["metrics"]) == set(run.summary["metrics"])


def test_pictures_in_another_folder_and_format_are_the_same_seal(clean: Any, tmp_path: Path) -> None:
    """IDX files, and the same pictures as PNG in folders train and test."""
    first = clean("idx")
    for item in range(64):
        part, items = ("test", 112) if item >= 48 else ("train", 48)
        code = CLASSES.index(label_of(item, items))
        save(tmp_path / "copies" / part / str(code) / f"{item}.png", pixels_of(item, 48, (), shape=(12, 12)))
    second = fit_kind(KINDS["idx"], tmp_path / "copies", tmp_path / "run")
    first.test(again=True)
    with pytest.raises(SealError, match="opened"):
        second.test()


def test_a_test_picture_of_another_size_changes_nothing(tmp_path: Path) -> None:
    """Pictures alike are kept as they were first decoded; one that is not alike must not change the others'
    pixels.
    """
    changes = {"data.images.size": 12, "model": KINDS["pictures"].changes["model"]}
    runs = []
    for name, size in (("alike", 60), ("other", 90)):
        for item in range(30):
            pixels = pixels_of(item, 30, (), shape=(60, 60, 3))
            save(tmp_path / name / "train" / CLASSES[item % 2] / f"{item:02d}.jpg", pixels)
        for item in range(30, 36):
            pixels = pixels_of(item, 30, (), shape=(size, size, 3))
            save(tmp_path / name / "test" / CLASSES[item % 2] / f"{item:02d}.jpg", pixels)
        runs.append(fit(tmp_path / name, changes={**QUICK, **changes}, out=tmp_path / f"run-{name}"))
    assert results_of(runs[0]) == results_of(runs[1])


@pytest.mark.parametrize("name", KINDS)
def test_every_view_is_shown_or_says_what_it_needs(clean, name: str) -> None:
    run, refused = clean(name), []
    for view in available("view"):
        try:
            found = run.view(view)
        except DataError as error:
            assert f"{view}: needs " in str(error)  # noqa: PT017
            refused.append(view)
            continue
        assert found.arrays
        assert escape(found.source) in found.to_html()
    assert len(refused) < len(available("view"))


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.new])
def test_answers_for_new_items(name: str, clean: Any, tmp_path: Path) -> None:
    kind = KINDS[name]
    assert kind.new
    run = clean(name)
    source = kind.new(tmp_path / "new")
    answers = run.predict(source)
    again = Run(run.path).predict(source)
    assert len(answers.frame) == (4 if name == "forecast" else len(run.read(source).frame))
    assert not answers.warnings
    assert answers.frame.null_count().sum_horizontal().item() == 0
    assert answers.frame.equals(again.frame)
