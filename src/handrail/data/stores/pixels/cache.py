"""Decoded items: from arrays, kept in memory or, where they are many, in a mapped scratch file, resized."""

import math
import mmap
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int, UInt8
from torch import Tensor

from handrail.data.rows import Stored
from handrail.data.stores.pixels.decode import content_hash, fit_to
from handrail.data.stores.pixels.workers import require_pillow
from handrail.errors import DataError
from handrail.tools.scratch import ScratchFile

IN_MEMORY = 256 * 2**20  # bytes
_CHUNK = 2**24  # bytes at once


class Shelf:
    """Bytes of `items` items of one `shape`.

    Arguments:
        folder: where the file is, if one is needed; the system's folder for temporary files by default.

    Raises: `HandrailError` when there is no room for the file.
    """

    def __init__(self, items: int, shape: Sequence[int], *, folder: Path | None = None) -> None:
        self.shape, self.item_bytes = (items, *shape), math.prod(shape)
        size = items * self.item_bytes
        self._file: ScratchFile | None = None
        self._room: bytearray | mmap.mmap
        if size < IN_MEMORY:
            self._room = bytearray(size)
        else:
            advice = "a smaller size (data.images.size)"
            self._file = ScratchFile(size, folder, what="the decoded pictures", advice=advice)
            self._room = mmap.mmap(self._file.descriptor, size)
        flat = torch.frombuffer(self._room, dtype=torch.uint8)
        self.tensor: UInt8[Tensor, "items ..."] = flat.view(self.shape)

    @property
    def in_memory(self) -> bool:
        return self._file is None

    def write(self, place: int, data: bytes) -> None:
        """Put items there, from `place` on; by any thread. Raises: `HandrailError` when the disk is full.

        A file is written, not the map, so that memory does not fill.
        """
        start = place * self.item_bytes
        if self._file is None:
            self._room[start : start + len(data)] = data
        else:
            self._file.write(start, data)

    def read(self, places: Int[Tensor, " n"]) -> UInt8[Tensor, "n ..."]:
        """Copies of items. A file is read, not the map: its pages bring their neighbours into memory."""
        if self._file is None or not len(places) or not hasattr(os, "preadv"):
            return self.tensor.index_select(0, places)
        items = torch.empty(len(places), *self.shape[1:], dtype=torch.uint8)
        room, size, starts = items.numpy().data.cast("B"), self.item_bytes, places.tolist()
        if starts == list(range(starts[0], starts[0] + len(starts))):
            starts, size = starts[:1], size * len(starts)  # neighbours at once
        for row, place in enumerate(starts):
            self._file.read(place * self.item_bytes, room[row * size : (row + 1) * size])
        return items

    def release(self) -> None:
        """Let the pages go that were read into memory; the system reads them again when they are needed."""
        if isinstance(self._room, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
            self._room.madvise(mmap.MADV_DONTNEED)


@dataclass(frozen=True, eq=False)
class OnDisk(Stored):
    """Rows of a shelf in a file, read when they are asked for: the others take no memory."""

    shelf: Shelf

    def take(self, rows: Int[Tensor, " n"]) -> Tensor:
        return self.shelf.read(self.places.index_select(0, rows)).expand(-1, *self.data.shape[1:])


def canonical_array(array: np.ndarray, source: str) -> np.ndarray:
    """Bytes `[items, channels, height, width]` with 1 or 3 channels; transparent parts on white.

    Raises: `DataError` for other shapes and types.
    """
    if array.dtype != np.uint8:
        raise DataError(f"{source} holds {array.dtype}; expected pictures of bytes (uint8, 0 to 255).")
    if array.ndim == 3:
        array = array[:, None]
    elif array.ndim == 4 and array.shape[-1] in (1, 3, 4):
        array = array.transpose(0, 3, 1, 2)
    if array.ndim != 4 or array.shape[1] not in (1, 3, 4) or not array.size:
        raise DataError(
            f"{source} has the shape {array.shape}; expected pictures [items, height, width], [items, "
            "height, width, channels] or [items, channels, height, width] with 1, 3 or 4 channels."
        )
    if array.shape[1] < 4:
        return array
    alpha = array[:, 3:].astype(np.uint32)
    return ((array[:, :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def grey_items(pixels: np.ndarray) -> np.ndarray:
    """For each picture whether its channels are equal."""
    grey = np.ones(len(pixels), dtype=bool)
    if pixels.shape[1] == 1:
        return grey
    rows = max(1, _CHUNK // max(1, pixels[0].size))
    for start in range(0, len(pixels), rows):
        part = pixels[start : start + rows]
        grey[start : start + rows] = (part == part[:, :1]).all(axis=(1, 2, 3))
    return grey


def hashes_of(pixels: np.ndarray) -> np.ndarray:
    """One `uint64` a picture, as `decode.look` gives for its file."""
    height, width = pixels.shape[2:]
    hashes = np.empty(len(pixels), dtype=np.uint64)
    for place, picture in enumerate(pixels):
        bands = picture[:1] if (picture == picture[:1]).all() else picture
        hashes[place] = content_hash(height, width, [band.tobytes() for band in bands])
    return hashes


def resize(
    shelf: Shelf,
    places: Sequence[int],
    size: tuple[int, int],
    channels: int,
    write: Callable[[int, bytes], None],
) -> None:
    """Have pictures of a shelf written in another size and number of channels, chunk by chunk."""
    rows = max(1, _CHUNK // max(shelf.item_bytes, size[0] * size[1] * channels))
    alike = shelf.shape[2:] == size
    if not alike and len(places):
        require_pillow()
    for start in range(0, len(places), rows):
        part = shelf.read(torch.as_tensor(list(places[start : start + rows]), dtype=torch.int64)).numpy()
        if alike:
            write(start, _convert(part, channels).tobytes())
        else:
            write(start, b"".join(_fit_to(picture, size, channels) for picture in part))


def _convert(pixels: np.ndarray, channels: int) -> np.ndarray:
    if pixels.shape[1] == channels:
        return pixels
    if channels == 3:
        return np.repeat(pixels, 3, axis=1)
    red, green, blue = (pixels[:, band].astype(np.uint32) for band in range(3))
    # ITU-R 601, as Pillow does it.
    return ((19595 * red + 38470 * green + 7471 * blue + 32768) >> 16).astype(np.uint8)[:, None]


def _fit_to(picture: np.ndarray, size: tuple[int, int], channels: int) -> bytes:
    from PIL import Image

    array = picture[0] if len(picture) == 1 else np.ascontiguousarray(picture.transpose(1, 2, 0))
    return fit_to(Image.fromarray(array), size, channels)
