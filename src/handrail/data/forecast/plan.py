"""How windows on a table are made: learned from training rows, and kept with the network."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict

from handrail.data.columns.column import AS_FOUND, Conventions
from handrail.data.columns.names import without
from handrail.data.columns.schema import Column, infer, read_column
from handrail.data.columns.values import as_numbers
from handrail.data.forecast.clock import Clock
from handrail.data.forecast.season import Season, choose_season
from handrail.data.forecast.spacing import Spacing
from handrail.data.forecast.timeline import Timeline, order_rows
from handrail.data.table import Table
from handrail.errors import DataError
from handrail.recipe.sections import DataRecipe, Forecast
from handrail.tools.words import list_some

PERIODS = {"day": 86400.0, "week": 7 * 86400.0, "year": 365.2425 * 86400}


class WindowPlan(BaseModel):
    """How windows are made: learned from training rows, and kept.

    Arguments:
        targets: the columns that are forecast.
        columns: the channels, the targets first.
        phases: the cycles whose sine and cosine are further channels.
        fills: what stands in a channel before its first value.
        history, horizon, season: in rows. season_why: which season was taken, or why none.
        train_rows: how many the plan was learned from.
        left_out: columns that are no numbers.
        date, clock: the column that orders the rows, and how its numbers tell the moment.
        spacing: the step; None where rows are not evenly spaced, and in plans of earlier versions.
        fills_steps: whether missing steps are put in as rows.
        last_row: when the last training row was, in seconds since 1970.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    targets: tuple[str, ...]
    columns: tuple[Column, ...]
    date: Column | None
    phases: tuple[Literal["day", "week", "year"], ...]
    fills: tuple[float, ...]
    history: int
    horizon: int
    season: int
    train_rows: int
    season_why: str = ""
    left_out: tuple[str, ...] = ()
    clock: Clock | None = None
    spacing: Spacing | None = None
    fills_steps: bool = False
    last_row: float | None = None

    @property
    def outputs(self) -> tuple[str, ...]:
        """The target columns of the windows: for each target the next rows, `OT +1`, `OT +2` …"""
        return tuple(f"{name} +{step}" for name in self.targets for step in range(1, self.horizon + 1))

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels of the history."""
        waves = [f"{wave} of {phase}" for phase in self.phases for wave in ("sine", "cosine")]
        return (*(column.name for column in self.columns), *waves)


def plan_windows(
    table: Table,
    targets: Sequence[str],
    settings: Forecast,
    *,
    train_rows: int,
    kinds: Mapping[str, str] | None = None,
    times: Timeline | None = None,
    conventions: Conventions = AS_FOUND,
    free_run: bool = False,
) -> WindowPlan:
    """Learn how to make windows from the first `train_rows` rows of a table in the order of time.

    Numbers and yes-or-no are channels; of the first column of dates the sine and cosine of those cycles that
    are longer than a step and not longer than the training rows. `history: auto` is 8 horizons or 2 cycles of
    the first target, whichever is more, and at most a third of the training rows.

    Arguments:
        table: its rows in the order of time.
        times: their moments, where these are known.
        conventions: what the user says about how dates are written.
        free_run: whether nothing is seen but the targets, which is all that such a run can go on from.

    Raises: `DataError` for targets that are no numbers, for training rows without a single window, and for
        columns that a free run does not know the future of.
    """
    train = table.frame.head(train_rows)
    _require_numbers(train, targets, table.source)
    schema = infer(
        train, kinds={**(kinds or {}), **dict.fromkeys(targets, "numeric")}, conventions=conventions
    )
    numbers = {column.name: column for column in schema.of_kind("numeric", "boolean")}
    columns = tuple(numbers[name] for name in dict.fromkeys((*targets, *numbers)))
    if free_run:
        _refuse_others(columns[len(targets) :], table.source)
    read = [read_column(train[column.name], column)[0] for column in columns]
    date = next(iter(schema.of_kind("datetime")), None) if times is None else times.date
    season = _season(settings, read[0])
    plan = WindowPlan(
        targets=tuple(targets),
        columns=columns,
        date=date,
        phases=() if free_run else _phases(train, date),
        fills=tuple(float(series.mean() or 0.0) for series in read),  # pyright: ignore[reportArgumentType]
        history=_history(settings, season.cycle, train_rows),
        horizon=settings.horizon,
        season=season.rows,
        season_why=season.why,
        train_rows=train_rows,
        left_out=tuple(
            c.name for c in schema.columns if c.name not in numbers and c.name != (date and date.name)
        ),
        clock=times and times.clock,
        spacing=times and times.spacing,
        fills_steps=times is not None and times.filled,
        last_row=None if times is None or times.seconds is None else float(times.seconds[train_rows - 1]),
    )
    if train_rows < plan.history + plan.horizon:
        raise DataError(
            f"'{table.source}' has {train_rows:,} training rows; a window takes {plan.history} rows of "
            f"history and {plan.horizon} to forecast. Expected more rows, or less of data.forecast.history "
            "or data.forecast.horizon."
        )
    return plan


def find_state(table: Table, recipe: DataRecipe) -> list[str]:
    """The columns of numbers, which together are the state of a system: what a free run goes on from.

    The first half of the rows in time is looked at, all of them training rows; less where these are fewer.

    Raises: `DataError` where there is none, and as `order_rows`.
    """
    conventions = Conventions.of_dates(recipe.dates)
    kept = replace(table, frame=without(table.frame, recipe.drop))
    timeline = order_rows(kept, (), kinds=recipe.columns, keep=True, conventions=conventions)
    share = min(0.5, 1 - recipe.split.validation - recipe.split.test)
    frame = timeline.table.frame.head(int(share * len(timeline.table.frame)))
    if timeline.date is not None:
        frame = without(frame, [timeline.date.name])
    schema = infer(frame, kinds=recipe.columns, conventions=conventions)
    found = [column.name for column in schema.of_kind("numeric", "boolean")]
    if not found:
        raise DataError(f"'{table.source}' has no column of numbers; expected some, which make up the state.")
    return found


def _refuse_others(others: Sequence[Column], source: str) -> None:
    if not others:
        return
    names = list_some((f"'{column.name}'" for column in others), last=" and ")
    raise DataError(
        f"'{source}': {names} would be seen and not predicted; a run that goes on from its own answers "
        "(data.task: dynamics) does not know what they will be. Name them as targets too (data.target), or "
        "leave them out (data.drop)."
    )


def _require_numbers(train: pl.DataFrame, targets: Sequence[str], source: str) -> None:
    problems = []
    for name in targets:
        values = train[name].drop_nulls()
        if not as_numbers(values).count():
            example = f"found '{values[0]}'" if len(values) else "all are missing"
            problems.append(
                f"the target '{name}' of '{source}': {example}, and no training row has a number; a forecast "
                "is of numbers."
            )
    if problems:
        raise DataError(problems)


def _season(settings: Forecast, first: pl.Series) -> Season:
    """As given, or found in the training rows of the first target."""
    if settings.season == "auto":
        return choose_season(first.fill_null(float("nan")).to_numpy(), horizon=settings.horizon)
    return Season(settings.season, settings.season, f"season of {settings.season} rows, as given")


def _history(settings: Forecast, season: int, train_rows: int) -> int:
    if settings.history != "auto":
        return settings.history
    return max(1, min(max(8 * settings.horizon, 2 * season), (train_rows - settings.horizon) // 3))


def _phases(train: pl.DataFrame, date: Column | None) -> tuple[Literal["day", "week", "year"], ...]:
    """The cycles that the dates can show: longer than two steps, and no longer than the training rows."""
    if date is None:
        return ()
    seconds = read_column(train[date.name], date)[0].drop_nulls().to_numpy()
    if len(seconds) < 2:
        return ()
    step, span = float(np.median(np.diff(seconds))), float(seconds[-1] - seconds[0])
    names: Any = tuple(name for name, period in PERIODS.items() if 2 * step < period <= span)
    return names
