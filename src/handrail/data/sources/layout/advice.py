"""What helps where a text file cannot be split into equal rows: settings that were tried, and work.

A title or comments above the table are the usual reason. A setting is only proposed if the whole file can be
read with it, and if what it leaves out does not look like rows of the table.
"""

import csv
import re
from collections.abc import Callable, Sequence

import numpy as np

from handrail.data.sources.dialect import NO_DELIMITER, WHITESPACE, Dialect, has_header, is_number
from handrail.data.sources.records import RaggedError, Records
from handrail.errors import DataError
from handrail.recipe.reading import ReadOptions
from handrail.tools.words import list_some, plural

_SIGN = re.compile(r"\s*(#+|%+|//+|;+|!+|--+|\*+|>+|rem\b)", re.IGNORECASE)
_MOST_TRIES, _MOST_LINES = 8, 100
_FEWEST_ROWS = 2
_TAIL, _LAST_ROWS, _MOST_TITLE = 4096, 3, 12  # bytes; rows at the end; lines of a title
_TITLE_ROWS = 20

Attempt = Callable[[ReadOptions], tuple[Records, Dialect]]


def advise(data: bytes, options: ReadOptions, error: RaggedError, attempt: Attempt) -> str:
    """The settings under which the rows of a text are equally wide, in words; the empty text if none are.

    Arguments:
        data: the text, in UTF-8.
        options: under which it could not be read, because of `error`.
        attempt: finds the records under other options, or raises a `DataError` whose cause is another error.
    """
    lines = data.split(b"\n")
    tried: ReadOptions | None = options
    for _ in range(_MOST_TRIES):
        tried = _next(tried, error, lines)
        if tried is None:
            return ""
        tried = _without_idle_comment(tried, options, lines)
        try:
            found, dialect = attempt(tried)
        except DataError as failure:
            if not isinstance(failure.__cause__, RaggedError):
                return ""
            error = failure.__cause__
            continue
        return _words(options, tried) if _is_sound(found, dialect, tried, options, lines) else ""
    return ""


def advise_one_column(data: bytes, options: ReadOptions, attempt: Attempt) -> str:
    """As `advise`, for a text that was read as one column, as its first lines fit no delimiter.

    Only texts whose last lines are rows with numbers are tried: lists and prose have one column.
    """
    last = [line.strip() for line in data[-_TAIL:].split(b"\n")[1:] if line.strip()][-_LAST_ROWS:]
    parts = [[part for part in re.split(rb"[,;\t| ]+", line) if part] for line in last]
    widths = {len(part) for part in parts}
    if len(last) < _LAST_ROWS or len(widths) > 1 or widths <= {1} or not all(map(_has_number, parts)):
        return ""
    lines = data.split(b"\n")
    sign = _SIGN.match(_line(lines, 1))
    tries = [{"comment": sign[1]}] if sign else []
    tries += [{"skip": count} for count in range(1, min(_MOST_TITLE, len(lines) // 2) + 1)]
    for settings in tries:
        tried = options.model_copy(update=settings)
        try:
            found, dialect = attempt(tried)
        except DataError:
            continue
        if dialect.delimiter != NO_DELIMITER and _is_sound(found, dialect, tried, options, lines):
            return _words(options, tried)
    return ""


def _has_number(parts: Sequence[bytes]) -> bool:
    return any(is_number(part.decode("utf-8", "replace")) for part in parts)


def _without_idle_comment(tried: ReadOptions, given: ReadOptions, lines: Sequence[bytes]) -> ReadOptions:
    """Without a sign of comments that all stand among the lines that are skipped."""
    if tried.comment == given.comment or not tried.comment or not tried.skip:
        return tried
    below = (_line(lines, i + 1) for i in range(tried.skip, len(lines)))
    idle = not any(text.startswith(tried.comment) for text in below)
    return tried.model_copy(update={"comment": given.comment}) if idle else tried


def _next(options: ReadOptions, error: RaggedError, lines: Sequence[bytes]) -> ReadOptions | None:
    """Options that may help against a row that has another width than the first one."""
    if options.comment is None:
        for line in (error.first_line, error.line):
            match = _SIGN.match(_line(lines, line))
            if match:
                return options.model_copy(update={"comment": match[1]})
    skip = error.line - 1
    if options.header is not None or skip > _MOST_LINES or skip <= (options.skip or 0):
        return None
    return options.model_copy(update={"skip": skip})


def _line(lines: Sequence[bytes], number: int) -> str:
    return lines[number - 1].decode("utf-8", "replace").strip() if number <= len(lines) else ""


def _is_sound(
    found: Records, dialect: Dialect, tried: ReadOptions, given: ReadOptions, lines: Sequence[bytes]
) -> bool:
    """Whether rows are left, and few of the lines that are left out have the width of the table."""
    if found.width < 2 or len(found.lines) < _FEWEST_ROWS:
        return False
    skipped = range(given.skip or 0, tried.skip or 0)
    widths = [_width(line, dialect) for i in skipped if (line := _line(lines, i + 1))]
    if found.width in widths or (
        widths and abs(widths[-1] - found.width) == 1 and _begins_with_numbers(found)
    ):
        return False  # rows, or the names with one too many or too few
    if tried.comment == given.comment:
        return True
    texts = (_line(lines, i + 1) for i in range(tried.skip or 0, len(lines)))
    comments = [text for text in texts if text.startswith(tried.comment or "")]
    alike = sum(_width(text, dialect) == found.width for text in comments)
    return 2 * alike < len(comments)


def _begins_with_numbers(found: Records) -> bool:
    return any(is_number((cell or "").strip()) for cell in next(found.pieces(0, 1)).row(0))


def _width(line: str, dialect: Dialect) -> int:
    if dialect.delimiter == WHITESPACE:
        return len(line.split())
    try:
        return len(next(csv.reader([line], delimiter=dialect.delimiter), []))
    except csv.Error:
        return 0


def _words(given: ReadOptions, tried: ReadOptions) -> str:
    parts = []
    if tried.skip != given.skip and tried.skip:
        joint = "and" if tried.skip == 2 else "to"
        what = "Line 1 does" if tried.skip == 1 else f"Lines 1 {joint} {tried.skip} do"
        parts.append(
            f"{what} not look like the table: --read skip={tried.skip} "
            f"(data.read.skip: {tried.skip}) leaves {'it' if tried.skip == 1 else 'them'} out."
        )
    if tried.comment != given.comment:
        parts.append(
            f"Lines that begin with {tried.comment} look like comments: --read comment={tried.comment} "
            f"(data.read.comment: '{tried.comment}') leaves them out."
        )
    if len(parts) > 1:
        parts.append("Both are needed.")
    return " ".join(parts)


def refuse_title(
    rows: Sequence[Sequence[str]],
    lines: np.ndarray,
    name: str,
    *,
    options: ReadOptions,
    missing: frozenset[str],
    suffix: str,
) -> None:
    """Where a title above the table is padded to its width, its first row would be taken for the header.

    Arguments:
        rows: the first rows, stripped.
        lines: the line on which each begins.

    Raises: `DataError` for first rows that are mostly empty, above one that is full of names, above numbers.
    """
    if options.header is not None or options.skip is not None or options.names or len(rows) < 3:
        return
    width = len(rows[0])
    filled = [sum(map(bool, row)) for row in rows[: _TITLE_ROWS + 1]]
    place = next((i for i, count in enumerate(filled) if 2 * count > width), 0)
    if width < 2 or not place or len(rows) < place + 2:
        return
    names, below = rows[place], rows[place + 1 :]
    if filled[place] < width or any(map(is_number, names)) or len(set(names)) < width:
        return
    columns = [[row[i] for row in below if row[i] not in missing] for i in range(width)]
    numeric = [column for column in columns if column and all(map(is_number, column[1:] or column))]
    if not numeric or not has_header(rows[place:], missing=missing, suffix=suffix):
        return
    line, first = int(lines[place]), int(lines[0])
    title = ", ".join(cell for row in rows[:place] for cell in row if cell)
    what = f"a title ({title[:80]})" if title else "nothing"
    above = (
        f"line {first} holds"
        if place == 1
        else f"lines {first} {'and' if place == 2 else 'to'} {line - 1} hold"
    )
    shown = list_some((f"'{cell}'" for cell in names), most=8)
    raise DataError(
        f"{name}: {above} {what} above the table, and line {line} the names of the {plural(width, 'column')} "
        f"({shown}). --read skip={line - 1} (data.read.skip: {line - 1}) leaves what is above out; "
        f"--read header={first} takes line {first} for the names."
    )
