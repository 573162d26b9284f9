"""Room for the decoded items of a store: in memory where they are few, else in a file without a name, mapped
into memory.
"""

import math
import mmap
import os
import threading
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Int, UInt8
from torch import Tensor

from handrail.data.rows import Stored
from handrail.tools.files import cannot_write
from handrail.tools.scratch import nameless_file

IN_MEMORY = 256 * 2**20  # bytes


class Shelf:
    """Bytes of `items` items of one shape.

    The file has no name from the start (O_TMPFILE, or unlinked at once), so that nothing of it is left
    however the process ends.

    Arguments:
        items: how many.
        shape: of one of them.
        folder: where the file is; the system's folder for temporary files by default.

    Raises: `HandrailError` when there is no room for the file.
    """

    def __init__(self, items: int, shape: Sequence[int], *, folder: Path | None = None) -> None:
        self.shape, self.item_bytes = (items, *shape), math.prod(shape)
        self._lock = threading.Lock()
        size = items * self.item_bytes
        self.in_memory = size < IN_MEMORY
        self._file = (
            None
            if self.in_memory
            else nameless_file(
                size, folder, what="the decoded pictures", advice="a smaller size (data.images.size)"
            )
        )
        if self._file is not None:
            weakref.finalize(self, os.close, self._file)
        self._room: bytearray | mmap.mmap = (
            bytearray(size) if self._file is None else mmap.mmap(self._file, size)
        )
        self.tensor: UInt8[Tensor, "items ..."] = torch.frombuffer(self._room, dtype=torch.uint8).view(
            self.shape
        )

    def write(self, place: int, data: bytes) -> None:
        """Put items there, from `place` on; by any thread. A file is written, not the map, so that memory
        does not fill.

        Raises: `HandrailError` when the disk is full.
        """
        start = place * self.item_bytes
        if self._file is None:
            self._room[start : start + len(data)] = data
            return
        with self._lock:
            try:
                os.lseek(self._file, start, os.SEEK_SET)
                left = memoryview(data)
                while left:
                    left = left[os.write(self._file, left) :]
            except OSError as error:
                raise cannot_write("the decoded pictures", error) from error

    def read(self, places: Int[Tensor, " n"]) -> UInt8[Tensor, "n ..."]:
        """Copies of items. A file is read, not the map, whose every page brings its neighbours into memory."""
        if self._file is None or not len(places) or not hasattr(os, "preadv"):
            return self.tensor.index_select(0, places)
        found = torch.empty(len(places), *self.shape[1:], dtype=torch.uint8)
        room, size, asked = found.numpy().data.cast("B"), self.item_bytes, places.tolist()
        if asked and asked == list(range(asked[0], asked[0] + len(asked))):
            asked, size = [asked[0]], size * len(asked)  # neighbours at once
        for row, place in enumerate(asked):
            part, start = room[row * size : (row + 1) * size], place * self.item_bytes
            while part:
                count = os.preadv(self._file, [part], start)
                assert count, "the file has the size that it was made with"
                part, start = part[count:], start + count
        return found

    def release(self) -> None:
        """Let the pages go that were read into memory; the system reads them again when they are needed."""
        if isinstance(self._room, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
            self._room.madvise(mmap.MADV_DONTNEED)


@dataclass(frozen=True, eq=False)
class OnDisk(Stored):
    """Rows of a shelf in a file: read when they are asked for, so that a training run takes no memory for the
    others.
    """

    shelf: Shelf

    def take(self, rows: Int[Tensor, " n"]) -> Tensor:
        """The rows at these positions."""
        return self.shelf.read(self.places.index_select(0, rows)).expand(-1, *self.data.shape[1:])
