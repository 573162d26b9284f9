"""Lines of a text file that are not its table: above it, comments, a first line that names the delimiter.

They are emptied, not cut out: blank lines are no rows, and all others keep their number.
"""

import re
from dataclasses import dataclass

from handrail.errors import DataError
from handrail.recipe.reading import ReadOptions
from handrail.tools.words import plural

_SEPARATOR = re.compile(rb'"?sep=([^\r\n"])"?[ \t,;]*\r?\n', re.IGNORECASE)  # as Excel writes and reads it


@dataclass(frozen=True)
class Layout:
    """A text whose lines that are not the table are blank.

    Arguments:
        data: the text, in UTF-8.
        delimiter: as the first line of the text names it.
        notes: what was left out, to be said.
    """

    data: bytes
    delimiter: str | None = None
    notes: tuple[str, ...] = ()


def lay_out(data: bytes, name: str, options: ReadOptions) -> Layout:
    """The text without the lines that `skip`, `header` (a line) and `comment` leave out.

    Raises: `DataError` where no line is left, or the line of the header does not exist or is blank.
    """
    delimiter, notes = None, []
    named = _SEPARATOR.match(data)
    if named:
        delimiter = named[1].decode("utf-8", "replace")
        data = b"\n" + data[named.end() :]
        notes.append(f"its first line names the delimiter (sep={delimiter})")
    line = options.header_line
    before = line - 1 if line is not None else options.skip or 0
    if before:
        place = _begin_of(data, before, name)
        data = b"\n" * before + data[place:]
        notes.append(f"{plural(before, 'line')} before the {'header' if line else 'table'} left out")
    if line is not None:
        data = _check_header(data, line, name, options.comment)
    if options.comment is not None:
        data, count = _empty_comments(data, options.comment.encode(), options.quote)
        if count:
            notes.append(f"{plural(count, 'line')} that begin{'s' if count == 1 else ''} with "
                         f"{options.comment} left out")  # fmt: skip
    if notes and not data.strip():
        raise DataError(f"{name}: nothing is left as a table: {', '.join(notes)}.")
    return Layout(data, delimiter, tuple(notes))


def _begin_of(data: bytes, line: int, name: str) -> int:
    """Where the text behind so many lines begins. Raises: `DataError` where there are no more lines."""
    place = 0
    for number in range(line):
        place = data.find(b"\n", place) + 1
        if not place or place == len(data):
            raise DataError(
                f"{name} has {plural(number + 1, 'line')}, and {line:,} are to be left out before the table "
                "(data.read.skip, data.read.header). Give a smaller number."
            )
    return place


def _check_header(data: bytes, line: int, name: str, comment: str | None) -> bytes:
    """The text; where its header is a comment, without the sign. Raises: `DataError` for a blank header."""
    start = line - 1
    end = data.find(b"\n", start) + 1 or len(data)
    text = data[start:end].lstrip()
    if comment is not None and text.startswith(comment.encode()):
        text = text[len(comment.encode()) :].lstrip()
        data = data[:start] + text + data[end:]
    if not text.strip():
        raise DataError(
            f"{name}: line {line} is blank; expected the names of the columns (data.read.header: {line})."
        )
    return data


def _empty_comments(data: bytes, sign: bytes, quote: str | None) -> tuple[bytes, int]:
    """The text with its comments emptied, and their number; what stands in quotes is no comment."""
    mark = (quote if quote is not None else '"').encode()
    emptied = _empty_lines(data, sign, mark)
    if mark and emptied[0].count(mark) % 2:  # quotes are plain text, as inches or minutes
        return _empty_lines(data, sign, b"")
    return emptied


def _empty_lines(data: bytes, sign: bytes, mark: bytes) -> tuple[bytes, int]:
    parts: list[bytes] = []
    place = counted = quotes = count = 0
    for match in re.finditer(rb"(?m)^[ \t]*" + re.escape(sign), data):
        start = match.start()
        quotes += data.count(mark, counted, start) if mark else 0
        counted = start
        if quotes % 2 == 0:
            parts.append(data[place:start])
            end = data.find(b"\n", start)
            place = counted = end if end >= 0 else len(data)
            count += 1
    return b"".join([*parts, data[place:]]), count
