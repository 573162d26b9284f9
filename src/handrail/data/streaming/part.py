"""A part whose rows stay in their files until they are used, and are then encoded into a nameless file.

Training rows are written in a random order: each goes by chance into one of many stretches of the file.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

from handrail.data.columns.schema import Schema, Trouble, read_frame
from handrail.data.dataset import locate, refuse_infinite, report_unreadable
from handrail.data.encoders.row_encoder import RowEncoder
from handrail.data.part import Part
from handrail.data.rows import Rows, Values
from handrail.data.streaming.parquet import ParquetRows
from handrail.data.streaming.row_file import RowFile, Streamed

_WAITING = 64 * 2**20  # bytes that are written together: in longer pieces, where they are scattered
_BUCKET = 4096  # rows
_MOST_BUCKETS = 4096  # more would be written in very small pieces

_log = logging.getLogger("handrail")


def scatter(rows: np.ndarray, seed: int) -> np.ndarray:
    """The rows in the order in which they are written: in random buckets, in their own order in each."""
    buckets = int(np.clip(-(-len(rows) // _BUCKET), 1, _MOST_BUCKETS))
    bucket = np.random.default_rng([seed, 31]).integers(0, buckets, size=len(rows), dtype=np.uint16)
    return rows[np.argsort(bucket, kind="stable")]


@dataclass
class Encoded:
    """The rows of a part as an encoder gave them."""

    encoder: Any = None
    rows: Any = None


@dataclass(frozen=True, eq=False, kw_only=True)
class StreamedPart(Part):
    """Rows by number in their source; `raw` and `features` are empty, with the right columns.

    `rows` and `target` stand in the order in which encoded rows are written, random for training rows.

    Arguments:
        source: the files.
        schema: how their columns are read.
        known: the sample, in memory.
        levels: counts over all rows, where `known` does not hold them all.
        folder: where encoded rows go, in a file without a name.
        beside: parts that are encoded in the same reading of the source.
        seed: of the random order of rows.
        strict: whether infinite numbers are refused.
        encoded: what was encoded last.
    """

    source: ParquetRows
    schema: Schema
    known: Part
    levels: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    folder: Path | None = None
    beside: list["StreamedPart"] = field(default_factory=list, repr=False)
    seed: int = 0
    strict: bool = True
    encoded: Encoded = field(default_factory=Encoded, repr=False)

    @property
    def hashes(self) -> np.ndarray:  # pyright: ignore[reportIncompatibleVariableOverride]
        # They were needed when the rows were divided.
        raise AssertionError("the hashes of streamed rows are not kept")

    @property
    def sample(self) -> Part:
        return self.known

    @property
    def level_counts(self) -> Mapping[str, pl.DataFrame]:
        return self.levels

    def encode_with(self, encoder: RowEncoder) -> Rows:
        """The rows in a file, which is written once for an encoder, together with the parts beside.

        Raises: `DataError` for infinite numbers and damaged files, `HandrailError` when the disk is full.
        """
        if self.encoded.encoder is not encoder:
            parts = [self, *(part for part in self.beside if part is not self)]
            writers = [_Writer(part, self.folder) for part in parts if part.encoded.encoder is not encoder]
            for start, frame in self.source.blocks([column.name for column in self.schema.used]):
                for writer in writers:
                    writer.add(start, frame, encoder)
            for writer in writers:
                writer.part.encoded.encoder, writer.part.encoded.rows = encoder, writer.finish()
        return self.encoded.rows

    def pick(self, places: np.ndarray) -> Part:
        places = np.asarray(places, dtype=np.int64)
        rows, target = self.rows[places], self.target[torch.from_numpy(places)]
        raw = self.source.fetch(rows)
        return Part(self.name, raw, read_frame(raw, self.schema)[0], target, rows, self.table)

    def join(self, other: Part) -> "StreamedPart":
        """Both parts as one, in an order of its own; both samples count by the sizes of their parts."""
        assert isinstance(other, StreamedPart), "parts of one source are all streamed, or none is"
        rows, target = np.concatenate([self.rows, other.rows]), torch.cat([self.target, other.target])
        order = scatter(np.argsort(rows, kind="stable"), self.seed)
        count = min(len(other.known), round(len(self.known) / len(self) * len(other)))
        chosen = np.random.default_rng([self.seed, 37]).choice(len(other.known), count, replace=False)
        return replace(
            self,
            name=f"{self.name} and {other.name}",
            rows=rows[order],
            target=target[torch.from_numpy(order)],
            known=self.known.join(other.known.pick(np.sort(chosen))),
            beside=[],
            encoded=Encoded(),
        )

    def readable(self, row: int, names: Sequence[str]) -> dict[str, str | None]:
        return self.pick(np.array([row])).readable(0, names)


class _Writer:
    """Encodes and writes the rows of one part as they come by."""

    def __init__(self, part: StreamedPart, folder: Path | None) -> None:
        self.part, self.folder = part, folder
        order = np.argsort(part.rows, kind="stable")
        self.rows, self.places = part.rows[order], order.astype(np.uint32 if len(order) < 2**32 else np.int64)
        self.files: list[RowFile] = []
        self.waiting: list[tuple[np.ndarray, list[Tensor]]] = []
        self.several = False
        self.troubles: dict[str, tuple[Trouble, list[int]]] = {}

    def add(self, start: int, frame: pl.DataFrame, encoder: RowEncoder) -> None:
        low, high = np.searchsorted(self.rows, np.array([start, start + len(frame)], dtype=self.rows.dtype))
        if low == high:
            return
        mine = self.rows[low:high]
        features, troubles = read_frame(frame[(mine - start).astype(np.int64)], self.part.schema)
        self._note(troubles, mine)
        encoded = list(_tensors(encoder.rows(features, {})))
        self.several = len(encoded) > 1
        if not self.files:
            self.files = [RowFile(len(self.rows), tensor, folder=self.folder) for tensor in encoded]
        self.waiting.append((self.places[low:high], encoded))
        if sum(tensor.nbytes for _, tensors in self.waiting for tensor in tensors) > _WAITING:
            self._write()

    def _note(self, troubles: Sequence[Trouble], rows: np.ndarray) -> None:
        located = locate(troubles, rows)
        if self.part.strict:
            refuse_infinite(located, self.part.table)
        for trouble, numbers in located:
            self.troubles.setdefault(trouble.column, (trouble, []))[1].extend(numbers)

    def _write(self) -> None:
        places = np.concatenate([places for places, _ in self.waiting])
        for index, file in enumerate(self.files):
            file.write(places, torch.cat([tensors[index] for _, tensors in self.waiting]))
        self.waiting = []

    def finish(self) -> Rows:
        if self.waiting:
            self._write()
        for finding in report_unreadable(list(self.troubles.values()), self.part.name, self.part.table):
            _log.warning("%s", finding)
        rows = [Streamed(file) for file in self.files]
        return tuple(rows) if self.several else rows[0]


def _tensors(rows: Rows) -> Iterator[Tensor]:
    """Encoded rows of one block; of several kinds of columns one tensor each."""
    values: Values = rows  # pyright: ignore[reportAssignmentType]
    for part in values if isinstance(values, tuple) else (values,):
        assert isinstance(part, Tensor), "columns of a table are encoded into tensors"
        yield part.cpu()
