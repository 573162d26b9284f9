"""What each column is, found out from training rows only.

A table arrives as text or as native values and is understood alike in both forms. The schema turns any later
frame into the same typed columns: numbers, booleans (0 and 1) and datetimes (seconds since 1970, UTC) become
`Float64`, categories `String`.

A column of the numbers 0 and 1 alone is a lenient boolean: in a small table it may be a count that has not
been higher yet, so other numbers are read by their value later. A column of words (yes and no, true and
false) or of native booleans is strict: anything else in later rows cannot be read.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal, get_args

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from handrail.data.columns.together import MANY_COLUMNS, join_columns, split_columns
from handrail.data.columns.values import (
    FALSE,
    MISSING_WORDS,
    TRUE,
    YES_NO,
    are_numbers,
    as_booleans,
    as_labels,
    as_numbers,
    as_seconds,
    best_date_format,
    date_format_of,
    has_leading_zeros,
    moments,
)
from handrail.errors import DataError, did_you_mean
from handrail.recipe.reading import Notation
from handrail.tools.words import list_some

ColumnKind = Literal[
    "numeric",
    "category",
    "boolean",
    "datetime",
    "text",
    "identifier",
    "constant",
    "image",
    "series",
    "audio",
    "stream",
]
TABLE_KINDS = ("numeric", "boolean", "category", "datetime")  # one encoder takes all columns of these
COLUMN_KINDS = ("image", "series", "audio", "text", "stream")  # each column has an encoder of its own
FEATURE_KINDS = TABLE_KINDS + COLUMN_KINDS
_STORED = ("image", "series", "audio", "stream")  # what a column is by its source, not by its cells
_LEADING_ZERO = r"^0\d+$"
_SENTENCE = 5  # words in the mean: shorter texts are names and titles
_EXPECTED = {
    "numeric": "a number",
    "boolean": "yes or no, true or false, 0 or 1",
    "datetime": "a date in a format that is known here, such as 2024-12-31",
}
IDENTIFIER_NAME = re.compile(
    r"(^|[_\s.-])(id|uuid|guid|key|index|rownum|row_number)$|[a-z](Id|ID)$|^(id|ID)[_A-Z]", re.ASCII
)


class Column(BaseModel):
    """One column: its kind and how its values are read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: ColumnKind
    date_format: str | None = None
    markers: tuple[str, ...] = ()  # words that stand for 'missing' among the numbers
    # The values are numbers: a boolean accepts others, in a category '3.0' and '3' are one.
    numbers: bool = False
    why: str = ""


class Schema(BaseModel):
    """The columns that a fitted encoder may use, in the order of the table, without the target.

    Arguments:
        notations: how the numbers of the table's columns are written, where not plainly.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    columns: tuple[Column, ...]
    notations: dict[str, Notation] = Field(default_factory=dict)

    def of_kind(self, *kinds: str) -> list[Column]:
        """The columns of the given kinds, in order."""
        return [column for column in self.columns if column.kind in kinds]

    @property
    def used(self) -> list[Column]:
        """The columns that reach the network."""
        return self.of_kind(*FEATURE_KINDS)

    @property
    def cells(self) -> list[Column]:
        """The used columns whose values stand in the table itself: numbers, categories and dates."""
        return self.of_kind(*TABLE_KINDS)

    @property
    def set_aside(self) -> list[Column]:
        """The columns that do not reach the network."""
        return [column for column in self.columns if column.kind not in FEATURE_KINDS]


@dataclass(frozen=True)
class Trouble:
    """Values of one column that could not be read as its kind: their row positions, and the first of them."""

    column: str
    kind: str
    rows: tuple[int, ...]
    example: str

    @property
    def is_infinite(self) -> bool:
        """Whether these are infinite numbers, rather than values that are no numbers."""
        try:
            return abs(float(self.example)) == float("inf")
        except ValueError:
            return False

    def __str__(self) -> str:
        return f"column '{self.column}' ({self.kind}): found '{self.example}'"


def infer(
    frame: pl.DataFrame,
    *,
    kinds: Mapping[str, str] | None = None,
    stored: Mapping[str, ColumnKind] | None = None,
) -> Schema:
    """The schema of a frame of training rows.

    Arguments:
        frame: the training rows, without the target.
        kinds: kinds that the user gives by column name.
        stored: kinds that the source itself gives, such as that of a column of images.

    Raises: `DataError` for kinds of unknown columns or kinds that do not fit the values.
    """
    kinds, stored = kinds or {}, stored or {}
    known, present = get_args(ColumnKind), set(frame.columns)
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
        or (kind in _STORED and name not in stored)
    ]
    if problems:
        raise DataError(problems)
    columns = frame.get_columns()
    free = [place for place, each in enumerate(columns) if each.name not in kinds and each.name not in stored]
    plain = _find_plain_numbers([columns[place] for place in free])
    numeric = {free[place] for place in plain}
    return Schema(
        columns=tuple(
            Column(name=series.name, kind="numeric", why="numbers")
            if place in numeric
            else _column(series, kinds.get(series.name), stored.get(series.name))
            for place, series in enumerate(columns)
        )
    )


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
        values = _plain(joined)
        read = as_numbers(values)
        lost = (read.is_null() & values.is_not_null()).to_numpy()
        if is_text:
            lost = lost | values.str.contains(_LEADING_ZERO).fill_null(False).to_numpy()
        numbers = read.fill_null(float("nan")).to_numpy().reshape(len(places), -1)
        ordered = np.sort(numbers, axis=1)
        known = (~np.isnan(ordered)).sum(axis=1)
        distinct = ((ordered[:, 1:] != ordered[:, :-1]) & ~np.isnan(ordered[:, 1:])).sum(axis=1) + 1
        whole = (np.isnan(numbers) | (numbers == np.floor(numbers))).all(axis=1)
        plain = (known > 0) & (distinct > 2) & ((distinct < known) | ~whole)
        plain &= ~lost.reshape(len(places), -1).any(axis=1)
        found.update(places[place] for place in np.flatnonzero(plain))
    return found


def _column(series: pl.Series, kind: str | None, stored: ColumnKind | None) -> Column:
    if stored is not None:
        return Column(name=series.name, kind=stored, why="by the source")
    return infer_column(series) if kind is None else _column_as_given(series, kind)


def _column_as_given(series: pl.Series, kind: str) -> Column:
    """The column with the kind that the user gave; only how its values are written is inferred."""
    values = _present(series)
    is_text = values.dtype == pl.String
    numbers = kind == "category" and (values.dtype.is_numeric() or (is_text and are_numbers(values)))
    markers = _odd_words(values) if kind == "numeric" and is_text else ()
    date_format = None
    if kind == "datetime" and (is_text or values.dtype.is_numeric()):
        date_format = best_date_format(as_labels(values))
    column = Column(
        name=series.name,
        kind=kind,  # pyright: ignore[reportArgumentType]
        date_format=date_format,
        markers=markers,
        numbers=numbers,
        why="as given",
    )
    if len(values) and read_column(values, column)[0].null_count() == len(values):
        raise DataError(
            f"data.columns.{series.name}: found '{_first(values)}', and no training row has "
            f"{_EXPECTED[kind]}; give another kind."
        )
    return column


def infer_column(series: pl.Series) -> Column:
    """What one column of training rows holds, by its values."""
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
        counting = values.is_sorted() and float(values[-1] - values[0]) < 3 * len(values)
        if counting or IDENTIFIER_NAME.search(name):
            why = "whole numbers, each one once" + (", counting up" if counting else "")
            return Column(name=name, kind="identifier", why=why)
    return Column(name=name, kind="numeric", markers=markers, why="numbers")


def _infer_text(name: str, values: pl.Series, distinct: int) -> Column:
    numbers = as_numbers(values)
    if numbers.null_count() < len(values) and not has_leading_zeros(values):
        markers = _odd_words(values) if numbers.null_count() else ()
        known = numbers.drop_nulls()
        if known.n_unique() > 1 and (markers or len(known) == len(values)):
            return _infer_number(name, known, markers)
        if len(known) == len(values):
            return Column(name=name, kind="constant", why=f"every value is '{_first(as_labels(values))}'")
    if _is_yes_no(values, distinct):
        return Column(name=name, kind="boolean", why="yes or no")
    date_format = date_format_of(values)
    if date_format:
        return Column(name=name, kind="datetime", date_format=date_format, why=_why_date(values, date_format))
    return _infer_words(name, values, distinct)


def _infer_words(name: str, values: pl.Series, distinct: int) -> Column:
    if distinct > 0.5 * len(values) and distinct > 20:
        words = float(values.str.count_matches(r"\s+").mean() or 0) + 1  # pyright: ignore[reportArgumentType]
        texts = f"{distinct:,} different texts of about {words:.0f} words"
        if words >= _SENTENCE and find_spec("tokenizers") is not None:
            return Column(name=name, kind="text", why=texts)
        if words < 2:
            why = f"{distinct:,} different values in {len(values):,} rows"
        elif words < _SENTENCE:
            why = f"{texts}; data.columns reads them as text"
        else:
            why = f"{texts}; pip install 'handrail[text]' reads them"
        return Column(name=name, kind="identifier", why=why)
    return Column(name=name, kind="category", why=f"{distinct:,} different values")


def _odd_words(values: pl.Series) -> tuple[str, ...]:
    """Words among numbers: at most three different ones in at most one value of twenty; else nothing."""
    odd = values.filter(as_numbers(values).is_null())
    if not 0 < len(odd) <= 0.05 * len(values):
        return ()
    words = odd.unique().sort().to_list()
    return tuple(words) if len(words) <= 3 else ()


def _is_yes_no(values: pl.Series, distinct: int) -> bool:
    if distinct > 2 * len(TRUE + FALSE):
        return False
    words = {word.lower() for word in values.unique().to_list()}
    return any(words <= {*yes, *no} and words & {*yes} and words & {*no} for yes, no in YES_NO)


def _why_date(values: pl.Series, date_format: str) -> str:
    swapped = date_format.replace("%m", "%_").replace("%d", "%m").replace("%_", "%d")
    if date_format.startswith("%m") and not moments(values, swapped).null_count():
        return f"dates as {date_format}; {swapped} would read them all too"
    return f"dates as {date_format}"


def _first(series: pl.Series) -> str:
    values = series.drop_nulls()
    return str(values[0]) if len(values) else ""


def read_column(series: pl.Series, column: Column) -> tuple[pl.Series, list[Trouble]]:
    """One column of any frame as the schema's kind, and the rows that could not be read or are infinite."""
    (read,), troubles = _read_alike([series], [column], series)
    return read, troubles


def _read_alike(
    raw: Sequence[pl.Series], columns: Sequence[Column], values: pl.Series
) -> tuple[list[pl.Series], list[Trouble]]:
    """As `read_column`, of columns that are read in the same way, whose values stand below each other."""
    column, names = columns[0], [each.name for each in columns]
    if column.kind in _STORED:
        return split_columns(values, names), []
    values = _plain(values)
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
        return as_seconds(series, column.date_format)
    if column.kind == "numeric":
        return as_numbers(series)
    if column.kind == "text":
        return series.cast(pl.String)
    labels = as_labels(series, numbers=column.numbers)
    return labels.replace({word: word.lower() for word in ("True", "TRUE", "False", "FALSE")})


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
    return column.kind, column.date_format, column.markers, column.numbers


def missing_columns(absent: Sequence[str], present: Sequence[str]) -> str:
    """One message for all columns that are not there."""
    names = list_some((f"'{name}'" for name in absent), most=20)
    columns, them = ("columns", "them") if len(absent) > 1 else ("column", "it")
    hint = did_you_mean(absent[0], present)
    return f"the table has no {columns} {names}; the network was trained with {them}.{hint}"
