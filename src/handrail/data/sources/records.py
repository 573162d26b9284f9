"""Where the records of a delimited text stand, and their fields as columns of text.

Polars does the parsing. What it would pass over in silence is found first, from the bytes: rows with too few
fields, blank lines, and the number of the line on which each record begins.
"""

import io
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Int64, UInt8

from handrail.data.sources.dialect import WHITESPACE, Dialect, records

_BLOCK = 1 << 24  # bytes looked at together
_PIECE, _TALL = 1 << 24, 1 << 14  # bytes parsed together, in texts of so many records
_NEWLINE, _RETURN, _SPACE = 10, 13, 32


class RaggedError(ValueError):
    """A record has another number of fields than the first one."""

    def __init__(self, line: int, fields: int, expected: int, first_line: int) -> None:
        super().__init__(line, fields, expected, first_line)
        self.line, self.fields, self.expected, self.first_line = line, fields, expected, first_line


class IrregularError(ValueError):
    """Polars reads other records than stand there: the csv module has to."""


@dataclass(frozen=True, kw_only=True)
class Records(ABC):
    """All records of a text, equally wide.

    Arguments:
        lines: the line on which each begins.
        width: the number of fields.
        spans_lines: whether a record holds a line break.
        large: whether they are parsed in several pieces.
    """

    lines: np.ndarray
    width: int
    spans_lines: bool
    large: bool = False

    @abstractmethod
    def pieces(self, start: int = 0, stop: int | None = None) -> Iterator[pl.DataFrame]:
        """Records from `start` to `stop` as columns of text, a piece of the text at a time.

        Raises: `IrregularError`.
        """


@dataclass(frozen=True, kw_only=True)
class PlainRecords(Records):
    """Records that Polars parses; `ends` are the places of the line breaks behind them."""

    data: bytes
    dialect: Dialect
    ends: np.ndarray

    def pieces(self, start: int = 0, stop: int | None = None) -> Iterator[pl.DataFrame]:
        stop = len(self.ends) if stop is None else stop
        while start < stop:
            begin = int(self.ends[start - 1]) + 1 if start else 0
            until = int(np.searchsorted(self.ends, begin + _PIECE, side="right")) if self.large else stop
            until = min(max(until, start + 1), stop)
            frame = self._parse(self.data[begin : int(self.ends[until - 1]) + 1])
            if frame.shape != (until - start, self.width):
                raise IrregularError
            yield frame
            start = until

    def _parse(self, data: bytes) -> pl.DataFrame:
        try:
            return pl.read_csv(
                io.BytesIO(data),
                has_header=False,
                infer_schema=False,
                separator=self.dialect.delimiter,
                quote_char=self.dialect.quote or None,
            )
        except pl.exceptions.PolarsError as error:
            raise IrregularError from error


@dataclass(frozen=True, kw_only=True)
class OddRecords(Records):
    """Records that Python's csv module parses: quotes after spaces or inside fields, or among white space."""

    rows: list[list[str]]

    def pieces(self, start: int = 0, stop: int | None = None) -> Iterator[pl.DataFrame]:
        columns = enumerate(zip(*self.rows[start:stop], strict=True))
        yield pl.DataFrame([pl.Series(f"column_{i}", values, dtype=pl.String) for i, values in columns])


def find_records(data: bytes, dialect: Dialect) -> Records:
    """All records of a text in UTF-8. Raises: `RaggedError`, `OpenQuoteError`, `csv.Error`."""
    if dialect.delimiter != WHITESPACE:
        plain = _find_plain(data, dialect)
    elif not dialect.quote or dialect.quote.encode() not in data:
        trimmed = re.sub(rb"(?m)^[ \t]+|[ \t\r]+$", b"", data)
        plain = _find_plain(re.sub(rb"[ \t]+", b"\t", trimmed), Dialect("\t", ""))
    else:
        plain = None
    return plain or find_odd(data, dialect)


def find_odd(data: bytes, dialect: Dialect) -> OddRecords:
    """By Python's csv module. Raises: as `find_records`."""
    numbered = list(records(data.decode("utf-8"), dialect))
    lines = np.array([line for line, _ in numbered])
    _check_counts(np.array([len(fields) for _, fields in numbered]), lines)
    rows = [fields for _, fields in numbered]
    spans_lines = any("\n" in value for row in rows for value in row)
    return OddRecords(rows=rows, lines=lines, width=len(rows[0]), spans_lines=spans_lines)


def _find_plain(data: bytes, dialect: Dialect) -> PlainRecords | None:
    """`None` where the quotes are not plain enough for Polars."""
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
    spans_lines = len(ends) != len(breaks)
    blank = np.zeros(len(ends), bool)
    for i in np.flatnonzero((counts == 1) & (buffer[starts] <= _SPACE)):
        blank[i] = not data[starts[i] : ends[i]].strip()
    if blank.any():
        data = _cut_out(data, starts[blank], ends[blank] + 1)
        sizes = (ends + 1 - starts)[~blank]
        counts, lines, ends = counts[~blank], lines[~blank], np.cumsum(sizes) - 1
    _check_counts(counts, lines)
    large = len(data) > _PIECE and len(ends) >= _TALL
    return PlainRecords(
        data=data,
        dialect=dialect,
        ends=ends,
        lines=lines,
        width=int(counts[0]),
        spans_lines=spans_lines,
        large=large,
    )


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
