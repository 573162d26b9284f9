"""Targets as people write them: spellings, lists of labels, the word NA, a rare class, weights."""

from pathlib import Path

import polars as pl
import pytest
from case_rows import Cli, metric, rows


@rows("targets/mixed_feature.csv")
def test_yes_and_no_in_twelve_spellings(path: Path, cli: Cli) -> None:
    checked = cli.check(path, "ill")
    assert checked.kinds["smoker"] == "boolean"
    checked.said("'smoker'", "'YES'", "'no'")
    _, printed = cli.fit(path, "ill", "training.epochs=1")
    assert "'smoker'" in printed


@rows("targets/truefalse_target.csv", "targets/labels_case.csv")
def test_classes_that_differ_in_case(name: str, path: Path, cli: Cli) -> None:
    target = "ill" if "truefalse" in name else "y"
    checked = cli.check(path, target)
    assert checked.json["task"]["name"] == "binary"
    assert len(checked.json["task"]["classes"]) == 2
    checked.said(f"'{target}'", "'FALSE'" if target == "ill" else "'NO'", "data.labels=")
    spellings = {text.strip() for text in pl.read_csv(path, infer_schema=False)[target].to_list()}
    apart = cli.check(path, target, "data.labels=as_written")
    assert len(apart.json["task"]["classes"]) == len(spellings)
    _, printed = cli.fit(path, target, "training.epochs=1")
    assert "spellings" in printed


@rows("targets/delim.csv", "targets/cols.csv")
def test_lists_of_labels(name: str, path: Path, cli: Cli) -> None:
    labels = {"red", "green", "blue", "big"}
    if "cols" in name:
        answer = cli.run("check", path, *(f"--target={label}" for label in sorted(labels)), "--json")
    else:
        cli.check(path, "tags").said("'tags'", "';'", "4 different labels", "data.task=multi-label")
        answer = cli.check(path, "tags", "data.task=multi-label")
    task = answer.json["task"]
    assert (task["name"], set(task["classes"])) == ("multi-label", labels)
    assert answer.kinds == {f"f{number}": "numeric" for number in range(4)}


def test_lists_of_labels_are_learned_as_columns_of_them_are(cli: Cli, shared_cases: Path) -> None:
    folder = shared_cases / "targets"
    listed, _ = cli.fit(folder / "delim.csv", "tags", "data.task=multi-label", "training.epochs=1")
    targets = ["--target=big", "--target=blue", "--target=green", "--target=red"]
    cli.run("fit", folder / "cols.csv", *targets, "--set=training.epochs=1", "--out=columns", "--quiet")
    table = cli.run("check", folder / "cols.csv", *targets, "--json").json["task"]
    assert table["targets"] == listed["task"]["classes"]
    assert listed["rows"] == {"train": 210, "validation": 45, "test": 45}


@rows("targets/na.csv")
def test_the_word_na_among_classes(path: Path, cli: Cli) -> None:
    texts = path.read_text().splitlines()
    count = sum(line.endswith(",NA") for line in texts)
    checked = cli.check(path, "region")
    said = checked.said("'region'", "'NA'", "data.read.missing=[]")
    assert 0 < int(said.split("'NA' in ")[1].split()[0]) <= count
    kept = cli.check(path, "region", "data.read.missing=[]")
    assert kept.json["task"]["classes"] == ["EU", "NA", "US"]
    _, printed = cli.fit(path, "region", "training.epochs=1")
    assert "'NA'" in printed
    typed = cli.folder / "typed.parquet"
    pl.read_csv(path, null_values=[]).write_parquet(typed)
    assert cli.check(typed, "region").json["task"]["classes"] == ["EU", "NA", "US"]


@rows("targets/fraud.csv")
def test_the_rarer_class_is_the_positive_one(path: Path, cli: Cli) -> None:
    summary, printed = cli.fit(path, "k")
    assert summary["positive"] == "fraud"
    assert metric(summary, "f1") == pytest.approx(0.538, abs=0.1)
    assert metric(summary, "f1", "majority") == 0
    assert "f1 of 'fraud'" in printed
    assert "Decided: 'fraud' where its probability is above" in printed
    other = cli.check(path, "k", "data.positive=ok")
    assert "'ok'" in other.json["task"]["why"]


@rows("targets/w.csv")
def test_weights_of_rows_wait(path: Path, cli: Cli) -> None:
    cli.check(path, "y").said("'weight'", "eights", "not supported yet", "data.drop=[weight]")
    cli.check(path, "y", "data.weight=w").refused("data.weight", "not supported yet")
    cli.fit(path, "y", "training.epochs=1")
