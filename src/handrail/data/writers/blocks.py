"""Long tables written a block of rows at a time."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import polars as pl

_AT_ONCE = 2**20  # rows


def write_parquet_blocks(path: Path, frames: Iterable[pl.DataFrame]) -> int:
    """Write frames of the same columns, one below the other, as one Parquet file; how many rows there were."""
    from pyarrow import parquet

    writer, rows = None, 0
    try:
        for frame in frames:
            table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
            writer = writer or parquet.ParquetWriter(path, table.schema, compression="zstd")
            writer.write_table(table)
            rows += len(frame)
    finally:
        if writer is not None:
            writer.close()
    return rows


def write_parts(path: Path, parts: np.ndarray, names: list[str]) -> None:
    """The name of the part of each row, beside its number (from 1)."""

    def some(start: int) -> pl.DataFrame:
        codes = parts[start : start + _AT_ONCE]
        return pl.DataFrame(
            {"row": np.arange(start + 1, start + 1 + len(codes)), "part": np.array(names)[codes]}
        )

    if len(parts) <= _AT_ONCE:
        some(0).write_parquet(path)
    else:
        write_parquet_blocks(path, (some(start) for start in range(0, len(parts), _AT_ONCE)))
