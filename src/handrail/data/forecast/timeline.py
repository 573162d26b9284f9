"""The rows of a table in the order of time.

What is said of it stands in the notes and findings of the table.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from jaxtyping import Float, Int

from handrail.data.columns.column import AS_FOUND, Conventions
from handrail.data.columns.date_forms import CLOCK
from handrail.data.columns.schema import Column, infer, infer_column, read_column
from handrail.data.finding import Finding
from handrail.data.forecast.clock import CLOCK_NAMES, Clock, find_clock, read_clock
from handrail.data.forecast.series import describe_repeats, refuse_several_series
from handrail.data.forecast.spacing import Spacing, find_spacing
from handrail.data.table import Table
from handrail.errors import DataError
from handrail.tools.words import plural

_NO_DATES = (pl.Time, pl.Duration)


@dataclass(frozen=True, eq=False)
class Timeline:
    """A table in the order of time.

    Arguments:
        places: of each row in the table as read, −1 for a step that was put in.
        date: the column that orders the rows; None where nothing does.
        clock: how its numbers tell the moment; None for dates.
        seconds: the moments of the rows.
        spacing: the step; None where rows are not evenly spaced.
        filled: whether missing steps are put in.
    """

    table: Table
    places: Int[np.ndarray, " rows"]
    date: Column | None = None
    clock: Clock | None = None
    seconds: Float[np.ndarray, " rows"] | None = None
    spacing: Spacing | None = None
    filled: bool = False

    def pick(self, rows: Int[np.ndarray, " picked"], *, findings: Sequence[Finding] = ()) -> "Timeline":
        """Some of the rows, under the names that they had, and what is to be said of that."""
        table = self.table
        picked = replace(
            table,
            frame=table.frame[rows],
            findings=(*table.findings, *findings),
            namer=lambda row: table.row_name(int(rows[row])),
            parts=None if table.parts is None else table.parts[rows],
        )
        seconds = None if self.seconds is None else self.seconds[rows]
        return replace(self, table=picked, places=self.places[rows], seconds=seconds)

    def moment(self, row: int) -> str:
        """When a row was, as ISO 8601 without what is zero at its end."""
        return "" if self.seconds is None else show_moment(float(self.seconds[row]))

    def say(self, *findings: Finding) -> "Timeline":
        """With more to be said."""
        return replace(self, table=replace(self.table, findings=(*self.table.findings, *findings)))


def order_rows(
    table: Table,
    targets: Collection[str],
    *,
    kinds: Mapping[str, str] | None = None,
    known: tuple[Column | None, Clock | None] | None = None,
    keep: bool = False,
    conventions: Conventions = AS_FOUND,
) -> Timeline:
    """The rows in the order of their first column of dates, or of numbers that tell the time.

    Arguments:
        kinds: kinds of columns that the user gives.
        known: the column of dates, and how it is read, where that is known already.
        keep: rows that stand there twice; else they are left out.
        conventions: what the user says about how dates are written.

    Raises: `DataError` for rows without a date, for several series, and where most rows share their date with
        others.
    """
    timeline = Timeline(table, np.arange(len(table.frame)))
    date, clock = known or _find_date(table.frame, targets, kinds or {}, conventions)
    if date is None or date.name not in table.frame.columns:
        return timeline
    timeline = _without_empty_rows(timeline, date.name, targets)
    seconds = _read_dates(timeline.table.frame[date.name], date, clock)
    _require_dates(timeline.table, seconds, date)
    if not keep and seconds.n_unique() < len(seconds):
        timeline, seconds = _without_repeats(timeline, seconds)
    refuse_several_series(timeline.table.frame, seconds, targets, table.source)
    timeline = replace(timeline, date=date, clock=clock, seconds=seconds.to_numpy())
    if clock is not None:
        timeline = _with_dates(timeline, seconds).say(_report_clock(date.name, clock, timeline.table))
    if repeats := describe_repeats(seconds):
        timeline = timeline.say(_report_repeats(repeats, date.name))
    timeline = _sort(timeline, seconds)
    return replace(timeline, spacing=find_spacing(seconds.sort().to_numpy()))


def _find_date(
    frame: pl.DataFrame, targets: Collection[str], kinds: Mapping[str, str], conventions: Conventions
) -> tuple[Column | None, Clock | None]:
    """The first column that tells when a row was, and how its numbers do where they are no dates."""
    names = [name for name in frame.columns if name not in targets and frame[name].dtype not in _NO_DATES]
    for name in names:
        formats = {name: conventions.formats[name]} if name in conventions.formats else {}
        if formats or kinds.get(name) == "datetime":
            clock = None if formats else find_clock(frame[name])
            own = replace(conventions, formats=formats)
            return infer(frame[[name]], kinds={name: "datetime"}, conventions=own).columns[0], clock
        if name not in kinds and not frame[name].dtype.is_numeric():
            column = infer_column(frame[name], conventions)
            if column.kind == "datetime" and column.date_format != CLOCK:
                return column, None
    for name in names:
        clock = None if name in kinds else find_clock(frame[name])
        if clock is not None:
            return Column(name=name, kind="datetime", why=CLOCK_NAMES[clock]), clock
    return None, None


def _read_dates(series: pl.Series, date: Column, clock: Clock | None) -> pl.Series:
    return read_column(series, date)[0] if clock is None else read_clock(series, clock).alias(series.name)


def _with_dates(timeline: Timeline, seconds: pl.Series) -> Timeline:
    """With moments in the place of the numbers that tell them."""
    frame = timeline.table.frame
    dates = (seconds * 1e6).round().cast(pl.Int64).cast(pl.Datetime("us"))
    columns = [dates if each.name == seconds.name else each for each in frame]
    return replace(timeline, table=replace(timeline.table, frame=pl.DataFrame(columns)))


def _without_empty_rows(timeline: Timeline, date: str, targets: Collection[str]) -> Timeline:
    """Without rows that have neither a date nor a target."""
    frame = timeline.table.frame
    empty = frame[date].is_null().to_numpy() & is_missing(frame, targets)
    if not targets or not empty.any() or empty.all():
        return timeline
    rows = np.flatnonzero(empty)
    first = timeline.table.row_name(int(rows[0]))
    finding = Finding(
        level="warning",
        name="empty-rows",
        seen=f"{plural(len(rows), 'row')} of '{timeline.table.source}' (the first is {first}) "
        f"{'has' if len(rows) == 1 else 'have'} neither a date in '{date}' nor a value of the target.",
        why="Nothing says where they belong.",
        action="They are left out.",
        decided=True,
    )
    return timeline.pick(np.flatnonzero(~empty), findings=[finding])


def _without_repeats(timeline: Timeline, seconds: pl.Series) -> tuple[Timeline, pl.Series]:
    """Without rows that equal a former one in date and all columns: they were sent twice."""
    table = timeline.table
    first = table.frame.select(pl.struct(pl.all()).is_first_distinct()).to_series().to_numpy()
    if first.all():
        return timeline, seconds
    again = np.flatnonzero(~first)
    rows, equal = plural(len(again), "row"), "equals" if len(again) == 1 else "equal"
    finding = Finding(
        level="warning",
        name="repeated-rows",
        column=seconds.name,
        seen=f"{rows} of '{table.source}' {equal} another one in all columns, '{seconds.name}' as well (the "
        f"first is {table.row_name(int(again[0]))}).",
        why="A forecast expects one row for each moment.",
        action="One of each is kept; data.forecast.gaps=keep takes all rows as they stand.",
        decided=True,
    )
    kept = np.flatnonzero(first)
    return timeline.pick(kept, findings=[finding]), seconds.gather(kept)


def is_missing(frame: pl.DataFrame, targets: Collection[str]) -> np.ndarray:
    """Whether a row has a value of none of the targets."""
    missing = np.ones(len(frame), dtype=bool)
    for name in targets:
        if name in frame.columns:
            column = frame[name].fill_nan(None) if frame[name].dtype.is_float() else frame[name]
            missing &= column.is_null().to_numpy()
    return missing


def _require_dates(table: Table, seconds: pl.Series, date: Column) -> None:
    if not seconds.null_count():
        return
    rows = np.flatnonzero(seconds.is_null().to_numpy())
    places = ", ".join(table.row_name(int(row)) for row in rows[:5])
    found = table.frame[seconds.name][int(rows[0])]
    word = "" if found is None else f", the first is '{found}'"
    expected = f"; dates are read as {date.date_format}" if word and date.date_format else ""
    raise DataError(
        f"column '{seconds.name}' of '{table.source}' has no date in {plural(len(rows), 'row')} "
        f"({places}{' …' if len(rows) > 5 else ''}{word}){expected}. A forecast needs the order of time: "
        "mend or remove these rows, or drop the column (data.drop)."
    )


def _sort(timeline: Timeline, seconds: pl.Series) -> Timeline:
    if seconds.is_sorted():
        return timeline
    how = "stood newest first" if seconds.is_sorted(descending=True) else "were not in the order of time"
    ordered = timeline.pick(np.argsort(seconds.to_numpy(), kind="stable"))
    note = f"rows {how}; they were sorted by '{seconds.name}'"
    return replace(ordered, table=replace(ordered.table, notes=(*ordered.table.notes, note)))


def _report_clock(name: str, clock: Clock, table: Table) -> Finding:
    return Finding(
        level="note",
        name="clock",
        column=name,
        seen=f"Column '{name}': its numbers are read as {CLOCK_NAMES[clock]}, and order the rows of "
        f"'{table.source}'.",
        why="A forecast needs to know which row is the latest.",
        action=f"data.columns.{name}=numeric takes them as numbers, and the rows in their order.",
        decided=True,
    )


def _report_repeats(repeats: str, name: str) -> Finding:
    return Finding(
        level="warning",
        name="repeated-dates",
        column=name,
        seen=f"Column '{name}': {repeats}.",
        why="A forecast expects one row for each moment.",
        action="They stay rows of their own, in the order of the table; keep one row for each moment.",
        decided=True,
    )


def show_moment(seconds: float) -> str:
    """As ISO 8601 with a space, without a time at midnight and without seconds that are 0."""
    moment = np.datetime64(round(seconds * 1e6), "us").item()
    text = moment.isoformat(sep=" ")
    return text.removesuffix(" 00:00:00") if text.endswith(" 00:00:00") else text.removesuffix(":00")
