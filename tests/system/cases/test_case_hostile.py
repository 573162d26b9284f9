"""Hostile inputs: refused with one message, or shown harmlessly; nothing is run, and nothing is left."""

import time
from pathlib import Path

import pytest
from case_rows import Cli, rows

RECIPES = ("yaml-bomb-name.yaml", "yaml-cycle-source.yaml", "yaml-digits.yaml", "yaml-tag-int.yaml")


@rows(*(f"hostile/{recipe}" for recipe in RECIPES))
def test_recipes(path: Path, cli: Cli) -> None:
    (cli.folder / "t.csv").write_text("x,y\n" + "1.5,a\n2.5,b\n" * 20)
    start = time.process_time()
    cli.run("fit", path, "--out", "run").refused(path.name)
    assert time.process_time() - start < 5  # a second, on a machine at rest
    assert [file.name for file in cli.folder.iterdir()] == ["t.csv"]


@rows("hostile/timezone.parquet", "hostile/json-surrogate.json", "hostile/npy-header5.npy")
def test_damaged_tables(path: Path, cli: Cli) -> None:
    start = time.process_time()
    cli.run("fit", path, "--target", "y", "--out", "run").refused(path.name)
    assert time.process_time() - start < 5
    assert not any(cli.folder.iterdir())


@rows("hostile/csv-keep-collide.csv")
def test_names_of_answers_that_the_table_has(path: Path, cli: Cli) -> None:
    cli.fit(path, "y", "training.epochs=1")
    answer = cli.run("predict", "run", path, "--keep", "-o", "answers.csv")
    if answer.code:
        answer.refused("prediction")
        assert not (cli.folder / "answers.csv").exists()
        return
    header = (cli.folder / "answers.csv").read_text().splitlines()[0].split(",")
    assert len(header) == len(set(header))
    assert {"prediction", "prediction_", "probability_yes", "probability_yes_", "y"} < set(header)


@pytest.mark.pictures
@rows("hostile/card.csv")
def test_names_that_are_html(path: Path, cli: Cli) -> None:
    cli.fit(path, 3, "training.epochs=1")
    for file in ("model/card.md", "report.html"):
        text = (cli.folder / "run" / file).read_text()
        assert "onerror" in text
        assert "`<img src" in text or "<img src=x" not in text.replace("`", "")


@rows("hostile/escape.csv")
def test_names_that_steer_the_terminal(path: Path, cli: Cli) -> None:
    for command in ("check", "fit"):
        out = ["--out", "run", "--set", "training.epochs=1"] if command == "fit" else []
        answer = cli.run(command, path, "--target", "y", *out)
        assert "\x1b" not in answer.out + answer.err
        assert "\x07" not in answer.out + answer.err
        assert command == "fit" or "RED" in answer.out
