"""Formats of typed columns: JSON, JSON lines, Parquet, Arrow, and arrays (NPZ, NPY, NumPy objects)."""

import contextlib
import io
import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from handrail.data.columns.values import empty_where
from handrail.data.finding import REMARKS, unpack_remarks
from handrail.data.limits import check_columns, check_footer, check_npy, check_unpacked
from handrail.data.raw_files import decode, kind_of
from handrail.data.sources.cells import (
    column_of,
    columns_frame,
    frame_of,
    length_problems,
    normalise,
    typed_table,
)
from handrail.data.table import Table
from handrail.errors import DataError, did_you_mean
from handrail.recipe.reading import Limits, ReadOptions
from handrail.tools.arrow_files import arrow_frame, parquet_frame

# An array `age.missing` of booleans marks what is missing in `age`, where its type cannot.
MASK = ".missing"
_MATRICES = ("x", "data", "array")
_PICTURES = (3, 4)  # dimensions


def read_json(data: bytes, name: str, *, options: ReadOptions) -> Table:
    """An array of records, or one object with a list for each column.

    Raises: `DataError` for text that is not JSON, for another shape, and for nested values.
    """
    text, _ = decode(data, name, encoding=options.encoding)
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{name} is not JSON: {error.msg} in line {error.lineno}, column {error.colno}. "
            "If each line is a record of its own, name the file .jsonl."
        ) from error
    except (RecursionError, ValueError) as error:  # a whole number of more than 4,300 digits is a ValueError
        how = "is nested too deeply" if isinstance(error, RecursionError) else f"cannot be read ({error})"
        raise DataError(f"{name} {how}; expected an array of flat records.") from error
    if isinstance(content, list):
        frame = records_frame(content, name, rows=None)
    elif isinstance(content, dict) and content and all(isinstance(part, list) for part in content.values()):
        frame = columns_frame(content, name)
    else:
        what = f"an object with {len(content)} keys" if isinstance(content, dict) else type(content).__name__
        raise DataError(
            f"{name}: found {what}; expected an array of records, or an object with a list for each column."
        )
    return typed_table(frame, name, options)


def read_json_lines(data: bytes, name: str, *, options: ReadOptions) -> Table:
    """One record a line. Raises: `DataError` for a line that is not a JSON object, naming it."""
    text, _ = decode(data, name, encoding=options.encoding)
    numbered = [(i, line) for i, line in enumerate(text.split("\n"), start=1) if line.strip()]
    lines = [number for number, _ in numbered]
    frame = records_frame(_parse_lines(numbered, name), name, rows=lines)
    first = lines[0] if lines else 1
    return typed_table(frame, name, options, first_row=first, namer=lambda i: f"line {lines[i]}")


def _parse_lines(numbered: Sequence[tuple[int, str]], name: str) -> list[Any]:
    records = []
    for number, line in numbered:
        try:
            records.append(json.loads(line))
        except (ValueError, RecursionError) as error:
            text = (
                "nested too deeply"
                if isinstance(error, RecursionError)
                else getattr(error, "msg", str(error))
            )
            text = f"{name}: line {number} is not JSON: {text}; expected one record a line."
            raise DataError(text) from error
    return records


def records_frame(records: Sequence[Any], name: str, *, rows: Sequence[int] | None) -> pl.DataFrame:
    """A table of records; a key that a record lacks is missing there.

    Arguments:
        rows: the line numbers of the records, or `None` to count them from 1.

    Raises: `DataError` for anything that is not a record.
    """
    for index, record in enumerate(records):
        if not isinstance(record, dict):
            place = f"row {index + 1}" if rows is None else f"line {rows[index]}"
            kind = type(record).__name__
            raise DataError(f'{name}: {place} holds {kind}; expected a record such as {{"column": value}}.')
    names = dict.fromkeys(key for record in records for key in record)
    return columns_frame({str(key): [record.get(key) for record in records] for key in names}, name)


def read_parquet(data: bytes, name: str, *, options: ReadOptions) -> Table:
    """A Parquet file. Raises: `DataError` for anything else, saying what it seems to be."""
    with _explain_damage(data, name, "Parquet"):
        remarks = _check_footer(data, name, options).get(REMARKS.encode(), b"")
        frame = parquet_frame(data)
    notes, findings = unpack_remarks(remarks)
    return typed_table(frame, name, options, notes=notes, findings=findings)


def read_arrow(data: bytes, name: str, *, options: ReadOptions) -> Table:
    """An Arrow (Feather 2) file or stream. Raises: `DataError` for anything else, as `read_parquet`."""
    with _explain_damage(data, name, "Arrow"):
        _check_arrow(data, name, options)
        frame = arrow_frame(data, stream=kind_of(data) != "Arrow")
    return typed_table(frame, name, options)


def _check_footer(data: bytes, name: str, options: ReadOptions) -> Mapping[bytes, bytes]:
    """The words that lie beside the table."""
    from pyarrow import parquet

    file = parquet.ParquetFile(io.BytesIO(data))
    check_parquet(file, name, len(data), options.limits)
    return file.metadata.metadata or {}


def check_parquet(file: Any, name: str, size: int, limits: Limits) -> None:
    """Whether what the footer says of the table is within the limits, and its times can be read.

    Arguments:
        file: a `pyarrow.parquet.ParquetFile`.
        size: bytes of the file.

    Raises: `DataError`.
    """
    check_footer(file.metadata, size, name, limits)
    _check_time_zones(file.schema_arrow, name)


def _check_arrow(data: bytes, name: str, options: ReadOptions) -> None:
    from pyarrow import ipc

    opener = ipc.open_file if kind_of(data) == "Arrow" else ipc.open_stream
    schema = opener(io.BytesIO(data)).schema
    check_columns(len(schema), name, options.limits)
    _check_time_zones(schema, name)


def _check_time_zones(schema: Any, name: str) -> None:
    """Raises: `DataError` for a column of times whose zone is not known here."""
    import pyarrow as pa

    for field in schema:
        zone = getattr(field.type, "tz", None)
        if zone is None:
            continue
        try:
            pl.from_arrow(pa.array([], pa.timestamp("us", tz=zone)))
        except (pl.exceptions.PolarsError, ValueError) as error:
            raise DataError(
                f"{name}: column '{field.name}' has times in the zone '{zone}', which is unknown here; "
                "expected one such as UTC or Europe/Berlin. Save it in UTC, or without a zone."
            ) from error


@contextlib.contextmanager
def _explain_damage(data: bytes, name: str, expected: str) -> Iterator[None]:
    """Raises: `DataError` for what a reader raises, of whatever kind."""
    import pyarrow as pa

    try:
        yield
    except DataError:
        raise
    except (OSError, pa.ArrowException, ValueError) as error:
        kind = kind_of(data)
        if kind is not None and not kind.startswith(expected):
            hint = "Give it the ending that fits."
            raise DataError(f"{name} is not {expected}: it seems to be {kind}. {hint}") from error
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise DataError(
            f"{name} cannot be read as {expected}: {reason}. The file may be cut short or damaged."
        ) from error


def read_npz(data: bytes, name: str, *, options: ReadOptions) -> Table:
    """Arrays by name: one dimension is a column, two are `x_1` … `x_n`, three or four of bytes are pictures.

    Raises: `DataError` for arrays of objects (these are pickles), of more dimensions or different lengths.
    """
    if kind_of(data) not in ("NPZ", "zip"):
        raise DataError(f"{name} is not NPZ: it seems to be {kind_of(data) or 'something unknown'}.")
    try:
        _check_members(data, name, options)
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
    except DataError:
        raise
    # Besides damage, zip files may be encrypted, or packed in ways that are not known here.
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, KeyError, RuntimeError, zlib.error) as error:
        raise _array_error(name, error) from error
    if any(array.dtype == np.uint8 and array.ndim in _PICTURES for array in arrays.values()):
        from handrail.data.sources.media.idx import images_from_npz

        return images_from_npz(arrays, name) or Table(arrays_frame(arrays, name, options=options), name)
    return Table(arrays_frame(arrays, name, options=options), name)


def _check_members(data: bytes, name: str, options: ReadOptions) -> None:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = archive.infolist()
        check_unpacked(sum(member.file_size for member in members), len(data), name, options.limits)
        for member in members:
            if member.filename.endswith(".npy"):
                with archive.open(member) as stream:
                    check_npy(stream, member.file_size, f"{name}: array '{member.filename[:-4]}'")


def read_npy(data: bytes, name: str, *, options: ReadOptions) -> Table:
    """One array: structured, or with rows and columns. Raises: `DataError` as `read_npz`."""
    if not data.startswith(b"\x93NUMPY"):
        raise DataError(f"{name} is not NPY: it seems to be {kind_of(data) or 'something unknown'}.")
    check_npy(io.BytesIO(data), len(data), name)
    try:
        array = np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise _array_error(name, error) from error
    return Table(array_frame(array, name, options=options), name)


def _array_error(name: str, error: Exception) -> DataError:
    if "allow_pickle" in str(error):
        return DataError(
            f"{name} holds an array of Python objects, a pickle, which can run any code when it is opened; "
            "expected numbers or text. Save it with a plain type (array.astype(str) or .astype(float))."
        )
    return DataError(f"{name} cannot be read: {error}. The file may be cut short or damaged.")


def array_frame(array: np.ndarray, name: str, *, options: ReadOptions) -> pl.DataFrame:
    """A structured array by its fields; a plain one as `x_1` … `x_n`."""
    if array.dtype.names:
        return arrays_frame({field: array[field] for field in array.dtype.names}, name, options=options)
    matrix = array.reshape(-1, 1) if array.ndim == 1 else array
    return arrays_frame({"x": matrix}, name, options=options)


def arrays_frame(arrays: Mapping[str, Any], name: str, *, options: ReadOptions) -> pl.DataFrame:
    """Arrays by name as one table.

    Raises: `DataError` for arrays that are no columns, or of different lengths.
    """
    by_name = {str(key): np.asarray(value) for key, value in arrays.items()}
    if options.key is not None:
        if options.key not in by_name:
            raise DataError(f"{name} has no array '{options.key}'.{did_you_mean(options.key, by_name)}")
        target = by_name.pop(options.key)
        by_name["target"] = target
    masks = {key: by_name.pop(key) for key in list(by_name) if _is_mask(key, by_name)}
    problems = [text for key, array in by_name.items() for text in _shape_problems(key, array, name)]
    lengths = {key: len(array) for key, array in by_name.items() if array.ndim}
    problems += length_problems(lengths, name, "arrays")
    if problems:
        raise DataError(problems)
    columns = [series for key, array in by_name.items() for series in _columns(key, array, name)]
    stems = {key.removesuffix(MASK): mask for key, mask in masks.items()}
    columns = [empty_where(each, stems[each.name]) if each.name in stems else each for each in columns]
    return normalise(frame_of(columns, name), name, options)


def _is_mask(key: str, arrays: Mapping[str, np.ndarray]) -> bool:
    base, mask = arrays.get(key.removesuffix(MASK)), arrays[key]
    if base is None or not key.endswith(MASK):
        return False
    return mask.dtype == bool and mask.shape == base.shape and mask.ndim == 1


def _shape_problems(key: str, array: np.ndarray, name: str) -> list[str]:
    if array.dtype.kind not in "biufUSMmO" or array.dtype.names:
        return [f"{name}: array '{key}' holds {array.dtype}; expected numbers, booleans, text or times."]
    if array.ndim not in (1, 2):
        return [
            f"{name}: array '{key}' has the shape {array.shape}; expected one value a row, or rows and "
            "columns. Reshape it, or leave it out."
        ]
    return []


def _columns(key: str, array: np.ndarray, name: str) -> list[pl.Series]:
    if array.ndim == 1:
        return [_column(key, array, name)]
    stem = "x" if key.lower() in _MATRICES else key
    if array.shape[1] == 1 and stem != "x":
        return [_column(key, array[:, 0], name)]
    return [_column(f"{stem}_{i}", array[:, i - 1], name) for i in range(1, array.shape[1] + 1)]


def _column(key: str, array: np.ndarray, name: str) -> pl.Series:
    kind = array.dtype.kind
    if kind == "O":
        return column_of(key, array.tolist(), name)
    if kind == "S":
        return pl.Series(key, [value.decode("utf-8", "replace") for value in array.tolist()], dtype=pl.String)
    if kind in "Mm":
        return pl.Series(key, array.astype("datetime64[us]" if kind == "M" else "timedelta64[us]"))
    if kind == "U":
        return pl.Series(key, array.tolist(), dtype=pl.String)
    native_order = array.astype(array.dtype.newbyteorder("="), copy=False)
    return pl.Series(key, native_order.astype(np.float32) if array.dtype == np.float16 else native_order)
