"""Delimited text (CSV, TSV, columns by white space) as a table of text."""

import csv
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
import polars as pl

from handrail.data.columns.names import name_all, refuse_patterns
from handrail.data.columns.values import as_numbers
from handrail.data.missing_words import WordCollector, WordsByColumn, leave_out
from handrail.data.sources.cells import MISSING, check_names, clean_text, drop_words_among_numbers
from handrail.data.sources.dialect import (
    NO_DELIMITER,
    WHITESPACE,
    Dialect,
    OpenQuoteError,
    find_dialect,
    has_header,
    head_of,
    sample_rows,
)
from handrail.data.sources.duplicates import number_names, report_duplicates
from handrail.data.sources.layout.advice import advise, advise_one_column, refuse_title
from handrail.data.sources.layout.evidence import Evidence, add, gather
from handrail.data.sources.layout.lines import Layout, lay_out
from handrail.data.sources.layout.odd_rows import RowSifter
from handrail.data.sources.layout.quotes import Quotes, find_quotes, quote_findings
from handrail.data.sources.layout.totals import leave_out_totals
from handrail.data.sources.numbers import Decisions, decide, notations_of, report_decisions, write_plainly
from handrail.data.sources.records import IrregularError, RaggedError, Records, find_odd, find_records
from handrail.data.table import Table
from handrail.errors import DataError
from handrail.recipe.reading import ReadOptions
from handrail.tools.words import plural

_SHORT = 4  # bytes of a text that may be a label or a code, and stays as it is written
_EXACT = r"^[+-]?(?:0|[1-9]\d{0,14})?(?:\.\d+)?(?:[eE][+-]?\d+)?$"  # no code, no long whole number

_USUAL_ADVICE = "Correct that line, or give the delimiter if it was found wrongly."
RecordsFinder = Callable[[bytes, Dialect], Records]


def read_delimited(data: bytes, name: str, *, options: ReadOptions) -> Table:
    """A table of text columns, stripped, with missing markers as null and numbers written plainly.

    In files that are parsed in several pieces, columns of decimals are held as numbers: half the memory.

    Arguments:
        data: the whole file, in UTF-8.
        name: what the file is called, with its suffix.

    Raises: `DataError` for ragged rows (with the setting that helps, where one does), an open quote, a title
        above the table, or a table without rows.
    """
    data = data.replace(b"\r", b"\n") if b"\n" not in data else data
    head = head_of(data)
    if not head.strip() and not data.decode("utf-8").strip():
        raise DataError(f"{name} is empty: it holds only white space; expected a table.")
    try:
        try:
            return _read_as(data, name, options, find_records)
        except IrregularError:
            return _read_as(data, name, options, find_odd)
    except DataError as error:
        if not isinstance(error.__cause__, RaggedError):
            raise
        advice = advise(data, options, error.__cause__, partial(_attempt, data, name))
        raise DataError(f"{error} {advice or _USUAL_ADVICE}") from error.__cause__


def _read_as(data: bytes, name: str, options: ReadOptions, find: RecordsFinder) -> Table:
    laid_out = lay_out(data, name, options)
    head = head_of(laid_out.data)
    found, dialect = _find(laid_out, head, name, options, find)
    if dialect.delimiter == NO_DELIMITER and options.delimiter is None and options.header is None:
        advice = advise_one_column(data, options, partial(_attempt, data, name))
        if advice:
            raise DataError(
                f"{name}: its first lines fit no delimiter, and as one column its rows would be texts. "
                f"{advice} Where it is one column all the same, --read header=true or header=false says so."
            )
    return _read(head, name, options, found, dialect, remarks=laid_out.notes)


def _attempt(data: bytes, name: str, options: ReadOptions) -> tuple[Records, Dialect]:
    """The records of a text under other options. Raises: `DataError`."""
    laid_out = lay_out(data, name, options)
    return _find(laid_out, head_of(laid_out.data), name, options, find_records)


def _find(
    laid_out: Layout, head: str, name: str, options: ReadOptions, find: RecordsFinder
) -> tuple[Records, Dialect]:
    delimiter = options.delimiter or laid_out.delimiter
    dialect = find_dialect(head, delimiter=delimiter, quote=options.quote, suffix=_suffix(name))
    return _find_records(laid_out.data, dialect, name, find, quote_given=options.quote is not None)


def _read(
    head: str, name: str, options: ReadOptions, found: Records, dialect: Dialect, *, remarks: Sequence[str]
) -> Table:
    rows = sample_rows(head, dialect)
    quotes = Quotes() if options.quote is not None else find_quotes(rows, found)
    rows = [[cell or "" for cell in quotes.take_off_row(row)] for row in rows]
    header = _has_header(rows, found, name, options)
    cells = quotes.take_off_row(next(found.pieces(0, 1)).row(0)) if header else None
    sifter = RowSifter(cells, options.missing or (), active=options.rows == "auto")
    frame, decisions, words = _read_columns(
        found, dialect, name, options, cells=cells, prepare=quotes, sifter=sifter
    )
    notes = [f"{name}: {'a header' if header else 'no header'}, {dialect}", *remarks]
    notes += _remarks(head, dialect, frame)
    lines = found.lines[int(header) :]
    findings = [*quotes.findings(frame.columns, name), *sifter.findings(lines, name)]
    findings += [] if options.quote is not None else quote_findings(dialect, name)
    findings += report_duplicates(_names_of(cells), frame, name) if cells and not options.names else ()
    lines = np.delete(lines, sifter.left_out) if sifter.left_out else lines
    if options.rows == "auto":
        frame, lines, totals = leave_out_totals(frame, lines, name)
        findings += totals
    return Table(
        frame,
        name,
        first_row=int(lines[0]) if len(lines) else 1,
        notes=(", ".join(notes),),
        findings=(*findings, *report_decisions(decisions)),
        notations=notations_of(decisions),
        is_text=True,
        namer=lambda index: f"line {lines[index]}",
        words=words,
    )


def _remarks(head: str, dialect: Dialect, frame: pl.DataFrame) -> list[str]:
    """What else was done with the text, each in a few words."""
    notes = []
    has_delimiter = dialect.delimiter not in (WHITESPACE, NO_DELIMITER)
    if has_delimiter and dialect.delimiter + " " in head.lstrip("\n").split("\n", 1)[0]:
        notes.append("spaces after delimiters removed")
    held = frame.select(pl.col(pl.Float64)).width
    if held:
        notes.append(f"decimals held as numbers in {plural(held, 'column')}, without zeros at their end")
    return notes


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
        return f"{name}: line {error.line} has {plural(error.fields, 'field')}; {expected}."
    return f"{name} cannot be split into fields: {error}. Check delimiter and quotes ({dialect})."


def _has_header(rows: list[list[str]], found: Records, name: str, options: ReadOptions) -> bool:
    if not rows or options.header is not None:
        return bool(options.header)
    missing, suffix = MISSING | set(options.missing or ()), _suffix(name)
    refuse_title(rows, found.lines, name, options=options, missing=missing, suffix=suffix)
    return rows[0] == options.names or has_header(rows, missing=missing, suffix=suffix)


def _read_columns(
    found: Records,
    dialect: Dialect,
    name: str,
    options: ReadOptions,
    *,
    cells: Sequence[str | None] | None,
    prepare: Quotes,
    sifter: RowSifter,
) -> tuple[pl.DataFrame, Decisions, WordsByColumn]:
    """The data rows under their names, how their numbers are written, and what counts as missing.

    Arguments:
        cells: the header as it stands there, if any.
    """
    names = _names(found, name, options, cells)
    usual = () if options.missing == [] else MISSING

    def clean(words: WordCollector | None) -> Iterator[pl.DataFrame]:
        for raw in found.pieces(int(cells is not None)):
            raw.columns = names
            bare = prepare.take_off(raw)
            cleaned = clean_text(bare, options.missing or (), usual=usual)
            if words is not None:
                words.add(bare, cleaned)
            yield cleaned

    evidence: dict[str, Evidence] = {}
    decisions: Decisions | None = None
    read, words = [], WordCollector()
    for piece in sifter.sift(clean(words)):
        short = _shorten(piece) if found.large else piece
        held = () if short is piece else short.select(pl.col(pl.Float64)).columns
        evidence = add(evidence, gather(piece, plain=held))
        decisions = decide(evidence, options, delimiter=dialect.delimiter) if decisions is None else decisions
        read.append(_write_plainly(piece, decisions, found) if decisions else short)
    decided = decisions or {}
    if len(read) > 1:
        decided = decide(evidence, options, delimiter=dialect.delimiter)
    if decided != decisions:  # the first piece did not show what the file does
        read.clear()
        read.extend(_write_plainly(piece, decided, found) for piece in sifter.sift(clean(None)))
    frame = read[0] if len(read) == 1 else _join(read)
    frame = drop_words_among_numbers(frame) if options.missing == [] else frame
    return frame, decided, leave_out(words.by_column(), sifter.left_out)


def _write_plainly(piece: pl.DataFrame, decisions: Decisions, found: Records) -> pl.DataFrame:
    plain = write_plainly(piece, notations_of(decisions))
    return _shorten(plain) if found.large else plain


def _names(found: Records, name: str, options: ReadOptions, cells: Sequence[str | None] | None) -> list[str]:
    names = options.names
    if cells is not None and names is None:
        names = number_names(_names_of(cells))
    if len(found.lines) == int(cells is not None):
        raise DataError(f"{name} has a header but no rows; expected at least one row of data below it.")
    if names is not None:
        check_names(names, found.width, name)
    names = names or name_all([""] * found.width)
    refuse_patterns(names, name)
    return names


def _names_of(cells: Sequence[str | None]) -> list[str]:
    return name_all([(cell or "").strip() for cell in cells])


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
