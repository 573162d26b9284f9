"""How the files of a folder lie: a folder a class, pictures beside masks, or all in one; in parts or not."""

import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from handrail.data.stores.pixels.decode import SUFFIXES
from handrail.errors import DataError

KINDS = {**dict.fromkeys(SUFFIXES, "image"), ".wav": "sound", ".wave": "sound", ".txt": "text"}
WORDS = {"image": "pictures", "sound": "sounds", "text": "texts"}
PART_FOLDERS = {
    **dict.fromkeys(("train", "training"), 0),
    **dict.fromkeys(("val", "valid", "validation", "dev"), 1),
    **dict.fromkeys(("test", "testing"), 2),
}
_TABLES = (
    ".csv",
    ".tsv",
    ".data",
    ".json",
    ".jsonl",
    ".parquet",
    ".npz",
    ".npy",
    ".db",
    ".sqlite",
    ".arrow",
    ".feather",
    ".arff",
)
_IMAGE_FOLDERS, _MASK_FOLDERS = ("image", "images"), ("label", "labels", "mask", "masks")
_SKIPPED = re.compile(
    r"\.|~|thumbs\.db$|desktop\.ini$|__macosx$|(sha(1|256|512)|md5)(sums?)?(\.txt)?$|checksums?(\.txt)?$"
    r"|(licen[cs]e|copying|readme|citation|notice|changelog)([-_.][\w.-]*)?$",
    re.IGNORECASE,
)
UNDERSTOOD = (
    "Understood are: a folder a class (cats/1.jpg, dogs/2.jpg; also .wav or .txt), such folders in train, "
    "val and test; images beside "
    "masks of the same names (image/1.png, label/1.png); Pascal VOC (JPEGImages, Annotations); MNIST's four "
    "IDX files; UCR's "
    "NAME_TRAIN.ts and NAME_TEST.ts; files whose names have equally many parts (3_anna_17.wav). For anything "
    "else write a table with "
    "a column of paths."
)


@dataclass
class Item:
    """A file with what its place says about it. mask: the file beside it that holds the classes of its
    pixels.
    """

    path: str
    name: str
    label: str | None = None
    mask: str | None = None


@dataclass
class Layout:
    """What a folder holds. kind: of the files; how: in words; labels: where they come from, `class`, `mask`
    or nothing.
    """

    kind: str
    how: str
    target: str | None
    items: list[Item]
    notes: list[str] = field(default_factory=list)


def natural(name: str) -> list[tuple[int, int, str]]:
    """A key that puts 2.png before 10.png."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", name)]


def entries(folder: Path) -> tuple[list[Path], list[Path]]:
    """Folders and files in a folder that count, in natural order. Raises: `DataError` when it cannot be read."""
    try:
        found = sorted(
            (path for path in folder.iterdir() if not _SKIPPED.match(path.name)),
            key=lambda path: natural(path.name),
        )
        return [path for path in found if path.is_dir()], [path for path in found if path.is_file()]
    except OSError as error:
        _refuse(error)


def layout(folder: Path, root: Path) -> Layout:
    """How the files of one part lie.

    Raises: `DataError` that says what was found and what is understood.
    """
    folders, files = entries(folder)
    if not folders and not files:
        raise DataError(f"{folder} holds nothing that can be read. {UNDERSTOOD}")
    by_name = {path.name.lower(): path for path in folders}
    images = next((by_name[name] for name in _IMAGE_FOLDERS if name in by_name), None)
    masks = next((by_name[name] for name in _MASK_FOLDERS if name in by_name), None)
    if images and masks and len(folders) == 2 and not files:
        return _beside(images, masks, root)
    tables = [path for path in files if path.suffix.lower() in _TABLES or len(files) == 1]
    if tables and not folders and KINDS.get(tables[0].suffix.lower()) not in ("image", "sound"):
        raise DataError(
            f"{folder} is a folder with {_by_suffix(files)}. To read a table or a text, name the file "
            f"itself: {tables[0]}."
        )
    if folders and files:
        raise DataError(
            f"{folder} holds {len(folders):,} folders ({_some([path.name for path in folders])}) and beside "
            f"them {_by_suffix(files)}. {UNDERSTOOD}"
        )
    if not folders:
        paths = [str(path) for path in files]
        return Layout(
            _one_kind(paths, folder),
            "files in one folder",
            None,
            [Item(path, _relative(path, root)) for path in paths],
        )
    if len(folders) == 1:
        inner = layout(folders[0], root)
        return Layout(
            inner.kind,
            inner.how,
            inner.target,
            inner.items,
            [f"all files are in {folders[0].name}", *inner.notes],
        )
    return _by_class(folder, folders, root)


def _by_class(folder: Path, folders: Sequence[Path], root: Path) -> Layout:
    found = {path.name: _below(path) for path in folders}
    empty = [name for name, paths in found.items() if not paths]
    if empty:
        raise DataError([
            f"the class folder {folder / name} holds no file. Put pictures, sounds or texts into it, or "
            "remove it if there is no such class."
            for name in empty
        ])  # fmt: skip
    kind = _one_kind([path for paths in found.values() for path in paths], folder)
    items = [Item(path, _relative(path, root), label) for label, paths in found.items() for path in paths]
    return Layout(kind, "a folder a class", "class", items)


def _beside(images: Path, masks: Path, root: Path) -> Layout:
    """Pictures and masks with the same names."""
    pictures, labels = ({Path(path).stem: path for path in _below(part)} for part in (images, masks))
    problems = [
        f"{images.name}/{Path(pictures[stem]).name} has no mask in {masks.name}."
        for stem in pictures
        if stem not in labels
    ]
    problems += [
        f"{masks.name}/{Path(labels[stem]).name} has no picture in {images.name}."
        for stem in labels
        if stem not in pictures
    ]
    if problems:
        raise DataError([*problems[:20], "Pictures and masks need the same names, apart from the ending."])
    _one_kind([*pictures.values(), *labels.values()], images.parent)
    items = [Item(path, _relative(path, root), mask=labels[stem]) for stem, path in pictures.items()]
    return Layout("image", f"pictures in {images.name} beside masks in {masks.name}", "mask", items)


def _below(folder: Path) -> list[str]:
    """All files in a folder and those in it. A link that leads back to a folder above is not followed again."""
    found: list[str] = []
    visited: set[str] = set()
    for place, folders, files in os.walk(folder, followlinks=True, onerror=_refuse):
        real = os.path.realpath(place)
        folders[:] = (
            []
            if real in visited
            else sorted((name for name in folders if not _SKIPPED.match(name)), key=natural)
        )
        if real not in visited:
            kept = sorted((name for name in files if not _SKIPPED.match(name)), key=natural)
            found += [os.path.join(place, name) for name in kept]  # noqa: PTH118 (many files)
        visited.add(real)
    return found


def _refuse(error: OSError) -> NoReturn:
    """Files that cannot be seen are not files that are not there. Raises: `DataError`."""
    raise DataError(f"{error.filename} cannot be read: {error.strerror or error}.")


def _one_kind(paths: Sequence[str], folder: Path) -> str:
    """What all files are. Raises: `DataError` for a mixture, or files that are nothing of this."""
    kinds = Counter(KINDS.get(os.path.splitext(path)[1].lower(), "") for path in paths)  # noqa: PTH122 (for each of many files)
    if len(kinds) == 1 and "" not in kinds:
        return next(iter(kinds))
    files = [Path(path) for path in paths]
    usual = max((kind for kind in kinds if kind), key=lambda kind: kinds[kind], default="")
    odd = [str(file.relative_to(folder)) for file in files if KINDS.get(file.suffix.lower(), "") != usual]
    if usual and len(odd) <= max(3, len(files) // 20):
        raise DataError(
            f"{folder} holds {WORDS[usual]}, but also {_some(odd)}. Move or remove what does not belong "
            "there."
        )
    raise DataError(
        f"{folder} holds {_by_suffix(files)}; expected pictures, sounds (.wav) or texts (.txt) alone. "
        f"{UNDERSTOOD}"
    )


def _relative(path: str, root: Path) -> str:
    return os.path.relpath(path, root).replace(os.sep, "/")


def _by_suffix(files: Sequence[Path]) -> str:
    counts = Counter(path.suffix.lower() or "without ending" for path in files)
    return ", ".join(
        f"{count:,} {'files' if count > 1 else 'file'} {suffix}" for suffix, count in counts.most_common(8)
    )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5:,} more" if len(names) > 5 else "")
