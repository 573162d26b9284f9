"""What a source may hold at most: declared sizes are compared before anything is unpacked or made.

The limits (`data.read.limits`) are beyond what real tables hold; a file that meets one of them is refused
with what was found, what is allowed, and the setting to raise.
"""

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from handrail.errors import DataError
from handrail.recipe.reading import Limits

_GB = 1e9
_FLOOR, _PARQUET_FLOOR = 64 * 10**6, 10**9  # bytes that any file may hold, however small it is when packed
_PARQUET_FACTOR = 10  # columns of one value are packed to nothing
_CHUNK = 1 << 20
_LONGEST_HEADER = 10_000  # bytes, as NumPy has it
DEFAULT = Limits()


def most_bytes(packed: int, limits: Limits | None) -> int:
    """How much a compressed file may hold."""
    limits = limits or DEFAULT
    return int(min(limits.unpacked * _GB, max(_FLOOR, limits.expansion * packed)))


def check_unpacked(found: int, packed: int, name: str, limits: Limits | None) -> None:
    """Raises: `DataError` where so many unpacked bytes (declared, or found so far) are too many."""
    limits = limits or DEFAULT
    allowed = most_bytes(packed, limits)
    if found > allowed:
        by_size = allowed >= int(limits.unpacked * _GB)
        reason = "" if by_size else f", {limits.expansion:g} times its {packed:,} bytes"
        setting = "unpacked" if by_size else "expansion"
        raise DataError(
            f"{name} holds {found:,} bytes or more once unpacked; expected at most {allowed:,}{reason}. If "
            f"that is right, raise data.read.limits.{setting}, or unpack it first."
        )


def read_unpacked(stream: BinaryIO | Any, packed: int, name: str, limits: Limits | None) -> bytes:
    """All that a decompressing stream gives. Raises: `DataError` as soon as it is too much."""
    content = bytearray()
    while chunk := stream.read(_CHUNK):
        content += chunk
        check_unpacked(len(content), packed, name, limits)
    return bytes(content)


def check_file(path: Path, limits: Limits | None) -> None:
    """Raises: `DataError` for files that are nearly all holes (sparse), or too large to be read whole."""
    check_holes(path, limits)
    limits, size = limits or DEFAULT, path.stat().st_size
    if size > limits.unpacked * _GB:
        raise DataError(
            f"{path} has {size:,} bytes; expected at most {int(limits.unpacked * _GB):,} of a file that is "
            "read whole. Raise data.read.limits.unpacked (gigabytes); or have the table as Parquet, which "
            "data.stream=true reads in blocks."
        )


def check_holes(path: Path, limits: Limits | None) -> None:
    """Raises: `DataError` for a large file that is nearly all holes (sparse), as its end was not written."""
    limits, facts = limits or DEFAULT, path.stat()
    on_disk = getattr(facts, "st_blocks", facts.st_size) * 512
    if facts.st_size > _FLOOR and on_disk * limits.expansion < facts.st_size:
        raise DataError(
            f"{path} is mostly holes: it has {facts.st_size:,} bytes, of which {on_disk:,} are on the disk. "
            "Check that it was written to its end; data.read.limits.expansion says how much may be missing."
        )


def check_columns(columns: int, name: str, limits: Limits | None) -> None:
    """Raises: `DataError` for a table with too many columns."""
    limits = limits or DEFAULT
    if columns > limits.columns:
        raise DataError(
            f"{name} has {columns:,} columns; expected at most {limits.columns:,}. Check the delimiter; if "
            "it is so wide, raise data.read.limits.columns."
        )


def check_footer(facts: Any, packed: int, name: str, limits: Limits | None) -> None:
    """What a Parquet file says of itself: eight bytes a cell, or its own count of unpacked bytes.

    Arguments:
        facts: its `pyarrow.parquet.FileMetaData`.
        packed: bytes of the file.

    Raises: `DataError` where the file itself is far too small for that, or has too many columns.
    """
    limits, rows, columns = limits or DEFAULT, facts.num_rows, facts.num_columns
    check_columns(columns, name, limits)
    declared = sum(facts.row_group(index).total_byte_size for index in range(facts.num_row_groups))
    found, allowed = max(8 * rows * columns, declared), limits.expansion * _PARQUET_FACTOR * packed
    if found > max(_PARQUET_FLOOR, allowed):
        raise DataError(
            f"{name} says that it holds {rows:,} rows of {columns:,} columns, {found:,} bytes; expected at "
            f"most {int(max(_PARQUET_FLOOR, allowed)):,} of a file of {packed:,} bytes. If that is right, "
            "raise data.read.limits.expansion."
        )


def check_npy(stream: BinaryIO | Any, size: int, name: str) -> None:
    """Whether the header of an array fits the bytes behind it, before room is made for them.

    Raises: `DataError` for a header that cannot be read, or says another size.
    """
    try:
        version = np.lib.format.read_magic(stream)
        readers: dict[Any, Callable[..., Any]] = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }
        shape, _, dtype = readers.get(version, _read_later_header)(stream)
        expected = dtype.itemsize
        for length in shape:
            expected *= int(length)
    # The header is a Python literal: what goes wrong in it may be a SyntaxError, TokenError, MemoryError ….
    except Exception as error:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise DataError(f"{name} cannot be read: its header is damaged ({reason}).") from None
    there = size - stream.tell()
    if not dtype.hasobject and (expected > there or min(shape, default=0) < 0):
        raise DataError(
            f"{name} is cut short: its header says {expected:,} bytes of values ({shape} of {dtype}), and "
            f"{there:,} follow."
        )


def _read_later_header(stream: Any) -> tuple[tuple[int, ...], bool, np.dtype]:
    """That of version 3, in UTF-8, for which NumPy has no public reader."""
    length = int.from_bytes(stream.read(4), "little")
    if length > _LONGEST_HEADER:
        raise ValueError(f"it says that it has {length:,} bytes; expected at most {_LONGEST_HEADER:,}")
    header = ast.literal_eval(stream.read(length).decode("utf-8"))
    return header["shape"], header["fortran_order"], np.lib.format.descr_to_dtype(header["descr"])
