"""From Parquet to encoded rows in a file: one reading for all parts that are wanted."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import torch
from torch import Tensor

from handrail.data.columns.schema import Schema, Trouble, read_frame
from handrail.data.columns.unreadable import infinite, unreadable
from handrail.data.encoders.row_encoder import RowEncoder
from handrail.data.rows import Rows, Values
from handrail.data.streaming.parquet import ParquetRows
from handrail.data.streaming.row_file import RowFile, Streamed
from handrail.data.table import Table
from handrail.errors import DataError

_WAITING = 64 * 2**20  # bytes that are written together: in longer pieces, where they are scattered

_log = logging.getLogger("handrail")


@dataclass(frozen=True)
class Wanted:
    """Rows to be encoded, in the order in which they are to be written; infinite numbers are refused where it
    is `strict`.
    """

    name: str
    rows: np.ndarray
    table: Table
    strict: bool


def encode(
    source: ParquetRows,
    schema: Schema,
    encoder: RowEncoder,
    wanted: Sequence[Wanted],
    *,
    folder: Path | None,
) -> list[Rows]:
    """The encoded rows of each part, in files without a name.

    Raises: `DataError` for infinite numbers and damaged files, `HandrailError` when the disk is full.
    """
    writers = [_Writer(one, folder) for one in wanted]
    for start, frame in source.blocks([column.name for column in schema.used]):
        for writer in writers:
            writer.add(start, frame, schema, encoder)
    return [writer.done() for writer in writers]


class _Writer:
    """Encodes and writes the rows of one part as they come by."""

    def __init__(self, wanted: Wanted, folder: Path | None) -> None:
        self.wanted, self.folder = wanted, folder
        order = np.argsort(wanted.rows, kind="stable")
        self.rows, self.places = (
            wanted.rows[order],
            order.astype(np.uint32 if len(order) < 2**32 else np.int64),
        )
        self.files: list[RowFile] = []
        self.waiting: list[tuple[np.ndarray, list[Tensor]]] = []
        self.several = False
        self.troubles: dict[str, tuple[Trouble, list[int]]] = {}

    def add(self, start: int, frame: pl.DataFrame, schema: Schema, encoder: RowEncoder) -> None:
        low, high = np.searchsorted(self.rows, np.array([start, start + len(frame)], dtype=self.rows.dtype))
        if low == high:
            return
        mine = self.rows[low:high]
        features, troubles = read_frame(frame[(mine - start).astype(np.int64)], schema)
        self._note(troubles, mine)
        encoded = list(_tensors(encoder.rows(features, {})))
        self.several = len(encoded) > 1
        if not self.files:
            self.files = [RowFile(len(self.rows), tensor, folder=self.folder) for tensor in encoded]
        self.waiting.append((self.places[low:high], encoded))
        if sum(tensor.nbytes for _, tensors in self.waiting for tensor in tensors) > _WAITING:
            self._write()

    def _note(self, troubles: Sequence[Trouble], rows: np.ndarray) -> None:
        found = [(trouble, [int(rows[row]) for row in trouble.rows]) for trouble in troubles]
        if self.wanted.strict and any(trouble.is_infinite for trouble, _ in found):
            raise DataError(
                [
                    infinite(trouble, places, self.wanted.table)
                    for trouble, places in found
                    if trouble.is_infinite
                ]
            )
        for trouble, places in found:
            self.troubles.setdefault(trouble.column, (trouble, []))[1].extend(places)

    def _write(self) -> None:
        places = np.concatenate([some for some, _ in self.waiting])
        for index, file in enumerate(self.files):
            file.write(places, torch.cat([tensors[index] for _, tensors in self.waiting]))
        self.waiting = []

    def done(self) -> Rows:
        if self.waiting:
            self._write()
        for trouble, places in self.troubles.values():
            _log.warning("%s", unreadable(trouble, places, self.wanted.name, self.wanted.table))
        rows = [Streamed(file) for file in self.files]
        return tuple(rows) if self.several else rows[0]


def _tensors(rows: Rows) -> Iterator[Tensor]:
    """Encoded rows of one block; of several kinds of columns one tensor each."""
    values: Values = rows  # pyright: ignore[reportAssignmentType]
    for part in values if isinstance(values, tuple) else (values,):
        assert isinstance(part, Tensor), "columns of a table are encoded into tensors"
        yield part.cpu()
