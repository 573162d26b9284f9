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
from jaxtyping import Float, Int
from torch import Tensor

from handrail.data.columns.schema import read_column
from handrail.data.forecast.plan import PERIODS, WindowPlan, plan_windows
from handrail.data.forecast.timeline import divide, in_time_order, stretches
from handrail.data.stores.store import place_column
from handrail.data.stores.windows import WindowStore
from handrail.data.table import Table
from handrail.errors import DataError
from handrail.recipe.sections import DataRecipe

__all__ = [
    "HISTORY",
    "WindowPlan",
    "Windowed",
    "divide",
    "in_time_order",
    "make_windows",
    "plan_windows",
    "stretches",
    "windowed",
]
HISTORY = "history"
_LARGEST = 1e18


@dataclass(frozen=True, eq=False)
class Windowed:
    """A table of windows: the column `history` and the target columns; `first_target_row` of each is a row of
    its source.
    """

    table: Table
    first_target_row: Int[np.ndarray, " windows"]


def windowed(table: Table, targets: Sequence[str], recipe: DataRecipe) -> tuple[Table, tuple[str, ...], int]:
    """A table as windows that a recipe asks for: with the part of each (3: left out), the target columns, and
    the season.

    Raises: `DataError` where the table does not serve, and for a split that is not by time.
    """
    if recipe.split.method != "auto":
        raise DataError(
            f"data.split.method: found '{recipe.split.method}'; a forecast is always divided in time, the "
            "last rows being the test. "
            "Leave it out."
        )
    ordered = in_time_order(replace(table, frame=table.frame.drop(recipe.drop, strict=False)))
    settings = recipe.forecast
    validation_row, test_row = stretches(
        len(ordered.frame),
        horizon=settings.horizon,
        validation=recipe.split.validation,
        test=recipe.split.test,
    )
    plan = plan_windows(ordered, targets, settings, train_rows=validation_row, kinds=recipe.columns)
    made = make_windows(ordered, plan)
    parts = divide(
        made.first_target_row,
        horizon=plan.horizon,
        validation_row=validation_row,
        test_row=test_row,
        stride=settings.stride,
    )
    return replace(made.table, parts=parts), plan.outputs, plan.season


def make_windows(table: Table, plan: WindowPlan, *, future: bool = False) -> Windowed:
    """One row for each place where a window fits: `history` rows, then the `horizon` rows of each target.

    The column `history` is backed by a `WindowStore` on one matrix; nothing is copied. Targets that are
    missing in the table are missing here.

    Arguments:
        table: in the order of time.
        future: also windows whose targets lie behind the end of the table, where they are missing; the last
            of these is the forecast.

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
            f"'{table.source}' has {rows:,} rows; expected at least {needed:,}, so that one window fits."
        )
    matrix, truth, notes = _matrix(table, plan)
    namer = _namer(table, plan, first_rows)
    store = WindowStore(
        matrix, torch.from_numpy(first_rows - plan.history), plan=plan, truth=truth, namer=namer
    )
    columns = [place_column(HISTORY, len(store)), *_target_columns(truth, plan, first_rows)]
    made = Table(
        pl.DataFrame(columns),
        table.source,
        notes=(*table.notes, *notes, *_note(plan)),
        namer=namer,
        stores={HISTORY: store},
    )
    return Windowed(made, first_rows)


def _input_columns(plan: WindowPlan) -> list[str]:
    dates = [plan.date.name] if plan.date is not None and plan.phases else []
    return [column.name for column in plan.columns] + dates


def _matrix(
    table: Table, plan: WindowPlan
) -> tuple[Float[Tensor, "rows channels"], Float[np.ndarray, "rows targets"], list[str]]:
    """The channels without gaps; the targets as they are, not a number where they are missing; and what could
    not be read.
    """
    read = [read_column(table.frame[column.name], column) for column in plan.columns]
    notes = [
        f"{trouble} in {len(trouble.rows):,} rows; they count as missing"
        for _, found in read
        for trouble in found
    ]
    filled = [
        series.fill_null(strategy="forward").fill_null(fill).clip(-_LARGEST, _LARGEST).to_numpy()
        for (series, _), fill in zip(read, plan.fills, strict=True)
    ]
    truth = np.stack(
        [series.fill_null(float("nan")).to_numpy() for series, _ in read[: len(plan.targets)]], axis=1
    )
    channels = np.stack([*filled, *_waves(table.frame, plan)], axis=1).astype(np.float32)
    return torch.from_numpy(channels), truth, notes


def _waves(frame: pl.DataFrame, plan: WindowPlan) -> list[np.ndarray]:
    if plan.date is None or not plan.phases:
        return []
    seconds = read_column(frame[plan.date.name], plan.date)[0]
    known = seconds.fill_null(strategy="forward").fill_null(0.0).to_numpy()
    angles = [2 * np.pi * (known / PERIODS[phase] % 1) for phase in plan.phases]
    return [wave(angle) for angle in angles for wave in (np.sin, np.cos)]


def _target_columns(truth: np.ndarray, plan: WindowPlan, first_rows: np.ndarray) -> list[pl.Series]:
    columns = []
    for values in truth.T:
        longer = np.concatenate([values, np.full(plan.horizon, np.nan)])
        columns += [longer[first_rows + step] for step in range(plan.horizon)]
    return [
        pl.Series(name, values).fill_nan(None) for name, values in zip(plan.outputs, columns, strict=True)
    ]


def _namer(table: Table, plan: WindowPlan, first_rows: np.ndarray) -> Callable[[int], str]:
    dates = (
        table.frame[plan.date.name]
        if plan.date is not None and plan.date.name in table.frame.columns
        else None
    )

    def name(window: int) -> str:
        row = int(first_rows[window])
        if row == len(table.frame):
            return f"the forecast behind {table.row_name(row - 1)}"
        return f"the forecast from {table.row_name(row)} on{'' if dates is None else f' ({dates[row]})'}"

    return name


def _note(plan: WindowPlan) -> list[str]:
    seen = f"{plan.history} rows of history ({len(plan.channels)} channels), {plan.horizon} rows ahead, season {plan.season}"
    left_out = ", ".join(f"'{name}'" for name in plan.left_out)
    return [
        seen,
        *([f"columns that are no numbers stay out of the forecast: {left_out}"] if left_out else []),
    ]
