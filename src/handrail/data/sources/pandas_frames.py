"""pandas' data frames and series: their columns, and what becomes of their index. pandas is not imported."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import polars as pl

from handrail.data.finding import Finding
from handrail.data.sources.cells import column_or_nested, frame_of
from handrail.errors import DataError

_VALUE, _DATE = "value", "date"  # a series, and an index of dates, without a name


class Columns(NamedTuple):
    """A frame with what is to be said of its index."""

    frame: pl.DataFrame
    notes: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()


def from_pandas(source: Any) -> Columns:
    """The columns of a data frame, or of a series alone. An index of dates or periods becomes the first
    column, called as it is or `date`; another one is left out, which is said unless it only numbers the rows.

    Raises: `DataError` for several levels of column names, duplicate names, and types that do not serve.
    """
    frame = source
    if type(source).__name__ == "Series":
        frame = source.to_frame(_VALUE if source.name is None else source.name)
    if not hasattr(frame, "columns") or getattr(frame.columns, "nlevels", 1) > 1:
        kind = type(source).__name__
        raise DataError(f"found a pandas {kind}; expected a data frame with one row of column names.")
    columns = [_column(str(name), frame.iloc[:, i]) for i, name in enumerate(frame.columns)]
    dates = _dates(frame.index, [column.name for column in columns])
    if dates is None:
        return Columns(frame_of(columns, "data frame"), findings=_report_left_out(frame.index))
    note = f"data frame: its index of dates is the column '{dates.name}'"
    return Columns(frame_of([dates, *columns], "data frame"), notes=(note,))


def compare_indexes(features: Any, target: Any) -> tuple[Finding, ...]:
    """What is to be said of pairing the rows of two pandas objects by their position.

    Raises: `DataError` where both name the same rows in another order.
    """
    ours, theirs = features.index, target.index
    if len(ours) != len(theirs) or ours.equals(theirs):
        return ()
    row = next(row for row, (mine, other) in enumerate(zip(ours, theirs, strict=True)) if mine != other)
    where = f"row {row + 1} is '{ours[row]}' in X and '{theirs[row]}' in y"
    if ours.is_unique and set(ours) == set(theirs):
        raise DataError(
            f"(X, y): the indexes of X and y hold the same labels in another order ({where}), but rows are "
            "paired by position. Give y.loc[X.index], or reset_index(drop=True) of both if they are in order."
        )
    return (
        Finding(
            level="warning",
            name="index",
            seen=f"(X, y): the indexes of X and y differ: {where}.",
            why="Rows of different labels may not belong together.",
            action="They are paired by position; y.loc[X.index] pairs them by label.",
            decided=True,
        ),
    )


def _column(name: str, column: Any) -> pl.Series:
    if type(column.dtype).__name__ == "CategoricalDtype":
        column = column.astype(column.cat.categories.dtype if not column.hasnans else object)
    if column.dtype == object:
        values = [None if _is_nan(value) else value for value in column.tolist()]
        return column_or_nested(name, values, "data frame")
    try:
        # Polars would take their inner numbers.
        if type(column.dtype).__name__ in ("PeriodDtype", "IntervalDtype"):
            raise TypeError(column.dtype)
        return pl.from_pandas(column.rename(None).reset_index(drop=True)).alias(name)
    except (TypeError, ValueError, pl.exceptions.PolarsError, ImportError, NotImplementedError) as error:
        raise DataError(
            f"data frame: column '{name}' of pandas type {column.dtype} cannot be used; expected numbers, "
            "text, booleans or times."
        ) from error


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and value != value  # noqa: PLR0124 (only NaN differs from itself)


def _dates(index: Any, taken: Sequence[str]) -> pl.Series | None:
    """An index of dates as a column under a name that is free."""
    kind = type(index).__name__
    if kind not in ("DatetimeIndex", "PeriodIndex"):
        return None
    moments = index.to_timestamp() if kind == "PeriodIndex" else index
    name = str(_DATE if index.name is None else index.name)
    while name in taken:
        name += "_"
    return _column(name, moments.to_series())


def _report_left_out(index: Any) -> tuple[Finding, ...]:
    kind = type(index).__name__
    names = [str(name) for name in getattr(index, "names", [index.name]) if name is not None]
    is_number = getattr(getattr(index, "dtype", None), "kind", "") in "iu"
    if not len(index) or kind == "RangeIndex" or (is_number and not names):
        return ()
    what = f"its index ({', '.join(names)})" if names else f"its index ('{index[0]}' …)"
    return (
        Finding(
            level="note",
            name="index",
            seen=f"Data frame: {what} is left out.",
            why="An index names rows, and says nothing about them.",
            action="frame.reset_index() makes it a column, if it is to be learned from or divided by.",
            decided=True,
        ),
    )
