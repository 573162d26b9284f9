"""Delimited text (CSV, TSV, columns by white space) as a table of text.

Polars does the parsing. What it would pass over in silence is found first, from the bytes: rows with too few
fields, blank lines, and the number of the line on which each record begins.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Int64, UInt8

from handrail.data.columns.names import name_all, refuse_patterns
from handrail.data.sources.cells import MISSING, check_distinct, check_names, clean_text
from handrail.data.sources.dialect import (
    NO_DELIMITER,
    WHITESPACE,
    Dialect,
    OpenQuoteError,
    find_dialect,
    has_header,
    records,
    sample_rows,
)
from handrail.data.table import Table
from handrail.errors import DataError
from handrail.recipe.reading import ReadOptions

_BLOCK = 1 << 24  # bytes looked at together
_TALL, _AT_ONCE = 1 << 14, 4  # rows from which columns are cleaned a few at a time, and how many
_NEWLINE, _RETURN, _SPACE = 10, 13, 32
_COMMA_NUMBER = r"^[+-]?(?:\d{1,3}(?:\.\d{3})+(?:,\d*)?|\d+(?:,\d*)?|,\d+)(?:[eE][+-]?\d+)?$"
_SURE_COMMA_NUMBER = r"^[+-]?(?:\d{1,3}(?:\.\d{3})+,\d*|\d+,\d+|,\d+)(?:[eE][+-]?\d+)?$"


class RaggedError(ValueError):
    """A record has another number of fields than the first one."""

    def __init__(self, line: int, fields: int, expected: int, first_line: int) -> None:
        super().__init__(line, fields, expected, first_line)
        self.line, self.fields, self.expected, self.first_line = line, fields, expected, first_line


@dataclass(frozen=True)
class Parsed:
    """All records as columns of text, the header included, and the line on which each begins."""

    frame: pl.DataFrame
    lines: np.ndarray
    spans_lines: bool


def read_delimited(text: str, name: str, *, options: ReadOptions) -> Table:
    """A table of text columns, stripped, with missing markers as null.

    Arguments:
        text: the whole file, decoded.
        name: what the file is called, with its suffix.

    Raises: `DataError` for ragged rows, an open quote, duplicate names, or a table without rows.
    """
    text = text.replace("\r", "\n") if "\n" not in text else text
    if not text.strip():
        raise DataError(f"{name} is empty: it holds only white space; expected a table.")
    suffix = name[name.rfind(".") :].lower() if "." in name else ""
    dialect = find_dialect(text, delimiter=options.delimiter, quote=options.quote, suffix=suffix)
    parsed, dialect = _parse(text, dialect, name, quote_given=options.quote is not None)
    header = _has_header(sample_rows(text, dialect), options, suffix)
    frame, lines = _name_columns(parsed, options, name, header=header)
    del parsed  # the text as it was found goes, column by column, while the cleaned one comes
    columns = frame.get_columns()
    del frame
    frame = _clean_columns(columns, options.missing or ())
    frame, commas = _decimal_points(frame, options.decimal, dialect.delimiter)
    notes = [f"{name}: {'a header' if header else 'no header'}, {dialect}"]
    has_delimiter = dialect.delimiter not in (WHITESPACE, NO_DELIMITER)
    if has_delimiter and dialect.delimiter + " " in text.split("\n", 1)[0]:
        notes.append("spaces after delimiters removed")
    if commas:
        notes.append(f"decimal commas turned into points in {', '.join(commas)}")
    return Table(
        frame,
        name,
        first_row=int(lines[0]),
        notes=(", ".join(notes),),
        is_text=True,
        namer=lambda index: f"line {lines[index]}",
    )


def _clean_columns(columns: list[pl.Series], markers: Iterable[str]) -> pl.DataFrame:
    """`clean_text` of tall columns a few at a time; the list is emptied, so that each is held only once."""
    if len(columns[0]) < _TALL:
        return clean_text(pl.DataFrame(columns), markers)
    cleaned: list[pl.Series] = []
    while columns:
        some = pl.DataFrame(columns[:_AT_ONCE])
        del columns[:_AT_ONCE]
        cleaned.extend(clean_text(some, markers).get_columns())
    return pl.DataFrame(cleaned)


def _parse(text: str, dialect: Dialect, name: str, *, quote_given: bool) -> tuple[Parsed, Dialect]:
    """The parsed text; supposed quotes are taken as plain text where that alone makes sense."""
    plain = Dialect(dialect.delimiter, "")
    can_be_plain = bool(dialect.quote) and not quote_given and dialect.quote in text
    try:
        parsed = parse(text, dialect)
    except (RaggedError, OpenQuoteError, csv.Error) as error:
        if can_be_plain:
            try:
                return parse(text, plain), plain
            except (RaggedError, csv.Error):
                pass
        raise DataError(_explain(error, name, dialect)) from error
    if parsed.spans_lines and can_be_plain and parsed.frame.width > 1:
        # Real line breaks inside quotes make lines ragged when the quotes are ignored. If they do not, the
        # quotes are characters of the text, and rows were swallowed between two of them.
        try:
            without = parse(text, plain)
        except (RaggedError, csv.Error):
            return parsed, dialect
        if without.frame.width == parsed.frame.width:
            return without, plain
    return parsed, dialect


def _explain(error: Exception, name: str, dialect: Dialect) -> str:
    if isinstance(error, OpenQuoteError):
        return (
            f"{name}: the quote ({dialect.quote}) opened in the record at line {error.line} is never closed. "
            "Close it, or give quote='' if quotes are plain text here."
        )
    if isinstance(error, RaggedError):
        expected = f"expected {error.expected}, as in line {error.first_line} ({dialect})"
        advice = "Correct that line, or give the delimiter if it was found wrongly."
        return f"{name}: line {error.line} has {error.fields} fields; {expected}. {advice}"
    return f"{name} cannot be split into fields: {error}. Check delimiter and quotes ({dialect})."


def parse(text: str, dialect: Dialect) -> Parsed:
    """All records of a text. Raises: `RaggedError`, `OpenQuoteError`, `csv.Error`."""
    data = text.encode("utf-8")
    if dialect.delimiter == WHITESPACE and (not dialect.quote or dialect.quote not in text):
        trimmed = re.sub(rb"(?m)^[ \t]+|[ \t\r]+$", b"", data)
        quick = _parse_quickly(re.sub(rb"[ \t]+", b"\t", trimmed), Dialect("\t", ""))
    else:
        quick = _parse_quickly(data, dialect) if dialect.delimiter != WHITESPACE else None
    return quick or _parse_slowly(text, dialect)


def _parse_quickly(data: bytes, dialect: Dialect) -> Parsed | None:
    """By polars; `None` where the quotes are not plain enough for it."""
    data = data if data.endswith(b"\n") else data + b"\n"
    buffer = np.frombuffer(data, np.uint8)
    breaks = _places(buffer, _NEWLINE)
    quotes = _places(buffer, ord(dialect.quote)) if dialect.quote else breaks[:0]
    if not _is_regular(buffer, quotes, ord(dialect.delimiter)):
        return None
    ends = _outside(breaks, quotes)
    starts = np.concatenate(([0], ends[:-1] + 1))
    counts = _count_fields(buffer, ends, quotes, ord(dialect.delimiter))
    lines = np.searchsorted(breaks, starts) + 1
    blank = np.zeros(len(ends), bool)
    for i in np.flatnonzero((counts == 1) & (buffer[starts] <= _SPACE)):
        blank[i] = not data[starts[i] : ends[i]].strip()
    if blank.any():
        data = _cut_out(data, starts[blank], ends[blank] + 1)
        counts, lines = counts[~blank], lines[~blank]
    _check_counts(counts, lines)
    frame = _parse_with_polars(data, dialect)
    if frame is None or frame.shape != (len(counts), counts[0]):
        return None
    return Parsed(frame, lines, spans_lines=len(ends) != len(breaks))


def _blocks(buffer: UInt8[np.ndarray, " bytes"]) -> Iterator[tuple[int, UInt8[np.ndarray, " block"]]]:
    """(where it begins, a block of the bytes): work on all of them at once would cost many times the file."""
    for start in range(0, len(buffer), _BLOCK):
        yield start, buffer[start : start + _BLOCK]


def _places(buffer: UInt8[np.ndarray, " bytes"], byte: int) -> Int64[np.ndarray, " places"]:
    """Where a byte stands."""
    found = [np.flatnonzero(block == byte) + start for start, block in _blocks(buffer)]
    return np.concatenate(found)


def _outside(
    places: Int64[np.ndarray, " places"], quotes: Int64[np.ndarray, " quotes"]
) -> Int64[np.ndarray, " outside"]:
    """The places that are not inside a field: an even number of quotes stands before them."""
    return places[np.searchsorted(quotes, places) % 2 == 0] if quotes.size else places


def _count_fields(
    buffer: UInt8[np.ndarray, " bytes"],
    ends: Int64[np.ndarray, " records"],
    quotes: Int64[np.ndarray, " quotes"],
    delimiter: int,
) -> Int64[np.ndarray, " records"]:
    """Of each record: one more than the delimiters outside quotes between the end before it and its own."""
    before = np.zeros(len(ends), np.int64)  # delimiters before the end of each record
    total = 0
    for start, block in _blocks(buffer):
        delimiters = _outside(np.flatnonzero(block == delimiter) + start, quotes)
        first, last = np.searchsorted(ends, (start, start + len(block)))
        before[first:last] = total + np.searchsorted(delimiters, ends[first:last])
        total += len(delimiters)
    return np.diff(before, prepend=0) + 1


def _is_regular(buffer: np.ndarray, quotes: np.ndarray, delimiter: int) -> bool:
    """Whether every quote opens a field, closes one, or belongs to a doubled pair."""
    if quotes.size == 0:
        return True
    if quotes.size % 2:
        return False
    opening, closing = quotes[::2], quotes[1::2]
    before = np.where(opening > 0, buffer[opening - 1], _NEWLINE)
    after = buffer[closing + 1]  # the buffer ends with a line break
    doubled = opening[1:] == closing[:-1] + 1
    opens = np.isin(before, (delimiter, _NEWLINE)) | np.concatenate(([False], doubled))
    closes = np.isin(after, (delimiter, _NEWLINE, _RETURN)) | np.concatenate((doubled, [False]))
    return bool(opens.all() and closes.all())


def _cut_out(data: bytes, starts: np.ndarray, ends: np.ndarray) -> bytes:
    parts, place = [], 0
    for start, end in zip(starts, ends, strict=True):
        parts.append(data[place:start])
        place = int(end)
    return b"".join([*parts, data[place:]])


def _check_counts(counts: np.ndarray, lines: np.ndarray) -> None:
    wrong = np.flatnonzero(counts != counts[0])
    if wrong.size:
        first = wrong[0]
        raise RaggedError(int(lines[first]), int(counts[first]), int(counts[0]), int(lines[0]))


def _parse_with_polars(data: bytes, dialect: Dialect) -> pl.DataFrame | None:
    try:
        return pl.read_csv(
            io.BytesIO(data),
            has_header=False,
            infer_schema=False,
            separator=dialect.delimiter,
            quote_char=dialect.quote or None,
        )
    except pl.exceptions.PolarsError:
        return None  # the csv module decides what is wrong, and where


def _parse_slowly(text: str, dialect: Dialect) -> Parsed:
    """By Python's csv module: quotes after spaces or inside fields, columns by white space with quotes."""
    numbered = list(records(text, dialect))
    lines = np.array([line for line, _ in numbered])
    _check_counts(np.array([len(fields) for _, fields in numbered]), lines)
    columns = enumerate(zip(*(fields for _, fields in numbered), strict=True))
    frame = pl.DataFrame([pl.Series(f"column_{i}", values, dtype=pl.String) for i, values in columns])
    return Parsed(frame, lines, spans_lines=any("\n" in value for _, row in numbered for value in row))


def _has_header(rows: list[list[str]], options: ReadOptions, suffix: str) -> bool:
    if not rows or options.header is not None:
        return bool(options.header)
    missing = MISSING | set(options.missing or ())
    return rows[0] == options.names or has_header(rows, missing=missing, suffix=suffix)


def _name_columns(
    parsed: Parsed, options: ReadOptions, name: str, *, header: bool
) -> tuple[pl.DataFrame, np.ndarray]:
    """The data rows under their names."""
    frame, lines, names = parsed.frame, parsed.lines, options.names
    if header:
        first = name_all([(value or "").strip() for value in frame.row(0)])
        frame, lines = frame.slice(1), lines[1:]
        if names is None:
            check_distinct(first, name)
            names = first
    if frame.is_empty():
        raise DataError(f"{name} has a header but no rows; expected at least one row of data below it.")
    if names is not None:
        check_names(names, frame.width, name)
    frame.columns = names or name_all([""] * frame.width)
    refuse_patterns(frame.columns, name)
    return frame, lines


def _decimal_points(
    frame: pl.DataFrame, decimal: str | None, delimiter: str
) -> tuple[pl.DataFrame, list[str]]:
    """Values written 3,14 or 1.234,5 with a point instead, and the names of the columns that hold such.

    Where the comma is not given, a file with semicolons is taken to use it. Each value is judged by itself,
    so that no row can change how another is read; 1.234 alone is left as it is, unless the comma is given.
    """
    if decimal == "." or (decimal is None and delimiter != ";"):
        return frame, []
    form = _COMMA_NUMBER if decimal == "," else _SURE_COMMA_NUMBER
    names = [column.name for column in frame.iter_columns() if column.str.contains(_SURE_COMMA_NUMBER).any()]
    changed = frame.columns if decimal == "," else names
    return frame.with_columns([_use_point(frame[name], form) for name in changed]), names


def _use_point(column: pl.Series, form: str) -> pl.Series:
    plain = column.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)
    return plain.zip_with(column.str.contains(form).fill_null(value=False), column)
