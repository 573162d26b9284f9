"""Parquet files that are read block by block give what the same table gives in memory, and stay within
bounds.
"""

import functools
import itertools
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from polars.testing import assert_frame_equal
from safetensors.torch import load_file

from handrail import DataError, HandrailError, convert, fit, load, resume
from handrail.checking import check
from handrail.data.prepare import prepare
from handrail.data.sources import read
from handrail.data.streaming import parquet, row_file, scan
from handrail.data.streaming import part as streamed
from handrail.data.streaming.part import StreamedPart
from handrail.data.writers import infer_types
from handrail.recipe.sections import DataRecipe
from handrail.run import Run, predict_into, predict_source
from handrail.tools.yaml import read_yaml
from handrail.training.callbacks import Callback
from handrail.training.signals import Interrupted

CHANGES = {
    "name": "same",
    "data.stream": True,
    "training.epochs": 3,
    "training.batch_size": 64,
    "evaluation.resamples": 100,
    "model": {"mlp": {"hidden": [16], "dropout": 0.1}},
    "learning": {"gradient": {"optimizer": {"adam": {"learning_rate": 0.01}}}},
}


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that is large in earnest is small here, so that a short table has many blocks."""
    monkeypatch.setattr(parquet, "BLOCK", 256)
    monkeypatch.setattr(streamed, "_BUCKET", 100)
    monkeypatch.setattr(row_file, "_MOST_ROWS", 128)
    monkeypatch.setattr(row_file, "HELD_BLOCKS", 3)


def a_table(size: int = 3000) -> pl.DataFrame:
    """Numbers with gaps, whole numbers, categories, yes and no, moments; sorted, so that order matters."""
    chance = np.random.default_rng(5)
    x, c = chance.normal(size=size), chance.choice(["red", "green", "blue"], size=size, p=[0.5, 0.3, 0.2])
    score = x + (c == "red") + chance.normal(size=size) * 0.4
    return pl.DataFrame(
        {
            "x": pl.Series(
                [None if gap else float(v) for v, gap in zip(x, chance.random(size) < 0.1, strict=True)]
            ),
            "n": chance.integers(0, 50, size=size),
            "c": c,
            "flag": chance.choice([True, False], size=size),
            "when": pl.Series(np.datetime64("2020-01-01") + chance.integers(0, 900, size=size)).cast(
                pl.Datetime("us")
            ),
            "value": score * 3 + 1,
            "label": np.where(score > 0.4, "up", "down"),
        }
    ).sort("x")


def files(folder: Path, table: pl.DataFrame | None = None) -> Path:
    """A folder of three files with several row groups each, and a file that Spark leaves beside them."""
    table = a_table() if table is None else table
    folder.mkdir(parents=True)
    edges = [0, len(table) // 4, len(table) // 2, len(table)]
    for number, (start, stop) in enumerate(itertools.pairwise(edges)):
        table[start:stop].write_parquet(folder / f"part-{number}.parquet", row_group_size=300)
    (folder / "_SUCCESS").touch()
    return folder


def fitted(run: Run) -> tuple[Any, ...]:
    """Everything that was learned, and every validation figure."""
    lines = [json.loads(line) for line in run.folder.metrics.read_text().splitlines()]
    records = [{key: value for key, value in line.items() if key != "seconds"} for line in lines]
    summary = {
        key: run.summary[key]
        for key in ("task", "columns", "decisions", "metrics", "baselines", "comparison", "hardest")
    }
    return (
        (run.folder.model / "weights.safetensors").read_bytes(),
        run.folder.split.read_bytes(),
        records,
        summary,
    )


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], tuple[pl.DataFrame, Run]]:
    """A table without its values and the fit of its label, made once."""

    @functools.cache
    def make() -> tuple[pl.DataFrame, Run]:
        folder, table = tmp_path_factory.mktemp("labelled"), a_table().drop("value")
        return table, fit(files(folder / "table", table), "label", changes=CHANGES, out=folder / "run")

    return make


LABEL = {"data.drop": ["value"], "data.target": "label"}


@pytest.mark.parametrize(
    "changes",
    [
        LABEL,
        {"data.drop": ["label"], "data.target": "value"},
        {**LABEL, "data.split.method": "random", "data.encoding.scaling": "quantile"},
        {**LABEL, "data.split": {"method": "group", "column": "n"}, "data.balance": "oversample"},
        {**LABEL, "data.split": {"method": "time", "column": "when"}},
        {**LABEL, "data.sample": 1000, "data.duplicates": "drop", "data.balance": "class_weights"},
    ],
)
def test_a_streamed_table_is_understood_as_it_is_in_memory(changes: dict, tmp_path: Path) -> None:
    source = files(tmp_path / "table")
    streamed, whole = (
        fit(
            source,
            changes={**CHANGES, **changes, "data.stream": stream, "name": "same"},
            out=tmp_path / str(stream),
        )
        for stream in (True, False)
    )
    assert streamed.folder.split.read_bytes() == whole.folder.split.read_bytes()
    assert streamed.folder.sealed_hashes.read_bytes() == whole.folder.sealed_hashes.read_bytes()
    assert [read_yaml(run.folder.resolved_recipe)["data"]["stream"] for run in (streamed, whole)] == [
        True,
        False,
    ]
    one, other = (json.loads(run.folder.environment.read_text())["data"] for run in (streamed, whole))
    assert one == other
    for name in ("task", "rows", "columns"):
        assert streamed.summary[name] == whole.summary[name]
    one, other = (  # batches are drawn in another order, and so the end of the training is not the same
        [each for each in run.summary["findings"] if each["name"] != "still-improving"]
        for run in (streamed, whole)
    )
    assert one == other
    facts = [
        json.loads((run.folder.model / "pipeline.json").read_text())["encoder"] for run in (streamed, whole)
    ]
    assert facts[0] == facts[1]
    tensors = [load_file(run.folder.model / "weights.safetensors") for run in (streamed, whole)]
    assert all(
        torch.equal(tensors[0][name], tensors[1][name]) for name in tensors[0] if name.startswith("encoder")
    )
    metric = "r2" if changes["data.target"] == "value" else "accuracy"
    assert streamed.validation[metric]["value"] == pytest.approx(whole.validation[metric]["value"], abs=0.03)
    assert streamed.summary["baselines"]["linear"][metric]["value"] == pytest.approx(
        whole.summary["baselines"]["linear"][metric]["value"], abs=0.01
    )


def test_a_sample_and_counts_over_all_rows_are_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "SAMPLE", 300)
    table = a_table()
    rare = pl.Series(["odd" if i % 150 == 7 else None for i in range(len(table))])
    table = table.with_columns(c=pl.coalesce(rare, pl.col("c"))).drop("value")
    data = prepare(DataRecipe(source=str(files(tmp_path / "table", table)), target="label", stream=True))
    assert isinstance(data.train, StreamedPart)
    assert (len(data.train), len(data.train.sample), len(data.validation.sample)) == (2100, 300, 300)
    everything = table["c"].gather(data.train.rows)
    counted = dict(data.train.level_counts["c"].iter_rows())
    assert counted == dict(everything.value_counts().iter_rows())
    assert next(finding for finding in data.findings if finding.name == "sampled").seen.endswith(
        "drawn at random."
    )
    run = fit(tmp_path / "table", "label", changes=CHANGES, out=tmp_path / "run")
    assert "odd" in json.loads((run.folder.model / "pipeline.json").read_text())["encoder"]["levels"]["c"]
    assert (run.validation["accuracy"]["value"] or 0) > 0.8


def test_encoded_rows_stand_beside_their_targets(labelled: Callable[[], tuple[pl.DataFrame, Run]]) -> None:
    """Row by row, what is trained on is what the encoder gives for that row of the table."""
    table, run = labelled()
    train, validation, _ = run.parts()
    assert not np.array_equal(np.sort(train.rows), train.rows)
    for part in (train, validation):
        encoded: Any = part.encode_with(run.pipeline.encoder)
        raw = table[part.rows.astype(np.int64)]
        features = part.pick(np.arange(len(part))).features
        assert torch.equal(encoded.cut(0, len(part)), run.pipeline.encoder.rows(features, {}))  # pyright: ignore
        assert (part.target.numpy() == (raw["label"] == run.pipeline.task.positive).to_numpy()).all()
    names = {path.name for path in run.path.iterdir() if path.suffix not in (".json", ".yaml", ".parquet")}
    assert names == {
        ".lock",
        "checkpoints",
        "log.txt",
        "metrics.jsonl",
        "model",
        "predictions",
        "report.html",
        "showcase",
    }


@pytest.mark.parametrize("sample", [200, 200_000])
def test_garbage_in_test_rows_changes_nothing(
    sample: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "SAMPLE", sample)
    table = a_table().drop("value")
    first = fit(files(tmp_path / "a", table), "label", changes=CHANGES, out=tmp_path / "first")
    test = (pl.read_parquet(first.folder.split)["part"] == "test").to_numpy()
    chance = np.random.default_rng(9)
    garbage = pl.DataFrame(
        {
            "x": chance.normal(size=len(table)) * 1e9,
            "n": chance.integers(-(2**40), 2**40, size=len(table)),
            "c": chance.choice(["violet", "red"], size=len(table)),
            "flag": chance.choice([True, False], size=len(table)),
            "when": pl.Series(np.full(len(table), np.datetime64("1700-01-01"))).cast(pl.Datetime("us")),
            "label": chance.choice(["up", "sideways"], size=len(table)),
        }
    )
    other = table.select(
        pl.when(pl.Series(test)).then(garbage[name]).otherwise(pl.col(name)).alias(name)
        for name in table.columns
    )
    second = fit(files(tmp_path / "b", other), "label", changes=CHANGES, out=tmp_path / "second")
    assert fitted(first) == fitted(second)
    assert first.folder.sealed_hashes.read_bytes() != second.folder.sealed_hashes.read_bytes(), (
        "the test rows were not replaced"
    )


def test_changed_training_rows_are_felt(
    labelled: Callable[[], tuple[pl.DataFrame, Run]], tmp_path: Path
) -> None:
    table, run = labelled()
    changed = table.with_columns(x=pl.col("x") + 1)
    assert fitted(
        fit(files(tmp_path / "table", changed), "label", changes=CHANGES, out=tmp_path / "run")
    ) != fitted(run)


def test_a_stopped_fit_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    changes = {**CHANGES, "data.drop": ["value"], "training.checkpoint_seconds": 0.0}
    source = files(tmp_path / "table")

    class Stop(Callback):
        listens_to_steps = True

        def on_batch_end(self, training: Any, step: int) -> None:
            if training.progress.epoch == 1 and step == 20:
                os.kill(os.getpid(), signal.SIGTERM)

    whole = fit(source, "label", changes=changes, out=tmp_path / "whole")
    with pytest.raises(Interrupted, match=r"handrail\.resume"):
        fit(source, "label", changes=changes, out=tmp_path / "stopped", callbacks=(Stop(),))
    assert fitted(resume(tmp_path / "stopped")) == fitted(whole)


def test_the_seal_is_opened_on_all_test_rows(tmp_path: Path) -> None:
    table = a_table().drop("value")
    run = fit(files(tmp_path / "table", table), "label", changes=CHANGES, out=tmp_path / "run")
    result = run.test(refit=True)
    assert result["rows"] == 450
    assert result["metrics"]["accuracy"]["value"] > 0.85
    answers = load(tmp_path / "run").predict(tmp_path / "table")
    parts = pl.read_parquet(run.folder.split)
    right = answers.frame["prediction"].filter(parts["part"] == "test") == table["label"].filter(
        parts["part"] == "test"
    )
    assert right.mean() == pytest.approx(result["metrics"]["accuracy"]["value"])
    assert (
        pl.read_parquet(run.folder.predictions("test"))["row"].to_list()
        == parts.filter(pl.col("part") == "test")["row"].to_list()
    )


def test_test_rows_of_unknown_classes_are_told(
    labelled: Callable[[], tuple[pl.DataFrame, Run]], tmp_path: Path
) -> None:
    table, run = labelled()
    test = (pl.read_parquet(run.folder.split)["part"] == "test").to_numpy()
    few = np.flatnonzero(test)[:5]
    labels = [("sideways" if i in few else label) for i, label in enumerate(table["label"].to_list())]
    other = fit(
        files(tmp_path / "b", table.with_columns(label=pl.Series(labels))),
        "label",
        changes=CHANGES,
        out=tmp_path / "other",
    )
    result = other.test()
    assert result["rows"] == 445
    assert "5 test rows are of classes that training did not have ('sideways')" in result["remarks"][0]


def test_a_source_that_has_changed_is_refused(tmp_path: Path) -> None:
    source = files(tmp_path / "table")
    run = fit(source, "label", changes={**CHANGES, "data.drop": ["value"]}, out=tmp_path / "run")
    table = pl.read_parquet(source / "part-1.parquet")
    table.with_columns(n=pl.col("n") + 1).write_parquet(source / "part-1.parquet")
    with pytest.raises(DataError, match="has changed since the fit"):
        run.test()


def test_large_tables_are_streamed_by_themselves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = files(tmp_path / "table")
    recipe: dict[str, Any] = {"target": "label", "source": str(source)}
    assert not isinstance(prepare(DataRecipe(**recipe)).train, StreamedPart)
    monkeypatch.setattr(parquet, "LARGE", 8 * 3000 * 7 - 1)
    for name in (source, source / "*.parquet", [str(path) for path in sorted(source.glob("*.parquet"))]):
        assert isinstance(prepare(DataRecipe(target="label", source=name)).train, StreamedPart)
    assert not isinstance(prepare(DataRecipe(**recipe, stream=False)).train, StreamedPart)
    assert not isinstance(
        prepare(DataRecipe(**recipe, test=str(source / "part-0.parquet"))).train, StreamedPart
    )


def test_a_table_is_checked_without_training(tmp_path: Path) -> None:
    table = a_table().drop("value")
    table = pl.concat([table, table[:40]]).with_columns(copy=pl.lit("same"))
    data, findings = check(files(tmp_path / "table", table), "label", changes={"data.stream": True})
    whole, known = check(tmp_path / "table", "label", changes={"data.stream": False})
    assert findings == known
    assert {finding.name for finding in findings} >= {"repeats", "constant", "missing"}
    assert data.fingerprint == whole.fingerprint


def test_a_damaged_row_group_is_told_and_nothing_is_left(tmp_path: Path) -> None:
    source = tmp_path / "table.parquet"
    a_table().write_parquet(source, row_group_size=500, compression="snappy")
    data = bytearray(source.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 3000] = b"\xff" * 3000
    source.write_bytes(data)
    with pytest.raises(
        DataError, match=r"table.parquet cannot be read as Parquet.*may be cut short or damaged"
    ) as error:
        fit(source, "label", changes=CHANGES, out=tmp_path / "run")
    assert len(error.value.problems) == 1
    assert not (tmp_path / "run").exists()


def test_an_infinite_number_is_told_by_its_row(tmp_path: Path) -> None:
    table = a_table().drop("value")
    run = fit(files(tmp_path / "fine", table), "label", changes=CHANGES, out=tmp_path / "run")
    row = int(np.flatnonzero((pl.read_parquet(run.folder.split)["part"] == "train").to_numpy())[-1])
    table[row, "x"] = float("inf")
    with pytest.raises(
        DataError, match=rf"column 'x' \(numeric\): found 'inf' in row {row - 1500 + 1} of part-2.parquet"
    ):
        fit(files(tmp_path / "table", table), "label", changes=CHANGES, out=tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_sampled_fit_finds_infinite_numbers_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "SAMPLE", 50)
    table = (
        a_table()
        .drop("value")
        .with_columns(x=pl.when(pl.int_range(pl.len()) % 10 == 0).then(float("inf")).otherwise(pl.col("x")))
    )
    with pytest.raises(HandrailError, match="expected a finite number"):
        fit(files(tmp_path / "table", table), "label", changes=CHANGES, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("changes", "message"), [
    ({"data.validation": "other.parquet"}, r"data\.validation: a table that is streamed is divided by data"),
    ({"data.task": "forecast"}, "has no effect on forecast"),
    ({"data.read.delimiter": ","}, r"data\.read\.delimiter: has no effect"),
    ({"data.drop": ["absent"]}, "the table has no column 'absent'"),
    ({"data.target": "lable"}, "Did you mean 'label'"),
])  # fmt: skip
def test_settings_that_cannot_be_followed_are_refused(changes: dict, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        fit(
            files(tmp_path / "table"),
            changes={"data.target": "label", **CHANGES, **changes},
            out=tmp_path / "run",
        )
    assert not (tmp_path / "run").exists()


def test_only_parquet_is_streamed(tmp_path: Path) -> None:
    a_table().write_csv(tmp_path / "table.csv")
    with pytest.raises(DataError, match="cannot be streamed; expected Parquet files"):
        fit(tmp_path / "table.csv", "label", changes=CHANGES, out=tmp_path / "run")


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_a_large_table_is_answered_block_by_block(
    ending: str,
    labelled: Callable[[], tuple[pl.DataFrame, Run]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table, run = labelled()
    odd = table.with_columns(
        c=pl.when(pl.int_range(pl.len()).is_in([5, 2999])).then(pl.lit("violet")).otherwise(pl.col("c"))
    )
    files(tmp_path / "new", odd)
    for keep in (False, True):
        whole = predict_source(run.path, tmp_path / "new", keep=keep)
        convert(whole.frame, tmp_path / f"whole-{keep}.{ending}")
    monkeypatch.setattr(parquet, "LARGE", 1000)
    for keep in (False, True):
        out = tmp_path / f"blocks-{keep}.{ending}"
        assert predict_into(run.path, tmp_path / "new", out, keep=keep) == (3000, whole.warnings)
        ours, known = (infer_types(read(path).frame) for path in (out, tmp_path / f"whole-{keep}.{ending}"))
        assert_frame_equal(ours, known, abs_tol=1e-6, check_dtypes=True)
    assert (
        "'violet' did not occur in training and count as unknown; row 6 of part-0.parquet, row 1500 of "
        "part-2.parquet" in whole.warnings[0]
    )
    assert run.predict(tmp_path / "new").frame.shape == (3000, 3)


def test_answers_that_cannot_be_given_leave_no_file(
    labelled: Callable[[], tuple[pl.DataFrame, Run]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, run = labelled()
    words = table.with_columns(
        n=pl.when(pl.int_range(pl.len()) == 2000).then(pl.lit("many")).otherwise(pl.col("n").cast(pl.String))
    )
    files(tmp_path / "new", words)
    monkeypatch.setattr(parquet, "LARGE", 1000)
    out = tmp_path / "answers.csv"
    with pytest.raises(
        DataError, match=r"column 'n' \(numeric\): found 'many', expected a number; row 501 of part-2.parquet"
    ):
        predict_into(run.path, tmp_path / "new", out)
    with pytest.raises(DataError, match="no column 'c'"):
        predict_into(run.path, files(tmp_path / "less", words.drop("c")), out)
    assert not out.exists()
    assert predict_into(run.path, tmp_path / "new", out, skip_bad=True)[0] == 3000  # pyright: ignore[reportOptionalSubscript]
    assert pl.read_csv(out)["prediction"].null_count() == 1
    with pytest.raises(DataError, match="exists; choose another name"):
        predict_into(run.path, tmp_path / "new", out, skip_bad=True)
