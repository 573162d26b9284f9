"""Parquet and Arrow files as tables, read by pyarrow and validated: of damaged ones polars panics, or aborts.

An abort ends the process without a word; no `except` sees it.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from handrail.tools.panics import PanicError, catch_panics

if TYPE_CHECKING:
    import pyarrow as pa


class DamageError(ValueError):
    """A file that cannot be read; the text is the reason, in a line."""


def parquet_frame(source: Path | bytes) -> pl.DataFrame:
    """The table in a Parquet file. Raises: `DamageError`."""

    def read(opened: Any) -> "pa.Table":
        from pyarrow import parquet

        # Threads that a damaged file leaves waiting would end the process at its end.
        return parquet.ParquetFile(opened, pre_buffer=False).read(use_threads=False)

    return _validated(source, read)


def arrow_frame(data: bytes, *, stream: bool) -> pl.DataFrame:
    """The table in an Arrow file, or in a stream of such. Raises: `DamageError`."""

    def read(opened: Any) -> "pa.Table":
        from pyarrow import ipc

        return (ipc.open_stream if stream else ipc.open_file)(opened).read_all()

    return _validated(data, read)


def to_polars(table: Any) -> pl.DataFrame:
    """A table, record batch or array of pyarrow; columns without a name stay so.

    Raises: what polars raises, or `PanicError`.
    """
    with catch_panics():
        frame = pl.DataFrame(pl.from_arrow(table))
    if hasattr(table, "schema"):
        frame.columns = table.schema.names
    return frame


def _validated(source: Path | bytes, read: Callable[[Any], "pa.Table"]) -> pl.DataFrame:
    import pyarrow as pa

    try:
        with pa.memory_map(str(source)) if isinstance(source, Path) else pa.BufferReader(source) as opened:
            table = read(opened)
            table.validate(full=True)
            return to_polars(table)
    except (pa.ArrowException, pl.exceptions.PolarsError, PanicError, OSError, ValueError) as error:
        raise DamageError((str(error).splitlines() or [type(error).__name__])[0][:200]) from error
