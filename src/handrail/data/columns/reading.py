"""Reading: any later frame as the typed columns of a schema."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from handrail.data.columns.column import STORED_KINDS, Column, Schema, Trouble
from handrail.data.columns.together import join_columns, split_columns
from handrail.data.columns.values import MISSING_WORDS, as_booleans, as_labels, as_numbers, as_seconds
from handrail.data.columns.words import spelling_key
from handrail.errors import DataError, did_you_mean
from handrail.tools.words import list_some


def plain_values(series: pl.Series) -> pl.Series:
    """NaN as null, and the words of a categorical column as text."""
    if series.dtype in (pl.Categorical, pl.Enum):
        return series.cast(pl.String)
    return series.fill_nan(None) if series.dtype.is_float() else series


def without_marked(values: pl.Series, missing: Sequence[str]) -> pl.Series:
    """Null where a value is one of these words, or has the number that one of them is."""
    marked = values.cast(pl.String).is_in(list(missing)) if values.dtype == pl.String else None
    numbers = as_numbers(pl.Series(missing, dtype=pl.String)).drop_nulls()
    if len(numbers) and (values.dtype == pl.String or values.dtype.is_numeric()):
        equal = as_numbers(values).is_in(numbers.to_list())
        marked = equal if marked is None else marked | equal
    if marked is None:
        return values
    return pl.select(pl.when(~marked.fill_null(False)).then(values)).to_series().alias(values.name)


def read_column(series: pl.Series, column: Column) -> tuple[pl.Series, list[Trouble]]:
    """One column of any frame as the schema's kind, and the rows that could not be read or are infinite."""
    (read,), troubles = _read_alike([series], [column], series)
    return read, troubles


def _read_alike(
    raw: Sequence[pl.Series], columns: Sequence[Column], values: pl.Series
) -> tuple[list[pl.Series], list[Trouble]]:
    """As `read_column`, of columns that are read in the same way, whose values stand below each other."""
    column, names = columns[0], [each.name for each in columns]
    if column.kind in STORED_KINDS:
        return split_columns(values, names), []
    values = plain_values(values)
    if column.missing:
        values = without_marked(values, column.missing)
    if column.markers and values.dtype == pl.String:
        values = values.replace(list(column.markers), [None] * len(column.markers))
    read = _read(values, column)
    if column.kind not in ("numeric", "boolean", "datetime"):
        return split_columns(read, names), []
    unread = read.is_null() & values.is_not_null()
    if values.dtype == pl.String and unread.any():
        unread &= ~values.is_in(MISSING_WORDS)  # typed sources keep them
    infinite = read.is_infinite().fill_null(False)
    if infinite.any():
        read = pl.select(pl.when(~infinite).then(read)).to_series()
    masks = [mask.to_numpy().reshape(len(columns), -1) for mask in (infinite, unread) if mask.any()]
    odd = np.any([mask.any(axis=1) for mask in masks], axis=0) if masks else np.zeros(0, dtype=bool)
    troubles = [
        _trouble(raw[place], columns[place], mask[place])
        for place in np.flatnonzero(odd).tolist()
        for mask in masks
        if mask[place].any()
    ]
    return split_columns(read, names), troubles


def _read(series: pl.Series, column: Column) -> pl.Series:
    if column.kind == "boolean":
        read = as_booleans(series)
        return read.fill_null(as_numbers(series)) if column.numbers else read
    if column.kind == "datetime":
        return as_seconds(series, column.date_format, column.more_formats)
    if column.kind == "numeric":
        return as_numbers(series)
    if column.kind == "text":
        return series.cast(pl.String)
    labels = as_labels(series, numbers=column.numbers)
    labels = labels.replace({word: word.lower() for word in ("True", "TRUE", "False", "FALSE")})
    if not column.folds:
        return labels
    keys, levels = zip(*column.folds, strict=True)
    folded = spelling_key(labels).replace_strict(keys, levels, default=None, return_dtype=pl.String)
    return folded.fill_null(labels).alias(labels.name)


def _trouble(series: pl.Series, column: Column, mask: np.ndarray) -> Trouble:
    rows = np.flatnonzero(mask)
    return Trouble(column.name, column.kind, tuple(int(row) for row in rows), str(series[int(rows[0])]))


def read_frame(frame: pl.DataFrame, schema: Schema) -> tuple[pl.DataFrame, list[Trouble]]:
    """The columns that reach the network, typed; values that cannot be read are null and reported as trouble.

    Raises: `DataError` when columns are missing; columns are found by name, in any order.
    """
    used, present = schema.used, set(frame.columns)
    absent = [column.name for column in used if column.name not in present]
    if absent:
        raise DataError(missing_columns(absent, frame.columns))
    raw = [frame[column.name] for column in used]  # `select` would take a column '*' for all of them
    features: list[pl.Series] = list(raw)
    troubles: dict[str, list[Trouble]] = {}
    for places, values in join_columns(raw, key=lambda place: _way_of_reading(used[place])):
        alike = [used[place] for place in places]
        read, odd = _read_alike([raw[place] for place in places], alike, values)
        for place, column in zip(places, read, strict=True):
            features[place] = column
        for trouble in odd:
            troubles.setdefault(trouble.column, []).append(trouble)
    return pl.DataFrame(features), [item for column in used for item in troubles.get(column.name, [])]


def _way_of_reading(column: Column) -> tuple[object, ...] | None:
    """Equal for columns whose values are read alike; None where a value is read by those beside it."""
    if column.kind == "datetime" and column.date_format is None:
        return None  # the format that reads the most of the column
    words = column.markers, column.missing, column.folds
    return column.kind, column.date_format, column.more_formats, column.numbers, *words


def missing_columns(absent: Sequence[str], present: Sequence[str]) -> str:
    """One message for all columns that are not there."""
    names = list_some((f"'{name}'" for name in absent), most=20)
    columns, them = ("columns", "them") if len(absent) > 1 else ("column", "it")
    hint = did_you_mean(absent[0], present)
    return f"the table has no {columns} {names}; the network was trained with {them}.{hint}"
