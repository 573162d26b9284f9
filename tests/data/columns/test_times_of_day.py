"""Times of day alone in a column are seconds since midnight."""

import polars as pl
import pytest

from handrail.data.columns.schema import infer, infer_column, read_column

TIMES = [(place * 5 % 24, place * 7 % 60, place * 11 % 60) for place in range(60)]


def on_a_clock_of_twelve(hour: int, minute: int, second: int) -> str:
    return f"{(hour - 1) % 12 + 1}:{minute:02}:{second:02} {'AM' if hour < 12 else 'p.m.'}"


def to_the_minute(hour: int, minute: int, second: int) -> str:
    del second
    return f"{hour:02}:{minute:02}"


@pytest.mark.parametrize("form", ["{0}:{1:02}:{2:02}".format, on_a_clock_of_twelve, to_the_minute])
def test_times_of_day_are_seconds_since_midnight(form) -> None:
    texts = pl.Series("at", [form(*each) for each in TIMES])
    column = infer_column(texts)
    assert (column.kind, column.why) == ("datetime", "times of day as %H:%M")
    read, troubles = read_column(texts, column)
    exact = form is not to_the_minute
    assert read.to_list() == [hour * 3600 + minute * 60 + second * exact for hour, minute, second in TIMES]
    assert not troubles
    assert [each.example for each in read_column(pl.Series(["25:10"]), column)[1]] == ["25:10"]


def test_what_is_no_time_of_day() -> None:
    few = pl.Series("at", ["08:00", "12:30", "18:15"] * 20)
    assert infer_column(few).kind == "category"
    assert infer(few.to_frame(), kinds={"at": "datetime"}).columns[0].date_format == "%H:%M"
    lengths = pl.Series("length", [f"{place}:{place % 60:02}" for place in range(90)])
    assert infer_column(lengths).kind == "identifier"
    mixed = pl.Series("at", [f"{hour}:{minute:02}" for hour, minute, _ in TIMES] + ["2020-01-01 10:00"] * 60)
    assert infer_column(mixed).kind != "datetime"
