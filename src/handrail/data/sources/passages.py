"""Long texts as rows: passages of about 1,000 characters, to be split, sealed and compared like a table."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import polars as pl

from handrail.data.raw_files import COMPRESSED, decode, read_bytes, unpack
from handrail.data.sources import FORMATS, matching, read, refuse_idle_options
from handrail.data.sources.sql import is_url
from handrail.data.table import Table
from handrail.data.targets.find import find_targets
from handrail.errors import DataError, did_you_mean
from handrail.recipe.reading import ReadOptions, is_named

COLUMN = "text"
_LENGTH = 1000


def read_passages(source: Any, target: Any = None, *, options: ReadOptions | None = None) -> Table:
    """The text of a source as passages: text files as they are, of a table the rows of its column of text.

    Arguments:
        source: as for `read`; of a folder, its .txt files.
        target: the column of a table, by name or by position; a .txt file with a target is read as a table.
        options: settings of reading.

    Raises: `DataError` as `read`, `read_text_files` and `from_table`.
    """
    options = options or ReadOptions()
    paths = text_files(source, target)
    if paths:
        refuse_idle_options(options, frozenset(("encoding",)), "a text that is read as it stands")
        return read_text_files(paths, encoding=options.encoding)
    table = read(source, options=options)
    column = None if target is None else find_targets(table.frame.columns, target, alone=True)[0]
    return from_table(table, column)


def text_files(source: Any, target: Any = None) -> list[Path]:
    """The files of a source that are plain text by their endings; none where one of them is a table, or a
    column is named.
    """
    if target not in (None, COLUMN):
        return []
    listed = source if isinstance(source, list | tuple) else [source]
    if not all(isinstance(part, str | Path) for part in listed):
        return []
    if any(is_url(str(part)) or is_named(part) for part in listed):
        return []
    paths = [path for part in listed for path in matching(part)]
    files = [file for path in paths for file in (sorted(path.rglob("*.txt")) if path.is_dir() else [path])]
    return files if all(_is_plain(path) for path in files) else []


def _is_plain(path: Path) -> bool:
    inner = path.with_suffix("") if path.suffix.lower() in COMPRESSED else path
    return inner.suffix.lower() == ".txt" or inner.suffix.lower() not in FORMATS


def read_text_file(path: str | Path, *, encoding: str | None = None) -> Table:
    """A text file as consecutive passages, which joined together are the text to the letter.

    A passage ends at a line end in its second half, else after a space, else after 1,000 characters.

    Arguments:
        path: of the file; .gz, .bz2, .xz, .zst and .zip are decompressed.
        encoding: such as `utf-8` or `cp1252`; detected by default.

    Raises: `DataError` when the file is missing, empty, binary, or not in that encoding.
    """
    return _table([_read(Path(path), encoding)], str(path), [Path(path).name])


def read_text_files(paths: Sequence[str | Path], *, encoding: str | None = None) -> Table:
    """Several text files, one after the other, as passages; a missing line end is added to a file.

    Raises: `DataError` as `read_text_file`, and for no path.
    """
    if not paths:
        raise DataError("no text file was named; expected at least one.")
    if len(paths) == 1:
        return read_text_file(paths[0], encoding=encoding)
    texts = [_end_line(_read(Path(path), encoding)) for path in paths]
    return _table(texts, f"{len(paths)} text files", [Path(path).name for path in paths])


def from_table(table: Table, column: str | None = None) -> Table:
    """The texts of a table's column as passages: each row ends with a line end; missing ones are left out.

    Arguments:
        column: which one; may be left out where a single column holds text.

    Raises: `DataError` when the column does not exist or holds no text, or several do and none was named.
    """
    name = text_column(table, column)
    texts = table.frame[name]
    rows = texts.is_not_null().arg_true().to_list()
    if not rows:
        raise DataError(
            f"'{table.source}', column '{name}': all {len(texts):,} texts are missing; expected at least one."
        )
    lines = [_end_line(text) for text in texts.drop_nulls().to_list()]
    return Table(
        pl.DataFrame({COLUMN: lines}, schema={COLUMN: pl.String}),
        table.source,
        notes=table.notes,
        namer=lambda row: table.row_name(rows[row]),
        target=COLUMN,
    )


def text_column(table: Table, column: str | None = None) -> str:
    """The column of text that is meant; see `from_table`."""
    texts = [name for name, kind in table.frame.schema.items() if kind == pl.String]
    if column is None and len(texts) == 1:
        return texts[0]
    if column is None:
        raise DataError(
            f"'{table.source}' has {len(texts)} columns of text; expected one, or its name (data.target). "
            f"Columns: {', '.join(table.frame.columns[:20])}."
        )
    if column not in table.frame.columns:
        hint = did_you_mean(column, table.frame.columns)
        raise DataError(f"'{table.source}' has no column '{column}'.{hint}")
    if column not in texts:
        kind = table.frame.schema[column]
        raise DataError(f"'{table.source}', column '{column}': found {kind}, expected text.")
    return column


def _read(path: Path, encoding: str | None) -> str:
    data, _ = unpack(read_bytes(path), path)
    return decode(data, str(path), encoding=encoding)[0]


def _end_line(text: str) -> str:
    return text if text.endswith("\n") else text + "\n"


def _table(texts: list[str], source: str, names: list[str]) -> Table:
    files = [list(_passages(text)) for text in texts]
    passages = [passage for file in files for passage in file]
    frame = pl.DataFrame({COLUMN: passages}, schema={COLUMN: pl.String})
    return Table(frame, source, namer=_namer(files, names), target=COLUMN)


def _passages(text: str) -> Iterator[str]:
    start = 0
    while start < len(text):
        end = start + _LENGTH
        if end < len(text):
            half = start + _LENGTH // 2
            end = text.rfind("\n", half, end) + 1 or text.rfind(" ", half, end) + 1 or end
        yield text[start:end]
        start = end


def _namer(files: list[list[str]], names: list[str]) -> Callable[[int], str]:
    """Names the line in which a passage begins, and the file if there are several."""
    firsts = [0, *accumulate(map(len, files))]
    lines = [list(accumulate((passage.count("\n") for passage in file), initial=1)) for file in files]

    def name(row: int) -> str:
        file = bisect_right(firsts, row) - 1
        where = f"line {lines[file][row - firsts[file]]}"
        return where if len(names) == 1 else f"{where} of {names[file]}"

    return name
