"""`BoxStore`: for each picture, the objects in it with their boxes."""

import hashlib
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from handrail.tools.words import list_some


class BoxStore:
    """Boxes (xmin, ymin, xmax, ymax) in pixels of the original picture, and the class of each.

    An empty box (xmax ≤ xmin or ymax ≤ ymin, also once it is cut at the picture's edges) is left out, and
    `remarks` name it.

    Arguments:
        corners: an array `[n, 4]` for each picture.
        labels: the name of the class of each box, for each picture.
        sizes: height and width of each picture.
        names: what messages call the pictures.
        classes: the names of all classes, in the order of their codes; by default those found, sorted.
    """

    kind: ClassVar[str] = "boxes"

    def __init__(
        self,
        corners: Sequence[np.ndarray],
        labels: Sequence[Sequence[str]],
        *,
        sizes: np.ndarray,
        names: Sequence[str],
        classes: Sequence[str] | None = None,
        remarks: tuple[str, ...] = (),
    ) -> None:
        self.sizes = np.asarray(sizes, dtype=np.int64).reshape(-1, 2)
        self._names = list(names)
        known = {label for item in labels for label in item}
        self.classes = tuple(classes) if classes is not None else tuple(sorted(known))
        codes = {label: code for code, label in enumerate(self.classes)}
        self._items: list[tuple[np.ndarray, np.ndarray]] = []
        empty, cut = [], []
        for place, (boxes, box_labels) in enumerate(zip(corners, labels, strict=True)):
            height, width = self.sizes[place]
            original = np.asarray(boxes, dtype=np.float32).reshape(-1, 4)
            inside = original.clip(0, np.array([width, height, width, height], dtype=np.float32))
            valid = (inside[:, 2] > inside[:, 0]) & (inside[:, 3] > inside[:, 1])
            empty += [f"{self._names[place]} ({box_labels[int(box)]})" for box in np.flatnonzero(~valid)]
            cut += [self._names[place]] * bool((inside != original)[valid].any())
            box_codes = np.array([codes[label] for label in box_labels], dtype=np.int64)
            self._items.append((inside[valid], box_codes[valid]))
        self.remarks = (*remarks, *_remarks_on(empty, cut))

    @classmethod
    def join(cls, stores: Sequence["BoxStore"]) -> "BoxStore":
        """One behind the other; classes are matched by name."""
        classes = sorted({name for store in stores for name in store.classes})
        return cls(
            [boxes for store in stores for boxes, _ in store._items],
            [[store.classes[code] for code in codes] for store in stores for _, codes in store._items],
            sizes=np.concatenate([store.sizes for store in stores]),
            names=[name for store in stores for name in store._names],
            classes=classes,
            remarks=tuple(remark for store in stores for remark in store.remarks),
        )

    @property
    def hashes(self) -> np.ndarray:
        """One `uint64` an item, by boxes and class names in whatever order."""
        return np.array([self._hash(place) for place in range(len(self))], dtype=np.uint64)

    def __len__(self) -> int:
        return len(self._items)

    def name(self, place: int) -> str:
        return self._names[place]

    def boxes(self, place: int) -> tuple[np.ndarray, np.ndarray]:
        """Boxes `[n, 4]` (float32) and codes `[n]` (int64, places in `classes`) of a picture; n may be 0."""
        return self._items[place]

    def classes_of(self, places: Sequence[int]) -> tuple[str, ...]:
        """The names of the classes that these pictures have: of training rows, say."""
        codes = {int(code) for place in places for code in self._items[place][1]}
        return tuple(self.classes[code] for code in sorted(codes))

    def _hash(self, place: int) -> int:
        boxes, codes = self._items[place]
        lines = sorted(f"{self.classes[code]} {box.tolist()}" for box, code in zip(boxes, codes, strict=True))
        digest = hashlib.blake2b("\n".join(("boxes", *lines)).encode(), digest_size=8).digest()
        return int.from_bytes(digest, "little")


def _remarks_on(empty: Sequence[str], cut: Sequence[str]) -> list[str]:
    remarks = []
    if empty:
        remarks.append(f"{len(empty):,} empty boxes are left out: {list_some(empty)}.")
    if cut:
        remarks.append(
            f"boxes of {len(cut):,} pictures reach beyond the edge and are cut there: {list_some(cut)}."
        )
    return remarks
