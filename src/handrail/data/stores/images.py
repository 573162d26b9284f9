"""`ImageStore`: the pictures of a column, from files or arrays, as bytes in any size that is asked for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Int, UInt8
from torch import Tensor

from handrail.data.rows import Stored
from handrail.data.stores.pixels.cache import OnDisk, Shelf, canonical_array, grey_items, hashes_of, resize
from handrail.data.stores.pixels.decode import WHOLE, Seen, look
from handrail.data.stores.pixels.remarks import remarks_on
from handrail.data.stores.pixels.workers import fit_files, over_files, refuse_unreadable, require_pillow
from handrail.errors import DataError

Write = Callable[[int, bytes], None]
Reader = Callable[[np.ndarray], Mapping[str, np.ndarray]]
"What pictures show, by name, measured from their bytes `[items, channels, height, width]`."


@dataclass(frozen=True, eq=False)
class _Source:
    """Some of the items: on a `shelf` in their own size, from `first` on, else decoded from `files`."""

    names: Sequence[str] | str
    items: int
    files: Sequence[str] = ()
    shelf: Shelf | None = None
    first: int = 0

    def name(self, place: int) -> str:
        return f"image {place + 1} of {self.names}" if isinstance(self.names, str) else self.names[place]

    def write(self, places: Sequence[int], size: tuple[int, int], channels: int, write: Write) -> None:
        """Have items written in that size, from the place of the first in `places` on."""
        if self.shelf is not None:
            resize(self.shelf, [self.first + place for place in places], size, channels, write)
        elif len(places):
            fit_files(
                [self.files[place] for place in places],
                [self.name(place) for place in places],
                {"job": "fit", "size": size, "channels": channels},
                write,
                item_bytes=size[0] * size[1] * channels,
                what="pictures",
            )


class ImageStore:
    """Pictures of any sizes; `pixels` gives them all in one.

    Grey and colour with 8 bits; 16 bits are divided by 257, transparent parts stand on white, EXIF's
    orientation is applied, palettes and CMYK become colour, and of several frames the first counts. A picture
    whose three channels are equal is grey.

    sizes: `[items, 2]`, height and width. grey: `[items]`. hashes: by decoded pixels in their own size.
    remarks: what is odd in single files. reader: measures what such pictures show, where that can be known.
    """

    kind: ClassVar[str] = "image"

    def __init__(
        self,
        sources: Sequence[_Source],
        *,
        sizes: np.ndarray,
        grey: np.ndarray,
        hashes: np.ndarray,
        remarks: tuple[str, ...] = (),
        cache_in: Path | None = None,
        reader: Reader | None = None,
    ) -> None:
        self._sources, self._cache_in = tuple(sources), cache_in
        self.sizes, self.grey, self.hashes, self.remarks = sizes, grey, hashes, remarks
        self.reader = reader
        self._decoded: tuple[Any, Shelf] | None = None

    @classmethod
    def of_files(
        cls, paths: Sequence[str | Path], names: Sequence[str] | None = None, *, cache_in: Path | None = None
    ) -> "ImageStore":
        """Picture files; each is opened, checked and hashed now.

        Arguments:
            names: what messages call the files; the paths by default.
            cache_in: the folder for decoded pictures when they are many; it is a file without a name.

        Raises: `DataError` that names every file that cannot be read.
        """
        files = [str(path) for path in paths]
        names = list(names) if names is not None else files
        seen, shelf = _look_at(files, cache_in)
        refuse_unreadable(names, [file.problem for file in seen], what="pictures")
        return cls(
            [_Source(names, len(files), files, shelf)],
            sizes=np.array([(file.height, file.width) for file in seen], dtype=np.int64).reshape(-1, 2),
            grey=np.array([file.grey for file in seen], dtype=bool),
            hashes=np.array([file.hash for file in seen], dtype=np.uint64),
            remarks=remarks_on(names, seen),
            cache_in=cache_in,
        )

    @classmethod
    def of_array(
        cls, array: np.ndarray, source: str, *, cache_in: Path | None = None, reader: Reader | None = None
    ) -> "ImageStore":
        """Pictures of one size: bytes `[items, H, W]`, or with 1, 3 or 4 channels in front of H or behind W.

        Arguments:
            reader: measures what such pictures show.

        Raises: `DataError` for other shapes and types.
        """
        pixels = canonical_array(array, source)
        items, _, height, width = pixels.shape
        shelf = Shelf(items, pixels.shape[1:], folder=cache_in)
        rows = max(1, 2**24 // shelf.item_bytes)
        for start in range(0, items, rows):
            shelf.write(start, np.ascontiguousarray(pixels[start : start + rows]).tobytes())
        shelf.release()
        return cls(
            [_Source(source, items, shelf=shelf)],
            sizes=np.tile(np.array([height, width], dtype=np.int64), (items, 1)),
            grey=grey_items(pixels),
            hashes=hashes_of(pixels),
            cache_in=cache_in,
            reader=reader,
        )

    @classmethod
    def join(cls, stores: Sequence["ImageStore"]) -> "ImageStore":
        return cls(
            [source for store in stores for source in store._sources],
            sizes=np.concatenate([store.sizes for store in stores]),
            grey=np.concatenate([store.grey for store in stores]),
            hashes=np.concatenate([store.hashes for store in stores]),
            remarks=tuple(remark for store in stores for remark in store.remarks),
            cache_in=stores[0]._cache_in,
            reader=stores[0].reader,
        )

    def __len__(self) -> int:
        return len(self.sizes)

    def name(self, place: int) -> str:
        """A file's name, or 'image 17 of train-images-idx3-ubyte.gz' (counted from 1)."""
        for source in self._sources:
            if place < source.items:
                return source.name(place)
            place -= source.items
        raise IndexError(place)

    def pixels(
        self, size: tuple[int, int], channels: int, places: Sequence[int] | None = None
    ) -> UInt8[Tensor, "items c h w"]:
        """All pictures in one size: scaled until they cover it, and cut at the centre.

        They are decoded at the first call for a size and then lie in memory, or in a mapped file where they
        are more than 256 MB; `stored` is the way to read those.

        Arguments:
            size: height and width.
            channels: 1 for grey, 3 for colour.
            places: these alone, as a small tensor of their own.

        Raises: `HandrailError` when there is no room for the decoded pictures; `DataError` when a file has
        changed.
        """
        size = (size[0], size[1])  # a list will do
        if places is None:
            return self._shelf(size, channels).tensor.expand(-1, channels, -1, -1)
        if self._decoded is None or self._decoded[0] != (size, channels):
            return self._decode_some(places, size, channels)
        pixels = self._decoded[1].read(torch.as_tensor(list(places), dtype=torch.int64))
        return pixels.expand(-1, channels, -1, -1)

    def stored(self, size: tuple[int, int], channels: int, places: Int[Tensor, " rows"]) -> Stored:
        """`pixels` as rows: row i is the picture at `places[i]`. Raises: as `pixels`."""
        shelf = self._shelf((size[0], size[1]), channels)
        pixels = shelf.tensor.expand(-1, channels, -1, -1)
        return Stored(pixels, places) if shelf.in_memory else OnDisk(pixels, places, shelf)

    def release(self) -> None:
        """Let go of the memory that mapped pictures take; they are read again when they are needed."""
        for shelf in (
            *(source.shelf for source in self._sources),
            self._decoded[1] if self._decoded else None,
        ):
            if shelf:
                shelf.release()

    def _shelf(self, size: tuple[int, int], channels: int) -> Shelf:
        """The pictures in that size; grey ones may have one channel where three are asked for."""
        key = (size, channels)
        if self._decoded is None or self._decoded[0] != key:
            self._decoded = None  # its room is given back before the next is taken
            self._decoded = (key, self._decode(size, channels))
        return self._decoded[1]

    def _decode(self, size: tuple[int, int], channels: int) -> Shelf:
        first = self._sources[0].shelf
        if first and all(source.shelf is first for source in self._sources):
            items, own_channels, *own_size = first.shape
            if items == len(self) and own_channels <= channels and tuple(own_size) == size:
                return first
        shelf, start, sources = Shelf(len(self), (channels, *size), folder=self._cache_in), 0, []
        for source in self._sources:

            def write(place: int, data: bytes, first: int = start) -> None:
                shelf.write(first + place, data)

            source.write(range(source.items), size, channels, write)
            sources.append(replace(source, shelf=shelf, first=start))
            start += source.items
        shelf.release()
        if all(source.shelf and source.shelf.shape[1:] == shelf.shape[1:] for source in self._sources):
            self._sources = tuple(sources)  # they hold the same pixels: once is enough
        return shelf

    def _decode_some(self, places: Sequence[int], size: tuple[int, int], channels: int) -> Tensor:
        pixels, start = torch.empty(len(places), channels, *size, dtype=torch.uint8), 0
        for source in self._sources:
            end = start + source.items
            rows = [row for row, place in enumerate(places) if start <= place < end]

            def write(place: int, data: bytes, rows: list[int] = rows) -> None:
                part = torch.frombuffer(bytearray(data), dtype=torch.uint8).view(-1, channels, *size)
                pixels[rows[place : place + len(part)]] = part

            source.write([places[row] - start for row in rows], size, channels, write)
            start = end
        return pixels


def _look_at(files: Sequence[str], cache_in: Path | None) -> tuple[list[Seen], Shelf | None]:
    """What is in each file; and the pixels, if all have one small shape: they are decoded only once."""
    if not files:
        raise DataError("there are no pictures; expected at least one file.")
    require_pillow()
    first, _ = look(files[0])
    keep, shelf = None, None
    if not first.problem and max(first.height, first.width) <= WHOLE:
        keep = (first.height, first.width, 1 if first.grey and first.mode != "RGB" else 3)
        shelf = Shelf(len(files), (keep[2], *keep[:2]), folder=cache_in)
    seen: list[Seen] = [Seen()] * len(files)

    def use(start: int, batch: list[Any], pixels: bytes) -> None:
        nonlocal keep, shelf
        seen[start : start + len(batch)] = [Seen(*values) for values in batch]
        room = shelf  # another thread may let go of it
        if room is not None and len(pixels) == len(batch) * room.item_bytes:
            room.write(start, pixels)
        else:
            keep = shelf = None

    over_files(files, lambda: {"job": "look", "keep": keep}, use=use)
    return seen, shelf
