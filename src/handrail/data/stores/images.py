"""`ImageStore`: the pictures of a column, from files or arrays, as bytes in whatever size a network asks for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Int, UInt8
from torch import Tensor

from handrail.data.rows import Stored
from handrail.data.stores.pixels.arrays import canonical_array, grey_items, hashes_of, resized
from handrail.data.stores.pixels.cache import OnDisk, Shelf
from handrail.data.stores.pixels.decode import WHOLE, Seen, look
from handrail.data.stores.pixels.remarks import remarks_on
from handrail.data.stores.pixels.workers import over_files, require_pillow
from handrail.errors import DataError

_REPORTED = 20  # mistakes


@dataclass(frozen=True, eq=False)
class _Source:
    """Some of the items. Where `shelf` is there, it holds them in their own size, from `first` on; else the
    files are decoded.
    """

    names: Sequence[str] | str
    items: int
    files: Sequence[str] = ()
    shelf: Shelf | None = None
    first: int = 0

    def name(self, place: int) -> str:
        """Of the item at that place of this source."""
        return f"image {place + 1} of {self.names}" if isinstance(self.names, str) else self.names[place]


class ImageStore:
    """Pictures of any sizes; `pixels` gives them all in one.

    Grey and colour with 8 bits; 16 bits are divided by 257, transparent parts stand on white, EXIF's
    orientation is applied, palettes and CMYK become colour, and of several frames the first counts. A picture
    whose three channels are equal is grey.

    sizes: `[items, 2]`, height and width. grey: `[items]`. hashes: by decoded pixels in their own size.
    remarks: what is odd in single files.
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
    ) -> None:
        self._sources, self._cache_in = tuple(sources), cache_in
        self.sizes, self.grey, self.remarks = sizes, grey, remarks
        self._hashes = hashes
        self._made: tuple[Any, Shelf] | None = None

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
        called = list(names) if names is not None else files
        seen, shelf = _looked_at(files, cache_in)
        refuse_unreadable(called, [file.problem for file in seen], what="pictures")
        return cls(
            [_Source(called, len(files), files, shelf)],
            sizes=np.array([(file.height, file.width) for file in seen], dtype=np.int64).reshape(-1, 2),
            grey=np.array([file.grey for file in seen], dtype=bool),
            hashes=np.array([file.hash for file in seen], dtype=np.uint64),
            remarks=remarks_on(called, seen),
            cache_in=cache_in,
        )

    @classmethod
    def of_array(cls, array: np.ndarray, source: str, *, cache_in: Path | None = None) -> "ImageStore":
        """Pictures of one size: bytes `[items, H, W]`, `[items, H, W, C]` or `[items, C, H, W]` with 1, 3 or
        4 channels.

        Raises: `DataError` for other shapes and types.
        """
        pixels = canonical_array(array, source)
        items, _, height, width = pixels.shape
        shelf = Shelf(items, pixels.shape[1:], folder=cache_in)
        _copy(pixels, shelf)
        return cls(
            [_Source(source, items, shelf=shelf)],
            sizes=np.tile(np.array([height, width], dtype=np.int64), (items, 1)),
            grey=grey_items(pixels),
            hashes=hashes_of(pixels),
            cache_in=cache_in,
        )

    @classmethod
    def joined(cls, stores: Sequence["ImageStore"]) -> "ImageStore":
        """Several stores, one behind the other."""
        return cls(
            [source for store in stores for source in store._sources],
            sizes=np.concatenate([store.sizes for store in stores]),
            grey=np.concatenate([store.grey for store in stores]),
            hashes=np.concatenate([store.hashes for store in stores]),
            remarks=tuple(remark for store in stores for remark in store.remarks),
            cache_in=stores[0]._cache_in,
        )

    @property
    def hashes(self) -> np.ndarray:
        """One `uint64` an item, by shape and pixels."""
        return self._hashes

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
        if self._made is None or self._made[0] != (size, channels):
            return self._some(places, size, channels)
        return (
            self._made[1].read(torch.as_tensor(list(places), dtype=torch.int64)).expand(-1, channels, -1, -1)
        )

    def stored(self, size: tuple[int, int], channels: int, places: Int[Tensor, " rows"]) -> Stored:
        """`pixels` as rows: row i is the picture at `places[i]`. Raises: as `pixels`."""
        shelf = self._shelf((size[0], size[1]), channels)
        pixels = shelf.tensor.expand(-1, channels, -1, -1)
        return Stored(pixels, places) if shelf.in_memory else OnDisk(pixels, places, shelf)

    def release(self) -> None:
        """Let go of the memory that mapped pictures take; they are read from disk again when they are needed."""
        for shelf in (*(source.shelf for source in self._sources), self._made[1] if self._made else None):
            if shelf:
                shelf.release()

    def _shelf(self, size: tuple[int, int], channels: int) -> Shelf:
        """The pictures in that size; grey ones may have one channel where three are asked for."""
        key = (size, channels)
        if self._made is None or self._made[0] != key:
            self._made = None  # its room is given back before the next is taken
            self._made = (key, self._make(size, channels))
        return self._made[1]

    def _make(self, size: tuple[int, int], channels: int) -> Shelf:
        first = self._sources[0].shelf
        shared = (
            first is not None
            and first.shape[0] == len(self)
            and all(source.shelf is first for source in self._sources)
        )
        if first and shared and first.shape[2:] == size and first.shape[1] <= channels:
            return first
        shelf, start, sources = Shelf(len(self), (channels, *size), folder=self._cache_in), 0, []
        for source in self._sources:
            _fill(
                source,
                range(source.items),
                size,
                channels,
                lambda place, data, at=start: shelf.write(at + place, data),
            )
            sources.append(replace(source, shelf=shelf, first=start))
            start += source.items
        shelf.release()
        if all(source.shelf and source.shelf.shape[1:] == shelf.shape[1:] for source in self._sources):
            self._sources = tuple(sources)  # they hold the same pixels: once is enough
        return shelf

    def _some(self, places: Sequence[int], size: tuple[int, int], channels: int) -> Tensor:
        found, start = torch.empty(len(places), channels, *size, dtype=torch.uint8), 0
        for source in self._sources:
            here = [
                (row, place - start)
                for row, place in enumerate(places)
                if start <= place < start + source.items
            ]
            rows = [row for row, _ in here]

            def write(place: int, data: bytes, rows: list[int] = rows) -> None:
                part = torch.frombuffer(bytearray(data), dtype=torch.uint8).view(-1, channels, *size)
                found[rows[place : place + len(part)]] = part

            _fill(source, [place for _, place in here], size, channels, write)
            start += source.items
        return found


def _looked_at(files: Sequence[str], cache_in: Path | None) -> tuple[list[Seen], Shelf | None]:
    """What is in each file; and the pixels, if the pictures are alike and small."""
    if not files:
        raise DataError("there are no pictures; expected at least one file.")
    keeper = _Keeper(files, cache_in)
    seen: list[Seen] = [Seen()] * len(files)

    def use(start: int, found: list[Any], pixels: bytes) -> None:
        seen[start : start + len(found)] = [Seen(*values) for values in found]
        keeper.take(start, len(found), pixels)

    over_files(files, keeper.job, use=use)
    return seen, keeper.shelf


class _Keeper:
    """Keeps pixels while all pictures have the shape of the first one, so that small ones alike are decoded
    only once.
    """

    def __init__(self, files: Sequence[str], cache_in: Path | None) -> None:
        require_pillow()
        first, _ = look(files[0])
        self.keep, self.shelf = None, None
        if not first.problem and max(first.height, first.width) <= WHOLE:
            colour = 1 if first.grey and first.mode != "RGB" else 3
            self.keep = (first.height, first.width, colour)
            self.shelf = Shelf(len(files), (colour, first.height, first.width), folder=cache_in)

    def job(self) -> dict[str, Any]:
        return {"job": "look", "keep": self.keep}

    def take(self, start: int, items: int, pixels: bytes) -> None:
        shelf = self.shelf
        if shelf is None:
            return
        if len(pixels) == items * shelf.item_bytes:
            shelf.write(start, pixels)
        else:
            self.keep = self.shelf = None


def _fill(
    source: _Source,
    places: Sequence[int],
    size: tuple[int, int],
    channels: int,
    write: Callable[[int, bytes], None],
) -> None:
    """Have items of a source written in that size, from the place of the first in `places` on."""
    if not len(places):
        return
    if source.shelf is not None:
        resized(source.shelf, [source.first + place for place in places], size, channels, write)
        return
    files = [source.files[place] for place in places]
    problems: dict[int, str] = {}

    def use(start: int, found: list[Any], pixels: bytes) -> None:
        problems.update({start + row: values[0] for row, values in enumerate(found) if values[0]})
        write(start, pixels)

    over_files(
        files,
        lambda: {"job": "fit", "size": size, "channels": channels},
        use=use,
        item_bytes=size[0] * size[1] * channels,
    )
    refuse_unreadable(
        [source.name(place) for place in places],
        [problems.get(row, "") for row in range(len(places))],
        what="pictures",
    )


def _copy(pixels: np.ndarray, shelf: Shelf) -> None:
    rows = max(1, 2**24 // shelf.item_bytes)
    for start in range(0, len(pixels), rows):
        shelf.write(start, np.ascontiguousarray(pixels[start : start + rows]).tobytes())
    shelf.release()


def refuse_unreadable(names: Sequence[str], problems: Sequence[str], *, what: str) -> None:
    """Raises: `DataError` with every file that has a problem (the first twenty by name)."""
    found = [f"{name} {problem}." for name, problem in zip(names, problems, strict=True) if problem]
    if not found:
        return
    more = f"And {len(found) - _REPORTED:,} files more. " if len(found) > _REPORTED else ""
    advice = f"{more}{len(found):,} of {len(names):,} {what} cannot be used; replace or remove {'it' if len(found) == 1 else 'them'}."
    *first, last = found[:_REPORTED]
    raise DataError([*first, f"{last} {advice}"])
