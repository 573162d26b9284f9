"""Delimited text (CSV, TSV, columns by white space) as a table of text."""

import csv
from collections.abc import Callable
from functools import partial

import polars as pl

from handrail.data.columns.names import name_all, refuse_patterns
from handrail.data.columns.values import as_numbers
from handrail.data.missing_words import WordCollector, WordsByColumn
from handrail.data.sources.cells import (
    MISSING,
    check_distinct,
    check_names,
    clean_text,
    drop_words_among_numbers,
)
from handrail.data.sources.dialect import (
    MOST_CHARACTERS,
    NO_DELIMITER,
    WHITESPACE,
    Dialect,
    OpenQuoteError,
    find_dialect,
    has_header,
    sample_rows,
)
from handrail.data.sources.records import IrregularError, RaggedError, Records, find_odd, find_records
from handrail.data.table import Table
from handrail.errors import DataError
from handrail.recipe.reading import ReadOptions
from handrail.tools.words import plural

_SHORT = 4  # bytes of a text that may be a label or a code, and stays as it is written
_EXACT = r"^[+-]?(?:0|[1-9]\d{0,14})?(?:\.\d+)?(?:[eE][+-]?\d+)?$"  # no code, no long whole number
_COMMA_NUMBER = r"^[+-]?(?:\d{1,3}(?:\.\d{3})+(?:,\d*)?|\d+(?:,\d*)?|,\d+)(?:[eE][+-]?\d+)?$"
_SURE_COMMA_NUMBER = r"^[+-]?(?:\d{1,3}(?:\.\d{3})+,\d*|\d+,\d+|,\d+)(?:[eE][+-]?\d+)?$"

RecordsFinder = Callable[[bytes, Dialect], Records]


def read_delimited(data: bytes, name: str, *, options: ReadOptions) -> Table:
    """A table of text columns, stripped, with missing markers as null.

    In files that are parsed in several pieces, columns of decimals are held as numbers: half the memory.

    Arguments:
        data: the whole file, in UTF-8.
        name: what the file is called, with its suffix.

    Raises: `DataError` for ragged rows, an open quote, duplicate names, or a table without rows.
    """
    data = data.replace(b"\r", b"\n") if b"\n" not in data else data
    head = data[: 4 * MOST_CHARACTERS].decode("utf-8", "ignore")[: MOST_CHARACTERS + 1]
    if not head.strip() and not data.decode("utf-8").strip():
        raise DataError(f"{name} is empty: it holds only white space; expected a table.")
    dialect = find_dialect(head, delimiter=options.delimiter, quote=options.quote, suffix=_suffix(name))
    find_as = partial(_find_records, data, dialect, name, quote_given=options.quote is not None)
    try:
        return _read(head, name, options, *find_as(find_records))
    except IrregularError:
        return _read(head, name, options, *find_as(find_odd))


def _read(head: str, name: str, options: ReadOptions, found: Records, dialect: Dialect) -> Table:
    header = _has_header(sample_rows(head, dialect), options, _suffix(name))
    frame, commas, words = _read_columns(found, dialect, name, options, header=header)
    notes = [f"{name}: {'a header' if header else 'no header'}, {dialect}"]
    has_delimiter = dialect.delimiter not in (WHITESPACE, NO_DELIMITER)
    if has_delimiter and dialect.delimiter + " " in head.split("\n", 1)[0]:
        notes.append("spaces after delimiters removed")
    if commas:
        notes.append(f"decimal commas turned into points in {', '.join(commas)}")
    held = frame.dtypes.count(pl.Float64())
    if held:
        notes.append(f"decimals held as numbers in {plural(held, 'column')}, without zeros at their end")
    lines = found.lines[int(header) :]
    return Table(
        frame,
        name,
        first_row=int(lines[0]),
        notes=(", ".join(notes),),
        is_text=True,
        namer=lambda index: f"line {lines[index]}",
        words=words,
    )


def _suffix(name: str) -> str:
    return name[name.rfind(".") :].lower() if "." in name else ""


def _find_records(
    data: bytes, dialect: Dialect, name: str, find: RecordsFinder, *, quote_given: bool
) -> tuple[Records, Dialect]:
    """The records; supposed quotes are taken as plain text where that alone makes sense."""
    plain = Dialect(dialect.delimiter, "")
    can_be_plain = bool(dialect.quote) and not quote_given and dialect.quote.encode() in data
    try:
        found = find(data, dialect)
    except (RaggedError, OpenQuoteError, csv.Error) as error:
        if can_be_plain:
            try:
                return find(data, plain), plain
            except (RaggedError, csv.Error):
                pass
        raise DataError(_explain(error, name, dialect)) from error
    if found.spans_lines and can_be_plain and found.width > 1:
        # Real line breaks inside quotes make lines ragged when the quotes are ignored. If they do not, the
        # quotes are characters of the text, and rows were swallowed between two of them.
        try:
            without = find(data, plain)
        except (RaggedError, csv.Error):
            return found, dialect
        if without.width == found.width:
            return without, plain
    return found, dialect


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


def _has_header(rows: list[list[str]], options: ReadOptions, suffix: str) -> bool:
    if not rows or options.header is not None:
        return bool(options.header)
    missing = MISSING | set(options.missing or ())
    return rows[0] == options.names or has_header(rows, missing=missing, suffix=suffix)


def _read_columns(
    found: Records, dialect: Dialect, name: str, options: ReadOptions, *, header: bool
) -> tuple[pl.DataFrame, list[str], WordsByColumn]:
    """The data rows under their names, the columns with decimal commas, and what counts as missing."""
    names = _names(found, name, options, header=header)
    pieces: list[pl.DataFrame] = []
    commas: set[str] = set()
    words = WordCollector()
    for raw in found.pieces(int(header)):
        raw.columns = names
        cleaned = clean_text(raw, options.missing or (), usual=() if options.missing == [] else MISSING)
        words.add(raw, cleaned)
        piece, changed = _decimal_points(cleaned, options.decimal, dialect.delimiter)
        commas.update(changed)
        pieces.append(_shorten(piece) if found.large else piece)
    frame = pieces[0] if len(pieces) == 1 else _join(pieces)
    if options.missing == []:
        frame = drop_words_among_numbers(frame)
    return frame, [column for column in names if column in commas], words.by_column()


def _names(found: Records, name: str, options: ReadOptions, *, header: bool) -> list[str]:
    names = options.names
    if header:
        first = name_all([(value or "").strip() for value in next(found.pieces(0, 1)).row(0)])
        if names is None:
            check_distinct(first, name)
            names = first
    if len(found.lines) == int(header):
        raise DataError(f"{name} has a header but no rows; expected at least one row of data below it.")
    if names is not None:
        check_names(names, found.width, name)
    names = names or name_all([""] * found.width)
    refuse_patterns(names, name)
    return names


def _shorten(piece: pl.DataFrame) -> pl.DataFrame:
    """Decimals as the numbers that they are."""
    return pl.DataFrame([_as_decimals(column) if _is_long(column) else column for column in piece])


def _is_long(column: pl.Series) -> bool:
    return float(column.str.len_bytes().mean() or 0) > _SHORT  # pyright: ignore[reportArgumentType]


def _as_decimals(column: pl.Series) -> pl.Series:
    """The numbers of a column, if all are, some are broken, and each is all that its text says."""
    if not column.str.contains(_EXACT).all():
        return column
    numbers = as_numbers(column)
    read = numbers.null_count() == column.null_count() and not numbers.is_infinite().any()
    return numbers if read and (numbers != numbers.floor()).any() else column


def _join(pieces: list[pl.DataFrame]) -> pl.DataFrame:
    """The pieces below each other; the list is emptied, so that each column is held only once."""
    stacks = [piece.get_columns()[::-1] for piece in pieces]
    pieces.clear()
    return pl.DataFrame([_join_column([stack.pop() for stack in stacks]) for _ in range(len(stacks[0]))])


def _join_column(parts: list[pl.Series]) -> pl.Series:
    kinds = {part.dtype for part in parts if part.null_count() < len(part)}
    kind = pl.Float64() if kinds == {pl.Float64()} else pl.String()
    return pl.concat([part.cast(kind) for part in parts], rechunk=False)


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
