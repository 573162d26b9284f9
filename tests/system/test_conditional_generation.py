"""Rows that are made as of a class: told while it learns, asked for when it generates."""

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from handrail import fit, load
from handrail.cli import main
from handrail.data.sources import read
from handrail.errors import DataError, RecipeError
from handrail.recipe.reading import ReadOptions
from handrail.run import Run

IRIS = {"data.label": "target", "evaluation.resamples": 100}
TOLD = {"model": {"gan": {"conditional": True, "latent": 2, "hidden": [32]}}}
KINDS = ("setosa", "versicolor", "virginica")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    changes = {**IRIS, **TOLD, "training.epochs": 250}
    return fit("bundled:iris", changes=changes, out=tmp_path_factory.mktemp("iris") / "run")


def table(source: str) -> pl.DataFrame:
    return read(source, options=ReadOptions()).frame


def share_of_class(run: Run, rows: pl.DataFrame, column: str, value: Any) -> float:
    """How many of the rows made as of a class are told to be of it by a classifier of real rows."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    made = run.generate(200, given={column: value}).frame
    assert made[column].to_list() == [value] * 200
    inputs = made.drop(column).columns
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    classifier.fit(rows.select(inputs).to_numpy(), rows[column].to_numpy())
    return float((classifier.predict(made.select(inputs).to_numpy()) == value).mean())


def test_rows_made_as_of_a_class_are_told_to_be_of_it(run: Run) -> None:
    """Source: Mirza & Osindero 2014; one in three by chance."""
    iris = table("bundled:iris")
    assert min(share_of_class(run, iris, "target", kind) for kind in KINDS) > 0.8


def test_rows_are_likelier_under_their_own_class(run: Run) -> None:
    iris = table("bundled:iris")
    scores = run.predict(iris).frame
    by_class = scores.select(f"energy_score_{kind}" for kind in KINDS).to_numpy()
    codes = np.array([KINDS.index(kind) for kind in iris["target"]])
    own = by_class[np.arange(len(codes)), codes].mean()
    shuffled = by_class[np.arange(len(codes)), np.random.default_rng(0).permutation(codes)].mean()
    assert own < 0.6 * shuffled
    assert own < scores["energy_score"].mean()


def test_a_run_that_is_loaded_makes_the_same_rows(run: Run) -> None:
    given = {"target": "versicolor"}
    assert load(run.path).generate(5, given=given).frame.equals(run.generate(5, given=given).frame)


def test_without_a_class_rows_are_made_of_all(run: Run) -> None:
    answers = run.generate(300, seed=1)
    assert len(answers.warnings) == 1
    assert "no 'target' was given" in answers.warnings[0]
    shares = answers.frame["target"].value_counts(normalize=True)["proportion"]
    assert len(shares) == 3
    assert min(shares.to_list()) > 0.25
    assert run.generate(300, seed=1).frame.equals(answers.frame)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("colour=red", r"--given: the network was told no column 'colour', but 'target'"),
        ("target=setose", r"found the class 'setose' of 'target', .* 'setosa'.* Did you mean 'setosa'\?"),
        ("setosa", r"found 'setosa', expected COLUMN=VALUE"),
    ],
)
def test_what_cannot_be_given_is_refused(
    run: Run,
    given: str,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One message and exit code 2."""
    monkeypatch.setattr(sys, "argv", ["handrail", "generate", str(run.path), "--given", given])
    with pytest.raises(SystemExit) as end:
        main()
    out, err = capsys.readouterr()
    assert (end.value.code, out) == (2, "")
    assert re.search(message, err)


def test_the_command_writes_rows_of_a_class(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "rows.csv"
    words = ["generate", str(run.path), "--rows", "5", "--given", "target=virginica", "-o", str(out)]
    monkeypatch.setattr(sys, "argv", ["handrail", *words])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 0
    assert pl.read_csv(out)["target"].to_list() == ["virginica"] * 5


def test_a_network_that_was_told_nothing_is_given_nothing(tmp_path: Path) -> None:
    small = {**IRIS, "model": {"gan": {"hidden": [4], "latent": 2}}, "training.epochs": 1}
    run = fit("bundled:iris", changes=small, out=tmp_path / "run")
    with pytest.raises(DataError, match=r"given: the network was told no column when it learned"):
        run.generate(2, given={"target": "setosa"})
    assert run.generate(2).frame.columns == table("bundled:iris").columns[:4]


def test_a_condition_needs_a_label(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"model\.gan\.conditional: found no classes .*label='COLUMN'"):
        fit("toy:ring,rows=100", changes=TOLD, out=tmp_path / "run")


@pytest.mark.slow
def test_digits_made_as_of_a_class_are_told_to_be_of_it(tmp_path: Path) -> None:
    """Source: Mirza & Osindero 2014; one in ten by chance."""
    told = {"model": {"gan": {"conditional": True}}, "data.label": "target", "training.epochs": 40}
    run = fit("bundled:digits", changes={**told, "evaluation.resamples": 100}, out=tmp_path / "run")
    digits = table("bundled:digits")
    assert min(share_of_class(run, digits, "target", digit) for digit in range(10)) > 0.8
    scores = run.predict(digits).frame.select(f"energy_score_{digit}" for digit in range(10)).to_numpy()
    codes = digits["target"].to_numpy()
    own, shuffled = (
        scores[np.arange(len(codes)), each].mean()
        for each in (codes, np.random.default_rng(0).permutation(codes))
    )
    assert own < 0.8 * shuffled
