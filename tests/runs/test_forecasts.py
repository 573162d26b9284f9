"""What a forecast answers: the steps behind the last value, with dates, and what is said of them."""

from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

import handrail
from handrail.errors import DataError
from handrail.report.console import run_summary

TINY: dict[str, Any] = {
    "training.epochs": 2,
    "evaluation.resamples": 100,
    "data.task": "forecast",
    "data.forecast.horizon": 3,
    "data.forecast.history": 24,
}
ROWS = 240
HOURS = [datetime(2024, 5, 6) + timedelta(hours=hour) for hour in range(ROWS)]
LOAD = 50 + 20 * np.sin(np.arange(ROWS) * 2 * np.pi / 24) + np.random.default_rng(0).normal(0, 2, ROWS)
WHOLE = pl.DataFrame({"at": HOURS, "load": LOAD})
HOLES = WHOLE[[row for row in range(ROWS) if row % 20 != 7]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> handrail.Run:
    source = tmp_path_factory.mktemp("load") / "load.csv"
    HOLES.write_csv(source)
    return handrail.fit(source, "load", changes=TINY, out=source.parent / "run")


def test_a_fit_prints_what_was_decided(run: handrail.Run) -> None:
    text = " ".join(run_summary(run).split())  # wherever the terminal folds it
    assert "note: rows in the order of 'at', a step is 1 hour; 24 rows of history" in text
    assert "12 of 240 hours are missing" in text
    assert "season of 24 rows" in text


def test_steps_have_dates_and_begin_behind_the_last_value(run: handrail.Run) -> None:
    plain = run.predict(HOLES)
    assert plain.frame.columns == ["step", "date", "prediction"]
    assert plain.frame["date"].to_list() == [HOURS[-1] + timedelta(hours=step) for step in (1, 2, 3)]
    assert plain.warnings == [
        "Column 'at': 12 of 240 hours are missing (the first is 2024-05-06 07:00). Each is put in as a row "
        "without values, as in training."
    ]
    ahead = [HOURS[-1] + timedelta(hours=hour) for hour in range(1, 7)]
    template = pl.concat([HOLES, pl.DataFrame({"at": ahead, "load": [None] * 6}, schema=HOLES.schema)])
    longer = run.predict(template.reverse())
    assert longer.frame.equals(plain.frame)
    assert longer.warnings[0].startswith("The last 6 rows of 'data frame': no value of 'load'.")


def test_the_last_values_count_and_not_the_rows_before_the_window(run: handrail.Run) -> None:
    """Steps are put in where rows are missing: the answer is that of the table with these rows empty."""
    empty = WHOLE.with_columns(load=pl.when(pl.int_range(ROWS) % 20 != 7).then("load"))
    answers = run.predict(empty)
    assert answers.frame.equals(run.predict(HOLES).frame)
    assert not answers.warnings


def test_tables_that_are_not_like_the_training_rows(run: handrail.Run) -> None:
    days = WHOLE.with_columns(at=pl.Series([HOURS[0] + timedelta(days=day) for day in range(ROWS)]))
    with pytest.raises(
        DataError, match=r"the rows are 24 steps apart .* expected one step, which was 1 hour"
    ):
        run.predict(days)
    with pytest.raises(DataError, match=r"has 10 rows; expected at least 24.* looks back on 24 rows"):
        run.predict(WHOLE.tail(10))
    with pytest.raises(DataError, match="column 'load' has no value"):
        run.predict(WHOLE.with_columns(load=pl.lit(None, dtype=pl.Float64)))
    with pytest.raises(DataError, match=r"the first is '06\.05\.2024 00:00'"):
        run.predict(WHOLE.with_columns(at=pl.col("at").dt.to_string("%d.%m.%Y %H:%M")))
    with pytest.raises(DataError, match="2 series stand in this table, told apart by 'shop'"):
        run.predict(
            pl.concat([WHOLE.with_columns(shop=pl.lit(shop), load=pl.col("load") * shop) for shop in (1, 2)])
        )
    early = run.predict(WHOLE.head(50))
    assert early.warnings == [
        "'data frame' ends with 2024-05-08 01:00, before the training rows do (2024-05-12 23:00): the "
        "network may have been trained on what it forecasts here."
    ]


def test_the_seal_holds_rows_of_the_table_alone(run: handrail.Run) -> None:
    sealed = pl.read_parquet(run.folder.sealed_hashes)
    assert len(sealed) == sum(row % 20 != 7 for row in range(ROWS - round(0.15 * ROWS), ROWS))
    assert run.test()["rows"] > 0


def test_months_go_on_by_the_calendar_and_rows_without_dates_by_number(tmp_path: Any) -> None:
    months = [f"{2001 + row // 12}-{row % 12 + 1:02}" for row in range(120)]
    frame = pl.DataFrame({"month": months, "load": LOAD[:120]})
    run = handrail.fit(frame, "load", changes=TINY, out=tmp_path / "months")
    assert run.predict(frame).frame["date"].to_list() == [
        date(2011, 1, 1),
        date(2011, 2, 1),
        date(2011, 3, 1),
    ]
    alone = handrail.fit(frame[["load"]], "load", changes=TINY, out=tmp_path / "alone")
    answers = alone.predict(frame[["load"]])
    assert answers.frame.columns == ["step", "prediction"]
    assert not answers.warnings
