"""The seal: test rows are measured once; whoever opens them again is told, and the figures say so."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from handrail import DataError, RunError, SealError, fit, load
from handrail.evaluation.ledger import Ledger
from handrail.run import Run

QUICK = {"training.epochs": 3, "evaluation.resamples": 100, "model.mlp.hidden": [8]}


def a_table(rows: int = 300) -> pl.DataFrame:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(rows, 2))
    return pl.DataFrame({"a": x[:, 0], "b": x[:, 1], "label": np.where(x.sum(axis=1) > 0, "up", "down")})


def test_fit_twice_test_once_and_then_only_again(tmp_path: Path) -> None:
    first = fit(a_table(), "label", changes={**QUICK, "name": "first"}, out=tmp_path / "one")
    second = fit(a_table(), "label", changes={**QUICK, "name": "second", "seed": 4}, out=tmp_path / "two")
    assert first.tested is None
    assert first.openings() == []
    result = first.test()
    assert (result["opening"], result["again"], result["rows"]) == (1, False, 45)
    for run in (first, second):
        with pytest.raises(
            SealError, match=r"(?s)45 test rows have been opened once.*recipe 'first'.*again=True"
        ):
            run.test()
    assert second.tested is None
    marked = second.test(again=True)
    assert (marked["opening"], marked["again"]) == (2, True)
    assert [opening.recipe for opening in first.openings()] == ["first", "second"]
    figures = first.openings()[0].figures
    assert figures is not None
    assert figures["accuracy"] == result["metrics"]["accuracy"]["value"]


@pytest.mark.pictures
def test_the_report_is_marked_when_rows_were_opened_again(tmp_path: Path) -> None:
    run = fit(a_table(), "label", changes={**QUICK, "name": "first"}, out=tmp_path / "one")
    shut = run.folder.report.read_text()
    run.test()
    once = run.folder.report.read_text()
    run.test(again=True)
    twice = run.folder.report.read_text()
    assert "opened 2 times" not in once
    assert "opened 2 times" in twice
    assert len({shut, once, twice}) == 3


def test_figures_on_test_rows_are_those_of_the_saved_model(tmp_path: Path) -> None:
    table = a_table()
    run = fit(table, "label", changes=QUICK, out=tmp_path / "one")
    result = run.test()
    rows = np.flatnonzero((pl.read_parquet(run.folder.split)["part"] == "test").to_numpy())
    answers = Run(tmp_path / "one").predict(table[rows]).frame["prediction"]
    assert result["metrics"]["accuracy"]["value"] == pytest.approx((answers == table[rows]["label"]).mean())


def test_refit_trains_on_both_parts_for_the_best_number_of_epochs(tmp_path: Path) -> None:
    table = a_table()
    run = fit(table, "label", changes=QUICK, out=tmp_path / "one")
    before = (run.folder.model / "weights.safetensors").read_bytes()
    result = run.test(refit=True)
    assert result["refit"]
    assert (run.folder.model / "weights.safetensors").read_bytes() == before
    assert (run.folder.refit / "weights.safetensors").read_bytes() != before


def test_a_fit_that_has_not_ended_cannot_be_tested(tmp_path: Path) -> None:
    run = fit(a_table(), "label", changes=QUICK, out=tmp_path / "one")
    run.folder.validation.unlink()
    with pytest.raises(RunError, match="resume"):
        Run(tmp_path / "one").test()
    assert run.openings() == []


def test_after_a_refit_the_run_answers_with_what_was_tested(tmp_path: Path) -> None:
    table = a_table()
    run = fit(table, "label", changes=QUICK, out=tmp_path / "one")
    result = run.test(refit=True)
    rows = np.flatnonzero((pl.read_parquet(run.folder.split)["part"] == "test").to_numpy())
    for opened in (run, load(tmp_path / "one")):
        answers = opened.predict(table[rows]).frame
        truth = (table[rows]["label"] == "up").to_numpy()
        expected = result["metrics"]["log_loss"]["value"]
        assert -np.log(
            np.where(truth, answers["probability_up"], answers["probability_down"])
        ).mean() == pytest.approx(expected)


def test_a_run_that_holds_test_figures_is_not_shut_without_its_ledger(
    tmp_path: Path, handrail_home: Path
) -> None:
    run = fit(a_table(), "label", changes=QUICK, out=tmp_path / "one")
    run.test()
    (handrail_home / "ledger.sqlite").unlink()
    with pytest.raises(SealError, match="has test figures already"):
        Run(tmp_path / "one").test()
    assert Run(tmp_path / "one").test(again=True)["opening"] == 2


def test_most_of_the_rows_count_as_the_rows(tmp_path: Path) -> None:
    """One cell changed, a few rows fewer: the seal is open all the same."""
    table = a_table()
    first = fit(table, "label", changes={**QUICK, "name": "first"}, out=tmp_path / "one")
    first.test()
    row = int(np.flatnonzero((pl.read_parquet(first.folder.split)["part"] == "test").to_numpy())[0])
    changed = (
        table.with_row_index()
        .with_columns(a=pl.when(pl.col("index") == row).then(9.0).otherwise("a"))
        .drop("index")
    )
    other = fit(changed, "label", changes=QUICK, out=tmp_path / "two")
    with pytest.raises(
        SealError, match=r"98% of these 45 test rows have been opened before in another set.*'first'"
    ):
        other.test()
    assert other.openings()[0].recipe == "first"
    result = other.test(again=True)
    assert (result["opening"], result["again"]) == (2, True)


def test_a_test_row_of_an_unknown_class_is_said_and_left_out(tmp_path: Path) -> None:
    table = a_table()
    drawn = fit(table, "label", changes=QUICK, out=tmp_path / "draw")
    row = int(np.flatnonzero((pl.read_parquet(drawn.folder.split)["part"] == "test").to_numpy())[0])
    labels = [label if place != row else "sideways" for place, label in enumerate(table["label"])]
    result = fit(
        table.with_columns(label=pl.Series(labels)), "label", changes=QUICK, out=tmp_path / "one"
    ).test()
    assert result["rows"] == 44
    assert "'sideways'" in result["remarks"][0]


def test_changed_test_rows_are_not_measured_and_the_seal_stays_shut(tmp_path: Path) -> None:
    a_table().write_csv(tmp_path / "table.csv")
    run = fit(tmp_path / "table.csv", "label", changes=QUICK, out=tmp_path / "one")
    row = int(np.flatnonzero((pl.read_parquet(run.folder.split)["part"] == "test").to_numpy())[0])
    a_table().with_row_index().with_columns(a=pl.when(pl.col("index") == row).then(9.0).otherwise("a")).drop(
        "index"
    ).write_csv(tmp_path / "table.csv")
    with pytest.raises(DataError, match=r"table\.csv' has changed since the fit"):
        run.test()
    assert run.openings() == []


def test_the_same_rows_from_another_source_are_the_same_seal(tmp_path: Path) -> None:
    table = a_table()
    table.write_csv(tmp_path / "table.csv")
    table.write_parquet(tmp_path / "table.parquet")
    fit(tmp_path / "table.csv", "label", changes=QUICK, out=tmp_path / "one").test()
    with pytest.raises(SealError, match="opened once"):
        fit(tmp_path / "table.parquet", "label", changes=QUICK, out=tmp_path / "two").test()


def test_rows_opened_under_another_split_are_reported(tmp_path: Path) -> None:
    fit(a_table(), "label", changes={**QUICK, "name": "first"}, out=tmp_path / "one").test()
    result = fit(a_table(), "label", changes={**QUICK, "data.split.seed": 9}, out=tmp_path / "two").test()
    (opening, share) = result["shared"][0]
    assert opening["recipe"] == "first"
    assert 0 < share < 1


def test_fit_does_not_write_into_the_ledger(tmp_path: Path, handrail_home: Path) -> None:
    fit(a_table(), "label", changes=QUICK, out=tmp_path / "one")
    assert not handrail_home.exists()
    assert not Ledger().path.exists()
