"""One treatment of text and types for all sources, so that the same table gives the same result from any of
them.
"""

import datetime
import decimal
import uuid
from collections.abc import Iterable, Sequence
from typing import TypeVar

import polars as pl

from handrail.errors import DataError

MISSING = frozenset(("", "?", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None", "-", "."))

Frame = TypeVar("Frame", pl.DataFrame, pl.Series)


def clean_text(data: Frame, markers: Iterable[str] = ()) -> Frame:
    """Text without white space around it, and missing markers (the usual ones and `markers`) as null.

    Columns that are not text come back as they are.
    """
    if isinstance(data, pl.Series):
        return clean_text(data.to_frame(), markers).to_series()
    known = sorted(MISSING | {marker.strip() for marker in markers})
    stripped = pl.col(pl.String).str.strip_chars()
    return data.with_columns(pl.when(~stripped.is_in(known)).then(stripped).name.keep())


def native(frame: pl.DataFrame, source: str, *, markers: Iterable[str] = ()) -> pl.DataFrame:
    """The columns of a typed source in the few types that handrail knows, with cleaned text and NaN as null.

    Integers, floats, booleans and text stay; decimals become floats, categories text, dates datetimes (in UTC
    where they have a time zone), durations seconds.

    Raises: `DataError` naming the columns that are nested or binary.
    """
    columns, problems = [], []
    for column in frame.iter_columns():
        try:
            columns.append(_plain(column, source))
        except DataError as error:
            problems.extend(error.problems)
    if problems:
        raise DataError(problems)
    cleaned = clean_text(pl.DataFrame(columns), markers)
    return _numeric_markers(cleaned.with_columns(pl.col(pl.Float32, pl.Float64).fill_nan(None)), markers)


def _plain(column: pl.Series, source: str) -> pl.Series:
    kind = column.dtype
    if kind.is_nested() or kind in (pl.Binary, pl.Object):
        found = "nested values" if kind.is_nested() else "binary or unknown objects"
        raise DataError(
            f"{source}: column '{column.name}' holds {found} ({kind}); expected numbers, text, booleans or "
            "times. "
            "Turn it into plain columns, or leave it out."
        )
    if isinstance(kind, pl.Datetime):
        naive = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None) if kind.time_zone else column
        return naive.dt.cast_time_unit("us")
    if isinstance(kind, pl.Duration):
        return column.dt.total_microseconds() / 1e6
    if isinstance(kind, pl.Categorical | pl.Enum | pl.Time | pl.Null):
        return column.cast(pl.String)
    if isinstance(kind, pl.Date):
        return column.cast(pl.Datetime("us"))
    return column.cast(pl.Float64) if kind.is_decimal() or kind == pl.Float16 else column


def _numeric_markers(frame: pl.DataFrame, markers: Iterable[str]) -> pl.DataFrame:
    """A marker such as -999 means the same in a column of numbers as in a text file."""
    for marker in markers:
        try:
            value = float(marker)
        except ValueError:
            continue
        columns = pl.selectors.numeric()
        frame = frame.with_columns(pl.when(columns.ne_missing(value)).then(columns).name.keep())
    return frame


def column_of(name: str, values: Sequence[object], source: str) -> pl.Series:
    """A column of plain Python values: one type where they agree, text where they do not.

    Raises: `DataError` for nested or unknown values, naming column and row.
    """
    values = [_unwrap(value) for value in values]
    kinds = {type(value) for value in values} - {type(None)}
    if kinds <= {str}:
        return pl.Series(name, values, dtype=pl.String)
    if kinds == {bool}:
        return pl.Series(name, values, dtype=pl.Boolean)
    if kinds <= {int, float, decimal.Decimal}:
        return _numbers(name, values, whole=kinds == {int})
    if kinds <= {datetime.datetime, datetime.date}:
        return pl.Series(name, [_naive(value) for value in values], dtype=pl.Datetime("us"))
    return pl.Series(
        name, [_as_text(v, name, row, source) for row, v in enumerate(values, start=1)], dtype=pl.String
    )


def _unwrap(value: object) -> object:
    """NumPy's and pandas' scalars as Python's own."""
    if type(value).__module__.split(".")[0] == "pandas":
        is_missing = type(value).__name__ in ("NAType", "NaTType")
        return None if is_missing else getattr(value, "to_pydatetime", lambda: value)()
    return value.item() if type(value).__module__ == "numpy" and hasattr(value, "item") else value  # pyright: ignore


def _numbers(name: str, values: Sequence[object], *, whole: bool) -> pl.Series:
    if whole and all(value is None or -(2**63) <= value < 2**63 for value in values):  # pyright: ignore
        return pl.Series(name, values, dtype=pl.Int64)
    floats = [None if value is None else _float(value) for value in values]
    return pl.Series(name, floats, dtype=pl.Float64)


def _float(value: object) -> float:
    try:
        return float(value)  # pyright: ignore
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")  # pyright: ignore


def _naive(value: object) -> datetime.datetime | None:
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.UTC).replace(tzinfo=None) if value.tzinfo else value
    return datetime.datetime.combine(value, datetime.time()) if isinstance(value, datetime.date) else None


def _as_text(value: object, name: str, row: int, source: str) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(
        value, int | float | decimal.Decimal | uuid.UUID | datetime.date | datetime.time | datetime.timedelta
    ):
        return str(value)
    what = (
        "a nested value"
        if isinstance(value, dict | list | tuple | set)
        else f"a value of type {type(value).__name__}"
    )
    raise DataError(
        f"{source}: column '{name}' holds {what} in row {row}; expected numbers, text, booleans or times. "
        "Turn it into plain columns, or leave it out."
    )


def columns_frame(columns: dict[str, Sequence[object]], source: str) -> pl.DataFrame:
    """A table of plain Python lists by column.

    Raises: `DataError` for lists of different lengths and for values that no column can hold.
    """
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"'{name}' {length}" for name, length in list(lengths.items())[:12])
        raise DataError(
            f"{source}: columns of different lengths ({listed}); expected one value a row in each."
        )
    return pl.DataFrame([column_of(name, values, source) for name, values in columns.items()])


def rename_columns(frame: pl.DataFrame, names: list[str] | None, source: str) -> pl.DataFrame:
    """The table under the names that the user gave.

    Raises: `DataError` when their number is not that of the columns.
    """
    if names is None:
        return frame
    if len(names) != frame.width:
        raise DataError(
            f"{source}: {len(names)} names are given for {frame.width} columns; expected one for each."
        )
    return frame.rename(dict(zip(frame.columns, names, strict=True)))


def distinct(names: Sequence[str], source: str) -> None:
    """Raises: `DataError` when a column name stands twice."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        listed = ", ".join(
            f"'{name}' (columns "
            f"{', '.join(str(i) for i, other in enumerate(names, start=1) if other == name)})"
            for name in twice[:8]
        )
        raise DataError(
            f"{source}: duplicate column names: {listed}. Rename them, or give all names (names=[…])."
        )
