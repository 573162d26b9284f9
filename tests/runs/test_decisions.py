"""What a run decides, and how it says so: the positive class, thresholds, labels, exact values."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml

import handrail
from handrail.errors import RecipeError
from handrail.report import console
from handrail.report.console import run_summary
from handrail.report.sections.details import read_answers

TINY: dict[str, Any] = {"training.epochs": 3, "model": "linear", "evaluation.resamples": 100}


def truth_table(kind: str, times: int = 50) -> pl.DataFrame:
    """The rows of a gate, often enough to be divided."""
    gate = {"or": lambda a, b: a | b, "xor": lambda a, b: a ^ b, "and": lambda a, b: a & b}[kind]
    rows = [(a, b, gate(a, b)) for a in (0, 1) for b in (0, 1)] * times
    return pl.DataFrame(rows, schema=["a", "b", "y"], orient="row")


def fraud_rows(rows: int = 200) -> pl.DataFrame:
    generator = np.random.default_rng(0)
    x = generator.normal(size=rows)
    labels = np.where(x + 0.5 * generator.normal(size=rows) > 1.1, "fraud", "ok")
    return pl.DataFrame({"x": x, "k": labels})


@pytest.fixture(scope="module")
def fraud(tmp_path_factory: pytest.TempPathFactory) -> handrail.Run:
    folder = tmp_path_factory.mktemp("fraud")
    fraud_rows().write_csv(folder / "rows.csv")
    return handrail.fit(folder / "rows.csv", "k", changes=TINY, out=folder / "run")


def test_the_positive_class_and_the_threshold_are_named(fraud: handrail.Run) -> None:
    threshold = fraud.summary["decisions"]["threshold"]
    assert fraud.summary["positive"] == "fraud"
    decided = f"'fraud' where its probability is above {threshold:.3g} (the best F1 on validation rows)"
    text, page = " ".join(run_summary(fraud).split()), fraud.folder.report.read_text().replace("&#39;", "'")
    assert f"Decided: {decided}." in text
    assert f"decided: {decided}" in fraud.card()
    assert f"Decided: {decided}." in page
    assert "f1 of 'fraud'" in text
    assert "recall of 'fraud'" in fraud.card()
    assert "F1 of 'fraud'" in page
    assert "the positive class is 'fraud', the rarer one of the training rows)" in text
    assert yaml.safe_load(fraud.folder.resolved_recipe.read_text())["data"]["positive"] == "fraud"
    assert fraud.summary["baselines"]["majority"]["f1"]["value"] == 0


def test_labels_are_written_as_they_are_in_the_data(fraud: handrail.Run) -> None:
    frame = pl.read_parquet(fraud.folder.predictions("validation"))
    assert set(frame["truth"]) == {"fraud", "ok"}
    answers = read_answers(fraud.folder.predictions("validation"), fraud.summary["task"])
    assert [answers.classes[code] for code in answers.truth] == frame["truth"].to_list()
    assert answers.label_codes.tolist() == (frame["label"] == "fraud").to_list()
    assert fraud.predict(fraud_rows(10)).frame["prediction"].dtype == pl.String


@pytest.mark.parametrize(("values", "dtype"), [((0, 1), pl.Int64), ((False, True), pl.Boolean)])
def test_numbers_and_truth_values_stay_what_they_are(values: tuple, dtype: Any, tmp_path: Path) -> None:
    codes = (fraud_rows()["x"] > 0).cast(pl.Int64).to_list()
    rows = fraud_rows().with_columns(k=pl.Series([values[code] for code in codes]))
    run = handrail.fit(rows, "k", changes=TINY, out=tmp_path / "run")
    run.test()
    for part in ("validation", "test"):
        frame = pl.read_parquet(run.folder.predictions(part))
        assert frame["truth"].dtype == frame["label"].dtype == dtype
    answers = handrail.load(run.path).predict(rows).frame
    assert answers["prediction"].dtype == dtype
    assert int((answers["prediction"] == rows["k"]).sum()) > 0.9 * len(rows)
    assert "Decided: '" in console.test_summary(run, run.tested or {})


def test_the_perceptron_learns_or_and_says_so(tmp_path: Path) -> None:
    """A sum of exactly 0 is class 0, as the rule itself takes it."""
    changes = {"model": "linear", "learning": "rosenblatt"}
    for gate in ("or", "and"):
        run = handrail.fit(truth_table(gate), "y", changes=changes, out=tmp_path / gate)
        assert run.validation["accuracy"]["value"] == 1
        assert "the rule has nothing left to change" in run_summary(run)


def test_the_perceptron_says_that_xor_is_not_linearly_separable(tmp_path: Path) -> None:
    changes = {"model": "linear", "learning": "rosenblatt"}
    run = handrail.fit(truth_table("xor"), "y", changes=changes, out=tmp_path / "run")
    said = " ".join(run_summary(run).split())
    assert "the classes are not linearly separable (proven: pass " in said


def test_values_are_measured_as_the_data_holds_them(tmp_path: Path) -> None:
    """An exact law beside a large constant, which single precision would round to multiples of 8."""
    x = np.random.default_rng(0).normal(size=200)
    rows = pl.DataFrame({"x": x, "y": 1e8 + 3 * x})
    changes = {"model": "linear", "learning": "least_squares"}
    run = handrail.fit(rows, "y", changes=changes, out=tmp_path / "run")
    assert (run.validation["r2"]["value"] or 0.0) > 0.999
    assert run.summary["baselines"]["linear"]["r2"]["value"] > 0.999
    answers = run.predict(rows).frame["prediction"].to_numpy()
    assert np.abs(answers - rows["y"].to_numpy()).max() < 0.1


def test_forecasts_see_values_as_the_data_holds_them(tmp_path: Path) -> None:
    rows = pl.DataFrame({"s": 1e8 + 3 * np.sin(np.arange(400) / 5)})
    rows = rows.with_columns(k=pl.Series(np.arange(400) % 7).cast(pl.Float64))
    changes = {"data.task": "forecast", "data.forecast.horizon": 3, "data.forecast.season": 7}
    run = handrail.fit(rows, "s", changes={**changes, "training.epochs": 15}, out=tmp_path / "run")
    assert (run.validation["r2"]["value"] or 0) > 0.99


def test_a_refit_keeps_the_positive_class_of_an_earlier_version(fraud: handrail.Run, tmp_path: Path) -> None:
    """Runs of earlier versions took the second class in order; their refit must not turn it round."""
    rows = fraud_rows()
    run = handrail.fit(rows, "k", changes={**TINY, "data.positive": "ok"}, out=tmp_path / "run")
    recipe = yaml.safe_load(run.folder.recipe.read_text())
    del recipe["data"]["positive"]
    run.folder.recipe.write_text(yaml.safe_dump(recipe))
    again = handrail.load(run.path)
    again.refit()
    refitted = handrail.run.Pipeline.load(again.folder.refit)
    assert refitted.task.positive == "ok"
    features = rows.select("x")
    same = refitted.decide(refitted.answers(features)) == run.pipeline.decide(run.pipeline.answers(features))
    assert same.mean() > 0.9


@pytest.mark.parametrize(
    ("target", "threshold", "message"),
    [
        ("many", 0.4, r"evaluation.threshold: has no effect on multi-class"),
        (["a", "b"], "f1", r"evaluation.threshold: found 'f1' for multi-label; expected a number"),
    ],
)
def test_thresholds_without_effect_are_refused(
    target: Any, threshold: Any, message: str, tmp_path: Path
) -> None:
    rows = pl.DataFrame({"x": range(60), "many": ["u", "v", "w"] * 20, "a": [0, 1] * 30, "b": [0, 0, 1] * 20})
    with pytest.raises(RecipeError, match=message):
        handrail.fit(rows, target, changes={**TINY, "evaluation.threshold": threshold}, out=tmp_path / "run")


def test_a_row_of_numbers_becomes_a_text(tmp_path: Path) -> None:
    """One to many, which ended in a TypeError: the digits of a row as words."""
    words = ["one", "two", "three"]
    rows = [(a, b, f"{words[a]} and {words[b]}") for a in range(3) for b in range(3)] * 20
    frame = pl.DataFrame(rows, schema=["a", "b", "text"], orient="row")
    changes = {"data.task": "sequence", "model": {"lstm": {"width": 32}}, "training.epochs": 20}
    run = handrail.fit(frame, "text", changes=changes, out=tmp_path / "run")
    assert (run.validation["exact_match"]["value"] or 0) > 0.9
    assert run.predict(frame.head(1)).frame["prediction"].to_list() == ["one and one"]


def test_the_fraud_of_the_case(shared_cases: Path, tmp_path: Path) -> None:
    changes = {"evaluation.resamples": 100}
    run = handrail.fit(shared_cases / "targets" / "fraud.csv", "k", changes=changes, out=tmp_path / "run")
    assert run.summary["positive"] == "fraud"
    assert 0.5 < (run.validation["f1"]["value"] or 0) < 0.7
    assert run.summary["baselines"]["majority"]["f1"]["value"] == 0
