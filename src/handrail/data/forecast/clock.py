"""Moments that are written as numbers: seconds since 1970, years, 202001 for a month."""

import re
from typing import Literal

import numpy as np
import polars as pl

from handrail.data.columns.values import as_numbers

Clock = Literal["seconds", "milliseconds", "year", "yyyymm", "yyyymmdd"]
_NAME = re.compile(
    r"(?i)(^|[_\s.-])(unix|epoch|ts|time|timestamp|date|datetime|year|month|period|day)s?($|[_\s.-])"
    r"|timestamp|datetime|[a-z](Time|Date)$"
)
_SECONDS = (3e8, 4.2e9)  # 1979 to 2103
_YEARS = (1500, 2200)
CLOCK_NAMES: dict[Clock, str] = {
    "seconds": "seconds since 1970",
    "milliseconds": "milliseconds since 1970",
    "year": "years",
    "yyyymm": "years and months (202001)",
    "yyyymmdd": "years, months and days (20200131)",
}


def find_clock(series: pl.Series) -> Clock | None:
    """How a column of different whole numbers with a name such as `time` or `year` tells the moment.

    None where a value is missing, or the numbers are none of these.
    """
    if not _NAME.search(series.name) or series.dtype.is_temporal() or len(series) < 2:
        return None
    numbers = as_numbers(series)
    if numbers.null_count() or numbers.n_unique() < len(numbers):
        return None
    values = numbers.to_numpy()
    low, high = float(values.min()), float(values.max())
    if _within(low, high, _SECONDS):
        return "seconds"
    if not (values == np.floor(values)).all():
        return None
    if _within(low, high, _SECONDS, times=1000):
        return "milliseconds"
    return _digits_of_year(series, low, high)


def _digits_of_year(series: pl.Series, low: float, high: float) -> Clock | None:
    digits: dict[Clock, int] = {"year": 1, "yyyymm": 100, "yyyymmdd": 10_000}
    for clock, times in digits.items():
        if _within(low, high, _YEARS, times=times) and not read_clock(series, clock).null_count():
            return clock
    return None


def read_clock(series: pl.Series, clock: Clock) -> pl.Series:
    """The moments as seconds since 1970-01-01 UTC; null where a value is none."""
    numbers = as_numbers(series)
    if clock in ("seconds", "milliseconds"):
        return numbers / (1 if clock == "seconds" else 1000)
    digits = numbers.cast(pl.Int64, strict=False)
    ends = {"year": "0101", "yyyymm": "01", "yyyymmdd": ""}[clock]
    texts = digits.cast(pl.String) + ends
    seconds = texts.str.to_date("%Y%m%d", strict=False).cast(pl.Datetime("us")).dt.epoch("us")
    return seconds.cast(pl.Float64) / 1e6


def _within(low: float, high: float, bounds: tuple[float, float], *, times: int = 1) -> bool:
    return times * bounds[0] <= low and high <= times * bounds[1]
