"""How a text file is laid out, as its beginning shows: delimiter, quotes, and whether there is a header."""

import csv
import io
import math
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count, islice

WHITESPACE = " "
NO_DELIMITER = "\x1f"  # the unit separator: a table of one column
_SAMPLE_CHARACTERS = 1 << 17
_SAMPLE_ROWS = 500
_SAMPLE_LINES, _MOST_CHARACTERS = 4, 1 << 24  # of lines that are longer than the sample
_SAMPLE_FIELDS = 1 << 12
_FEWEST = 3  # rows, of which the first may hold units
_LONGEST_NAME = 32
_END = "\x1e"  # a last record of our own shows whether a quote was left open before it

_NUMBER = re.compile(
    r"[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d+)?|[+-]?(?:inf|infinity)", re.IGNORECASE
)
_NAME = re.compile(r"[^\W\d][\w .:/()%#\[\]&+*$°-]{0,63}")
_TOKEN = re.compile(r'"((?:[^"]|"")*)"|(\S+)')


@dataclass(frozen=True)
class Dialect:
    """The delimiter (`WHITESPACE`: any run of spaces and tabs) and the quote; the empty text is none."""

    delimiter: str
    quote: str = '"'

    def __str__(self) -> str:
        names = {WHITESPACE: "columns by white space", NO_DELIMITER: "one column", "\t": "delimiter tab"}
        text = names.get(self.delimiter, f"delimiter '{self.delimiter}'")
        if self.quote == '"':
            return text
        return f"{text}, quote {self.quote}" if self.quote else f"{text}, quotes are plain text"


class OpenQuoteError(ValueError):
    """A quote is not closed before the end of the text; `line` is where its record begins."""

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


def records(text: str, dialect: Dialect) -> Iterator[tuple[int, list[str]]]:
    """(line number, fields) of every record that is not blank.

    Raises: `OpenQuoteError`; `csv.Error` for a field beyond the csv module's limit.
    """
    if dialect.delimiter == WHITESPACE:
        yield from _whitespace_records(text, dialect.quote)
        return
    last = ""

    def lines() -> Iterator[str]:
        nonlocal last
        for last in io.StringIO(text, newline=""):
            yield last
        if not last.endswith(("\n", "\r")):
            yield "\n"
        yield _END + "\n"

    reader = csv.reader(
        lines(),
        delimiter=dialect.delimiter,
        quotechar=dialect.quote or None,
        quoting=csv.QUOTE_MINIMAL if dialect.quote else csv.QUOTE_NONE,
        skipinitialspace=dialect.delimiter != "\t",
    )
    line = 1
    for fields in reader:
        if fields == [_END]:
            return
        if fields and fields[-1].endswith(_END + "\n"):
            raise OpenQuoteError(line)
        # In a table of one column a pair of quotes is a missing value, and a blank line is no row.
        if len(fields) > 1 or (fields and last.strip()):
            yield line, fields
        line = reader.line_num + 1


def _whitespace_records(text: str, quote: str) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(text.splitlines(), start=1):
        if not quote or quote not in line:
            fields = line.split()
        else:
            pattern = _TOKEN if quote == '"' else re.compile(_TOKEN.pattern.replace('"', re.escape(quote)))
            fields = [bare or quoted.replace(quote * 2, quote) for quoted, bare in pattern.findall(line)]
        if fields:
            yield number, fields


def sample_rows(text: str, dialect: Dialect) -> list[list[str]]:
    """The first rows, stripped; the last one is left out where the sample may have cut it."""
    size = _sample_size(text)
    cut = len(text) > size
    sample = text[: text.rfind("\n", 0, size) + 1 or size] if cut else text
    rows: list[list[str]] = []
    try:
        for _, fields in records(sample, dialect):
            rows.append([value.strip() for value in fields])
            if len(rows) >= _SAMPLE_ROWS:
                break
    except (OpenQuoteError, csv.Error):
        return rows if cut else []
    return rows


def head_of(data: bytes) -> str:
    """As much of a text in UTF-8 as `find_dialect` and `sample_rows` look at, and a character more."""
    end, most = 0, 4 * _MOST_CHARACTERS
    for _ in range(_SAMPLE_LINES):
        end = data.find(b"\n", end, most) + 1
        if not end:
            return data[:most].decode("utf-8", "ignore")[: _MOST_CHARACTERS + 1]
    return data[: 4 * max(_SAMPLE_CHARACTERS, end) + 4].decode("utf-8", "ignore")


def _sample_size(text: str) -> int:
    """Characters that hold some lines of the widest tables."""
    end = 0
    for _ in range(_SAMPLE_LINES):
        end = text.find("\n", end, _MOST_CHARACTERS) + 1
        if not end:
            return _SAMPLE_CHARACTERS if len(text) > _MOST_CHARACTERS else max(_SAMPLE_CHARACTERS, len(text))
    return max(_SAMPLE_CHARACTERS, end)


def find_dialect(text: str, *, delimiter: str | None, quote: str | None, suffix: str) -> Dialect:
    """The layout under which the first rows have equally many, clean fields.

    Arguments:
        delimiter: as given by the user, or `None` to try comma, semicolon, tab, bar and white space.
        quote: as given by the user, or `None` to try double quotes, single ones and none.
        suffix: the file's; a .tsv file is split at tabs if it has any.
    """
    tabs = ["\t"] if suffix == ".tsv" and "\t" in text else []
    delimiters = [delimiter] if delimiter else tabs or [*",;\t|", WHITESPACE]
    single = ["'"] if "'" in text[:_SAMPLE_CHARACTERS] else []
    plain = [""] if '"' in text else []  # where there are no double quotes, both read the same
    quotes = [quote] if quote is not None else ['"', *single, *plain]
    best, best_score = None, (0.0, 0.0, 0.0)
    single_spaces = WHITESPACE in delimiters and any(
        _has_words_between_tabs(text, each) for each in ("", quotes[0])
    )
    for candidate in (Dialect(d, q) for q in quotes for d in delimiters):
        if candidate.delimiter == WHITESPACE and single_spaces:
            continue
        score = _score(sample_rows(text, candidate), candidate)
        # Quotes are plain text only where that makes the rows even: ragged rows may have other reasons.
        if score > best_score and (candidate.quote == quotes[0] or score[0] == 1.0):
            best, best_score = candidate, score
    if best is not None:
        return best
    if delimiter or suffix == ".tsv":
        return Dialect(delimiters[0], quotes[0])
    first = next((line for line in text.splitlines() if line.strip()), "")
    likely = next((d for d in ",;\t|" if d in first), NO_DELIMITER)
    return Dialect(likely, quotes[0])


def _has_words_between_tabs(text: str, quote: str) -> bool:
    """Whether tabs alone divide the lines evenly, and what stands between them has single spaces at most.

    Such spaces are within names and numbers (`full name`, `12 %`), also where each row has equally many.
    """
    dialect = Dialect("\t", quote)
    rows = sample_rows(text, dialect)
    return _score(rows, dialect)[0] == 1.0 and not any("  " in value for row in rows for value in row)


def _score(rows: Sequence[Sequence[str]], dialect: Dialect) -> tuple[float, float, float]:
    """(share of rows with the usual number of fields, share of clean fields, that number), or zeros."""
    if not rows:
        return 0.0, 0.0, 0.0
    width, usual = Counter(map(len, rows)).most_common(1)[0]
    share = usual / len(rows)
    # Prose has spaces everywhere, so white space must fit exactly; the user hears of a few ragged rows.
    if width < 2 or share < (1.0 if dialect.delimiter == WHITESPACE else 0.5):
        return 0.0, 0.0, 0.0
    fields = list(chain.from_iterable(rows))
    step = -(-len(fields) // _SAMPLE_FIELDS)
    step = next(each for each in count(step) if math.gcd(each, width) == 1)  # some of each column
    fields = fields[::step]
    return share, sum(map(_is_clean, fields)) / len(fields), float(width)


def _is_clean(value: str) -> bool:
    """Whether a field looks whole: a number, or a text without another delimiter or a stray quote."""
    if is_number(value):
        return True
    at_an_end = value.endswith((",", '"')) or value.startswith('"')
    is_cut = value.count("'") == 1 and "'" in (value[0], value[-1])  # 'a, b' at its comma
    return not at_an_end and not is_cut and not any(mark in value for mark in ";\t|")


def is_number(value: str) -> bool:
    """Whether a field is a number, with a decimal point or comma."""
    return _NUMBER.fullmatch(value) is not None


def has_header(rows: Sequence[Sequence[str]], *, missing: Collection[str], suffix: str) -> bool:
    """Whether the first row holds names rather than values.

    It does where it has text above columns of numbers. Where no column is of numbers, it does if its fields
    are distinct, look like names and do not occur below.
    """
    first, body = rows[0], rows[1:]
    below = _without_odd_rows(first, body)
    votes = _votes(first, below, missing)
    if not any(map(is_number, first)):
        votes = islice(votes, 1)  # the others would say the same
    if counted := Counter(votes):
        return counted[False] > counted[True]
    names = all(_NAME.fullmatch(value) for value in first) and len(set(first)) == len(first)
    if not body:
        return names
    # A list of names in a text file has no header; nothing in it could tell.
    if len(first) == 1 and suffix not in (".csv", ".tsv"):
        return False
    if len(body) > len(below) > 0 and all(len(value) <= _LONGEST_NAME for value in first):
        body = below  # the whole row stands there again: names, for no value of it stands alone
    return names and not any(value in _column(body, i, missing) for i, value in enumerate(first))


def _votes(first: Sequence[str], body: Sequence[Sequence[str]], missing: Collection[str]) -> Iterator[bool]:
    """Whether a number stands above each column of numbers."""
    for i, value in enumerate(first):
        column = [] if value in missing else _column(body, i, missing)
        if column and sum(map(is_number, column)) >= 0.95 * len(column):
            yield is_number(value)


def _column(rows: Sequence[Sequence[str]], place: int, missing: Collection[str]) -> list[str]:
    return [row[place] for row in rows if place < len(row) and row[place] not in missing]


def _without_odd_rows(first: Sequence[str], body: Sequence[Sequence[str]]) -> list[Sequence[str]]:
    """The rows without those that are the first again, and without units below it."""
    if len(first) == 1:
        return list(body)
    below = [row for row in body if row != first]
    if len(below) > _FEWEST and not any(map(is_number, below[0])):
        below = [row for row in below if row != below[0]]
    return below
