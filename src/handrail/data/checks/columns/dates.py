"""How dates were read, and whether the rows stand in the order of time."""

from collections.abc import Callable, Sequence

import numpy as np
import polars as pl
from jaxtyping import Float, Int

from handrail.data.checks.columns.far_dates import find_far
from handrail.data.checks.columns.wording import counted_columns, set_format, set_kind
from handrail.data.columns.date_forms import CLOCK, FORMS, read_form
from handrail.data.columns.dates import order_of, swapped_pair
from handrail.data.columns.point_months import POINT_MONTHS, find_point_months, spell_months
from handrail.data.columns.schema import Column, Schema
from handrail.data.columns.values import as_labels, as_numbers, as_seconds
from handrail.data.finding import Finding, advise_drop, as_pasted, report_columns
from handrail.data.part import Part
from handrail.data.task import TaskSpec
from handrail.recipe.reading import Split
from handrail.tools.words import plural

_ORDERS = {"dmy": "the day first", "mdy": "the month first", "ymd": "the year first"}
_FEWEST_ROWS, _IN_ORDER = 30, 0.98
_RELATED = 4.0  # deviations of a correlation by chance
_AHEAD = 20  # years after the middle date that two digits are taken for
_YEAR = 365.2425 * 86400
_MONTHS_AS_NUMBERS = (
    "As numbers, a December and the next January are far from each other, and no season is seen."
)
_FEWEST_MONTHS = 12  # different ones, so that numbers are taken for them
_LOOKS = {
    **dict.fromkeys(POINT_MONTHS, ("months", _MONTHS_AS_NUMBERS, "numeric")),
    CLOCK: (
        "times of day",
        "A clock has an order, and begins again at midnight; words have none.",
        "category",
    ),
}
_DIGITS = {"%Y%m%d": (16000101, 21991231), "%Y%m": (190001, 209912)}


def check_dates(
    train: Part, validation: Part, *, schema: Schema, task: TaskSpec, split: Split
) -> list[Finding]:
    """Guessed orders, several formats, far dates, numbers that look like dates, rows in the order of time."""
    dates = schema.of_kind("datetime")

    def place(row: int) -> str:
        return train.table.row_name(int(train.rows[row]))

    styles = [report_style(train.raw[column.name], column, place) for column in dates]
    findings: list[Finding | None] = [finding for style in styles for finding in style]
    findings += [find_far(train, column) for column in dates]
    for column in dates:
        findings += report_late_years(train.features[column.name].to_numpy(), column)
    findings += _find_digits(train, schema)
    findings += _find_order_of_time(train, validation, dates, task, split)
    return [finding for finding in findings if finding is not None]


def report_style(raw: pl.Series, column: Column, place: Callable[[int], str] | None = None) -> list[Finding]:
    """What was decided about how a column of dates is written.

    Arguments:
        place: the name of a row, where one is to be named.
    """
    formats = (column.date_format or "", *column.more_formats)
    pair = swapped_pair(formats)
    findings = [_report_order(raw, column)] if column.other_format else []
    findings += [_report_look(raw, column)] if formats[0] in _LOOKS and not _is_given(column) else []
    if pair is not None:
        return [*findings, _report_both_orders(raw, column, pair, place)]
    return [*findings, *([_report_formats(column)] if column.more_formats else [])]


def _is_given(column: Column) -> bool:
    return column.why.endswith("as given")


def _report_look(raw: pl.Series, column: Column) -> Finding:
    """Times of day, and months that could be numbers."""
    what, why, other = _LOOKS[column.date_format or ""]
    example = raw.filter(as_seconds(raw, column.date_format).is_not_null())[0]
    return Finding(
        level="note",
        name="date-look",
        column=column.name,
        seen=f"Column '{column.name}': '{example}' and the like are read as {what}.",
        why=why,
        action=f"{set_kind(column.name, other)} takes them as "
        f"{'numbers' if other == 'numeric' else 'levels'}; {set_kind(column.name, 'datetime')} says no more.",
        decided=True,
    )


def _report_both_orders(
    raw: pl.Series, column: Column, pair: tuple[str, str], place: Callable[[int], str] | None
) -> Finding:
    """Some dates are possible only with the day first, others only with the month first."""
    masks = [as_seconds(raw, each).is_not_null().to_numpy() for each in pair]
    alone = [np.flatnonzero(mask & ~masks[1 - at]) for at, mask in enumerate(masks)]
    orders = [_ORDERS[order_of(each) or ""] for each in pair]
    counted = [
        f"{len(rows):,} only with {order}"
        + (f" ('{raw[int(rows[0])]}'{_in_row(rows, place)})" if len(rows) else "")
        for rows, order in zip(alone, orders, strict=True)
    ]
    both = int((masks[0] & masks[1]).sum())
    order = order_of(pair[1])
    return Finding(
        level="warning",
        name="date-orders",
        column=column.name,
        seen=f"Column '{column.name}': of the dates, {' and '.join(counted)} are possible; {both:,} that "
        f"could be either are read with {orders[0]}.",
        why="Dates from two sources stand in one column, and nothing tells which is whose.",
        action=f"Mend the source; data.dates.order={order} reads what is open with {orders[1]}, "
        f"{set_format(column.name, pair[0])} takes the others as missing, and {advise_drop([column.name])}",
        decided=True,
    )


def _in_row(rows: Int[np.ndarray, " rows"], place: Callable[[int], str] | None) -> str:
    return f" in {place(int(rows[0]))}" if place is not None else ""


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
        f"taken; {set_format(column.name, column.other_format or '')} is for this column alone.",
        decided=True,
    )


def _other_order(date_format: str, column: Column) -> str | None:
    """The order of a format, if it is the one that has the column's other format as its twin."""
    twin = column.other_format or ""
    same = date_format[2:3] == twin[2:3] and ("%y" in date_format) == ("%y" in twin)
    return order_of(date_format) if same else "none"


def _report_formats(column: Column) -> Finding:
    formats = (column.date_format or "", *column.more_formats)
    listed = ", ".join(f"'{each}'" for each in formats)
    return Finding(
        level="note",
        name="date-formats",
        column=column.name,
        seen=f"Column '{column.name}': dates in {plural(len(formats), 'format')} ({listed}), each value read "
        "by the one that it has.",
        why="Dates from several sources stand in one column.",
        action=f"{set_format(column.name, formats[0])} reads this one alone, and takes others as missing.",
        decided=True,
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
    """Numbers that are all months or days written without signs, 202001, 20200131, or months with a point."""
    details = {}
    for column in schema.of_kind("numeric"):
        values = train.features[column.name]
        if column.why != "as given" and (months := _as_months(values)) is not None:
            details[column.name] = f"{months[0]} as {find_point_months(months)}"
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
        seen="numbers that are all dates by their digits; taken as quantities.",
        why=_MONTHS_AS_NUMBERS,
        action=counted_columns(details, "data.columns.{name}=datetime reads dates;")
        + f" {set_kind(next(iter(details), ''), 'numeric')} says no more.",
        decided=True,
    )


def _as_months(values: pl.Series) -> pl.Series | None:
    """Months with a point in a source whose numbers have no last zeros, such as a data frame."""
    months = spell_months(values.drop_nulls())  # which is quick to say no
    return months if months is not None and months.n_unique() >= _FEWEST_MONTHS else None


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
        action=f"data.split.method=time {as_pasted(f'data.split.column={column.name}')} tests on the latest "
        "rows; data.split.method=random says no more.",
        decided=hangs,
    )
