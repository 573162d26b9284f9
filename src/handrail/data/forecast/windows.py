"""Forecasting: from a table whose rows stand in the order of time to one row a window.

What is learned (kinds of columns, season, fill values) comes from the training rows, the first ones, and is
kept in a plan, so that later rows are treated alike. A gap is filled by the value before it, never by one
behind it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from handrail.data.checks.columns.dates import report_late_years, report_style
from handrail.data.checks.columns.words import report_odd_words
from handrail.data.columns.column import Conventions
from handrail.data.columns.names import without
from handrail.data.columns.schema import read_column
from handrail.data.finding import Finding
from handrail.data.forecast.gaps import INSERTED, bridge, fill_steps, keep_known
from handrail.data.forecast.left_out import LEFT_OUT, leave_out_gaps, report_left_out, report_no_dates
from handrail.data.forecast.plan import PERIODS, WindowPlan, plan_windows
from handrail.data.forecast.timeline import Timeline, order_rows
from handrail.data.split.draw import TEST, TRAIN, VALIDATION, cut_between
from handrail.data.split.row_hashes import moment_hashes
from handrail.data.stores.series import WindowStore
from handrail.data.stores.store import place_column
from handrail.data.table import Table
from handrail.errors import DataError
from handrail.recipe.sections import DataRecipe
from handrail.tools.words import plural

HISTORY = "history"
_LARGEST = 1e18


@dataclass(frozen=True, eq=False)
class Windowed:
    """A table of windows, `history` and target columns; the targets of each begin in `first_target_row`."""

    table: Table
    first_target_row: Int[np.ndarray, " windows"]


def window_table(
    table: Table, targets: Sequence[str], recipe: DataRecipe
) -> tuple[Table, tuple[str, ...], int]:
    """The windows that a recipe asks for, with the part of each (3: left out), target columns, and season.

    Raises: `DataError` where the table does not serve, and for a split that is not by time.
    """
    if recipe.split.method != "auto":
        raise DataError(
            f"data.split.method: found '{recipe.split.method}'; a forecast is always divided in time, the "
            "last rows being the test. Leave it out."
        )
    settings = recipe.forecast
    timeline = _timeline(replace(table, frame=without(table.frame, recipe.drop)), targets, recipe)
    ordered = timeline.table
    validation_row, test_row = stretches(
        len(ordered.frame),
        horizon=settings.horizon,
        validation=recipe.split.validation,
        test=recipe.split.test,
        moments=timeline.seconds,
    )
    plan = plan_windows(
        ordered,
        targets,
        settings,
        train_rows=validation_row,
        kinds=recipe.columns,
        times=timeline,
        conventions=Conventions.of_dates(recipe.dates),
        free_run=recipe.task == "dynamics",
    )
    windows = make_windows(ordered, plan, learned=settings.gaps != "keep")
    parts = divide(
        windows.first_target_row,
        horizon=plan.horizon,
        validation_row=validation_row,
        test_row=test_row,
        stride=settings.stride,
    )
    parts, gaps = leave_out_gaps(windows.table, parts, plan, table.source)
    findings = (
        *windows.table.findings,
        *report_left_out(ordered.frame.head(validation_row), plan, recipe),
        *_report_unreadable(ordered, plan, validation_row),
        *gaps,
    )
    moments = _hash_test_rows(table, timeline, test_row)
    made = replace(windows.table, parts=parts, moments=moments, findings=findings)
    return made, plan.outputs, plan.season


def _hash_test_rows(table: Table, timeline: Timeline, test_row: int) -> np.ndarray:
    """Of the rows from `test_row` on. Columns that are left out count as well: leaving one out does not make
    rows new. Steps that were put in are no rows.
    """
    first = int((timeline.places[:test_row] != INSERTED).sum())
    rows = table.frame[timeline.places[timeline.places != INSERTED]]
    return moment_hashes(rows, first, stores=table.stores)


def _timeline(table: Table, targets: Sequence[str], recipe: DataRecipe) -> Timeline:
    """The rows in the order of time, without those behind the end of the targets, and with missing steps."""
    settings = recipe.forecast
    timeline = order_rows(
        table,
        targets,
        kinds=recipe.columns,
        keep=settings.gaps == "keep",
        conventions=Conventions.of_dates(recipe.dates),
    )
    if timeline.date is None:
        timeline = timeline.say(report_no_dates(table.source))
    elif timeline.clock is None:
        date, seconds = timeline.date, timeline.seconds
        late = [] if seconds is None else report_late_years(seconds, date)
        timeline = timeline.say(*report_style(table.frame[date.name], date), *late)
    return fill_steps(keep_known(timeline, targets), horizon=settings.horizon, gaps=settings.gaps)


def _report_unreadable(table: Table, plan: WindowPlan, train_rows: int) -> list[Finding]:
    """What is no number in the columns that a forecast takes, by training rows."""
    train = table.frame.head(train_rows)
    troubles = [trouble for each in plan.columns for trouble in read_column(train[each.name], each)[1]]
    return [
        *report_odd_words(plan.columns),
        *(
            Finding(
                level="warning",
                name="unreadable",
                column=each.column,
                seen=f"{each} in {plural(len(each.rows), 'training row')}, the first of them "
                f"{table.row_name(each.rows[0])}.",
                why="A forecast is of numbers.",
                action="They count as missing; mend them in the source.",
                decided=True,
            )
            for each in troubles
        ),
    ]


def stretches(
    rows: int,
    *,
    horizon: int,
    validation: float,
    test: float,
    moments: Float[np.ndarray, " rows"] | None = None,
) -> tuple[int, int]:
    """The first validation row and the first test row: the last rows test, and those before them validate.

    Arguments:
        moments: of the rows, in their order; rows of one moment stay in one stretch.

    Raises: `DataError` where a stretch is shorter than the horizon.
    """
    sizes = {"validation": round(validation * rows), "test": round(test * rows)}
    cuts = [rows - sum(sizes.values()), rows - sizes["test"]]
    found = cuts if moments is None or not 0 < cuts[0] < cuts[1] < rows else cut_between(moments, cuts)
    if found is not None:
        sizes = {"validation": found[1] - found[0], "test": rows - found[1]}
    problems = [
        f"the {name} rows are {count} of {rows:,}, fewer than the forecast's horizon of {horizon}; expected "
        f"a larger share (data.split.{name}) or a shorter horizon (data.forecast.horizon)."
        for name, count in sizes.items()
        if count < horizon
    ]
    if problems:
        raise DataError(problems)
    return rows - sum(sizes.values()), rows - sizes["test"]


def divide(
    first_target_row: Int[np.ndarray, " windows"],
    *,
    horizon: int,
    validation_row: int,
    test_row: int,
    stride: int = 1,
) -> UInt8[np.ndarray, " windows"]:
    """The part of each window: 0 train, 1 validation, 2 test, 3 left out.

    The targets of a window lie wholly in its part; windows whose targets straddle two are left out, as are
    training windows that are not a multiple of `stride` rows before the last one. Histories reach back into
    the rows of earlier parts, never into later ones.

    Raises: `DataError` where a part gets no window.
    """
    last = first_target_row + horizon
    parts = np.full(len(first_target_row), LEFT_OUT, dtype=np.uint8)
    parts[(last <= validation_row) & ((validation_row - last) % stride == 0)] = TRAIN
    parts[(first_target_row >= validation_row) & (last <= test_row)] = VALIDATION
    parts[first_target_row >= test_row] = TEST
    names = {TRAIN: "training", VALIDATION: "validation", TEST: "test"}
    empty = [name for code, name in names.items() if not (parts == code).any()]
    if empty:
        raise DataError(
            f"no window of the table is for {' or '.join(empty)}: found rows up to {validation_row:,} for "
            f"training, up to {test_row:,} for validation, {int(last.max(initial=0)):,} in all, and a "
            f"horizon of {horizon}. Expected more rows, or less history or horizon."
        )
    return parts


def make_windows(table: Table, plan: WindowPlan, *, future: bool = False, learned: bool = False) -> Windowed:
    """One row for each place where a window fits: `history` rows, then the `horizon` rows of each target.

    The column `history` is backed by a `WindowStore` on one matrix; nothing is copied. Targets that are
    missing in the table are missing here.

    Arguments:
        table: in the order of time.
        future: also windows whose targets lie behind the end of the table; the last of these is the forecast.
        learned: short gaps in the targets of training rows stand on the straight line between their
            neighbours, both of them training rows.

    Raises: `DataError` for columns that are missing, and where not a single window fits.
    """
    absent = [name for name in _input_columns(plan) if name not in table.frame.columns]
    if absent:
        listed = ", ".join(f"'{name}'" for name in absent)
        raise DataError(f"'{table.source}' has no column {listed}; the forecast was trained with it.")
    rows = len(table.frame)
    last = rows if future else rows - plan.horizon
    first_rows = np.arange(plan.history, last + 1)
    if not len(first_rows):
        needed = plan.history + (0 if future else plan.horizon)
        raise DataError(
            f"'{table.source}' has {rows:,} rows; expected at least {needed:,}, so that one window fits: a "
            f"forecast looks back on {plan.history:,} rows."
        )
    matrix, truth, notes = _matrix(table, plan)
    namer = _namer(table, plan, first_rows)
    observed, seen = truth, plan.train_rows
    truth = np.concatenate([bridge(truth[:seen]), truth[seen:]]) if learned else truth
    store = WindowStore(
        matrix,
        torch.from_numpy(first_rows - plan.history),
        plan=plan,
        truth=truth,
        observed=observed,
        namer=namer,
    )
    columns = [place_column(HISTORY, len(store)), *_target_columns(truth, plan, first_rows)]
    notes = (*table.notes, *notes, *_describe(plan))
    frame = pl.DataFrame(columns)
    windows = replace(table.without_rows(), frame=frame, notes=notes, namer=namer, stores={HISTORY: store})
    return Windowed(windows, first_rows)


def _input_columns(plan: WindowPlan) -> list[str]:
    dates = [plan.date.name] if plan.date is not None and plan.phases else []
    return [column.name for column in plan.columns] + dates


def _matrix(
    table: Table, plan: WindowPlan
) -> tuple[Float[Tensor, "rows channels"], Float[np.ndarray, "rows targets"], list[str]]:
    """The channels without gaps, the targets (not a number where missing), and what could not be read."""
    read = [read_column(table.frame[column.name], column) for column in plan.columns]
    notes = [
        f"{trouble} in {len(trouble.rows):,} rows; they count as missing"
        for _, troubles in read
        for trouble in troubles
    ]
    filled = [
        series.fill_null(strategy="forward").fill_null(fill).clip(-_LARGEST, _LARGEST).to_numpy()
        for (series, _), fill in zip(read, plan.fills, strict=True)
    ]
    truth = np.stack(
        [series.fill_null(float("nan")).to_numpy() for series, _ in read[: len(plan.targets)]], axis=1
    )
    channels = np.stack([*filled, *_waves(table.frame, plan)], axis=1).astype(np.float64)
    return torch.from_numpy(channels), truth, notes


def _waves(frame: pl.DataFrame, plan: WindowPlan) -> list[np.ndarray]:
    if plan.date is None or not plan.phases:
        return []
    seconds = read_column(frame[plan.date.name], plan.date)[0]
    known = seconds.fill_null(strategy="forward").fill_null(0.0).to_numpy()
    angles = [2 * np.pi * (known / PERIODS[phase] % 1) for phase in plan.phases]
    return [wave(angle) for angle in angles for wave in (np.sin, np.cos)]


def _target_columns(truth: np.ndarray, plan: WindowPlan, first_rows: np.ndarray) -> list[pl.Series]:
    """A column for each step ahead of each target: stretches of one series, of which nothing is copied."""
    columns = []
    for values in truth.T:
        longer = pl.Series(np.concatenate([values, np.full(plan.horizon, np.nan)])).fill_nan(None)
        starts = [int(first_rows[0]) + step for step in range(plan.horizon)]
        columns += [longer.slice(start, len(first_rows)) for start in starts]
    return [values.alias(name) for name, values in zip(plan.outputs, columns, strict=True)]


def _namer(table: Table, plan: WindowPlan, first_rows: np.ndarray) -> Callable[[int], str]:
    dates = None
    if plan.date is not None and plan.date.name in table.frame.columns:
        dates = table.frame[plan.date.name]

    def name(window: int) -> str:
        row = int(first_rows[window])
        if row == len(table.frame):
            return f"the forecast behind {table.row_name(row - 1)}"
        return f"the forecast from {table.row_name(row)} on{'' if dates is None else f' ({dates[row]})'}"

    return name


def _describe(plan: WindowPlan) -> list[str]:
    order = "" if plan.date is None else f"rows in the order of '{plan.date.name}'"
    order += f", a step is {plan.spacing}; " if plan.spacing else "; " if order else ""
    return [
        f"{order}{plan.history} rows of history ({plural(len(plan.channels), 'channel')}), "
        f"{plan.horizon} rows ahead; {plan.season_why or f'season {plan.season}'}"
    ]
