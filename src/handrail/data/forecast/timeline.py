"""Rows in the order of time, and the stretches of them that train, validate and test."""

from dataclasses import replace

import numpy as np
import polars as pl
from jaxtyping import Int, UInt8

from handrail.data.columns.schema import Column, infer_column, read_column
from handrail.data.split.draw import TEST, TRAIN, VALIDATION
from handrail.data.table import Table
from handrail.errors import DataError

LEFT_OUT = 3


def in_time_order(table: Table) -> Table:
    """The table sorted by its first column of dates, with a note where it was not; as it stands where it has
    none.

    Raises: `DataError` for rows without a date, and where most rows share their date with others.
    """
    date = _date_column(table.frame)
    if date is None:
        return table
    seconds = read_column(table.frame[date.name], date)[0]
    if seconds.null_count():
        rows = np.flatnonzero(seconds.is_null().to_numpy())
        places = ", ".join(table.row_name(int(row)) for row in rows[:5])
        raise DataError(
            f"column '{date.name}' of '{table.source}' has no date in {len(rows):,} rows "
            f"({places}{' …' if len(rows) > 5 else ''}); "
            "a forecast needs the order of time. Mend or remove these rows, or drop the column (data.drop)."
        )
    if seconds.n_unique() <= len(seconds) // 2:
        raise DataError(
            f"column '{date.name}' of '{table.source}' has {seconds.n_unique():,} different dates in "
            f"{len(seconds):,} rows; expected one "
            "row for each moment. Keep one series, or put the others into columns of their own."
        )
    if seconds.is_sorted():
        return table
    order = np.argsort(seconds.to_numpy(), kind="stable")
    note = f"rows were not in the order of time; they were sorted by '{date.name}'"
    return replace(
        table,
        frame=table.frame[order],
        notes=(*table.notes, note),
        namer=lambda row: table.row_name(int(order[row])),
        parts=None if table.parts is None else table.parts[order],
    )


def _date_column(frame: pl.DataFrame) -> Column | None:
    found = (infer_column(frame[name]) for name in frame.columns if not frame[name].dtype.is_numeric())
    return next((column for column in found if column.kind == "datetime"), None)


def stretches(rows: int, *, horizon: int, validation: float, test: float) -> tuple[int, int]:
    """The first validation row and the first test row: the last rows are the test, those before them
    validate.

    Raises: `DataError` where a stretch is shorter than the horizon.
    """
    tests, held_out = round(test * rows), round(validation * rows)
    problems = [
        f"the {name} rows are {count} of {rows:,}, fewer than the forecast's horizon of {horizon}; expected "
        "a larger share "
        f"(data.split.{name}) or a shorter horizon (data.forecast.horizon)."
        for name, count in (("validation", held_out), ("test", tests))
        if count < horizon
    ]
    if problems:
        raise DataError(problems)
    return rows - tests - held_out, rows - tests


def divide(
    first_target_row: Int[np.ndarray, " windows"],
    *,
    horizon: int,
    validation_row: int,
    test_row: int,
    stride: int = 1,
) -> UInt8[np.ndarray, " windows"]:
    """The part of each window: 0 train, 1 validation, 2 test, 3 left out.

    The targets of a window lie wholly in the rows of its part; windows whose targets straddle two are left
    out, and so are training windows that are not a multiple of `stride` rows before the last one. Histories
    reach back into the rows of earlier parts, never into later ones.

    Raises: `DataError` where a part gets no window.
    """
    last = first_target_row + horizon
    parts = np.full(len(first_target_row), LEFT_OUT, dtype=np.uint8)
    parts[(last <= validation_row) & ((validation_row - last) % stride == 0)] = TRAIN
    parts[(first_target_row >= validation_row) & (last <= test_row)] = VALIDATION
    parts[first_target_row >= test_row] = TEST
    empty = [
        name
        for code, name in ((TRAIN, "training"), (VALIDATION, "validation"), (TEST, "test"))
        if not (parts == code).any()
    ]
    if empty:
        raise DataError(
            f"no window of the table is for {' or '.join(empty)}: found rows up to {validation_row:,} for "
            f"training, up to {test_row:,} "
            f"for validation, {int(last.max(initial=0)):,} in all, and a horizon of {horizon}. Expected more "
            "rows, or less history or horizon."
        )
    return parts
