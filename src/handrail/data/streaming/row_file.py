"""Encoded rows in a file without a name, read block by block; the blocks that were read last stay in memory."""

import itertools
import math
import os
import weakref
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from handrail.errors import HandrailError
from handrail.tools.files import cannot_write
from handrail.tools.scratch import nameless_file

BLOCK_BYTES = 4 * 2**20
HELD_BLOCKS = 16  # in memory at once: what is shuffled together
_MOST_ROWS, _FEWEST_ROWS = 16_384, 16
_ADVICE = (
    "fewer columns (data.drop), or fewer levels (data.encoding.rare, data.encoding.categories=embedding)"
)


class RowFile:
    """Room for encoded rows of one shape and type; a file is written and read by position.

    Raises: `HandrailError` when the disk is full.
    """

    def __init__(self, rows: int, like: Tensor, *, folder: Path | None) -> None:
        self.rows, self.shape, self.dtype = rows, tuple(like.shape[1:]), like.dtype
        self.row_bytes = max(1, math.prod(self.shape)) * like.element_size()
        self._file = nameless_file(
            max(1, rows * self.row_bytes), folder, what="the encoded rows", advice=_ADVICE
        )
        weakref.finalize(self, os.close, self._file)

    def write(self, places: Int[np.ndarray, " n"], rows: Tensor) -> None:
        """Put rows there; places that follow each other are written at once."""
        order = np.argsort(places, kind="stable")
        data, places = (
            rows.contiguous()[torch.from_numpy(order)].numpy().data.cast("B"),
            places[order].astype(np.int64),
        )
        edges = [0, *(np.flatnonzero(np.diff(places) != 1) + 1).tolist(), len(places)]
        for low, high in itertools.pairwise(edges):
            self._write(int(places[low]) * self.row_bytes, data[low * self.row_bytes : high * self.row_bytes])

    def _write(self, start: int, left: memoryview) -> None:
        try:
            while left:
                done = os.pwrite(self._file, left, start)
                start, left = start + done, left[done:]
        except OSError as error:
            raise cannot_write("the encoded rows", error) from error

    def read(self, start: int, into: Tensor) -> None:
        """Fill a tensor with neighbouring rows."""
        left, place = into.numpy().data.cast("B"), start * self.row_bytes
        while left:
            done = os.preadv(self._file, [left], place)
            if not done:
                raise HandrailError(
                    "the encoded rows cannot be read back: the file ends too soon. Is the disk sound?"
                )
            place, left = place + done, left[done:]


class Streamed:
    """Rows of a file. Rows of few blocks are quick to take, whatever their order: see `order.block_order`."""

    def __init__(self, file: RowFile) -> None:
        self.file = file
        self.block = int(np.clip(BLOCK_BYTES // file.row_bytes, _FEWEST_ROWS, _MOST_ROWS))
        self.held = HELD_BLOCKS
        self._room = torch.empty(0, *file.shape, dtype=file.dtype)
        self._slots: dict[int, int] = {}  # of each block that is in memory, the latest used last

    def __len__(self) -> int:
        return self.file.rows

    def cut(self, start: int, stop: int) -> Tensor:
        """Neighbouring rows."""
        found = torch.empty(max(0, min(stop, len(self)) - start), *self.file.shape, dtype=self.file.dtype)
        if len(found):
            self.file.read(start, found)
        return found

    def take(self, rows: Int[Tensor, " n"]) -> Tensor:
        """The rows at these positions. What is in memory already is served first, then block after block is
        read.
        """
        block = rows // self.block
        wanted = block.unique().tolist()
        if len(wanted) <= self.held:
            room = self._room_of(wanted)
            return room.index_select(0, self._places(rows, block))
        here = [one for one in wanted if one in self._slots]
        missing = [one for one in wanted if one not in self._slots]
        later = [missing[first : first + self.held] for first in range(0, len(missing), self.held)]
        groups = [here, *later] if here else later
        found = torch.empty(len(rows), *self.file.shape, dtype=self.file.dtype)
        for group in groups:
            room = self._room_of(group)
            mine = torch.isin(block, torch.tensor(group)).nonzero().flatten()
            found[mine] = room.index_select(0, self._places(rows[mine], block[mine]))
        return found

    def _places(self, rows: Tensor, block: Tensor) -> Tensor:
        """Where rows stand in the room."""
        slots = torch.zeros(-(-len(self) // self.block), dtype=torch.int64)
        slots[list(self._slots)] = torch.tensor(list(self._slots.values()))
        return slots[block] * self.block + rows % self.block

    def _room_of(self, blocks: Sequence[int]) -> Tensor:
        """The room, with these blocks in it."""
        if not len(self._room):
            self._room = torch.empty(
                min(self.held, -(-len(self) // self.block)) * self.block,
                *self.file.shape,
                dtype=self.file.dtype,
            )
        free = set(range(len(self._room) // self.block)) - set(self._slots.values())
        for one in blocks:
            slot = self._slots.pop(one, None)
            self._slots[one] = -1 if slot is None else slot
        for one in blocks:
            if self._slots[one] >= 0:
                continue
            slot = free.pop() if free else self._slots.pop(next(iter(self._slots)))
            self._slots[one] = slot
            start = one * self.block
            self.file.read(start, self._room[slot * self.block :][: min(self.block, len(self) - start)])
        return self._room

    def release(self) -> None:
        """Let go of the blocks in memory."""
        self._room, self._slots = self._room[:0].clone(), {}
