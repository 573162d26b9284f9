"""What each column is, found out from training rows only.

A table arrives as text or as native values; the same table is understood alike in both forms. The schema says, column
by column, whether it holds numbers, categories, yes or no, moments in time, free text, identifiers or nothing of use,
and turns any later frame into the same typed columns: numbers, booleans (0 and 1) and datetimes (seconds since 1970,
UTC) become `Float64`, categories `String`. How a value is read never depends on the rows beside it.

A column of the numbers 0 and 1 alone is a boolean, but a lenient one: in a small table it may be a count that has not
been higher yet, so other numbers are read by their value later. A column of words (yes and no, true and false) or of
native booleans is strict: anything else in later rows cannot be read.
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
_YES_NO = ((("true", "t"), ("false", "f")), (("yes", "y"), ("no", "n")))

# What a date of each style looks like: chrono alone would take '1.2.3' for the year 3. Where day and month could be
# either, month first comes first.
_DATE_STYLES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"^\d{4}[-/]\d{1,2}(?:[-/]|$)", (
        "%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S",
        "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z",
        "%Y/%m/%d", "%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "%Y-%m",
    )),
    (r"^\d{1,2}[-/. ](?:[[:alpha:]]+|\d{1,2})[-/. ]\d{4}(?:\D|$)", (
        "%d.%m.%Y", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S", "%m/%d/%Y", "%d/%m/%Y", "%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M",
        "%m/%d/%Y %H:%M:%S", "%d/%m/%Y %H:%M:%S", "%m/%d/%Y %I:%M %p", "%d/%m/%Y %I:%M %p",
        "%m/%d/%Y %I:%M:%S %p", "%d/%m/%Y %I:%M:%S %p", "%m-%d-%Y", "%d-%m-%Y", "%d %b %Y", "%d %B %Y", "%d-%b-%Y",
    )),
    (r"^(?:\d{1,2}/\d{1,2}/\d\d|\d\d\.\d\d\.\d\d|\d{1,2}-[[:alpha:]]{3}-\d\d)$", (
        "%m/%d/%y", "%d/%m/%y", "%d.%m.%y", "%d-%b-%y",
    )),
    (r"^(?:1[6-9]|20|21)\d{6}$", ("%Y%m%d",)),
)  # fmt: skip
_LOOKS = {date_format: look for look, formats in _DATE_STYLES for date_format in formats}
_ISO = tuple(date_format for date_format in _LOOKS if date_format.startswith("%Y-"))
_WHOLE = r"^(?:0|-?[1-9]\d*)$"
_IDENTIFIER_NAME = re.compile(r"(^|[_\s.-])(id|uuid|guid|key|index|rownum|row_number)$|[a-z](Id|ID)$|^(id|ID)[_A-Z]", re.ASCII)


class Column(BaseModel):
    """One column: its kind and how its values are read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: ColumnKind
    date_format: str | None = None
    markers: tuple[str, ...] = ()  # words that stand for 'missing' among the numbers
    numbers: bool = False  # the values are numbers: a boolean accepts others, in a category '3.0' and '3' are one
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
    known = get_args(ColumnKind)
    absent = [name for name in kinds if name not in frame.columns]
    problems = [f"data.columns.{name}: there is no such column.{did_you_mean(name, frame.columns)}" for name in absent]
    problems += [
        f"data.columns.{name}: found '{kind}', expected one of {', '.join(known)}.{did_you_mean(kind, known)}"
        for name, kind in kinds.items()
        if kind not in known
    ]
    if problems:
        raise DataError(problems)
    columns = (_given(frame[name], kinds[name]) if name in kinds else infer_column(frame[name]) for name in frame.columns)
    return Schema(columns=tuple(columns))


def _given(series: pl.Series, kind: str) -> Column:
    """The column with the kind that the user gave; only how its values are written is found out."""
    values = _present(series)
    is_text = values.dtype == pl.String
    numbers = kind == "category" and (values.dtype.is_numeric() or (is_text and _are_numbers(values)))
    markers = _odd_words(values) if kind == "numeric" and is_text else ()
    date_format = None
    if kind == "datetime" and (is_text or values.dtype.is_numeric()):
        date_format = _best_date_format(as_labels(values))
    column = Column(name=series.name, kind=kind, date_format=date_format, markers=markers, numbers=numbers, why="as given")  # pyright: ignore[reportArgumentType]
    if len(values) and read_column(values, column)[0].null_count() == len(values):
        raise DataError(
            f"data.columns.{series.name}: found '{_first(values)}', and no training row has {_EXPECTED[kind]}; give another kind."
        )
    return column


_EXPECTED = {
    "numeric": "a number",
    "boolean": "yes or no, true or false, 0 or 1",
    "datetime": "a date in a format that is known here, such as 2024-12-31",
}


def infer_column(series: pl.Series) -> Column:
    """Find out what one column of training rows holds."""
    name, values = series.name, _present(series)
    if not len(values):
        return Column(name=name, kind="constant", why="every value is missing")
    distinct = values.n_unique()
    if distinct == 1:
        return Column(name=name, kind="constant", why=f"every value is '{_first(as_labels(values))}'")
    if values.dtype == pl.Boolean:
        return Column(name=name, kind="boolean", why="true or false")
    if values.dtype.is_temporal():
        return Column(name=name, kind="datetime", why="dates")
    if values.dtype.is_numeric():
        return _infer_number(name, values.cast(pl.Float64))
    return _infer_text(name, values, distinct)


def _present(series: pl.Series) -> pl.Series:
    """The values that are there."""
    return _plain(series).drop_nulls()


def _plain(series: pl.Series) -> pl.Series:
    """NaN as null, and the words of a categorical column as text."""
    if series.dtype in (pl.Categorical, pl.Enum):
        return series.cast(pl.String)
    return series.fill_nan(None) if series.dtype.is_float() else series


def _infer_number(name: str, values: pl.Series, markers: tuple[str, ...] = ()) -> Column:
    distinct = values.n_unique()
    if distinct == 2 and bool(values.is_in([0.0, 1.0]).all()):
        return Column(name=name, kind="boolean", markers=markers, numbers=True, why="0 or 1")
    if distinct == len(values) >= 20 and bool((values == values.floor()).all()):
        counting = values.is_sorted() and float(values.max() - values.min()) < 3 * len(values)  # pyright: ignore
        if counting or _IDENTIFIER_NAME.search(name):
            why = "whole numbers, each one once" + (", counting up" if counting else "")
            return Column(name=name, kind="identifier", why=why)
    return Column(name=name, kind="numeric", markers=markers, why="numbers")


def _infer_text(name: str, values: pl.Series, distinct: int) -> Column:
    numbers = as_numbers(values)
    if numbers.null_count() < len(values) and not _has_leading_zeros(values):
        markers = _odd_words(values) if numbers.null_count() else ()
        known = numbers.drop_nulls()
        if known.n_unique() > 1 and (markers or len(known) == len(values)):
            return _infer_number(name, known, markers)
        if len(known) == len(values):
            return Column(name=name, kind="constant", why=f"every value is '{_first(as_labels(values))}'")
    if _is_yes_no(values, distinct):
        return Column(name=name, kind="boolean", why="yes or no")
    date_format = _date_format(values)
    if date_format:
        return Column(name=name, kind="datetime", date_format=date_format, why=_why_date(values, date_format))
    return _infer_words(name, values, distinct)


def _infer_words(name: str, values: pl.Series, distinct: int) -> Column:
    if distinct > 0.5 * len(values) and distinct > 20:
        words = float(values.str.count_matches(r"\s+").mean() or 0) + 1  # pyright: ignore[reportArgumentType]
        if words >= 2:
            return Column(name=name, kind="text", why=f"{distinct:,} different texts of about {words:.0f} words")
        return Column(name=name, kind="identifier", why=f"{distinct:,} different values in {len(values):,} rows")
    return Column(name=name, kind="category", why=f"{distinct:,} different values")


def _odd_words(values: pl.Series) -> tuple[str, ...]:
    """Words among numbers: at most three different ones in at most one value of twenty; else nothing."""
    odd = values.filter(as_numbers(values).is_null())
    if not 0 < len(odd) <= 0.05 * len(values):
        return ()
    words = odd.unique().sort().to_list()
    return tuple(words) if len(words) <= 3 else ()


def _has_leading_zeros(values: pl.Series) -> bool:
    """Whether digits are a code (a postal code, say) rather than a number."""
    return bool(values.str.contains(r"^0\d+$").any())


def _are_numbers(values: pl.Series) -> bool:
    """Whether all texts are numbers rather than codes or words."""
    return not as_numbers(values).null_count() and not _has_leading_zeros(values)


def _is_yes_no(values: pl.Series, distinct: int) -> bool:
    if distinct > 2 * len(_TRUE + _FALSE):
        return False
    words = {word.lower() for word in values.unique().to_list()}
    return any(words <= {*yes, *no} and words & {*yes} and words & {*no} for yes, no in _YES_NO)


def _date_format(values: pl.Series) -> str | None:
    """The first format that reads every value."""
    sample = values.head(200)
    for look, formats in _DATE_STYLES:
        if bool(sample.str.contains(look).all()):
            for date_format in formats:
                if not _moments(sample, date_format).null_count() and not _moments(values, date_format).null_count():
                    return date_format
    return None


def _best_date_format(values: pl.Series) -> str | None:
    """The format that reads every value, else the one that reads the most."""
    if not len(values):
        return None
    unread = {date_format: _moments(values, date_format).null_count() for date_format in _LOOKS}
    best = min(unread, key=lambda date_format: unread[date_format])
    return best if unread[best] < len(values) else None


def _why_date(values: pl.Series, date_format: str) -> str:
    swapped = date_format.replace("%m", "%_").replace("%d", "%m").replace("%_", "%d")
    if date_format.startswith("%m") and not _moments(values, swapped).null_count():
        return f"dates as {date_format}; {swapped} would read them all too"
    return f"dates as {date_format}"


def _moments(texts: pl.Series, date_format: str) -> pl.Series:
    """Texts of one format as seconds since 1970-01-01 UTC; null where they are not of it."""
    fitting = pl.select(pl.when(texts.str.contains(_LOOKS[date_format])).then(texts)).to_series()
    moments = fitting.str.to_datetime(date_format, time_unit="us", strict=False)
    return (moments.dt.epoch("us").cast(pl.Float64) / 1e6).alias(texts.name)


def _first(series: pl.Series) -> str:
    values = series.drop_nulls()
    return str(values[0]) if len(values) else ""


def as_numbers(series: pl.Series) -> pl.Series:
    """Any column as `Float64`, null where a value is no number; booleans become 0 and 1."""
    if series.dtype == pl.Boolean or series.dtype.is_numeric():
        return series.cast(pl.Float64).fill_nan(None)
    return series.cast(pl.String).cast(pl.Float64, strict=False).fill_nan(None)


def as_labels(series: pl.Series, *, numbers: bool | None = None) -> pl.Series:
    """Any column as text in one spelling, so that 3, 3.0 and '3' are the same label in every kind of source.

    Arguments:
        series: any column.
        numbers: whether texts that are numbers are respelled; by default where all of them are, and none is a code
            with leading zeros. Other texts stay as they are: '3.10' and '3.1' may be two versions.
    """
    if series.dtype in (pl.Boolean, pl.Categorical, pl.Enum) or series.dtype.is_integer():
        return series.cast(pl.String)
    if series.dtype.is_temporal():
        return _spelled_times(series)
    if series.dtype == pl.String:
        if not (_are_numbers(series.drop_nulls()) if numbers is None else numbers):
            return series
        spelled = _spelled_numbers(as_numbers(series))
        keep = series.str.contains(_WHOLE) | series.str.contains(r"^0\d") | spelled.is_null()
        return pl.select(pl.when(keep).then(series).otherwise(spelled)).to_series().alias(series.name)
    return _spelled_numbers(as_numbers(series))


def _spelled_numbers(numbers: pl.Series) -> pl.Series:
    """7.0 as '7', 0.5 as '0.5'."""
    whole = (numbers == numbers.floor()) & (numbers.abs() < 2.0**63)
    digits = numbers.cast(pl.Int64, strict=False).cast(pl.String)
    return pl.select(pl.when(whole).then(digits).otherwise(numbers.cast(pl.String))).to_series().alias(numbers.name)


def _spelled_times(series: pl.Series) -> pl.Series:
    """As ISO 8601 with a space, without a time of day at midnight."""
    if series.dtype in (pl.Time, pl.Duration):
        return series.cast(pl.String)
    return series.cast(pl.Datetime("us")).dt.strftime("%Y-%m-%d %H:%M:%S%.f").str.strip_suffix(" 00:00:00")


def as_booleans(series: pl.Series) -> pl.Series:
    """Yes and no in any of the usual words as 1 and 0; null where a value is neither."""
    numbers = as_numbers(series)
    if series.dtype == pl.String:
        words = {**dict.fromkeys(_TRUE, 1.0), **dict.fromkeys(_FALSE, 0.0)}
        said = series.str.to_lowercase().replace_strict(words, default=None, return_dtype=pl.Float64)
        numbers = said.fill_null(numbers)
    return pl.select(pl.when(numbers.is_in([0.0, 1.0])).then(numbers)).to_series().alias(series.name)


def as_seconds(series: pl.Series, date_format: str | None) -> pl.Series:
    """Dates as seconds since 1970-01-01 UTC; numbers are such seconds already, unless the format is one of digits.

    Arguments:
        series: any column.
        date_format: of texts; where it is not known, the one that reads the most of them. Dates by ISO 8601 cannot be
            mistaken, and are read in any case where the format begins with the year or is not known.
    """
    if series.dtype in (pl.Date, pl.Datetime):
        return series.cast(pl.Datetime("us")).dt.epoch("us").cast(pl.Float64) / 1e6
    if series.dtype.is_numeric() and date_format is None:
        return as_numbers(series)
    if series.dtype != pl.String and not series.dtype.is_numeric():
        return pl.Series(series.name, [None] * len(series), dtype=pl.Float64)
    texts = as_labels(series, numbers=True)
    usual = date_format or _date_format(texts.drop_nulls()) or _best_date_format(texts.drop_nulls())
    if usual is None:
        return as_numbers(series)
    moments = _moments(texts, usual)
    for other in _ISO if usual.startswith("%Y") or date_format is None else ():
        if moments.null_count() == texts.null_count():
            break
        moments = moments.fill_null(_moments(texts, other))
    return moments


def read_column(series: pl.Series, column: Column) -> tuple[pl.Series, list[Trouble]]:
    """One column of any frame as the schema's kind, with the rows that could not be read (infinite ones apart)."""
    series = _plain(series)
    if column.markers and series.dtype == pl.String:
        series = series.replace(list(column.markers), [None] * len(column.markers))
    read = _read(series, column).alias(column.name)
    unread = read.is_null() & series.is_not_null()
    if column.kind not in ("numeric", "boolean", "datetime"):
        return read, []
    infinite = read.is_infinite().fill_null(False)
    if infinite.any():
        read = pl.select(pl.when(~infinite).then(read)).to_series().alias(column.name)
    return read, [_trouble(series, column, mask) for mask in (infinite, unread) if mask.any()]


def _read(series: pl.Series, column: Column) -> pl.Series:
    if column.kind == "boolean":
        read = as_booleans(series)
        return read.fill_null(as_numbers(series)) if column.numbers else read
    if column.kind == "datetime":
        return as_seconds(series, column.date_format)
    if column.kind == "numeric":
        return as_numbers(series)
    labels = as_labels(series, numbers=column.numbers)
    return labels.replace({word: word.lower() for word in ("True", "TRUE", "False", "FALSE")})


def _trouble(series: pl.Series, column: Column, mask: pl.Series) -> Trouble:
    rows = np.flatnonzero(mask.to_numpy())
    return Trouble(column.name, column.kind, tuple(int(row) for row in rows), str(series[int(rows[0])]))


def read_frame(frame: pl.DataFrame, schema: Schema) -> tuple[pl.DataFrame, list[Trouble]]:
    """The columns that reach the network, typed; values that cannot be read are null and reported as trouble.

    Raises: `DataError` when columns are missing; columns are found by name, in any order.
    """
    absent = [column.name for column in schema.used if column.name not in frame.columns]
    if absent:
        raise DataError(missing_columns(absent, frame.columns))
    read = [read_column(frame[column.name], column) for column in schema.used]
    troubles = [trouble for _, found in read for trouble in found]
    return pl.DataFrame([series for series, _ in read]), troubles


def missing_columns(absent: Sequence[str], present: Sequence[str]) -> str:
    """One message for all columns that are not there."""
    names = ", ".join(f"'{name}'" for name in absent)
    plural, them = ("s", "them") if len(absent) > 1 else ("", "it")
    return f"the table has no column{plural} {names}; the network was trained with {them}.{did_you_mean(absent[0], present)}"
