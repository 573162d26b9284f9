"""Boxes in the formats of COCO, YOLO and LabelMe, and VOC's files beside pictures: named, and refused."""

import itertools
import os
import re
from collections.abc import Iterator
from pathlib import Path

from handrail.data.stores.pixels.decode import SUFFIXES
from handrail.errors import DataError

_READ = (
    "Boxes are read in the layout of Pascal VOC: pictures in JPEGImages, an XML file for each in Annotations"
)
_MOST_OF_A_FOLDER, _MOST_DEPTH, _MOST_FOLDERS, _EXAMPLES = 1000, 3, 50, 5
_START = 65_536  # bytes of a file that are looked at
_COCO_KEYS = (b'"images"', b'"annotations"', b'"categories"', b'"image_id"', b'"bbox"', b'"file_name"')
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_YOLO_LINE = re.compile(rf"\d+(?:\s+{_NUMBER}){{4,}}\s*")
_WORDS = {
    "COCO": "one JSON file with lists of images, annotations and categories",
    "LabelMe": "a JSON file a picture, with the corners of its shapes",
    "YOLO": "a text file a picture, a line an object: class, centre and size as shares of the picture",
}


def refuse_foreign_boxes(folder: Path) -> None:
    """Look whether a folder holds pictures with boxes in a format that is not read.

    Raises: `DataError` that names the format, the file that tells it, and the format that is read.
    """
    pictures: set[str] = set()
    others: dict[str, list[Path]] = {".txt": [], ".json": [], ".xml": []}
    for place, name in _files(folder):
        stem, suffix = os.path.splitext(name)  # noqa: PTH122 (many files)
        if suffix.lower() in SUFFIXES:
            pictures.add(stem)
        elif suffix.lower() in others:
            others[suffix.lower()].append(Path(place, name))
    coco = next((path for path in others[".json"][:_EXAMPLES] if _is_coco(path)), None)
    if coco is not None:
        raise DataError(_describe("COCO", folder, coco))
    polygons = [path for path in others[".json"] if path.stem in pictures][:_EXAMPLES]
    if polygons and all(b'"shapes"' in _start(path) for path in polygons):
        raise DataError(_describe("LabelMe", folder, polygons[0]))
    beside = [path for path in others[".txt"] if path.stem in pictures or "labels" in path.parts]
    if beside and _are_yolo(beside):
        raise DataError(_describe("YOLO", folder, beside[0]))
    voc = next((path for path in others[".xml"][:_EXAMPLES] if b"<annotation" in _start(path)), None)
    if voc is not None:
        _refuse_voc(folder, voc)


def refuse_boxes_file(path: Path) -> None:
    """Raises: `DataError` for a file of COCO's or YOLO's boxes, which is no table."""
    if path.suffix.lower() == ".json" and _is_coco(path):
        raise DataError(_describe("COCO", path.parent, path))
    if path.suffix.lower() == ".txt" and "labels" in path.parts and _are_yolo([path]):
        raise DataError(_describe("YOLO", path.parent, path))


def _refuse_voc(folder: Path, told_by: Path) -> None:
    """Raises: `DataError` for files of Pascal VOC that are not in its layout, or whose folder is another."""
    above = told_by.parent.parent
    found = f"{folder} holds pictures with boxes in files of Pascal VOC ({_below(told_by, folder)})"
    if (above / "JPEGImages").is_dir() and told_by.parent.name == "Annotations":
        raise DataError(f"{found}; name the folder that holds JPEGImages and Annotations itself: {above}.")
    raise DataError(f"{found}, but not in its layout. {_READ}; move them there.")


def _describe(name: str, folder: Path, told_by: Path) -> str:
    found = f"{folder} holds boxes in the format of {name} ({_below(told_by, folder)}): {_WORDS[name]}"
    return f"{found}. This format is not read yet. {_READ}; convert the files to it."


def _is_coco(path: Path) -> bool:
    """Whether a JSON file begins as COCO's annotations do, wherever in them."""
    start = _start(path)
    keys = [key for key in _COCO_KEYS if key in start]
    named = path.name.lower().endswith(".coco.json")
    return start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") and (named or len(keys) >= 2)


def _are_yolo(paths: list[Path]) -> bool:
    """Whether every line of some files is a class and at least four numbers."""
    lines: list[str] = []
    for path in paths[: 10 * _EXAMPLES]:
        text = _start(path).decode("utf-8", errors="replace")
        whole = text if len(text) < _START else text.rpartition("\n")[0]
        lines += [line.strip() for line in whole.splitlines() if line.strip()]
        if len(lines) >= _EXAMPLES:
            break
    return bool(lines) and all(_YOLO_LINE.fullmatch(line) for line in lines)


def _files(folder: Path) -> Iterator[tuple[str, str]]:
    """Some files of a folder and its folders; what cannot be listed is told by its reader."""
    for place, folders, names in itertools.islice(os.walk(folder), _MOST_FOLDERS):
        deep = len(Path(place).relative_to(folder).parts) >= _MOST_DEPTH
        folders[:] = [] if deep else sorted(name for name in folders if not name.startswith("."))
        for name in itertools.islice(sorted(names), _MOST_OF_A_FOLDER):
            if not name.startswith("."):
                yield place, name


def _start(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_START) if path.is_file() else b""
    except OSError:
        return b""


def _below(path: Path, folder: Path) -> str:
    return str(path.relative_to(folder)).replace(os.sep, "/")
