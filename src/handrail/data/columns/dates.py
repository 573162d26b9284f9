"""How a column writes its dates: one format, or several, and whether day or month comes first.

A format is one of the strict styles below, which read large columns quickly; a form of `date_forms`; or any
other that chrono knows, where the user gives it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from polars.exceptions import PolarsError

from handrail.data.columns.date_forms import (
    ANY_TIME,
    CLOCK,
    FORMS,
    LOOKS_DATED,
    days_of,
    read_form,
    split_time,
)
from handrail.errors import DataError

# What a date of each style looks like: chrono alone would take '1.2.3' for the year 3. Where day and month
# could be either, month first comes first.
_DATE_STYLES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"^\d{4}[-/]\d{1,2}(?:[-/]|$)", (
        "%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S",
        "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z",
        "%Y/%m/%d", "%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "%Y-%m",
    )),
    (r"^\d{1,2}[-/. ](?:[[:alpha:]]+|\d{1,2})[-/. ]\d{4}(?:\D|$)", (
        "%d.%m.%Y", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S", "%m/%d/%Y", "%d/%m/%Y", "%m/%d/%Y %H:%M",
        "%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M:%S", "%d/%m/%Y %H:%M:%S", "%m/%d/%Y %I:%M %p", "%d/%m/%Y %I:%M %p",
        "%m/%d/%Y %I:%M:%S %p", "%d/%m/%Y %I:%M:%S %p", "%m-%d-%Y", "%d-%m-%Y", "%d %b %Y", "%d %B %Y",
        "%d-%b-%Y",
    )),
    (r"^(?:\d{1,2}/\d{1,2}/\d\d|\d\d\.\d\d\.\d\d|\d{1,2}-[[:alpha:]]{3}-\d\d)$", (
        "%m/%d/%y", "%d/%m/%y", "%d.%m.%y", "%d-%b-%y",
    )),
    (r"^(?:1[6-9]|20|21)\d{6}$", ("%Y%m%d",)),
)  # fmt: skip
_LOOKS = {date_format: look for look, formats in _DATE_STYLES for date_format in formats}
ISO_FORMATS = tuple(date_format for date_format in _LOOKS if date_format.startswith("%Y-"))
ORDERS = {"mdy": "%m{0}%d{0}%", "dmy": "%d{0}%m{0}%", "ymd": "%y{0}%m{0}%d"}
_SAMPLE = 200
_LIKELY, _READ, _FEWEST = 0.8, 0.95, 8  # shares of values that look like dates, are read; dates at least
_YEAR, _WIDER = 365.25 * 86400, 3
_FEWER_FALLS, _SMALLER_GAP = 0.5, 0.25  # of the other order, so that it is taken for the order of the rows
# No day, or one that stands for 'no date'. `9999-12-31` is a day, and stays one.
ZERO_DATE = (
    r"^(?:0{4}[-/.]0?0[-/.]0?0|0?0[-/.]0?0[-/.]0{2,4}|\d{4}[-/]0?0[-/]0?0|1900-01-00|9999-99-99)(?:\D.*)?$"
)


@dataclass(frozen=True)
class DateStyle:
    """How the dates of a column are written.

    Arguments:
        formats: the first reads the most; the others what it leaves.
        other: the first format with day and month the other way round, where that reads as many.
        why_order: what the choice between the two goes by; empty where it is a habit alone.
        markers: words that stand for no date.
    """

    formats: tuple[str, ...]
    other: str | None = None
    why_order: str = ""
    markers: tuple[str, ...] = ()


def find_dates(values: pl.Series, order: str = "auto") -> DateStyle | None:
    """How texts are written as dates; None where they are none.

    One format reads all of them, or several together at least 19 of 20: the rest are slips.

    Arguments:
        values: without nulls.
        order: `dmy`, `mdy` or `ymd` is taken where the values leave it open.
    """
    date_format = date_format_of(values, order)
    if date_format:
        return _settle_order(values, (date_format,), order)
    if not _may_be_dates(values):
        return None
    words = _markers(values)
    dates = values.filter(~values.is_in(list(words))) if words else values
    date_format = date_format_of(dates, order) if len(dates) >= _FEWEST else None
    formats = (date_format,) if date_format else _find_clock(dates) or _find_several(dates, order)
    return _settle_order(dates, formats, order, words) if formats else None


def _may_be_dates(values: pl.Series) -> bool:
    sample = values.head(_SAMPLE)
    looks = sample.str.contains(LOOKS_DATED) | sample.str.contains(ZERO_DATE)
    return len(values) >= _FEWEST and int(looks.sum()) >= _LIKELY * len(sample)


def _markers(values: pl.Series) -> tuple[str, ...]:
    """Zero dates, and at most three words without digits in at most one value of twenty."""
    distinct = values.unique()
    zeros = distinct.filter(distinct.str.contains(ZERO_DATE)).sort().to_list()
    words = distinct.filter(~distinct.str.contains(r"\d")).sort().to_list()
    rare = 0 < len(words) <= 3 and int(values.is_in(words).sum()) <= (1 - _READ) * len(values)
    return (*zeros, *(words if rare else ()))


def _find_clock(values: pl.Series) -> tuple[str, ...]:
    """Times of day alone: beside dates, they would be moments of 1970."""
    known = len(values) - read_form(values, CLOCK).null_count()
    return (CLOCK,) if len(values) >= _FEWEST and known >= _READ * len(values) else ()


def _find_several(values: pl.Series, order: str) -> tuple[str, ...]:
    """Formats that together read nearly all values, the most frequent first; none where they do not."""
    if len(values) < _FEWEST:
        return ()
    counts = values.rename("text").value_counts(name="rows")
    texts, rows = counts["text"], counts["rows"]
    best = best_date_format(texts, order)
    if best is not None:
        read = moments(texts, best).is_not_null()
        if int(rows.filter(read).sum()) >= _READ * len(values):
            return (best, *_twin_of(best, texts.filter(~read)))
    dates, times = split_time(texts)
    left, found = dates.is_not_null(), {}
    families, enough = _families(order), min(_READ * len(values), len(values) - 1)
    both = [[form for form in family if order_of(form) in ("mdy", "dmy")] for family in families]
    for some in (families, filter(None, both)):  # again, for dates that exist the other way round alone
        for family in some if sum(found.values()) < enough else ():
            read = {form: days_of(dates, form).is_not_null() & left for form in family}
            sums = {form: int(rows.filter(mask).sum()) for form, mask in read.items()}
            form = max(sums, key=lambda each: sums[each])  # of several, `_settle_order` chooses
            if sums[form]:
                timed = bool((times.is_not_null() & read[form]).any())
                found[form + ANY_TIME * timed] = sums[form]
                left &= ~read[form]
    if sum(found.values()) < enough:
        return ()
    forms = tuple(sorted(found, key=lambda form: found[form], reverse=True))
    return forms if swapped_pair(forms) else (*forms, *_twin_of(forms[0], texts.filter(left)))


def _twin_of(date_format: str, unread: pl.Series) -> tuple[str, ...]:
    """The format with day and month the other way round, where that is what is unread: several dates, all."""
    twin = _twin(date_format)
    return (twin,) if twin and len(unread) >= 2 and not moments(unread, twin).null_count() else ()


def _families(order: str) -> list[list[str]]:
    """Forms; those of one look that differ in the order of day and month stand together."""
    families: dict[str, list[str]] = {}
    for form in (form for form in FORMS if form != CLOCK):
        sign, short = form[2:3], form.endswith(("y", "%y/%m/%d", "%y-%m-%d")) and "b" not in form
        swaps = form.startswith(("%d", "%m", "%y")) and form.count("%") == 3 and "b" not in form
        families.setdefault(f"{sign}{short}" if swaps else form, []).append(form)
    return [sorted(forms, key=lambda form: order_of(form) != order) for forms in families.values()]


def order_of(date_format: str) -> str | None:
    """`mdy`, `dmy` or `ymd` of a format by whose look day and month cannot be told apart."""
    sign = date_format[2:3]
    starts = {name: start.format(sign) for name, start in ORDERS.items()}
    return next((name for name, start in starts.items() if date_format.startswith(start)), None)


def swap_order(date_format: str, order: str) -> str | None:
    """The same format in another order of day and month; None where there is no such format."""
    own, sign = order_of(date_format), date_format[2:3]
    if own is None or sign == ".":
        return None
    year = "Y" if "%Y" in date_format else "y"
    whole = {name: start.format(sign) + year * start.endswith("%") for name, start in ORDERS.items()}
    swapped = date_format.replace(whole[own], whole[order])
    known = swapped in _LOOKS or swapped.removesuffix(ANY_TIME) in FORMS
    return swapped if known and swapped != date_format else None


def swapped_pair(formats: Sequence[str]) -> tuple[str, str] | None:
    """The first two formats that differ in whether the day or the month comes first."""
    bases = {each.removesuffix(ANY_TIME): each for each in formats}
    for base, each in bases.items():
        twin = _twin(base)
        if twin in bases:
            return each, bases[twin]
    return None


def _twin(date_format: str) -> str | None:
    """The format with day and month the other way round."""
    return swap_order(date_format, "dmy" if order_of(date_format) == "mdy" else "mdy")


def _settle_order(
    values: pl.Series, formats: tuple[str, ...], order: str, markers: tuple[str, ...] = ()
) -> DateStyle:
    """The style with the order that is asked for, else the likeliest of those that read as much.

    An order that spreads the dates over far more years than another is out: 20-10-24 to 22-03-05 are not
    the years 2001 to 2031. Then the order of the rows decides, then habit.
    """
    place = next((at for at, each in enumerate(formats) if order_of(each) and each[2:3] != "."), None)
    if place is None or swapped_pair(formats):  # of a pair, the order that is asked for reads first
        return DateStyle(tuple(sorted(formats, key=lambda each: order_of(each) != order)), markers=markers)

    def style(chosen: str, other: str | None = None, reason: str = "") -> DateStyle:
        return DateStyle((*formats[:place], chosen, *formats[place + 1 :]), other, reason, markers)

    read = _readings(values, formats[place])
    asked = next((each for each in read if order_of(each) == order), None)
    if asked is not None:
        return style(asked)
    if len(read) == 1:
        return style(formats[place])
    spans = {each: _span(seconds) for each, seconds in read.items()}
    near = [each for each in read if spans[each] <= _WIDER * min(spans.values()) + 2 * _YEAR]
    first, *others = near
    if not others:
        return style(first)
    for one, other in ((first, others[0]), (others[0], first)):
        if _is_steadier(read[one], read[other]):
            return style(one, other, "by which the rows follow each other in time")
    return style(first, others[0])


def _readings(values: pl.Series, chosen: str) -> dict[str, pl.Series]:
    """The moments by a format, and by those with day, month and year in another order that read as many."""
    read = {chosen: moments(values, chosen)}
    for name in ("dmy", "mdy", "ymd"):
        other = swap_order(chosen, name)
        seconds = None if other is None else moments(values, other)
        if other is not None and seconds is not None and seconds.null_count() <= read[chosen].null_count():
            read[other] = seconds
    return read


def _span(seconds: pl.Series) -> float:
    known = seconds.drop_nulls().to_numpy()
    return float(np.ptp(known)) if len(known) else 0.0


def _is_steadier(one: pl.Series, other: pl.Series) -> bool:
    """Whether the rows are more nearly in the order of time by one reading, or have smaller gaps."""
    falls, gaps = [], []
    for seconds in (one, other):
        steps = np.diff(seconds.drop_nulls().to_numpy())
        if len(steps) < _FEWEST or not steps.any():
            return False
        down = float((steps < 0).mean())
        falls.append(min(down, float((steps > 0).mean())))
        gaps.append(float(np.abs(steps).max()))
    if falls[0] == falls[1] == 0:
        return gaps[0] <= _SMALLER_GAP * gaps[1]
    return falls[0] <= 0.2 and falls[0] <= _FEWER_FALLS * falls[1]


def date_format_of(values: pl.Series, order: str = "auto") -> str | None:
    """The first strict format that reads every value."""
    sample = values.head(_SAMPLE)
    for look, formats in _DATE_STYLES:
        if bool(sample.str.contains(look).all()):
            for date_format in _in_order(formats, order):
                if not any(_strict_moments(each, date_format).null_count() for each in (sample, values)):
                    return date_format
    return None


def _in_order(formats: Sequence[str], order: str) -> list[str]:
    return (
        sorted(formats, key=lambda each: order_of(each) not in (None, order))
        if order != "auto"
        else [*formats]
    )


def best_date_format(values: pl.Series, order: str = "auto") -> str | None:
    """The strict format that reads every value, else the one that reads the most."""
    if not len(values):
        return None
    formats = _in_order(tuple(_LOOKS), order)
    unread = {date_format: _strict_moments(values, date_format).null_count() for date_format in formats}
    best = min(unread, key=lambda date_format: unread[date_format])
    return best if unread[best] < len(values) else None


def moments(texts: pl.Series, date_format: str) -> pl.Series:
    """Texts of one format as seconds since 1970-01-01 UTC; null where they are not of it.

    Raises: `DataError` for a format that chrono does not know.
    """
    known, form = date_format in _LOOKS, date_format.removesuffix(ANY_TIME) in FORMS
    if form and not known:
        return read_form(texts, date_format)
    seconds = _strict_moments(texts, date_format)
    if form and "%b" in date_format and seconds.null_count() > texts.null_count():
        return seconds.fill_null(read_form(texts, date_format))  # other languages, a day of the week
    return seconds


def _strict_moments(texts: pl.Series, date_format: str) -> pl.Series:
    look, fitting = _LOOKS.get(date_format), texts
    if look is not None:
        fitting = pl.select(pl.when(texts.str.contains(look)).then(texts)).to_series()
    try:
        moments = fitting.str.to_datetime(date_format, time_unit="us", strict=False)
    except PolarsError:
        raise DataError(
            f"data.dates.formats: found '{date_format}', expected the format of a date, such as %d/%m/%Y or "
            "%d.%m.%y %H:%M."
        ) from None
    return (moments.dt.epoch("us").cast(pl.Float64) / 1e6).alias(texts.name)


def lend_orders(styles: Mapping[str, DateStyle]) -> dict[str, DateStyle]:
    """Styles that leave the order open, by columns of the same signs that do not; only those that change.

    Arguments:
        styles: by column.
    """
    decisive: dict[str, dict[str, str]] = {}
    for name, style in styles.items():
        for each in style.formats:
            own = order_of(each)
            if own is not None and style.other is None and each[2:3] != ".":
                decisive.setdefault(each[2:3], {}).setdefault(own, name)
    lent = {}
    for name, style in styles.items():
        first = next((each for each in style.formats if order_of(each) and each[2:3] != "."), None)
        lenders = decisive.get(first[2:3], {}) if first else {}
        if style.other is None or first is None or len(lenders) != 1:
            continue
        order, lender = next(iter(lenders.items()))
        pair = {order_of(first): first, order_of(style.other): style.other}
        if order in pair:
            formats = tuple(pair[order] if each == first else each for each in style.formats)
            other = next(each for known, each in pair.items() if known != order)
            lent[name] = DateStyle(formats, other, f"the order of '{lender}'", style.markers)
    return lent
