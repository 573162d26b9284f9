"""Pictures with boxes in the layout of Pascal VOC: JPEGImages, Annotations and lists in ImageSets/Main."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import polars as pl

from handrail.data.raw_files import decode
from handrail.data.stores.boxes import BoxStore
from handrail.data.stores.images import ImageStore
from handrail.data.stores.pixels.decode import SUFFIXES
from handrail.data.stores.store import place_column
from handrail.data.table import Table
from handrail.errors import DataError
from handrail.tools.words import list_some

_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_LISTS = {"train": 0, "val": 1, "test": 2}


@dataclass
class Annotation:
    """The boxes of one picture. size: height and width, or None if not given."""

    corners: list[list[float]] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    size: tuple[int, int] | None = None


def is_voc(folder: Path) -> bool:
    """Whether a folder has the layout."""
    return (folder / "JPEGImages").is_dir() and (folder / "Annotations").is_dir()


def read_annotation(path: Path) -> Annotation:
    """One file of Annotations.

    Raises: `DataError` when it is no XML, or a box lacks its name or a corner.
    """
    try:
        # Expat from 2.4.1 on stops entity bombs, and nothing outside is loaded.
        root = ElementTree.fromstring(path.read_bytes())  # noqa: S314
    except (ElementTree.ParseError, OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as XML: {error}.") from None
    annotation = Annotation()
    height, width = (_number(root.findtext(f"size/{side}")) for side in ("height", "width"))
    if height and width:
        annotation.size = (int(height), int(width))
    for number, item in enumerate(root.iter("object"), start=1):
        corners = [_number(item.findtext(f"bndbox/{corner}")) for corner in _CORNERS]
        label = (item.findtext("name") or "").strip()
        if not label or None in corners:
            lacks = "a name" if not label else f"a number for {_CORNERS[corners.index(None)]}"
            raise DataError(
                f"{path}: object {number} lacks {lacks}; expected name and bndbox with {', '.join(_CORNERS)}."
            )
        annotation.corners.append([corner for corner in corners if corner is not None])
        annotation.labels.append(label)
    return annotation


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if np.isfinite(value) else None


def read_voc(folder: Path, *, cache_in: Path | None = None) -> Table:
    """Columns `image` and `boxes`; parts from the lists train.txt, val.txt and test.txt where they are there.

    Raises: `DataError` with every file that cannot be read or does not fit the others.
    """
    files, written = (
        sorted(path for path in (folder / name).iterdir() if not path.name.startswith("."))
        for name in ("JPEGImages", "Annotations")
    )
    pictures = {path.stem: path for path in files if path.suffix.lower() in SUFFIXES}
    annotations = {path.stem: path for path in written if path.suffix == ".xml"}
    alone = [path.name for stem, path in annotations.items() if stem not in pictures]
    if alone:
        raise DataError([f"{name} in Annotations has no picture in JPEGImages." for name in alone[:20]])
    parts = _read_parts(folder, pictures)
    stems = [stem for stem in pictures if stem in annotations and (not parts or stem in parts)]
    listed_in = f" in {_count(parts, stems)}" if parts else ""
    notes = [f"Pascal VOC layout: {len(stems):,} pictures with boxes{listed_in}"]
    bare = [path.name for stem, path in pictures.items() if stem not in annotations]
    if bare:
        notes.append(
            f"{len(bare):,} pictures have no file in Annotations and are left out: {list_some(bare)}."
        )
    with_boxes = {stem: path for stem, path in pictures.items() if stem in annotations}
    unlisted = [path.name for stem, path in with_boxes.items() if parts and stem not in parts]
    if unlisted:
        where = "are in no list of ImageSets/Main and are left out"
        notes.append(f"{len(unlisted):,} pictures {where}: {list_some(unlisted)}.")
    if not stems:
        raise DataError(
            f"{folder} has the Pascal VOC layout, but no picture with an annotation; expected "
            "JPEGImages/A.jpg and Annotations/A.xml."
        )
    names = [pictures[stem].name for stem in stems]
    images = ImageStore.of_files([pictures[stem] for stem in stems], names, cache_in=cache_in)
    boxes = _boxes([annotations[stem] for stem in stems], images, names)
    return Table(
        pl.DataFrame([place_column("image", len(stems)), place_column("boxes", len(stems))]),
        folder.name,
        notes=(*notes, *images.remarks, *boxes.remarks),
        namer=names.__getitem__,
        stores={"image": images, "boxes": boxes},
        parts=np.array([parts[stem] for stem in stems], dtype=np.int64) if parts else None,
        target="boxes",
    )


def _boxes(files: list[Path], images: ImageStore, names: list[str]) -> BoxStore:
    annotations, problems = [], []
    for place, path in enumerate(files):
        try:
            annotations.append(read_annotation(path))
        except DataError as error:
            problems += error.problems
            continue
        height, width = (int(side) for side in images.sizes[place])
        size = annotations[-1].size
        if size and size != (height, width):
            problems.append(
                f"{path.name} says that {names[place]} is {size[1]} × {size[0]} pixels, and it is {width} × "
                f"{height}: its boxes would be misplaced."
            )
    if problems:
        raise DataError(problems[:20])
    return BoxStore(
        [np.array(one.corners, dtype=np.float32).reshape(-1, 4) for one in annotations],
        [one.labels for one in annotations],
        sizes=images.sizes,
        names=names,
    )


def _read_parts(folder: Path, pictures: Mapping[str, Path]) -> dict[str, int]:
    """The part of each picture in a list. Raises: `DataError` for a missing picture, or one of two parts."""
    parts: dict[str, int] = {}
    problems = []
    for name, part in _LISTS.items():
        path = folder / "ImageSets" / "Main" / f"{name}.txt"
        for line in decode(path.read_bytes(), path.name)[0].split("\n") if path.is_file() else ():
            stem = line.split()[0] if line.strip() else ""
            if stem and stem not in pictures:
                problems.append(f"{path.name} in ImageSets/Main names '{stem}', which is not in JPEGImages.")
            elif stem and parts.setdefault(stem, part) != part:
                problems.append(f"'{stem}' is in two lists of ImageSets/Main; a picture belongs to one part.")
    if problems:
        raise DataError(problems[:20])
    return parts if set(parts.values()) != {0} else {}


def _count(parts: Mapping[str, int], stems: list[str]) -> str:
    counts = {name: sum(parts[stem] == part for stem in stems) for name, part in _LISTS.items()}
    return ", ".join(f"{name} {count:,}" for name, count in counts.items() if count)
