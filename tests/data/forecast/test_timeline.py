"""Rows in the order of time: what is put in, left out and refused, and what is said of it."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from handrail.data.dataset import Dataset
from handrail.data.forecast.gaps import bridge
from handrail.data.prepare import prepare, prepare_with_test, reopen
from handrail.data.stores.series import WindowStore
from handrail.errors import DataError, RecipeError
from handrail.recipe import Recipe
from handrail.recipe.sections import DataRecipe

ROWS = 240
HOURS = [datetime(2024, 5, 6) + timedelta(hours=hour) for hour in range(ROWS)]
LOAD = 50 + 20 * np.sin(np.arange(ROWS) * 2 * np.pi / 24) + np.random.default_rng(0).normal(0, 2, ROWS)
HOURLY = pl.DataFrame({"at": HOURS, "load": LOAD})


def recipe(source: Any, target: Any = "load", **data: Any) -> DataRecipe:
    forecast = {"horizon": 3, **data.pop("forecast", {})}
    settings = {"source": source, "target": target, "task": "forecast", "forecast": forecast, **data}
    return Recipe.parse({"data": settings}).data


def said(data: Dataset) -> dict[str, str]:
    """What a fit prints of the findings."""
    told = [each for each in data.findings if each.level != "note" or each.decided]
    return {each.name: f"{each.seen} {each.action}" for each in told}


def store_of(data: Dataset) -> WindowStore:
    store = data.train.stores["history"]
    assert isinstance(store, WindowStore)
    return store


def test_missing_steps_are_put_in_and_no_test_row_is_made_of_them() -> None:
    away = [20, 21, 100, 215, 216]
    frame = HOURLY[[row for row in range(ROWS) if row not in away]]
    data, test = prepare_with_test(recipe(frame, split={"validation": 0.2, "test": 0.2}))
    plan = store_of(data).plan
    assert plan.season == 24
    assert "a step is 1 hour; 47 rows of history (3 channels), " in data.notes[-1]
    assert (
        "5 of 240 hours are missing (the first is 2024-05-06 20:00; at most 2 hours on end)"
        in (said(data)["missing-steps"])
    )
    assert "data.forecast.gaps=keep" in said(data)["missing-steps"]
    # The last 48 steps are tested; of these two are no rows of the table.
    assert len(data.sealed.hashes) == 46
    assert np.isin(data.sealed.hashes, prepare(recipe(HOURLY)).sealed.hashes).any()
    assert np.isfinite(test.target.numpy()).all()
    assert len(test) == 46 - (2 + 2)  # windows of three rows that hold 215 or 216
    inputs = store_of(data).matrix[:, 0].numpy()
    assert (inputs[[20, 21]] == LOAD[19]).all(), "the last value before the gap"
    # Training passes over short gaps in what it says, never in what it sees.
    line = np.interp([20, 21], [19, 22], LOAD[[19, 22]])
    np.testing.assert_allclose(store_of(data).truth[[20, 21], 0], line)
    assert np.isnan(store_of(data).observed[[20, 21], 0]).all()


def test_rows_as_they_stand_where_that_is_asked() -> None:
    frame = HOURLY[[row for row in range(ROWS) if row % 12 != 7]]
    data = prepare(recipe(frame, forecast={"gaps": "keep"}))
    assert len(store_of(data).matrix) == len(frame)
    assert "taken as they stand, as data.forecast.gaps says" in said(data)["missing-steps"]
    whole = prepare(recipe(frame))
    assert (store_of(whole).plan.season, len(store_of(whole).matrix)) == (24, ROWS)
    again = reopen(recipe(frame), whole.schema, whole.task, expected=whole.fingerprint)
    assert again[0].hashes.tolist() == whole.train.hashes.tolist()


def test_nothing_is_said_of_a_table_in_order() -> None:
    data = prepare(recipe(HOURLY))
    assert not said(data)
    weekdays = [datetime(2022, 1, 3) + timedelta(days=day) for day in range(400)]
    frame = HOURLY.with_columns(at=pl.Series([day for day in weekdays if day.weekday() < 5][:ROWS]))
    data = prepare(recipe(frame))
    assert not said(data)
    assert "a step is 1 business day" in data.notes[-1]


def test_steps_are_not_put_in_where_hardly_a_window_would_be_left() -> None:
    days = [datetime(2023, 1, 2) + timedelta(days=day) for day in range(400)]
    shop = HOURLY.with_columns(at=pl.Series([day for day in days if day.weekday() < 6][:ROWS]))
    data = prepare(recipe(shop, forecast={"horizon": 12}))
    assert "a step is 1 open day (never on Sunday)" in data.notes[-1]
    assert not said(data)
    odd = HOURLY.with_columns(at=pl.Series([day for row, day in enumerate(days) if row % 5 != 3][:ROWS]))
    data = prepare(recipe(odd, forecast={"horizon": 12}))
    assert len(store_of(data).matrix) == ROWS
    assert "data.forecast.gaps=fill puts the missing ones in" in said(data)["missing-steps"]
    assert not store_of(data).plan.fills_steps


def test_more_missing_steps_than_rows_and_uneven_ones_are_said() -> None:
    mornings = [datetime(2024, 1, 1 + row // 24, 9, row % 24) for row in range(ROWS)]
    data = prepare(recipe(HOURLY.with_columns(at=pl.Series(mornings))))
    assert len(store_of(data).matrix) == ROWS
    assert "more than there are rows" in said(data)["missing-steps"]
    chance = np.random.default_rng(1).exponential(600, ROWS).cumsum()
    uneven = pl.Series([datetime(2024, 1, 1) + timedelta(seconds=second) for second in chance])
    text = said(prepare(recipe(HOURLY.with_columns(at=uneven))))["uneven-steps"]
    assert "the most frequent step" in text
    assert "a mean for each 10 minutes, say" in text


def test_the_series_ends_with_its_last_value() -> None:
    future = pl.DataFrame({"at": [HOURS[-1] + timedelta(hours=hour) for hour in range(1, 9)], "load": None})
    longer = pl.concat([HOURLY, future.cast(HOURLY.schema)]).with_columns(holiday=pl.lit(1.0))
    data, plain = prepare(recipe(longer)), prepare(recipe(HOURLY))
    assert len(store_of(data).matrix) == ROWS
    assert np.array_equal(data.parts, plain.parts)
    text = said(data)["no-end"]
    assert text.startswith(
        "The last 8 rows of 'data frame': no value of 'load'. They are left out; the series "
    )
    assert "ends with row 240 (2024-05-15 23:00)" in text
    assert "'holiday' are not used" in text
    blank = longer.with_columns(pl.when(pl.col("load").is_not_null()).then("at").alias("at"))
    assert "neither a date in 'at' nor a value" in said(prepare(recipe(blank)))["empty-rows"]


def test_the_series_begins_with_its_first_value() -> None:
    empty = [None if row < 10 else value for row, value in enumerate(LOAD)]
    data = prepare(recipe(HOURLY.with_columns(load=pl.Series(empty))))
    assert "The first 10 rows" in said(data)["no-start"]
    assert "begins with row 11 (2024-05-06 10:00)" in said(data)["no-start"]
    assert float(store_of(data).matrix[0, 0]) == pytest.approx(LOAD[10], rel=1e-6)


def test_of_two_targets_the_one_that_ends_early_is_named() -> None:
    frame = HOURLY.with_columns(other=pl.when(pl.int_range(ROWS) < ROWS - 5).then(pl.col("load") * 2))
    text = said(prepare(recipe(frame, ["load", "other"])))["early-end"]
    assert text.startswith("Column 'other' (5 rows earlier): ends before the other targets do.")


@pytest.mark.parametrize("sort", [True, False])
def test_several_series_are_refused_by_the_column_that_tells_them_apart(sort: bool) -> None:
    shops = [
        HOURLY[start:].with_columns(
            load=pl.col("load") * factor, open=pl.int_range(ROWS - start) % 2, shop=shop
        )
        for shop, factor, start in ((pl.lit("b"), 1, 0), (pl.lit("c"), 3, 30), (pl.lit("a"), 2, 0))
    ]
    frame = pl.concat(shops)
    frame = frame.sort("at", maintain_order=True) if sort else frame
    with pytest.raises(
        DataError, match=r"3 series stand in this table, told apart by 'shop' \(b, "
    ) as caught:
        prepare(recipe(frame))
    assert "data.forecast.series" in str(caught.value)
    numbered = frame.with_columns(shop=pl.col("shop").replace_strict({"a": 1, "b": 2, "c": 3}))
    with pytest.raises(DataError, match="told apart by 'shop'"):
        prepare(recipe(numbered))
    goods = pl.concat([frame.with_columns(good=pl.lit(good)) for good in "xy"])
    with pytest.raises(DataError, match=r"6 series .* told apart by '(shop|good)' and '(shop|good)'"):
        prepare(recipe(goods.with_columns(load=pl.col("load") + pl.int_range(pl.len()))))


def test_rows_that_were_sent_twice_count_once_and_an_hour_may_come_twice() -> None:
    data = prepare(recipe(pl.concat([HOURLY, HOURLY[50:90]])))
    assert len(store_of(data).matrix) == ROWS
    assert "40 rows of 'data frame' equal another one in all columns" in said(data)["repeated-rows"]
    clock_back = [*HOURS[:31], *HOURS[30:-1]]
    data = prepare(recipe(HOURLY.with_columns(at=pl.Series(clock_back))))
    assert len(store_of(data).matrix) == ROWS
    assert "2 of 240 rows share their date with another" in said(data)["repeated-dates"]


@pytest.mark.parametrize("source", [pl.Series("load", LOAD), HOURLY[["load"]]])
def test_a_series_alone_is_forecast_from_its_own_past(source: Any) -> None:
    data = prepare(recipe(source))
    assert store_of(data).plan.channels == ("load",)
    text = said(data)["no-dates"]
    assert "rows are taken in their order, the oldest first" in text
    assert "data.columns.NAME=datetime" in text


def test_numbers_that_tell_the_time_order_the_rows() -> None:
    frame = pl.DataFrame({"year": range(1800 + ROWS, 1800, -1), "load": LOAD[::-1]})
    data = prepare(recipe(frame))
    assert store_of(data).matrix[:, 0].tolist() == LOAD.tolist()
    assert store_of(data).plan.channels == ("load",)
    assert any("rows stood newest first; they were sorted by 'year'" in note for note in data.notes)
    assert "data.columns.year=numeric" in said(data)["clock"]
    data = prepare(recipe(frame, columns={"year": "numeric"}))
    assert store_of(data).plan.channels == ("load", "year")
    assert "no-dates" in said(data)


def test_columns_that_are_no_numbers_are_said() -> None:
    frame = HOURLY.with_columns(
        city=pl.Series(["x", "y"] * (ROWS // 2)), unit=pl.lit("MW"), count=pl.int_range(ROWS)
    )
    findings = [each for each in prepare(recipe(frame)).findings if each.name == "no-numbers"]
    assert [each.level for each in findings] == ["warning", "note"]
    assert findings[0].seen.startswith(
        "Column 'city' (category: 2 different values): no numbers, and left out"
    )
    assert "data.drop=[unit, count]" in findings[1].action
    assert not said(prepare(recipe(frame, drop=["city", "unit", "count"])))


def test_gaps_in_what_is_measured_are_counted() -> None:
    empty = pl.int_range(ROWS).is_in([*range(60, 70), 100, 180])
    frame = HOURLY.with_columns(load=pl.when(~empty).then("load"))
    data = prepare(recipe(frame, split={"validation": 0.2, "test": 0.2}))
    text = said(data)["gaps-in-target"]
    assert "12 of 95 training windows and 3 of 46 validation windows would forecast a gap" in text
    assert "(1 value)" in text
    with pytest.raises(DataError, match="all stretches of 3 rows for validation have a gap"):
        prepare(recipe(HOURLY.with_columns(load=pl.when(pl.int_range(ROWS) % 3 > 0).then("load")), split={}))


def test_short_gaps_are_bridged_and_long_ones_are_not() -> None:
    nan = np.nan
    values = np.array([[nan, 1, nan, nan, nan, 5, nan, nan, nan, nan, 10, nan]]).T
    bridged = bridge(values)[:, 0]
    np.testing.assert_array_equal(bridged, [nan, 1, 2, 3, 4, 5, nan, nan, nan, nan, 10, nan])


@pytest.mark.parametrize("name", ["known", "series", "quantiles"])
def test_what_does_not_exist_yet_is_refused_with_the_reason(name: str) -> None:
    with pytest.raises(RecipeError, match=rf"data\.forecast\.{name}: .* yet.* leave the setting out|Leave"):
        recipe(HOURLY, forecast={name: ["holiday"]})


def test_the_cases(shared_cases: Path) -> None:
    folder = shared_cases / "series"
    holes = prepare(recipe(folder / "holes.csv", forecast={"horizon": 6}))
    assert store_of(holes).plan.season == 24
    assert "108 of 960 hours are missing" in said(holes)["missing-steps"]
    for name in ("two_unequal.csv", "long.csv"):
        with pytest.raises(DataError, match="told apart by 'store'"):
            prepare(recipe(folder / name, "sales"))
    assert "uneven-steps" in said(prepare(recipe(folder / "irregular.csv", "v")))
    assert "no-dates" in said(prepare(recipe(folder / "only_target.csv")))
    months = prepare(recipe(folder / "ym.csv", "y"))
    assert "a step is 1 month" in months.notes[-1]


def test_the_order_of_day_and_month_is_said_and_set() -> None:
    days = [(day, month) for month in range(1, 8) for day in range(1, 13)]
    frame = pl.DataFrame(
        {"when": [f"{day:02d}/{month:02d}/2023" for day, month in days], "load": LOAD[: len(days)]}
    )
    assert "data.dates.order=mdy" in said(prepare(recipe(frame)))["date-order"]
    other = prepare(recipe(frame, dates={"order": "mdy"}))
    assert "date-order" not in said(other)
    assert "they were sorted by 'when'" in " ".join(other.notes)
    given = prepare(recipe(frame, dates={"formats": {"when": "%d/%m/%Y"}}))
    assert "date-order" not in said(given)
    assert "sorted" not in " ".join(given.notes)
    with pytest.raises(DataError, match=r"data\.dates\.formats\.wen: there is no such column"):
        prepare(recipe(frame, dates={"formats": {"wen": "%d"}}))
