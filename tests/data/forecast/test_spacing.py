"""Steps by the clock and by the calendar, and moments that are written as numbers."""

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handrail.data.forecast.clock import find_clock, read_clock
from handrail.data.forecast.spacing import find_spacing
from handrail.data.forecast.timeline import show_moment

START = datetime(2019, 12, 30)  # a Monday


def seconds(moments: list[datetime]) -> np.ndarray:
    return np.array([(moment - datetime(1970, 1, 1)).total_seconds() for moment in moments])


def every(rows: int = 60, **step: float) -> list[datetime]:
    return [START + row * timedelta(**step) for row in range(rows)]


def firsts(rows: int, months: int = 1) -> list[datetime]:
    return [datetime(2001 + row * months // 12, row * months % 12 + 1, 1) for row in range(rows)]


def month_ends(rows: int) -> list[datetime]:
    return [moment - timedelta(days=1) for moment in firsts(rows + 1)[1:]]


WEEKDAYS = [moment for moment in every(days=1) if moment.weekday() < 5]


@pytest.mark.parametrize(
    ("moments", "name", "five", "following"),
    [
        (every(hours=1), "1 hour", "5 hours", "2020-01-01 12:00"),
        (every(minutes=15), "15 minutes", "5 steps of 15 minutes", "2019-12-30 15:00"),
        (every(days=7), "1 week", "5 weeks", "2021-02-22"),
        (WEEKDAYS, "1 business day", "5 business days", "2020-02-28"),
        (firsts(30), "1 month", "5 months", "2003-07-01"),
        (firsts(30, 3), "1 quarter", "5 quarters", "2008-07-01"),
        (firsts(9, 12), "1 year", "5 years", "2010-01-01"),
        (month_ends(13), "1 month", "5 months", "2002-02-28"),
        (every(milliseconds=20), "0.02 seconds", "5 steps of 0.02 seconds", "2019-12-30 00:00:01.200000"),
    ],
)
def test_steps_and_what_follows(moments: list[datetime], name: str, five: str, following: str) -> None:
    spacing = find_spacing(seconds(moments))
    assert spacing is not None
    assert (str(spacing), spacing.name(5)) == (name, five)
    assert show_moment(float(spacing.after(float(seconds(moments)[-1]), 3)[0])) == following
    holes = [moment for row, moment in enumerate(moments) if row % 8 != 5 or row > 50]
    assert find_spacing(seconds(holes)) == spacing


def test_sensors_that_are_late_and_rows_without_a_step() -> None:
    chance = np.random.default_rng(0)
    moments = seconds(every(200, minutes=1))
    late = find_spacing(np.sort(moments + chance.normal(0, 1, 200)))
    assert str(late) == "about 1 minute"
    assert find_spacing(np.cumsum(chance.exponential(500, 200))) is None
    assert find_spacing(moments[:2]) is None
    assert str(find_spacing(np.repeat(moments, 2))) == "1 minute"


@settings(deadline=None, max_examples=30)
@given(st.integers(3, 400), st.sampled_from([1, 2, 3, 6, 12]), st.integers(1, 28), st.integers(0, 86399))
def test_months_are_even_whatever_their_length(rows: int, months: int, day: int, second: int) -> None:
    moments = [moment.replace(day=day) + timedelta(seconds=second) for moment in firsts(rows, months)]
    spacing = find_spacing(seconds(moments[:-1]))
    if spacing is None:
        assert rows < 4
        return
    assert (spacing.unit, spacing.size, spacing.about) == ("month", months, False)
    assert spacing.after(float(seconds(moments)[-2]), 1)[0] == seconds(moments)[-1]


@pytest.mark.parametrize(
    ("name", "values", "clock", "first"),
    [
        ("year", range(1990, 2030), "year", "1990-01-01"),
        ("month", [100 * (2000 + row // 12) + row % 12 + 1 for row in range(30)], "yyyymm", "2000-01-01"),
        ("Date", [20200131, 20200201], "yyyymmdd", "2020-01-31"),
        ("unix_time", [1.6e9 + row / 2 for row in range(9)], "seconds", "2020-09-13 12:26:40"),
        ("timestamp", [1_600_000_000_000 + row for row in range(9)], "milliseconds", "2020-09-13 12:26:40"),
        ("year", [1990, 1990, 1991], None, ""),
        ("price", range(1990, 2030), None, ""),
        ("month", [202001, 202013], None, ""),
        ("time", [1, 2, 3], None, ""),
    ],
)
def test_moments_as_numbers(name: str, values: list[float], clock: str | None, first: str) -> None:
    series = pl.Series(name, list(values))
    assert find_clock(series) == find_clock(series.cast(pl.String)) == clock
    if clock is not None:
        assert show_moment(read_clock(series, clock)[0]) == first  # pyright: ignore[reportArgumentType]
