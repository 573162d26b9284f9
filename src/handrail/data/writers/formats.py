"""A table as the bytes of a file, one function a format; long tables by blocks. `read` reads them back."""

import datetime
import io
import json
import pickle
import zipfile
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from handrail.data.finding import REMARKS, pack_remarks
from handrail.data.sources.columnar import MASK
from handrail.data.table import Table

_TIME = "%Y-%m-%dT%H:%M:%S%.f"
_BLOCK = 2**20  # rows


def csv_bytes(frame: pl.DataFrame) -> bytes:
    """Comma-separated, with a header; missing values are empty."""
    return _write_fields(frame, ",")


def tsv_bytes(frame: pl.DataFrame) -> bytes:
    """Tab-separated, with a header; missing values are empty."""
    return _write_fields(frame, "\t")


def _write_fields(frame: pl.DataFrame, separator: str) -> bytes:
    buffer = io.BytesIO()
    # In a table of one column an empty line would be no row, so the missing value is a pair of quotes.
    null = '""' if frame.width == 1 else ""
    if frame.width == 1 and frame.dtypes[0] == pl.String:
        frame, null = frame.fill_null(""), ""
    frame.write_csv(buffer, separator=separator, null_value=null, datetime_format=_TIME)
    return buffer.getvalue()


def json_bytes(frame: pl.DataFrame) -> bytes:
    """An array of records, one a line."""
    return b"[\n" + b",\n".join(_records(frame)) + b"\n]\n"


def json_lines_bytes(frame: pl.DataFrame) -> bytes:
    """One record a line."""
    return b"".join(record + b"\n" for record in _records(frame))


def _records(frame: pl.DataFrame) -> list[bytes]:
    encoder = json.JSONEncoder(ensure_ascii=False, default=_json_value, check_circular=False)
    return [encoder.encode(record).encode("utf-8") for record in frame.iter_rows(named=True)]


def _json_value(value: Any) -> str:
    assert isinstance(value, datetime.datetime)
    return value.isoformat()


def parquet_bytes(frame: pl.DataFrame) -> bytes:
    """Parquet, compressed with zstd."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


def arrow_bytes(frame: pl.DataFrame) -> bytes:
    """The Arrow file format, which is Feather 2, with text as every Arrow library knows it."""
    buffer = io.BytesIO()
    frame.write_ipc(buffer, compat_level=pl.CompatLevel.oldest())
    return buffer.getvalue()


def npz_bytes(frame: pl.DataFrame) -> bytes:
    """One array a column. Missing integers and booleans are marked by a second array, `NAME.missing`."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        # By hand: numpy.savez takes the names as keyword arguments, and fails for a column called 'file'.
        for name, array in _arrays(frame).items():
            # A fixed time, so that the same table gives the same bytes.
            entry = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
    return buffer.getvalue()


def _arrays(frame: pl.DataFrame) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {}
    for column in frame.iter_columns():
        if column.dtype == pl.String:
            arrays[column.name] = np.array(column.fill_null("").to_list(), dtype=str)
        elif column.null_count() and (column.dtype.is_integer() or column.dtype == pl.Boolean):
            filled = column.fill_null(value=False) if column.dtype == pl.Boolean else column.fill_null(0)
            arrays[column.name] = filled.to_numpy()
            arrays[column.name + MASK] = column.is_null().to_numpy()
        else:
            arrays[column.name] = column.to_numpy()
    return arrays


def pickle_bytes(frame: pl.DataFrame) -> bytes:
    """A pandas data frame where pandas is installed, or else a dictionary of NumPy arrays."""
    if find_spec("pandas") is None:
        return pickle.dumps({column.name: _object_array(column) for column in frame.iter_columns()})
    import pandas

    # The nullable types: a plain integer column of pandas would turn into floats where a value is missing.
    nullable = {pl.Int64: "Int64", pl.Boolean: "boolean"}
    columns = {
        column.name: pandas.array(column.to_list(), dtype=nullable[type(column.dtype)])  # pyright: ignore
        if column.null_count() and type(column.dtype) in nullable
        else column.to_pandas()
        for column in frame.iter_columns()
    }
    return pickle.dumps(pandas.DataFrame(columns))


def _object_array(column: pl.Series) -> np.ndarray:
    if column.null_count() == 0 and column.dtype != pl.String:
        return column.to_numpy()
    array = np.empty(len(column), dtype=object)
    array[:] = column.to_list()
    return array


WRITERS: dict[str, Callable[[pl.DataFrame], bytes]] = {
    **{".csv": csv_bytes, ".tsv": tsv_bytes, ".json": json_bytes},
    **dict.fromkeys((".jsonl", ".ndjson"), json_lines_bytes),
    **dict.fromkeys((".parquet", ".pq"), parquet_bytes),
    **dict.fromkeys((".arrow", ".feather", ".ipc"), arrow_bytes),
    **{".npz": npz_bytes, ".pkl": pickle_bytes, ".pickle": pickle_bytes},
}


def write_parquet_blocks(path: Path, frames: Iterable[pl.DataFrame]) -> int:
    """Write frames of the same columns as one Parquet file. Returns: the number of rows."""
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

    def block(start: int) -> pl.DataFrame:
        codes = parts[start : start + _BLOCK]
        rows = np.arange(start + 1, start + 1 + len(codes))
        return pl.DataFrame({"row": rows, "part": np.array(names)[codes]})

    if len(parts) <= _BLOCK:
        block(0).write_parquet(path)
    else:
        write_parquet_blocks(path, (block(start) for start in range(0, len(parts), _BLOCK)))


def write_table(table: Table, path: Path) -> None:
    """A table that was read from objects in memory, as Parquet, with what its reader had to say."""
    table.frame.write_parquet(path, metadata={REMARKS: pack_remarks(table.notes, table.findings)})
