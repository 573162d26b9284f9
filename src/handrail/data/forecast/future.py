"""What follows the last row of a table: the window to forecast from, and when its steps will be."""

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from handrail.data.columns.schema import read_column
from handrail.data.forecast.gaps import fill_steps, keep_known
from handrail.data.forecast.plan import WindowPlan
from handrail.data.forecast.spacing import DAY, Spacing
from handrail.data.forecast.timeline import Timeline, order_rows, show_moment
from handrail.data.forecast.windows import make_windows
from handrail.data.table import Table
from handrail.errors import DataError
from handrail.tools.words import list_some


@dataclass(frozen=True, eq=False)
class Future:
    """The last window of a table, with the dates of the steps behind it where these are known."""

    windows: Table
    dates: pl.Series | None
    warnings: list[str]


def read_future(table: Table, plan: WindowPlan) -> Future:
    """Put the rows in order as the training rows were, and take the last window.

    Raises: `DataError` for columns that are missing, too few rows, several series, and another step than that
        of the training rows.
    """
    timeline = order_rows(table, plan.targets, known=(plan.date, plan.clock))
    warnings = _describe_order(timeline, plan)
    timeline, unread = _read_numbers(timeline, plan)
    warnings += unread
    _require_targets(timeline, plan)
    timeline = keep_known(timeline, plan.targets)
    if plan.spacing is not None and timeline.seconds is not None:
        _require_step(timeline, plan.spacing)
        timeline = replace(timeline, spacing=plan.spacing)
        timeline = fill_steps(timeline) if plan.fills_steps else timeline
    warnings += [_describe(each.name, each.seen, each.action) for each in timeline.table.findings]
    warnings += _describe_end(timeline, plan)
    windows = make_windows(timeline.table, plan, future=True).table
    return Future(windows, _dates(timeline, plan), warnings)


def _read_numbers(timeline: Timeline, plan: WindowPlan) -> tuple[Timeline, list[str]]:
    """With the channels as numbers, and a sentence about each column with values that are none."""
    table, known = timeline.table, {column.name: column for column in plan.columns}
    columns, problems = [], []
    for series in table.frame:
        read, troubles = read_column(series, known[series.name]) if series.name in known else (series, [])
        columns.append(read)
        for trouble in troubles:
            rows = list_some(table.row_name(row) for row in trouble.rows)
            problems.append(
                f"{trouble}, expected a number ({rows} of '{table.source}'); it counts as missing."
            )
    return replace(timeline, table=replace(table, frame=pl.DataFrame(columns))), problems


def _require_targets(timeline: Timeline, plan: WindowPlan) -> None:
    table = timeline.table
    empty = [name for name in plan.targets if name in table.frame.columns and not table.frame[name].count()]
    if empty:
        raise DataError(
            f"'{table.source}': column '{empty[0]}' has no value; a forecast needs the past of what it says."
        )


def _describe_order(timeline: Timeline, plan: WindowPlan) -> list[str]:
    if plan.date is None or timeline.date is not None:
        return []
    return [
        f"'{timeline.table.source}' has no column '{plan.date.name}', which ordered the training rows: its "
        "rows are taken in their order, the oldest first."
    ]


def _require_step(timeline: Timeline, spacing: Spacing) -> None:
    assert timeline.seconds is not None
    moments = np.unique(timeline.seconds)
    if len(moments) < 2:
        return
    middle = float(np.median(spacing.counts(moments)))
    if not 0.5 < middle < 1.5:
        last = " and ".join(show_moment(float(moment)) for moment in moments[-2:])
        raise DataError(
            f"'{timeline.table.source}': the rows are {middle:.3g} steps apart (the last two are {last}); "
            f"expected one step, which was {spacing} in training. Bring the table to that step, or train on "
            "one like this."
        )


def _describe(name: str, seen: str, action: str) -> str:
    """A finding of the table, with what is done now."""
    if name == "missing-steps":
        action = "Each is put in as a row without values, as in training."
    action = action.replace("; data.forecast.gaps=keep takes all rows as they stand", "")
    return f"{seen} {action}"


def _describe_end(timeline: Timeline, plan: WindowPlan) -> list[str]:
    if timeline.seconds is None or plan.last_row is None or timeline.seconds[-1] >= plan.last_row:
        return []
    end = show_moment(float(timeline.seconds[-1]))
    return [
        f"'{timeline.table.source}' ends with {end}, before the training rows do "
        f"({show_moment(plan.last_row)}): the network may have been trained on what it forecasts here."
    ]


def _dates(timeline: Timeline, plan: WindowPlan) -> pl.Series | None:
    """When the steps will be: dates, or moments where a step is less than a day or a day has a time."""
    if plan.spacing is None or timeline.seconds is None:
        return None
    seconds = plan.spacing.after(float(timeline.seconds[-1]), plan.horizon)
    moments = pl.Series("date", np.rint(seconds * 1e6).astype(np.int64)).cast(pl.Datetime("us"))
    in_days = plan.spacing.unit != "second" or plan.spacing.size % DAY == 0
    return moments.cast(pl.Date) if in_days and seconds[0] % DAY == 0 else moments
