"""`MaskStore`: for each picture, the class of every pixel."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from handrail.data.stores.pixels.cache import Shelf
from handrail.data.stores.pixels.decode import UnreadableError
from handrail.data.stores.pixels.mask_decode import (
    GREY,
    MOST_LEVELS,
    SeenMask,
    describe,
    fit_values,
    grey_values,
    palette_of,
)
from handrail.data.stores.pixels.workers import fit_files, over_files, refuse_unreadable
from handrail.errors import DataError

Item = str | UInt8[np.ndarray, "h w"]
_KINDS = {"palette": "with a palette", "deep": "with 16 bits", "colour": "in grey or colour"}


class MaskStore:
    """Masks from files or arrays: each different value is a class, palette index, grey level or colour.

    sizes: `[items, 2]`, height and width. hashes: by values in their own size. levels: the different values
    in order, as numbers: `labels` gives their places, so that 0 and 255 become 0 and 1.

    Arguments:
        items: for each mask the path of its file, or its grey levels.
        names: what messages call them.
        seen: what they hold.
        cache_in: as for `ImageStore.of_files`.
    """

    kind: ClassVar[str] = "mask"

    def __init__(
        self,
        items: Sequence[Item],
        names: Sequence[str],
        seen: Sequence[SeenMask],
        *,
        cache_in: Path | None = None,
    ) -> None:
        self._items, self._names, self._seen, self._cache_in = list(items), list(names), list(seen), cache_in
        self.sizes = np.array([(mask.height, mask.width) for mask in seen], dtype=np.int64)
        self.remarks: tuple[str, ...] = ()
        self._decoded: tuple[Any, Shelf] | None = None
        _refuse_mixed(names, seen)
        self._raw = self.values_in(range(len(seen)))
        if len(self._raw) > MOST_LEVELS:
            raise DataError(
                f"the masks have {len(self._raw):,} different values in all; a mask has one value a class, "
                f"at most {MOST_LEVELS}. Save them with one value a class."
            )

    @classmethod
    def of_files(
        cls, paths: Sequence[str | Path], names: Sequence[str] | None = None, *, cache_in: Path | None = None
    ) -> "MaskStore":
        """Mask files; each is opened and checked now. Arguments as for `ImageStore.of_files`.

        Raises: `DataError` that names every file that cannot be read or is no mask.
        """
        files = [str(path) for path in paths]
        names = list(names) if names is not None else files
        seen = [SeenMask()] * len(files)

        def use(start: int, batch: list[Any], _: bytes) -> None:
            masks = [SeenMask(*values[:-2], *map(tuple, values[-2:])) for values in batch]
            seen[start : start + len(batch)] = masks

        over_files(files, lambda: {"job": "look at masks"}, use=use)
        refuse_unreadable(names, [mask.problem for mask in seen], what="masks")
        return cls(files, names, seen, cache_in=cache_in)

    @classmethod
    def of_array(
        cls, array: UInt8[np.ndarray, "items h w"], source: str, *, cache_in: Path | None = None
    ) -> "MaskStore":
        """Masks of one size, whose values count as grey levels of files do.

        Raises: `DataError` for more values than classes may be.
        """
        names = [f"mask {place + 1} of {source}" for place in range(len(array))]
        seen = [describe("colour", grey_values(mask)) for mask in array]
        refuse_unreadable(names, [mask.problem for mask in seen], what="masks")
        return cls(list(array), names, seen, cache_in=cache_in)

    @classmethod
    def join(cls, stores: Sequence["MaskStore"]) -> "MaskStore":
        return cls(
            [item for store in stores for item in store._items],
            [name for store in stores for name in store._names],
            [mask for store in stores for mask in store._seen],
            cache_in=stores[0]._cache_in,
        )

    @property
    def hashes(self) -> np.ndarray:
        return np.array([mask.hash for mask in self._seen], dtype=np.uint64)

    @property
    def levels(self) -> tuple[int, ...]:
        """The different values of all masks, in order."""
        return self.as_written(self._raw)

    def __len__(self) -> int:
        return len(self._seen)

    def name(self, place: int) -> str:
        return self._names[place]

    def classes_of(self, places: Sequence[int]) -> tuple[str, ...]:
        """The classes in some masks, by the values that stand for them."""
        return self._names_of(self.values_in(places))

    def pixels_of(self, places: Sequence[int]) -> dict[str, int]:
        """How many pixels each of the classes of some masks has, in order, in the masks' own size."""
        counts: Counter[int] = Counter()
        for place in places:
            counts.update(dict(zip(self._seen[place].levels, self._seen[place].counts, strict=True)))
        values = sorted(counts)
        return {name: counts[value] for name, value in zip(self._names_of(values), values, strict=True)}

    def written_as(self, places: Sequence[int]) -> dict[str, Any]:
        """How these masks are written, so that answers can be: `kind` and, where they have one, `palette`.

        Raises: `DataError` when the file has become unreadable.
        """
        kind, item = self._seen[0].kind, self._items[places[0]]
        try:
            palette = palette_of(item) if kind == "palette" and isinstance(item, str) else []
        except UnreadableError as error:
            raise DataError(f"{self._names[places[0]]} {error}.") from None
        return {"kind": kind, "palette": palette}

    def _names_of(self, values: Sequence[int]) -> tuple[str, ...]:
        return tuple(
            f"#{value:06x}" if self._is_colour(value) else str(written)
            for value, written in zip(values, self.as_written(values), strict=True)
        )

    def values_in(self, places: Sequence[int] | range) -> tuple[int, ...]:
        """The different values of some masks (of training rows, say), in order, as `labels` takes them."""
        return tuple(sorted({level for place in places for level in self._seen[place].levels}))

    def as_written(self, values: Sequence[int]) -> tuple[int, ...]:
        """Values as a person knows them: 255 and not 0xFFFFFF for white, 0x800000 for a dark red."""
        of_pixels = self._seen[0].kind == "colour"
        return tuple(value // GREY if of_pixels and not self._is_colour(value) else value for value in values)

    def _is_colour(self, value: int) -> bool:
        return self._seen[0].kind == "colour" and value % GREY != 0

    def labels(
        self,
        size: tuple[int, int],
        places: Sequence[int] | None = None,
        *,
        values: Sequence[int] | None = None,
    ) -> UInt8[Tensor, "items h w"]:
        """The class of every pixel, cut as `ImageStore.pixels` cuts pictures, with the nearest pixel's value.

        Arguments:
            size: height and width.
            places: these alone; all by default.
            values: classes as `values_in` gives them, by default all; a value that is none of them becomes
                255.
        """
        known = [int(value) for value in (self._raw if values is None else values)]
        key = (tuple(size), tuple(known))
        if self._decoded is None or self._decoded[0] != key:
            if places is not None:
                return self._decode(places, size, known).tensor
            self._decoded = None
            self._decoded = (key, self._decode(range(len(self)), size, known))
        labels = self._decoded[1].tensor
        return labels if places is None else labels[torch.as_tensor(list(places), dtype=torch.int64)]

    def release(self) -> None:
        """Let go of the memory that mapped masks take."""
        if self._decoded:
            self._decoded[1].release()

    def _decode(self, places: Sequence[int] | range, size: tuple[int, int], known: list[int]) -> Shelf:
        shelf = Shelf(len(places), size, folder=self._cache_in)
        files: dict[int, str] = {}  # by row
        for row, place in enumerate(places):
            item = self._items[place]
            if isinstance(item, str):
                files[row] = item
            else:
                shelf.write(row, fit_values(grey_values(item), size, known))
        if files:
            names = [self._names[places[row]] for row in files]
            _fit_into(shelf, files, names, {"job": "fit masks", "size": size, "levels": known})
        return shelf


def _fit_into(shelf: Shelf, files: Mapping[int, str], names: Sequence[str], request: dict[str, Any]) -> None:
    """Have the masks of files written to their rows of a shelf."""
    rows, item_bytes = list(files), shelf.item_bytes

    def write(first: int, data: bytes) -> None:
        for start in range(0, len(data), item_bytes):
            shelf.write(rows[first + start // item_bytes], data[start : start + item_bytes])

    fit_files(list(files.values()), names, request, write, item_bytes=item_bytes, what="masks")


def _refuse_mixed(names: Sequence[str], seen: Sequence[SeenMask]) -> None:
    kinds = []
    for kind, description in _KINDS.items():
        files = [name for name, mask in zip(names, seen, strict=True) if mask.kind == kind]
        if files:
            kinds.append(f"{len(files):,} {description} ({files[0]})")
    if len(kinds) > 1:
        raise DataError(
            f"the masks are of several kinds: {', '.join(kinds)}; their values cannot be compared. Save all "
            "in one way."
        )
