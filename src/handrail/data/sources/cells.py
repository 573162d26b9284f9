"""Text and types, treated alike for all sources: the same table gives the same result from any of them."""

import datetime
import decimal
import uuid
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import polars as pl

from handrail.data.columns.dates import find_dates
from handrail.data.columns.names import name_all, refuse_patterns
from handrail.data.columns.notation import LIKE_A_NUMBER
from handrail.data.columns.together import MANY_COLUMNS, map_columns
from handrail.data.columns.values import MISSING_SIGNS, MISSING_WORDS, as_numbers
from handrail.data.sources.duplicates import number_names
from handrail.data.sources.unusable import NESTED, empty_unusable
from handrail.data.table import Table
from handrail.errors import DataError
from handrail.recipe.reading import ReadOptions
from handrail.tools.words import list_some

MISSING = frozenset(("", *MISSING_WORDS))
_NO_WORDS = frozenset(("", *MISSING_SIGNS))
_SCALARS = int | float | decimal.Decimal | uuid.UUID | datetime.date | datetime.time | datetime.timedelta
_FIRST_DAY, _LAST_DAY = -719_162, 2_932_896  # 0001-01-01 and 9999-12-31, in days since 1970

Frame = TypeVar("Frame", pl.DataFrame, pl.Series)


def clean_text(data: Frame, markers: Iterable[str] = (), *, usual: Iterable[str] = MISSING) -> Frame:
    """Text without white space around it, and as null what is empty, a marker, or a usual word for missing.

    Columns that are not text come back as they are.

    Arguments:
        usual: the usual words that count; where they are fewer, see `drop_words_among_numbers`.
    """
    if isinstance(data, pl.Series):
        return clean_text(data.to_frame(), markers, usual=usual).to_series()
    known = sorted({"", *usual, *(marker.strip() for marker in markers)})
    if data.width > MANY_COLUMNS:
        return map_columns(data, pl.String, lambda column: clean_text(column, markers, usual=usual))
    stripped = pl.col(pl.String).str.strip_chars()
    return data.with_columns(pl.when(~stripped.is_in(known)).then(stripped).name.keep())


def drop_words_among_numbers(frame: pl.DataFrame) -> pl.DataFrame:
    """The usual words for missing as null in columns of text that hold nothing but numbers or dates beside
    them. In columns of words they stay: there 'NA' may be a region, and '-' a sign.
    """
    columns = [column for column in frame.iter_columns() if column.dtype == pl.String]
    changed = [column for column in map(_without_words, columns) if column is not None]
    return frame.with_columns(changed) if changed else frame


def _without_words(column: pl.Series) -> pl.Series | None:
    """None where the column stays as it is."""
    is_word = column.is_in(MISSING_WORDS).fill_null(value=False)
    if not is_word.any():
        return None
    others = column.filter(~is_word).drop_nulls()
    are_numbers = not as_numbers(others).null_count() or others.str.contains(LIKE_A_NUMBER).all()
    if not len(others) or not (are_numbers or find_dates(others)):
        return None
    return pl.select(pl.when(~is_word).then(column)).to_series().alias(column.name)


def typed_table(frame: pl.DataFrame, source: str, options: ReadOptions, **known: Any) -> Table:
    """The table of a typed source, under the user's names, in the types of `convert_types`.

    Arguments:
        known: what else is known of the table.
    """
    plain, unusable = empty_unusable(rename_columns(frame, options.names, source))
    return Table(_convert(plain, source, options), source, unusable=unusable, **known)


def normalise(frame: pl.DataFrame, source: str, options: ReadOptions) -> pl.DataFrame:
    """The columns of a typed source under the user's names, in the types of `convert_types`."""
    return _convert(rename_columns(frame, options.names, source), source, options)


def _convert(frame: pl.DataFrame, source: str, options: ReadOptions) -> pl.DataFrame:
    return convert_types(frame, source, markers=options.missing or (), signs=options.missing != [])


def convert_types(
    frame: pl.DataFrame, source: str, *, markers: Iterable[str] = (), signs: bool = True
) -> pl.DataFrame:
    """The columns of a typed source in the few types that handrail knows, with cleaned text and NaN as null.

    Such a source says itself what is missing, so that words such as NA stay in columns of words.
    Integers, floats, booleans and text stay; decimals become floats, categories text, dates datetimes (in UTC
    where they have a time zone), durations seconds.

    Arguments:
        signs: whether '?' and '.' count as missing all the same.

    Raises: `DataError` naming the columns that are nested or binary.
    """
    columns, problems = [], []
    for column in frame.iter_columns():
        try:
            columns.append(_to_plain_type(column, source))
        except DataError as error:
            problems.extend(error.problems)
    if problems:
        raise DataError(problems)
    usual = _NO_WORDS if signs else ()
    cleaned = drop_words_among_numbers(clean_text(pl.DataFrame(columns), markers, usual=usual))
    return _numeric_markers(_fill_nan(cleaned), markers)


def _fill_nan(frame: pl.DataFrame) -> pl.DataFrame:
    if frame.width <= MANY_COLUMNS:
        return frame.with_columns(pl.col(pl.Float32, pl.Float64).fill_nan(None))
    for kind in (pl.Float32, pl.Float64):
        frame = map_columns(frame, kind, lambda column: column.fill_nan(None))
    return frame


def _to_plain_type(column: pl.Series, source: str) -> pl.Series:
    kind = column.dtype
    if kind.is_nested() or kind in (pl.Binary, pl.Object):
        what = "nested values" if kind.is_nested() else "binary or unknown objects"
        raise DataError(
            f"{source}: column '{column.name}' holds {what} ({kind}); expected numbers, text, booleans or "
            "times. Turn it into plain columns, or leave it out."
        )
    if isinstance(kind, pl.Datetime | pl.Date):
        _check_years(column, source)
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


def _check_years(column: pl.Series, source: str) -> None:
    """Raises: `DataError` for moments outside the years 1 to 9999, which nothing here can compute with."""
    a_day = {"ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}.get(
        getattr(column.dtype, "time_unit", ""), 1
    )
    days = column.to_physical() // a_day
    outside = ((days < _FIRST_DAY) | (days > _LAST_DAY)).fill_null(value=False).arg_true()
    if len(outside):
        raise DataError(
            f"{source}: column '{column.name}', row {outside[0] + 1}: found a date outside the years 1 to "
            "9999; correct it, or make it missing."
        )


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


class NestedError(DataError):
    """A list or a record in a cell."""


def column_or_nested(name: str, values: Sequence[object], source: str) -> pl.Series:
    """As `column_of`, but a column with lists or records is one of the type `NESTED`, without its values."""
    try:
        return column_of(name, values, source)
    except NestedError:
        return pl.Series(name, [None] * len(values), dtype=NESTED)


def column_of(name: str, values: Sequence[object], source: str) -> pl.Series:
    """A column of plain Python values: one type where they agree, text where they do not.

    Raises: `DataError` for nested or unknown values, naming column and row.
    """
    values = [_unwrap(value) for value in values]
    kinds = {type(value) for value in values} - {type(None)}
    if kinds <= {str}:
        return _texts(name, values, source)
    if kinds == {bool}:
        return pl.Series(name, values, dtype=pl.Boolean)
    if kinds <= {int, float, decimal.Decimal}:
        return _numbers(name, values, whole=kinds == {int})
    if kinds <= {datetime.datetime, datetime.date}:
        return pl.Series(name, [_to_naive_time(value) for value in values], dtype=pl.Datetime("us"))
    texts = [_as_text(value, name, row, source) for row, value in enumerate(values, start=1)]
    return _texts(name, texts, source)


def _texts(name: str, values: Sequence[object], source: str) -> pl.Series:
    try:
        return pl.Series(name, values, dtype=pl.String)
    except UnicodeEncodeError:
        row = next(row for row, value in enumerate(values, start=1) if not _is_text(value))
        raise DataError(
            f"{source}: column {_shown(name)} holds half of a surrogate pair (\\ud800 to \\udfff) in row "
            f"{row}, which is no character. Correct the text, or leave it out."
        ) from None


def _is_text(value: object) -> bool:
    return not isinstance(value, str) or value.encode("utf-8", "ignore").decode() == value


def _shown(name: str) -> str:
    """A name in quotes, its halves of surrogate pairs written as escapes."""
    return f"'{name.encode('utf-8', 'backslashreplace').decode()}'"


def _unwrap(value: object) -> object:
    """NumPy's and pandas' scalars as Python's own."""
    if type(value).__module__.split(".")[0] == "pandas":
        is_missing = type(value).__name__ in ("NAType", "NaTType")
        return None if is_missing else getattr(value, "to_pydatetime", lambda: value)()
    is_scalar = type(value).__module__ == "numpy" and hasattr(value, "item")
    return value.item() if is_scalar else value  # pyright: ignore


def _numbers(name: str, values: Sequence[object], *, whole: bool) -> pl.Series:
    if whole and all(value is None or -(2**63) <= value < 2**63 for value in values):  # pyright: ignore
        return pl.Series(name, values, dtype=pl.Int64)
    return pl.Series(name, [None if value is None else _float(value) for value in values], dtype=pl.Float64)


def _float(value: object) -> float:
    try:
        return float(value)  # pyright: ignore
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")  # pyright: ignore


def _to_naive_time(value: object) -> datetime.datetime | None:
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.UTC).replace(tzinfo=None) if value.tzinfo else value
    return datetime.datetime.combine(value, datetime.time()) if isinstance(value, datetime.date) else None


def _as_text(value: object, name: str, row: int, source: str) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, _SCALARS):
        return str(value)
    if isinstance(value, dict | list | tuple | set):
        raise NestedError(
            f"{source}: column '{name}' holds a nested value in row {row}; expected numbers, text, booleans "
            "or times. Turn it into plain columns, or leave it out."
        )
    what = f"a value of type {type(value).__name__}"
    raise DataError(
        f"{source}: column '{name}' holds {what} in row {row}; expected numbers, text, booleans or times. "
        "Turn it into plain columns, or leave it out."
    )


def columns_frame(columns: dict[str, Sequence[object]], source: str) -> pl.DataFrame:
    """A table of plain Python lists by column.

    Raises: `DataError` for lists of different lengths and for values that no column can hold; those that
        hold lists or records stay, as columns of the type `NESTED`.
    """
    broken = [_shown(name) for name in columns if not _is_text(name)]
    if broken:
        raise DataError(f"{source}: the column names {list_some(broken)} are no text; rename them.")
    problems = length_problems({name: len(values) for name, values in columns.items()}, source, "columns")
    if problems:
        raise DataError(problems)
    return frame_of([column_or_nested(name, values, source) for name, values in columns.items()], source)


def frame_of(columns: Sequence[pl.Series], source: str) -> pl.DataFrame:
    """Columns as a table; those that have the name of another are numbered."""
    names = number_names(name_all([column.name for column in columns]))
    return pl.DataFrame([column.alias(name) for column, name in zip(columns, names, strict=True)])


def length_problems(lengths: dict[str, int], source: str, what: str) -> list[str]:
    """A message if columns or arrays are not equally long."""
    if len(set(lengths.values())) <= 1:
        return []
    listed = ", ".join(f"'{name}' {length}" for name, length in list(lengths.items())[:12])
    return [f"{source}: {what} of different lengths ({listed}); expected one value a row in each."]


def rename_columns(frame: pl.DataFrame, names: list[str] | None, source: str) -> pl.DataFrame:
    """The table under the user's names. Raises: `DataError` for too many or too few, and for patterns."""
    if names is None:
        names = number_names(name_all(frame.columns))
    check_names(names, frame.width, source)
    refuse_patterns(names, source)
    if names == frame.columns:
        return frame
    return frame.rename(dict(zip(frame.columns, names, strict=True)))


def check_names(names: list[str], columns: int, source: str) -> None:
    """Raises: `DataError` unless there is one name for each column."""
    if len(names) != columns:
        raise DataError(
            f"{source}: {len(names)} names are given for {columns} columns; expected one for each."
        )


def check_distinct(names: Sequence[str], source: str) -> None:
    """Raises: `DataError` when a column name occurs twice."""
    places: dict[str, list[int]] = {}
    for place, name in enumerate(names, start=1):
        places.setdefault(name, []).append(place)
    twice = sorted(name for name in places if len(places[name]) > 1)
    if twice:
        listed = list_some(
            (f"'{name}' (columns {list_some(places[name], most=8)})" for name in twice), most=8
        )
        raise DataError(
            f"{source}: duplicate column names: {listed}. Rename them, or give all names (names=[…])."
        )
