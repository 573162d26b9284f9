"""How far apart the rows of a series stand: the step, by the clock or by the calendar."""

from typing import Literal

import numpy as np
from jaxtyping import Float, Int
from pydantic import BaseModel, ConfigDict

DAY = 86400.0
UNITS = ((7 * DAY, "week"), (DAY, "day"), (3600.0, "hour"), (60.0, "minute"), (1.0, "second"))
_MONTHS = {3: "quarter", 12: "year"}
_TOLERANCE = 0.1  # of a step: sensors are late, and days in UTC have 23 or 25 hours
_EVEN = 0.95  # of the distances are whole steps
_HALF = 0.5
_EXACT = 1e-3  # of a step
_FEWEST = 3  # rows
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONDAY_TO_FRIDAY, _FRIDAY, _FEWEST_WEEKDAYS = "1111100", 4, 4
_THREE_WEEKS = 21 * DAY
_SHORTEST_MONTH = 28 * DAY

Seconds = Float[np.ndarray, " rows"]


class Spacing(BaseModel):
    """One step of a series.

    Arguments:
        unit: a step is so many seconds, business days (Monday to Friday, or the weekdays that occur) or
            calendar months, which differ in length but not in number.
        size: how many units a step is.
        weekdays: of business days, `1` for each weekday that has rows, Monday first.
        month_end: whether the dates are the last days of months.
        about: whether some distances are only nearly whole steps.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    unit: Literal["second", "business day", "month"]
    size: float
    weekdays: str = _MONDAY_TO_FRIDAY
    month_end: bool = False
    about: bool = False

    def __str__(self) -> str:
        """As people call it: `1 hour`, `15 minutes`, `1 quarter`, `about 30 seconds`."""
        closed = [day for day, has_rows in zip(_DAYS, self.weekdays, strict=True) if has_rows == "0"]
        never = "" if self.weekdays == _MONDAY_TO_FRIDAY else f" (never on {' or '.join(closed)})"
        return f"{'about ' if self.about else ''}{self.name(1)}{never}"

    def name(self, steps: int) -> str:
        """So many steps: `108 hours`, `3 quarters`, `5 steps of 15 minutes`."""
        number, unit = self.size, self.unit
        if unit == "second":
            length, unit = next((each for each in UNITS if self.size % each[0] == 0), UNITS[-1])
            number = self.size / length
        elif unit == "business day" and self.weekdays != _MONDAY_TO_FRIDAY:
            unit = "open day"
        elif unit == "month" and self.size in _MONTHS:
            number, unit = 1, _MONTHS[int(self.size)]
        if number != 1 and steps != 1:
            return f"{steps:,} steps of {_count(number, unit)}"
        return _count(number * steps, unit)

    def counts(self, seconds: Seconds) -> Float[np.ndarray, " neighbours"]:
        """How many steps each moment lies behind the one before it."""
        if self.unit == "second":
            return np.diff(seconds) / self.size
        if self.unit == "business day":
            days = _days(seconds)
            return np.busday_count(days[:-1], days[1:], weekmask=self.weekdays).astype(np.float64)
        return np.diff(_months(seconds)) / self.size

    def after(self, moment: float, steps: int) -> Float[np.ndarray, " steps"]:
        """The next moments behind one, in seconds."""
        ahead = np.arange(1, steps + 1)
        if self.unit == "second":
            return moment + ahead * self.size
        time = moment % DAY
        if self.unit == "business day":
            days = np.busday_offset(_days(np.array([moment])), ahead, roll="backward", weekmask=self.weekdays)
            return days.astype("datetime64[D]").astype(np.float64) * DAY + time
        months = _as_time(np.array([moment])).astype("datetime64[M]") + (ahead * int(self.size))
        first, last = months.astype("datetime64[D]"), (months + 1).astype("datetime64[D]") - 1
        day = int(_day_of_month(np.array([moment]))[0])
        days = last if self.month_end else np.minimum(first + (day - 1), last)
        return days.astype(np.float64) * DAY + time


def find_spacing(seconds: Seconds) -> Spacing | None:
    """The step of sorted moments; None for fewer than three, and where they are not evenly spaced.

    Evenly: at least 95 % of the distances are one or several whole steps (to a tenth of a step), and half are
    one. Equal moments count once.
    """
    moments = np.unique(seconds)
    if len(moments) < _FEWEST:
        return None
    apart = np.diff(moments).round(6)  # as fine as moments are known
    size, share = most_frequent(apart)
    usual = Spacing(unit="second", size=size) if size > 0 and share >= _HALF else None
    calendar = _calendar(moments)
    if share == 1.0 and calendar is None:
        return usual
    candidates = [calendar, _business_days(moments), usual, _middle(apart), _nearly_monthly(moments)]
    for spacing in candidates:
        if spacing is not None and _is_even(spacing, moments):
            counts = spacing.counts(moments)
            exact = bool((np.abs(counts - np.rint(counts)) < _EXACT).all())
            return spacing.model_copy(update={"about": spacing.about or not exact})
    return None


def _middle(apart: Float[np.ndarray, " neighbours"]) -> Spacing | None:
    """The mean step of moments that waver around whole steps, in whole seconds where it is nearly that."""
    middle = float(np.median(apart))
    steps = np.rint(apart / middle).sum() if middle > 0 else 0
    if not steps:
        return None
    mean = float(apart.sum() / steps)
    return Spacing(
        unit="second", size=round(mean) if abs(round(mean) - mean) < mean / 100 else mean, about=True
    )


def most_frequent(apart: Float[np.ndarray, " neighbours"]) -> tuple[float, float]:
    """The most frequent distance (of equally frequent ones the shortest), and its share."""
    values, counts = np.unique(apart, return_counts=True)
    return float(values[counts.argmax()]), float(counts.max() / len(apart))


def _is_even(spacing: Spacing, moments: Seconds) -> bool:
    counts = spacing.counts(moments)
    whole = np.rint(counts)
    even = (np.abs(counts - whole) <= _TOLERANCE) & (whole >= 1)
    return bool(even.mean() >= _EVEN and (even & (whole == 1)).mean() >= _HALF)


def _is_calendar(moments: Seconds) -> bool:
    """Whether all stand on one day of the month at one time of the day, or on the last days of months."""
    if np.diff(moments).min() < _SHORTEST_MONTH or len(np.unique(moments % DAY)) > 1:
        return False
    return len(np.unique(_day_of_month(moments))) == 1 or _are_month_ends(moments)


def _calendar(moments: Seconds) -> Spacing | None:
    if not _is_calendar(moments):
        return None
    size, _ = most_frequent(np.diff(_months(moments)))
    ends = _are_month_ends(moments)
    return Spacing(unit="month", size=size, month_end=ends)


def _nearly_monthly(moments: Seconds) -> Spacing | None:
    """A row a month, on days that differ: the first Monday, say."""
    months = np.diff(_months(moments))
    if months.min() < 1:
        return None
    return Spacing(unit="month", size=most_frequent(months)[0], about=True)


def _business_days(moments: Seconds) -> Spacing | None:
    """A row a day but for weekends, or for other weekdays that never have one in three weeks."""
    days = _days(moments)
    weekdays = (days.astype(np.int64) + 3) % 7  # 1970-01-01 was a Thursday
    if len(np.unique(moments % DAY)) > 1:
        return None
    if weekdays.max() <= _FRIDAY:
        crossed = weekdays[1:] < weekdays[:-1]
        return Spacing(unit="business day", size=1) if crossed.any() else None
    occur = np.isin(np.arange(7), weekdays)
    if occur.all() or occur.sum() < _FEWEST_WEEKDAYS or moments[-1] - moments[0] < _THREE_WEEKS:
        return None
    return Spacing(unit="business day", size=1, weekdays="".join("01"[int(has_rows)] for has_rows in occur))


def _count(number: float, unit: str) -> str:
    return f"{number:,.6g} {unit}{'' if number == 1 else 's'}"


def _as_time(seconds: Seconds) -> np.ndarray:
    return np.floor(seconds).astype(np.int64).astype("datetime64[s]")


def _days(seconds: Seconds) -> np.ndarray:
    return _as_time(seconds).astype("datetime64[D]")


def _months(seconds: Seconds) -> Float[np.ndarray, " rows"]:
    return _as_time(seconds).astype("datetime64[M]").astype(np.float64)


def _day_of_month(seconds: Seconds) -> Int[np.ndarray, " rows"]:
    days = _days(seconds)
    return (days - days.astype("datetime64[M]").astype("datetime64[D]")).astype(np.int64) + 1


def _are_month_ends(seconds: Seconds) -> bool:
    return bool((_day_of_month(seconds + DAY) == 1).all())
