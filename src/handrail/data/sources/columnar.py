"""JSON, JSON lines, Parquet and Arrow."""

import io
import json
from collections.abc import Sequence
from typing import Any

import polars as pl

from handrail.data.raw_files import decode, kind_of
from handrail.data.sources.cells import columns_frame, distinct, native, rename_columns
from handrail.data.table import Table
from handrail.errors import DataError
from handrail.recipe.reading import ReadOptions


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
    except RecursionError as error:
        raise DataError(f"{name} is nested too deeply; expected an array of flat records.") from error
    if isinstance(content, list):
        frame = records_frame(content, name, rows=None)
    elif (
        isinstance(content, dict) and content and all(isinstance(values, list) for values in content.values())
    ):
        frame = columns_frame(content, name)
    else:
        found = f"an object with {len(content)} keys" if isinstance(content, dict) else type(content).__name__
        raise DataError(
            f"{name}: found {found}; expected an array of records, or an object with a list for each column."
        )
    return Table(_finish(frame, name, options), name)


def read_json_lines(data: bytes, name: str, *, options: ReadOptions) -> Table:
    """One record a line. Raises: `DataError` for a line that is not a JSON object, naming it."""
    text, _ = decode(data, name, encoding=options.encoding)
    numbered = [(i, line) for i, line in enumerate(text.split("\n"), start=1) if line.strip()]
    lines = [number for number, _ in numbered]
    frame = records_frame(_parse_lines(numbered, name), name, rows=lines)
    return Table(
        _finish(frame, name, options),
        name,
        first_row=lines[0] if lines else 1,
        namer=lambda i: f"line {lines[i]}",
    )


def _parse_lines(numbered: Sequence[tuple[int, str]], name: str) -> list[Any]:
    records = []
    for number, line in numbered:
        try:
            records.append(json.loads(line))
        except (json.JSONDecodeError, RecursionError) as error:
            text = error.msg if isinstance(error, json.JSONDecodeError) else "nested too deeply"
            raise DataError(
                f"{name}: line {number} is not JSON: {text}; expected one record a line."
            ) from error
    return records


def records_frame(records: Sequence[Any], name: str, *, rows: Sequence[int] | None) -> pl.DataFrame:
    """A table of records; a key that a record lacks is missing there.

    Arguments:
        rows: the line numbers of the records, or `None` to count them from 1.

    Raises: `DataError` where something else than a record is found.
    """
    for index, record in enumerate(records):
        if not isinstance(record, dict):
            place = f"row {index + 1}" if rows is None else f"line {rows[index]}"
            raise DataError(
                f'{name}: {place} holds {type(record).__name__}; expected a record such as {{"column": '
                f"value}}."
            )
    names = dict.fromkeys(key for record in records for key in record)
    return columns_frame({str(key): [record.get(key) for record in records] for key in names}, name)


def read_parquet(data: bytes, name: str, *, options: ReadOptions) -> Table:
    """A Parquet file. Raises: `DataError` for anything else, saying what it seems to be."""
    try:
        frame = pl.read_parquet(io.BytesIO(data))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _damage_error(data, name, "Parquet", error) from error
    return Table(_finish(frame, name, options), name)


def read_arrow(data: bytes, name: str, *, options: ReadOptions) -> Table:
    """An Arrow (Feather 2) file or stream. Raises: `DataError` for anything else, saying what it seems to be."""
    try:
        read = pl.read_ipc if kind_of(data) == "Arrow" else pl.read_ipc_stream
        frame = read(io.BytesIO(data))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _damage_error(data, name, "Arrow", error) from error
    return Table(_finish(frame, name, options), name)


def _damage_error(data: bytes, name: str, expected: str, error: Exception) -> DataError:
    kind = kind_of(data)
    if kind is not None and not kind.startswith(expected):
        return DataError(
            f"{name} is not {expected}: it seems to be {kind}. Give it the ending that fits its content."
        )
    reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
    return DataError(f"{name} cannot be read as {expected}: {reason}. The file may be cut short or damaged.")


def _finish(frame: pl.DataFrame, name: str, options: ReadOptions) -> pl.DataFrame:
    distinct(frame.columns, name)
    return native(rename_columns(frame, options.names, name), name, markers=options.missing or ())
