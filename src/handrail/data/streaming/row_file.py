"""Encoded rows in a scratch file, read block by block; the blocks that were read last stay in memory."""

import itertools
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from handrail.tools.scratch import ScratchFile

BLOCK_BYTES = 4 * 2**20
HELD_BLOCKS = 16  # in memory at once: what is shuffled together
_MOST_ROWS, _FEWEST_ROWS = 16_384, 16
_ADVICE = (
    "fewer columns (data.drop), or fewer levels (data.encoding.rare, data.encoding.categories=embedding)"
)


class RowFile:
    """Room for encoded rows of one shape and type. Raises: `HandrailError` when the disk is full."""

    def __init__(self, rows: int, like: Tensor, *, folder: Path | None) -> None:
        self.rows, self.shape, self.dtype = rows, tuple(like.shape[1:]), like.dtype
        self.row_bytes = max(1, math.prod(self.shape)) * like.element_size()
        size = max(1, rows * self.row_bytes)
        self._file = ScratchFile(size, folder, what="the encoded rows", advice=_ADVICE)

    def write(self, places: Int[np.ndarray, " n"], rows: Tensor) -> None:
        """Put rows there; places that follow each other are written at once."""
        order = np.argsort(places, kind="stable")
        data = rows.contiguous()[torch.from_numpy(order)].numpy().data.cast("B")
        places = places[order].astype(np.int64)
        edges = [0, *(np.flatnonzero(np.diff(places) != 1) + 1).tolist(), len(places)]
        for low, high in itertools.pairwise(edges):
            part = data[low * self.row_bytes : high * self.row_bytes]
            self._file.write(int(places[low]) * self.row_bytes, part)

    def read(self, start: int, into: Tensor) -> None:
        self._file.read(start * self.row_bytes, into.numpy().data.cast("B"))


class Streamed:
    """Rows of a file. Rows of few blocks are quick to take, in any order: see `balance.block_order`."""

    def __init__(self, file: RowFile) -> None:
        self.file = file
        self.block = int(np.clip(BLOCK_BYTES // file.row_bytes, _FEWEST_ROWS, _MOST_ROWS))
        self.held = HELD_BLOCKS
        self._room = torch.empty(0, *file.shape, dtype=file.dtype)
        self._slots: dict[int, int] = {}  # of each block that is in memory, the latest used last

    def __len__(self) -> int:
        return self.file.rows

    def cut(self, start: int, stop: int) -> Tensor:
        rows = torch.empty(max(0, min(stop, len(self)) - start), *self.file.shape, dtype=self.file.dtype)
        if len(rows):
            self.file.read(start, rows)
        return rows

    def take(self, rows: Int[Tensor, " n"]) -> Tensor:
        """The rows at these positions: first those of blocks in memory, then block after block is read."""
        block_of_row = rows // self.block
        blocks = block_of_row.unique().tolist()
        if len(blocks) <= self.held:
            room = self._load(blocks)
            return room.index_select(0, self._places(rows, block_of_row))
        present = [block for block in blocks if block in self._slots]
        missing = [block for block in blocks if block not in self._slots]
        later = [missing[first : first + self.held] for first in range(0, len(missing), self.held)]
        taken = torch.empty(len(rows), *self.file.shape, dtype=self.file.dtype)
        for group in [present, *later] if present else later:
            room = self._load(group)
            mine = torch.isin(block_of_row, torch.tensor(group)).nonzero().flatten()
            taken[mine] = room.index_select(0, self._places(rows[mine], block_of_row[mine]))
        return taken

    def _places(self, rows: Tensor, block_of_row: Tensor) -> Tensor:
        """Where rows stand in the room."""
        slots = torch.zeros(-(-len(self) // self.block), dtype=torch.int64)
        slots[list(self._slots)] = torch.tensor(list(self._slots.values()))
        return slots[block_of_row] * self.block + rows % self.block

    def _load(self, blocks: Sequence[int]) -> Tensor:
        if not len(self._room):
            slots = min(self.held, -(-len(self) // self.block))
            self._room = torch.empty(slots * self.block, *self.file.shape, dtype=self.file.dtype)
        free = set(range(len(self._room) // self.block)) - set(self._slots.values())
        for block in blocks:
            self._slots[block] = self._slots.pop(block, -1)
        for block in blocks:
            if self._slots[block] >= 0:
                continue
            slot = free.pop() if free else self._slots.pop(next(iter(self._slots)))
            self._slots[block] = slot
            start = block * self.block
            self.file.read(start, self._room[slot * self.block :][: min(self.block, len(self) - start)])
        return self._room

    def release(self) -> None:
        self._room, self._slots = self._room[:0].clone(), {}
