"""How dates were read, and whether the rows stand in the order of time."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from jaxtyping import Float

from handrail.data.checks.columns.wording import counted_columns
from handrail.data.columns.date_forms import FORMS, read_form
from handrail.data.columns.dates import order_of
from handrail.data.columns.schema import Column, Schema
from handrail.data.columns.values import as_labels, as_numbers
from handrail.data.finding import Finding, report_columns
from handrail.data.part import Part
from handrail.data.task import TaskSpec
from handrail.recipe.reading import Split
from handrail.tools.words import plural

_ORDERS = {"dmy": "the day first", "mdy": "the month first", "ymd": "the year first"}
_FEWEST_ROWS, _IN_ORDER = 30, 0.98
_RELATED = 4.0  # deviations of a correlation by chance
_REPEATED = 3  # rows of a date that stands for none
_AHEAD = 20  # years after the middle date that two digits are taken for
_YEAR = 365.2425 * 86400
_DIGITS = {"%Y%m%d": (16000101, 21991231), "%Y%m": (190001, 209912)}


def check_dates(
    train: Part, validation: Part, *, schema: Schema, task: TaskSpec, split: Split
) -> list[Finding]:
    """Guessed orders, several formats, far dates, numbers that look like dates, rows in the order of time."""
    dates = schema.of_kind("datetime")
    styles = [report_style(train.raw[column.name], column) for column in dates]
    findings: list[Finding | None] = [finding for style in styles for finding in style]
    findings += [_find_far(train, column) for column in dates]
    for column in dates:
        findings += report_late_years(train.features[column.name].to_numpy(), column)
    findings += _find_digits(train, schema)
    findings += _find_order_of_time(train, validation, dates, task, split)
    return [finding for finding in findings if finding is not None]


def report_style(raw: pl.Series, column: Column) -> list[Finding]:
    """What was decided about how a column of dates is written."""
    order = [_report_order(raw, column)] if column.other_format else []
    return [*order, *([_report_formats(raw, column)] if column.more_formats else [])]


def _report_order(raw: pl.Series, column: Column) -> Finding:
    """Which of day and month comes first is a guess, or goes by something else than the values."""
    formats = (column.date_format or "", *column.more_formats)
    taken = next(each for each in formats if order_of(each) == _other_order(each, column))
    own, other = order_of(taken) or "", order_of(column.other_format or "") or ""
    values = raw.drop_nulls()
    fitting = values.filter(values.str.contains(r"^\D*\d{1,4}[/-]\d"))
    example = (fitting if len(fitting) else values)[0]
    reason = f" ({column.order_why})" if column.order_why else ", by habit alone"
    return Finding(
        level="note" if column.order_why.startswith("the order of") else "warning",
        name="date-order",
        column=column.name,
        seen=f"Column '{column.name}': dates such as '{example}' are read with {_ORDERS[own]}{reason}; "
        f"with {_ORDERS[other]} all of them would be dates, too.",
        why="Read the wrong way round, dates are other days, and their order is lost.",
        action=f"data.dates.order={other} reads {_ORDERS[other]}, data.dates.order={own} keeps what was "
        f"taken; data.dates.formats.{column.name}='{column.other_format}' is for this column alone.",
        decided=True,
    )


def _other_order(date_format: str, column: Column) -> str | None:
    """The order of a format, if it is the one that has the column's other format as its twin."""
    twin = column.other_format or ""
    same = date_format[2:3] == twin[2:3] and ("%y" in date_format) == ("%y" in twin)
    return order_of(date_format) if same else "none"


def _report_formats(raw: pl.Series, column: Column) -> Finding:
    formats = (column.date_format or "", *column.more_formats)
    listed = ", ".join(f"'{each}'" for each in formats)
    return Finding(
        level="note",
        name="date-formats",
        column=column.name,
        seen=f"Column '{column.name}': dates in {plural(len(formats), 'format')} ({listed}), each value read "
        "by the one that it has.",
        why="Dates from several sources stand in one column.",
        action=f"data.dates.formats.{column.name}='{formats[0]}' reads this one alone, and takes others as "
        "missing.",
        decided=True,
    )


def _find_far(train: Part, column: Column) -> Finding | None:
    """A date, repeated, that lies outside all others by more than twice their range, such as 9999-12-31."""
    values = train.features[column.name].to_numpy()
    known = values[np.isfinite(values)]
    if len(known) < _FEWEST_ROWS:
        return None
    for end in (known.max(), known.min()):
        others = known[known != end]
        rows = len(known) - len(others)
        if len(others) < _FEWEST_ROWS or rows < _REPEATED:
            continue
        gap, reach = np.abs(end - others).min(), np.ptp(others)
        if gap > max(2 * reach, 10 * _YEAR):
            return _report_far(train, column, float(end), rows)
    return None


def _report_far(train: Part, column: Column, moment: float, rows: int) -> Finding:
    raw, read = train.raw[column.name], train.features[column.name]
    written = str(as_labels(raw.filter((read == moment).fill_null(False)))[0])
    return Finding(
        level="warning",
        name="marker",
        column=column.name,
        seen=f"Column '{column.name}': '{written}' in {plural(rows, 'row')}, far outside all other dates: by "
        "its look a marker for 'no date'.",
        why="Taken as a day, it sets the scale of time.",
        action=f"Nothing is changed; data.missing.{column.name}=['{written}'] takes it as missing.",
    )


def report_late_years(values: Float[np.ndarray, " rows"], column: Column) -> list[Finding]:
    """Years of two digits that are taken for a far future: a birth in 45 is not of 2045."""
    if not any("%y" in each for each in (column.date_format or "", *column.more_formats)):
        return []
    known = values[np.isfinite(values)]
    late = known[known > np.median(known) + _AHEAD * _YEAR] if len(known) else known
    if not len(late):
        return []
    years = [str(np.datetime64(int(each), "s"))[:4] for each in (late.min(), late.max())]
    return [
        Finding(
            level="warning",
            name="late-years",
            column=column.name,
            seen=f"Column '{column.name}': years of two digits are taken as 1970 to 2069, which puts "
            f"{plural(len(late), 'row')} into the years {years[0]} to {years[1]}, long after the others.",
            why="Dates of birth, say, lie a century before.",
            action="Write years with four digits in the source.",
            decided=True,
        )
    ]


def _find_digits(train: Part, schema: Schema) -> list[Finding]:
    """Numbers that are all months or days written without signs: 202001, 20200131."""
    details = {}
    for column in schema.of_kind("numeric"):
        values = train.features[column.name]
        low, high = values.min(), values.max()
        for form, (first, last) in _DIGITS.items():
            if low is None or not first <= float(low) <= float(high) <= last:  # pyright: ignore
                continue
            if column.why != "as given" and _are_digits(values.drop_nulls().unique(), form):
                details[column.name] = f"{as_labels(values.drop_nulls())[0]} as {form}"
    return report_columns(
        "warning",
        "digit-dates",
        details,
        seen="whole numbers that are all dates without signs; taken as quantities.",
        why="As numbers, a December and the next January are far from each other, and no season is seen.",
        action=counted_columns(details, "data.columns.{name}=datetime reads dates;")
        + f" data.columns.{next(iter(details), '')}=numeric says no more.",
        decided=True,
    )


def _are_digits(values: pl.Series, form: str) -> bool:
    """Whether each is a month or a day, at least a dozen of them, and more than could be by chance."""
    if len(values) < 12 or bool((values != values.floor()).any()):
        return False
    texts = values.cast(pl.Int64).cast(pl.String)
    assert form in FORMS
    return not read_form(texts, form).null_count()


def _find_order_of_time(
    train: Part, validation: Part, dates: Sequence[Column], task: TaskSpec, split: Split
) -> list[Finding]:
    """Rows that stand in the order of a date, neighbours alike in the target, and parts drawn at random."""
    if split.method != "auto" or task.is_forecast or not task.has_values:
        return []
    divided = train.table.source != validation.table.source or train.table.parts is not None
    if divided or len(train) < _FEWEST_ROWS:
        return []
    for column in dates:
        times = train.features[column.name].to_numpy()
        order = np.argsort(train.rows, kind="stable")
        known = times[order][np.isfinite(times[order])]
        steps = np.diff(known)
        if len(known) < max(_FEWEST_ROWS, 0.9 * len(times)):
            continue
        ordered = max((steps >= 0).mean(), (steps <= 0).mean()) >= _IN_ORDER
        if ordered and len(np.unique(known)) >= _FEWEST_ROWS:
            return [_report_order_of_time(column, _likeness(train, task, order))]
    return []


def _likeness(train: Part, task: TaskSpec, order: np.ndarray) -> float:
    """The correlation of the target's ranks in neighbouring rows, in deviations by chance."""
    if not task.targets:
        return 0.0
    if task.name == "regression":
        target = as_numbers(train.raw[task.targets[0]]).to_numpy()
    else:
        target = np.asarray(train.target, dtype=np.float64).reshape(len(train), -1)[:, 0]
    ranks: Float[np.ndarray, " rows"] = pl.Series(target[order]).rank("average").to_numpy()
    ranks = ranks - ranks.mean()
    square = float(ranks @ ranks)
    return float(ranks[1:] @ ranks[:-1]) / square * np.sqrt(len(ranks)) if square else 0.0


def _report_order_of_time(column: Column, likeness: float) -> Finding:
    hangs = likeness > _RELATED
    also = ", and rows beside each other have like targets" if hangs else ""
    return Finding(
        level="warning" if hangs else "note",
        name="time-order",
        column=column.name,
        seen=f"Column '{column.name}': the rows stand in the order of time{also}; the parts were "
        "drawn at random.",
        why="Validation and test rows then lie between training rows of nearly the same moment, and figures "
        "look better than they will be for the time to come.",
        action=f"data.split.method=time data.split.column={column.name} tests on the latest rows; "
        "data.split.method=random says no more.",
        decided=hangs,
    )
