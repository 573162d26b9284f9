"""Writing: typed values of a column in the form in which other values of it are written."""

from collections.abc import Sequence
from typing import Any

import polars as pl
from polars.exceptions import PolarsError

from handrail.data.columns.column import Column
from handrail.data.columns.date_forms import CLOCK
from handrail.data.columns.dates import ISO_FORMATS, best_date_format, moments
from handrail.data.columns.reading import plain_values, read_column
from handrail.data.columns.values import are_numbers, as_booleans, as_date_texts, as_labels

_WHOLE = r"^[+-]?\d+$"
_WITH_SECONDS = r"\d:\d\d:\d\d"


def write_like(values: pl.Series, column: Column, given: pl.Series) -> pl.Series:
    """Typed values (see `read_column`) as a column writes its own: in its words, as whole numbers, in its
    format of dates, and of its type, as far as that can hold them.

    Arguments:
        given: known values of the column, in any number, as they are written.
    """
    present = plain_values(given).drop_nulls()
    written = _WRITE[column.kind](values, column, present) if column.kind in _WRITE else values
    return _cast(written, given.dtype)


def yes_no_words(values: pl.Series) -> tuple[bool | str, ...]:
    """How most rows write no and yes; nothing where that is as numbers."""
    if values.dtype == pl.Boolean:
        return False, True
    if values.dtype != pl.String or are_numbers(values):
        return ()
    words = _spellings(as_booleans(values), values)
    return (words[0.0], words[1.0]) if len(words) == 2 else ()


def _spellings(read: pl.Series, written: pl.Series) -> dict[Any, str]:
    """The most frequent text of each value."""
    pairs = pl.DataFrame({"value": read, "text": written}).drop_nulls()
    counts = pairs.group_by("value", "text").len().sort("len", "text", descending=[False, True])
    return dict(counts.select("value", "text").iter_rows())  # of several, the last stays


def _write_words(values: pl.Series, column: Column, present: pl.Series) -> pl.Series:
    """The spellings of these rows, and for what they do not have that of the training rows."""
    if present.dtype != pl.String:
        return values
    usual = dict(zip((0.0, 1.0), map(str, column.words or (0, 1)), strict=True))
    words = usual | _spellings(read_column(present, column)[0], present)
    texts = [words.get(value, value) for value in values.to_list()]
    return pl.Series(values.name, texts, dtype=pl.String)


def _write_numbers(values: pl.Series, column: Column, present: pl.Series) -> pl.Series:
    whole = present.dtype.is_integer()
    if present.dtype == pl.String:
        whole = bool(len(present)) and bool(present.str.contains(_WHOLE).all())
    return _cast(values.round(), pl.Int64) if whole else values


def _write_dates(values: pl.Series, column: Column, present: pl.Series) -> pl.Series:
    dates = pl.from_epoch(values.round().cast(pl.Int64), time_unit="s").alias(values.name)
    if present.dtype.is_temporal():
        return dates
    date_format = _format_of(column, present)
    if date_format is None and len(present) and are_numbers(as_labels(present)):
        return _write_numbers(values, column, present)  # seconds
    return as_labels(dates) if date_format is None else _format_dates(dates, date_format)


def write_dates(dates: pl.Series, column: Column) -> pl.Series:
    """Dates in the first format that a column is read by, times of the day with their seconds; those of ISO
    8601, and of columns of dates, stay dates.
    """
    date_format = column.date_format
    if date_format is None or date_format in ISO_FORMATS:
        return dates
    whole = f"{CLOCK}:%S" if date_format == CLOCK else date_format.replace("%#z", "+00:00")
    return _format_dates(dates, whole)


def _format_dates(dates: pl.Series, date_format: str) -> pl.Series:
    try:
        return dates.cast(pl.Datetime).dt.strftime(date_format)
    except PolarsError:  # a format that can be read alone
        return as_labels(dates)


def _format_of(column: Column, present: pl.Series) -> str | None:
    """Of the formats that the column is read by, the one that reads the most of these rows."""
    texts = as_date_texts(present, column.date_format)
    if column.date_format is None:
        return best_date_format(texts) if present.dtype == pl.String else None
    formats: Sequence[str] = (column.date_format, *column.more_formats, *ISO_FORMATS)
    best = max(formats, key=lambda each: moments(texts, each).count())
    if best == CLOCK and texts.str.contains(_WITH_SECONDS).any():
        return f"{CLOCK}:%S"
    return best.replace("%#z", "+00:00")


def _cast(values: pl.Series, dtype: Any) -> pl.Series:
    """Of this type, if it can hold all values."""
    cast = values.cast(dtype, strict=False)
    return cast if cast.null_count() == values.null_count() else values


_WRITE = {
    "boolean": _write_words,
    "category": _write_words,
    "numeric": _write_numbers,
    "datetime": _write_dates,
}
