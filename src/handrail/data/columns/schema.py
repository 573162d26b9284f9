"""What each column is, found out from training rows only.

A table arrives as text or as native values and is understood alike in both forms. The schema turns any later
frame into the same typed columns: numbers, booleans (0 and 1) and datetimes (seconds since 1970, UTC) become
`Float64`, categories `String`.

A column of the numbers 0 and 1 alone is a lenient boolean: in a small table it may be a count that has not
been higher yet, so other numbers are read by their value later. A column of words (yes and no, true and
false) or of native booleans is strict: anything else in later rows cannot be read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import get_args

import numpy as np
import polars as pl

from handrail.data.columns.column import (
    AS_FOUND,
    COLUMN_KINDS,
    FEATURE_KINDS,
    IDENTIFIER_NAME,
    STORED_KINDS,
    TABLE_KINDS,
    Column,
    ColumnKind,
    Conventions,
    Schema,
    Trouble,
)
from handrail.data.columns.date_forms import CLOCK
from handrail.data.columns.dates import DateStyle, best_date_format, find_dates, lend_orders, moments
from handrail.data.columns.point_months import LIKE_POINT_MONTH, find_point_months
from handrail.data.columns.reading import (
    missing_columns,
    plain_values,
    read_column,
    read_frame,
    without_marked,
)
from handrail.data.columns.together import MANY_COLUMNS, join_columns
from handrail.data.columns.values import are_numbers, as_date_texts, as_labels, as_numbers, has_leading_zeros
from handrail.data.columns.words import find_folds, infer_words, is_yes_no
from handrail.data.columns.writing import yes_no_words
from handrail.errors import DataError, did_you_mean

__all__ = [
    "COLUMN_KINDS",
    "FEATURE_KINDS",
    "IDENTIFIER_NAME",
    "TABLE_KINDS",
    "Column",
    "ColumnKind",
    "Conventions",
    "Schema",
    "Trouble",
    "infer",
    "infer_column",
    "missing_columns",
    "read_column",
    "read_frame",
]

_FEWEST_SECONDS, _MOST_SECONDS = 1e8, 7.3e9  # 1973 to 2200, as a column of dates
_FEW_TIMES = 24  # times of day that are levels as well, such as those of a timetable
_LEADING_ZERO = r"^0\d+$"
_EXPECTED = {
    "numeric": "a number",
    "boolean": "yes or no, true or false, 0 or 1",
    "datetime": "a date in a format that is known here, such as 2024-12-31",
}


def infer(
    frame: pl.DataFrame,
    *,
    kinds: Mapping[str, str] | None = None,
    stored: Mapping[str, ColumnKind] | None = None,
    conventions: Conventions = AS_FOUND,
) -> Schema:
    """The schema of a frame of training rows.

    Arguments:
        frame: the training rows, without the target.
        kinds: kinds that the user gives by column name.
        stored: kinds that the source itself gives, such as that of a column of images.
        conventions: what the user says about how values are written.

    Raises: `DataError` for kinds and formats of unknown columns, or that do not fit the values.
    """
    kinds, stored, formats = kinds or {}, stored or {}, conventions.formats
    columns = frame.get_columns()
    _check_given(frame.columns, kinds, stored, conventions)
    given = {*kinds, *stored, *formats, *conventions.missing}
    free = [place for place, each in enumerate(columns) if each.name not in given]
    plain = _find_plain_numbers([columns[place] for place in free])
    numeric = {free[place] for place in plain}
    found = [
        Column(name=series.name, kind="numeric", why="numbers")
        if place in numeric
        else _column(series, kinds.get(series.name), stored.get(series.name), conventions)
        for place, series in enumerate(columns)
    ]
    return Schema(columns=tuple(_lend_orders(found, set(formats))))


def _check_given(
    names: Sequence[str], kinds: Mapping[str, str], stored: Mapping[str, str], conventions: Conventions
) -> None:
    known, present = get_args(ColumnKind), set(names)
    absent = [name for name in kinds if name not in present]
    problems = [
        f"data.columns.{name}: there is no such column.{did_you_mean(name, present) if place < 20 else ''}"
        for place, name in enumerate(absent)
    ]
    problems += [
        f"data.columns.{name}: found '{kind}', expected one of {', '.join(known)}.{did_you_mean(kind, known)}"
        for name, kind in kinds.items()
        if kind not in known
    ]
    problems += [
        f"data.columns.{name}: found '{kind}', but the source gives {stored.get(name, 'no such items')} "
        "there; leave it out."
        for name, kind in kinds.items()
        if (name in present and kind in known and stored.get(name, kind) != kind)
        or (kind in STORED_KINDS and name not in stored)
    ]
    problems += [
        f"data.dates.formats.{name}: there is no such column.{did_you_mean(name, names)}"
        if name not in present
        else f"data.dates.formats.{name}: has no effect with data.columns.{name}: {kinds[name]}; expected "
        "datetime there, or nothing."
        for name in conventions.formats
        if name not in present or kinds.get(name, "datetime") != "datetime"
    ]
    problems += [
        f"data.missing.{name}: there is no such column of values.{did_you_mean(name, names)}"
        for name in conventions.missing
        if name not in present or name in stored
    ]
    if problems:
        raise DataError(problems)


def _find_plain_numbers(columns: Sequence[pl.Series]) -> set[int]:
    """Places of columns that `infer_column` takes for numbers at once: several different ones, no odd words,
    and some of them broken or repeated, so that they are no identifiers. Of others it decides.
    """
    found: set[int] = set()
    if len(columns) < MANY_COLUMNS:
        return found
    for places, joined in join_columns(columns):
        is_text = joined.dtype == pl.String
        if len(places) == 1 or not (is_text or joined.dtype.is_numeric()):
            continue
        values = plain_values(joined)
        read = as_numbers(values)
        lost = (read.is_null() & values.is_not_null()).to_numpy()
        if is_text:
            lost = lost | values.str.contains(_LEADING_ZERO).fill_null(False).to_numpy()
        months = values.str.contains(LIKE_POINT_MONTH).fill_null(True) if is_text else None
        numbers = read.fill_null(float("nan")).to_numpy().reshape(len(places), -1)
        ordered = np.sort(numbers, axis=1)
        known = (~np.isnan(ordered)).sum(axis=1)
        distinct = ((ordered[:, 1:] != ordered[:, :-1]) & ~np.isnan(ordered[:, 1:])).sum(axis=1) + 1
        whole = (np.isnan(numbers) | (numbers == np.floor(numbers))).all(axis=1)
        plain = (known > 0) & (distinct > 2) & ((distinct < known) | ~whole)
        plain &= ~lost.reshape(len(places), -1).any(axis=1)
        if months is not None:
            plain &= ~months.to_numpy().reshape(len(places), -1).all(axis=1)
        found.update(places[place] for place in np.flatnonzero(plain))
    return found


def _column(
    series: pl.Series, kind: str | None, stored: ColumnKind | None, conventions: Conventions
) -> Column:
    if stored is not None:
        return Column(name=series.name, kind=stored, why="by the source")
    missing = conventions.missing.get(series.name, ())
    if missing:
        rest = replace(conventions, missing={})
        column = _column(without_marked(plain_values(series), missing), kind, stored, rest)
        return column.model_copy(update={"missing": missing})
    date_format = conventions.formats.get(series.name)
    if date_format is not None:
        return _column_of_format(series, date_format)
    return infer_column(series, conventions) if kind is None else _column_as_given(series, kind, conventions)


def _column_of_format(series: pl.Series, date_format: str) -> Column:
    """Dates in the format that the user gave."""
    values = as_date_texts(_present(series), date_format)
    read = moments(values.cast(pl.String), date_format)
    if len(values) and read.null_count() == len(values):
        found = f"data.dates.formats.{series.name}: found '{date_format}'"
        raise DataError(
            f"{found}, which reads no training row, such as '{_first(values)}'; give another one."
        )
    return Column(
        name=series.name, kind="datetime", date_format=date_format, why=f"dates as {date_format}, as given"
    )


def _column_as_given(series: pl.Series, kind: str, conventions: Conventions) -> Column:
    """The column with the kind that the user gave; only how its values are written is inferred."""
    values = _present(series)
    is_text = values.dtype == pl.String
    numbers = kind == "category" and (values.dtype.is_numeric() or (is_text and are_numbers(values)))
    markers = _odd_words(values) if kind == "numeric" and is_text else ()
    style = None
    if kind == "datetime" and (is_text or values.dtype.is_numeric()):
        style = _style_as_given(as_date_texts(values), conventions.order)
    column = Column(
        name=series.name,
        kind=kind,  # pyright: ignore[reportArgumentType]
        markers=markers,
        numbers=numbers,
        folds=find_folds(values, conventions.fold) if kind == "category" and is_text else (),
        words=yes_no_words(values) if kind == "boolean" else (),
        why="as given",
    )
    if style is not None:
        column = _with_style(column, style)
    elif kind == "datetime" and not values.dtype.is_temporal():
        _require_seconds(series.name, values)
    if len(values) and read_column(values, column)[0].null_count() == len(values):
        raise DataError(
            f"data.columns.{series.name}: found '{_first(values)}', and no training row has "
            f"{_EXPECTED[kind]}; give another kind."
        )
    return column


def _require_seconds(name: str, values: pl.Series) -> None:
    """Raises: `DataError` for numbers that are no seconds of the years since 1973."""
    numbers = as_numbers(values).drop_nulls()
    fits = (numbers >= _FEWEST_SECONDS) & (numbers <= _MOST_SECONDS)
    if not fits.all():
        raise DataError(
            f"data.columns.{name}: found '{_first(values)}' among numbers that are no dates: alone, they are "
            "read as seconds since 1970, and would lie about that year or far from now. Write dates such as "
            f"2024-12-31 (data.dates.formats.{name} says how they are written), or leave it a number."
        )


def _style_as_given(texts: pl.Series, order: str) -> DateStyle | None:
    """Of dates by the user's word: the best style, though it may read few."""
    style = find_dates(texts, order)
    if style is not None:
        return style
    best = "%Y%m" if not moments(texts, "%Y%m").null_count() else best_date_format(texts, order)
    return None if best is None else DateStyle((best,))


def _with_style(column: Column, style: DateStyle) -> Column:
    formats = style.formats
    return column.model_copy(
        update={
            "date_format": formats[0],
            "more_formats": formats[1:],
            "other_format": style.other,
            "order_why": style.why_order,
            "markers": style.markers,
        }
    )


def _lend_orders(columns: Sequence[Column], given: set[str]) -> list[Column]:
    """Columns whose order of day and month is open, with that of others that write the same signs."""
    styles = {
        each.name: DateStyle(
            (each.date_format, *each.more_formats), each.other_format, each.order_why, each.markers
        )
        for each in columns
        if each.date_format and each.name not in given
    }
    lent = lend_orders(styles) if len(styles) > 1 else {}
    return [
        _with_style(each, lent[each.name]).model_copy(update={"why": _why_dates(lent[each.name])})
        if each.name in lent
        else each
        for each in columns
    ]


def infer_column(series: pl.Series, conventions: Conventions = AS_FOUND) -> Column:
    """What one column of training rows holds, by its values."""
    name, values = series.name, _present(series)
    if not len(values):
        return Column(name=name, kind="constant", why="every value is missing")
    distinct = values.n_unique()
    if distinct == 1:
        return Column(name=name, kind="constant", why=f"every value is '{_first(as_labels(values))}'")
    if values.dtype == pl.Boolean:
        return Column(name=name, kind="boolean", words=yes_no_words(values), why="true or false")
    if values.dtype.is_temporal():
        return Column(name=name, kind="datetime", why="dates")
    if values.dtype.is_numeric():
        return _infer_number(name, values.cast(pl.Float64))
    return _infer_text(name, values, distinct, conventions)


def _present(series: pl.Series) -> pl.Series:
    return plain_values(series).drop_nulls()


def _infer_number(name: str, values: pl.Series, markers: tuple[str, ...] = ()) -> Column:
    distinct = values.n_unique()
    if distinct == 2 and bool(values.is_in([0.0, 1.0]).all()):
        return Column(name=name, kind="boolean", markers=markers, numbers=True, why="0 or 1")
    if distinct == len(values) >= 20 and bool((values == values.floor()).all()):
        counting = values.is_sorted() and float(values[-1] - values[0]) < 3 * len(values)
        if counting or IDENTIFIER_NAME.search(name):
            why = "whole numbers, each one once" + (", counting up" if counting else "")
            return Column(name=name, kind="identifier", why=why)
    return Column(name=name, kind="numeric", markers=markers, why="numbers")


def _infer_text(name: str, values: pl.Series, distinct: int, conventions: Conventions) -> Column:
    numbers = as_numbers(values)
    are_months = find_point_months(values.filter(numbers.is_not_null())) is not None
    if numbers.null_count() < len(values) and not has_leading_zeros(values) and not are_months:
        markers = _odd_words(values) if numbers.null_count() else ()
        known = numbers.drop_nulls()
        if known.n_unique() > 1 and (markers or len(known) == len(values)):
            return _infer_number(name, known, markers)
        if len(known) == len(values):
            return Column(name=name, kind="constant", why=f"every value is '{_first(as_labels(values))}'")
    if is_yes_no(values, distinct):
        return Column(name=name, kind="boolean", words=yes_no_words(values), why="yes or no")
    style = find_dates(values, conventions.order)
    if style is not None and (style.formats != (CLOCK,) or distinct > _FEW_TIMES):
        return _with_style(Column(name=name, kind="datetime", why=_why_dates(style)), style)
    return infer_words(name, values, distinct, conventions.fold)


def _odd_words(values: pl.Series) -> tuple[str, ...]:
    """Words among numbers: at most three different ones in at most one value of twenty; else nothing."""
    odd = values.filter(as_numbers(values).is_null())
    if not 0 < len(odd) <= 0.05 * len(values):
        return ()
    words = odd.unique().sort().to_list()
    return tuple(words) if len(words) <= 3 else ()


def _why_dates(style: DateStyle) -> str:
    first, *others = style.formats
    what = "times of day" if first == CLOCK else "dates"
    why = f"{what} as {first}" + (f" and {', '.join(others)}" if others else "")
    if style.other is None:
        return why
    reason = f", {style.why_order}" if style.why_order else ""
    return f"{why}{reason}; {style.other} would read them all too"


def _first(series: pl.Series) -> str:
    values = series.drop_nulls()
    return str(values[0]) if len(values) else ""
