"""What each column is, found out from training rows only.

A table arrives as text or as native values. The schema says, column by column, whether it holds numbers, categories,
yes or no, moments in time, free text, identifiers or nothing of use, and turns any later frame into the same typed
columns: numbers, booleans (0 and 1) and datetimes (seconds since 1970, UTC) become `Float64`, categories `String`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict

from handrail.errors import DataError, did_you_mean

ColumnKind = Literal["numeric", "category", "boolean", "datetime", "text", "identifier", "constant"]
FEATURE_KINDS = ("numeric", "boolean", "category", "datetime")

_TRUE = ("true", "t", "yes", "y")
_FALSE = ("false", "f", "no", "n")
_DATE_FORMATS = (
    "%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S%.f", "%Y/%m/%d", "%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "%Y-%m",
    "%d.%m.%Y", "%d.%m.%Y %H:%M", "%m/%d/%Y", "%d/%m/%Y", "%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M", "%d-%m-%Y", "%d %b %Y",
)  # fmt: skip
_IDENTIFIER_NAME = re.compile(
    r"(^|[_\s.-])(id|uuid|guid|key|index|rownum|row_number)$|[a-z](Id|ID)$|^(id|ID)[_A-Z]", re.ASCII
)


class Column(BaseModel):
    """One column: its kind and how its values are read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: ColumnKind
    date_format: str | None = None
    markers: tuple[str, ...] = ()  # words that stand for 'missing' among the numbers
    why: str = ""


class Schema(BaseModel):
    """The columns that a fitted encoder may use, in the order of the table, without the target."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    columns: tuple[Column, ...]

    def of_kind(self, *kinds: str) -> list[Column]:
        """The columns of the given kinds, in order."""
        return [column for column in self.columns if column.kind in kinds]

    @property
    def used(self) -> list[Column]:
        """The columns that reach the network."""
        return self.of_kind(*FEATURE_KINDS)

    @property
    def set_aside(self) -> list[Column]:
        """The columns that do not."""
        return [column for column in self.columns if column.kind not in FEATURE_KINDS]


@dataclass(frozen=True)
class Trouble:
    """Values of one column that could not be read as its kind: row positions and the first of them as found."""

    column: str
    kind: str
    rows: tuple[int, ...]
    example: str

    def __str__(self) -> str:
        return f"column '{self.column}' ({self.kind}): found '{self.example}'"


def infer(frame: pl.DataFrame, *, kinds: Mapping[str, str] | None = None) -> Schema:
    """The schema of a frame of training rows.

    Arguments:
        frame: the training rows, without the target.
        kinds: kinds that the user gives by column name.

    Raises: `DataError` for kinds of unknown columns or kinds that do not fit the values.
    """
    kinds = kinds or {}
    problems = [
        f"data.columns.{name}: there is no such column.{did_you_mean(name, frame.columns)}"
        for name in kinds
        if name not in frame.columns
    ]
    problems += [
        f"data.columns.{name}: found '{kind}', expected one of {', '.join(get_args(ColumnKind))}.{did_you_mean(kind, get_args(ColumnKind))}"
        for name, kind in kinds.items()
        if kind not in get_args(ColumnKind)
    ]
    if problems:
        raise DataError(problems)
    return Schema(
        columns=tuple(
            _given(frame[name], kinds[name]) if name in kinds else infer_column(frame[name]) for name in frame.columns
        )
    )


def _given(series: pl.Series, kind: str) -> Column:
    """The column with the kind that the user gave; only its format is found out."""
    if kind == "datetime" and series.dtype == pl.String:
        date_format = _date_format(series.drop_nulls())
        if date_format is None:
            raise DataError(
                f"data.columns.{series.name}: '{_first(series)}' is in no date format that is known here; expected, for example, 2024-12-31."
            )
        return Column(name=series.name, kind="datetime", date_format=date_format, why="as given")
    markers: tuple[str, ...] = ()
    if kind == "numeric" and series.dtype == pl.String:
        markers = _odd_words(series.drop_nulls())
    return Column(name=series.name, kind=kind, markers=markers, why="as given")  # pyright: ignore[reportArgumentType]


def infer_column(series: pl.Series) -> Column:
    """Find out what one column of training rows holds."""
    name, values = series.name, series.drop_nulls()
    distinct = values.n_unique() if len(values) else 0
    if distinct <= 1:
        why = "every value is missing" if distinct == 0 else f"every value is '{_first(series)}'"
        return Column(name=name, kind="constant", why=why)
    if values.dtype == pl.Boolean:
        return Column(name=name, kind="boolean", why="true or false")
    if values.dtype.is_temporal():
        return Column(name=name, kind="datetime", why="dates")
    if values.dtype.is_numeric():
        return _infer_number(name, values.cast(pl.Float64), distinct)
    return _infer_text(name, values, distinct)


def _infer_number(name: str, values: pl.Series, distinct: int, markers: tuple[str, ...] = ()) -> Column:
    if set(values.unique().to_list()) <= {0.0, 1.0}:
        return Column(name=name, kind="boolean", markers=markers, why="0 or 1")
    whole = bool((values == values.floor()).all())
    if whole and distinct == len(values) >= 20:
        counting = values.is_sorted() and float(values.max() - values.min()) < 3 * len(values)  # pyright: ignore
        if counting or _IDENTIFIER_NAME.search(name):
            return Column(
                name=name, kind="identifier", why="whole numbers, each one once" + (", counting up" if counting else "")
            )
    return Column(name=name, kind="numeric", markers=markers, why="numbers")


def _infer_text(name: str, values: pl.Series, distinct: int) -> Column:
    markers = _odd_words(values)
    numbers = as_numbers(values).drop_nulls()
    if (
        len(numbers)
        and numbers.n_unique() > 1
        and len(numbers) == len(values.filter(~values.is_in(list(markers))))
        and not _has_leading_zeros(values)
    ):
        return _infer_number(name, numbers, numbers.n_unique(), markers)
    if distinct == 2 and {word.lower() for word in values.unique().to_list()} <= {*_TRUE, *_FALSE}:
        return Column(name=name, kind="boolean", why="yes or no")
    date_format = _date_format(values)
    if date_format:
        return Column(name=name, kind="datetime", date_format=date_format, why=f"dates as {date_format}")
    if distinct > 0.5 * len(values) and distinct > 20:
        words = float(values.str.count_matches(r"\s+").mean() or 0) + 1  # pyright: ignore[reportArgumentType]
        if words >= 2:
            return Column(name=name, kind="text", why=f"{distinct:,} different texts of about {words:.0f} words")
        return Column(name=name, kind="identifier", why=f"{distinct:,} different values in {len(values):,} rows")
    return Column(name=name, kind="category", why=f"{distinct:,} different values")


def _odd_words(values: pl.Series) -> tuple[str, ...]:
    """Words among numbers: at most three different ones in at most one value of twenty; else nothing."""
    odd = values.filter(as_numbers(values).is_null())
    words = odd.unique().sort().to_list()
    return tuple(words) if 0 < len(words) <= 3 and len(odd) <= 0.05 * len(values) else ()


def _has_leading_zeros(values: pl.Series) -> bool:
    """Whether digits are a code (a postal code, say) rather than a number."""
    return bool(values.str.contains(r"^0\d+$").any())


def _date_format(values: pl.Series) -> str | None:
    sample = values.head(200)
    if not bool(sample.str.contains(r"^\d{1,4}[-/. ]").all()):
        return None
    for date_format in _DATE_FORMATS:
        if (
            sample.str.to_datetime(date_format, strict=False).null_count() == 0
            and values.str.to_datetime(date_format, strict=False).null_count() == 0
        ):
            return date_format
    return None


def _first(series: pl.Series) -> str:
    values = series.drop_nulls()
    return str(values[0]) if len(values) else ""


def as_numbers(series: pl.Series) -> pl.Series:
    """Any column as `Float64`, null where a value is no number; booleans become 0 and 1."""
    if series.dtype == pl.Boolean or series.dtype.is_numeric():
        return series.cast(pl.Float64).fill_nan(None)
    return series.cast(pl.String).cast(pl.Float64, strict=False).fill_nan(None)


def as_labels(series: pl.Series) -> pl.Series:
    """Any column as text in one spelling, so that 3, 3.0 and '3' are the same label in every kind of source."""
    if series.dtype == pl.Boolean:
        return series.cast(pl.String)
    if series.dtype.is_temporal():
        return series.cast(pl.Datetime).dt.strftime("%Y-%m-%d %H:%M:%S")
    numbers = as_numbers(series)
    if series.dtype == pl.String:
        if _has_leading_zeros(series.drop_nulls()) or numbers.null_count() > series.null_count():
            return series
    whole = (numbers == numbers.floor()) & (numbers.abs() < 2**53)
    texts = numbers.cast(pl.String)
    return (
        pl.select(pl.when(whole).then(numbers.cast(pl.Int64, strict=False).cast(pl.String)).otherwise(texts))
        .to_series()
        .alias(series.name)
    )


def as_booleans(series: pl.Series) -> pl.Series:
    """Yes and no in any of the usual words as 1 and 0; null where a value is neither."""
    if series.dtype != pl.String:
        numbers = as_numbers(series)
    else:
        lower = series.str.to_lowercase()
        words = {**dict.fromkeys(_TRUE, 1.0), **dict.fromkeys(_FALSE, 0.0)}
        numbers = lower.replace_strict(words, default=None, return_dtype=pl.Float64).fill_null(as_numbers(series))
    return pl.select(pl.when(numbers.is_in([0.0, 1.0])).then(numbers)).to_series().alias(series.name)


def as_seconds(series: pl.Series, date_format: str | None) -> pl.Series:
    """Dates as seconds since 1970-01-01 UTC."""
    if series.dtype == pl.String:
        formats = (date_format,) if date_format else _DATE_FORMATS
        moments = series.str.to_datetime(formats[0], strict=False)
        for other in formats[1:]:
            moments = moments.fill_null(series.str.to_datetime(other, strict=False))
    elif series.dtype.is_numeric():
        return series.cast(pl.Float64)
    else:
        moments = series.cast(pl.Datetime("us"))
    return moments.dt.epoch("us").cast(pl.Float64) / 1e6


def read_column(series: pl.Series, column: Column) -> tuple[pl.Series, Trouble | None]:
    """One column of any frame as the schema's kind, with the rows that could not be read."""
    if column.markers and series.dtype == pl.String:
        series = series.replace(list(column.markers), [None] * len(column.markers))
    if column.kind == "category":
        return as_labels(series).alias(column.name), None
    if column.kind == "boolean":
        read = as_booleans(series)
    elif column.kind == "datetime":
        read = as_seconds(series, column.date_format)
    else:
        read = as_numbers(series)
    bad = np.flatnonzero((read.is_null() & series.is_not_null()).to_numpy())
    if series.dtype.is_float():
        bad = bad[~series.is_nan().fill_null(False).to_numpy()[bad]]
    bad = np.union1d(bad, np.flatnonzero(read.is_infinite().fill_null(False).to_numpy()))
    trouble = (
        Trouble(column.name, column.kind, tuple(int(row) for row in bad), str(series[int(bad[0])]))
        if len(bad)
        else None
    )
    return read.alias(column.name), trouble


def read_frame(frame: pl.DataFrame, schema: Schema) -> tuple[pl.DataFrame, list[Trouble]]:
    """The columns that reach the network, typed; values that cannot be read are null and reported as trouble.

    Raises: `DataError` when columns are missing; columns are found by name, in any order.
    """
    absent = [column.name for column in schema.used if column.name not in frame.columns]
    if absent:
        raise DataError(missing_columns(absent, frame.columns))
    read = [read_column(frame[column.name], column) for column in schema.used]
    troubles = [trouble for _, trouble in read if trouble]
    return pl.DataFrame([series for series, _ in read]), troubles


def missing_columns(absent: Sequence[str], present: Sequence[str]) -> str:
    """One message for all columns that are not there."""
    names = ", ".join(f"'{name}'" for name in absent)
    plural = "s" if len(absent) > 1 else ""
    return f"the table has no column{plural} {names}; the network was trained with {'them' if plural else 'it'}.{did_you_mean(absent[0], present)}"
