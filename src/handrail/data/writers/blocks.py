"""Write tables that never are in memory as a whole: a block of rows at a time."""

from collections.abc import Callable, Iterable
from pathlib import Path

import polars as pl

from handrail.data.writers.formats import WRITERS, write_parquet_blocks
from handrail.errors import DataError
from handrail.tools.files import is_taken, sweep_beside, write_atomically
from handrail.tools.interface import argument

_LINES, _PARQUET = (".csv", ".tsv", ".jsonl", ".ndjson"), (".parquet", ".pq")
ENDINGS = (*_LINES, *_PARQUET)


def writes_blocks(out: Path) -> bool:
    """Whether a file with this suffix can be written a block at a time."""
    return out.suffix.lower() in ENDINGS


def write_blocks(
    out: Path,
    blocks: Iterable[pl.DataFrame],
    *,
    overwrite: bool,
    check: Callable[[], None] = lambda: None,
) -> int:
    """Write the whole file or nothing. Returns: the number of rows.

    Arguments:
        check: called behind the last block; what it raises leaves nothing behind.

    Raises: `DataError` when the file already exists.
    """
    if is_taken(out) and not overwrite:
        raise DataError(f"{out} exists; choose another name, or overwrite it ({argument('overwrite')}).")
    sweep_beside(out)
    with write_atomically(out) as path:
        write = write_parquet_blocks if out.suffix.lower() in _PARQUET else _write_lines
        rows = write(path, blocks)
        check()
    return rows


def _write_lines(path: Path, blocks: Iterable[pl.DataFrame]) -> int:
    writer, rows = WRITERS[path.suffix.lower()], 0
    header = path.suffix.lower() in (".csv", ".tsv")
    with path.open("wb") as file:
        for frame in blocks:
            data = writer(frame)
            file.write(data if not rows or not header else data.split(b"\n", 1)[1])
            rows += len(frame)
    return rows
