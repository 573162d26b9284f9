"""How a folder is laid out: a folder for each class, pictures beside masks, or all files in one folder."""

import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NoReturn

from handrail.data.finding import Finding
from handrail.data.sources.media.mask_folders import IMAGE_FOLDERS, MASK_FOLDERS, refuse_masks
from handrail.data.sources.media.mask_pairs import describe, match, require_all, split_one_folder
from handrail.data.stores.pixels.decode import SUFFIXES
from handrail.errors import DataError
from handrail.tools.words import list_some, plural

KINDS = {**dict.fromkeys(SUFFIXES, "image"), ".wav": "sound", ".wave": "sound", ".txt": "text"}
WORDS = {"image": "pictures", "sound": "sounds", "text": "texts"}
PART_FOLDERS = {
    **dict.fromkeys(("train", "training"), 0),
    **dict.fromkeys(("val", "valid", "validation", "dev"), 1),
    **dict.fromkeys(("test", "testing"), 2),
}
_TABLES = frozenset(
    (".csv", ".tsv", ".data", ".json", ".jsonl", ".parquet", ".npz", ".npy", ".db", ".sqlite")
)
_TABLES |= {".arrow", ".feather", ".arff"}
_SYSTEM = re.compile(r"\.|~|thumbs\.db$|desktop\.ini$|__macosx$", re.IGNORECASE)
_WORD = r"licen[cs]e|copying|readme|citation|notice|changelog|(?:sha(?:1|256|512)|md5)(?:sums?)?|checksums?"
_PAPER = re.compile(rf"(?:{_WORD})([-_.][\w.-]*)?$", re.IGNORECASE)
UNDERSTOOD = (
    "Understood are: a folder a class (cats/1.jpg, dogs/2.jpg; also .wav or .txt), such folders in train, "
    "val and test; images beside masks of the same names (image/1.png, label/1.png); Pascal VOC "
    "(JPEGImages, Annotations); MNIST's four IDX files; UCR's NAME_TRAIN.ts and NAME_TEST.ts; files whose "
    "names have equally many parts (3_anna_17.wav). For anything else write a table with a column of paths."
)


@dataclass
class Item:
    """A file, and what its place tells. mask: the file that holds the classes of its pixels."""

    path: str
    name: str
    label: str | None = None
    mask: str | None = None


@dataclass
class Layout:
    """What a folder holds. kind: of the files; how: in words; target: `class`, `mask` or nothing."""

    kind: str
    how: str
    target: str | None
    items: list[Item]
    notes: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """A key that puts 2.png before 10.png."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", name)]


def entries(folder: Path) -> tuple[list[Path], list[Path]]:
    """The folders and files that count, in natural order. Raises: `DataError` when they cannot be read."""
    try:
        counted = [path for path in folder.iterdir() if not _is_skipped(path.name)]
        counted.sort(key=lambda path: natural_key(path.name))
        return [path for path in counted if path.is_dir()], [path for path in counted if path.is_file()]
    except OSError as error:
        _refuse(error)


def find_layout(folder: Path, root: Path) -> Layout:
    """The layout of one part. Raises: `DataError` that names what was found and what is understood."""
    folders, files = entries(folder)
    if not folders and not files:
        raise DataError(f"{folder} holds nothing that can be read. {UNDERSTOOD}")
    by_name = {path.name.lower(): path for path in folders}
    images = next((by_name[name] for name in IMAGE_FOLDERS if name in by_name), None)
    masks = next((by_name[name] for name in MASK_FOLDERS if name in by_name), None)
    if images and masks and not files:
        others = [path.name for path in folders if path not in (images, masks)]
        if others:
            raise DataError(
                f"{folder} holds pictures in {images.name} and masks in {masks.name}, and besides "
                f"{list_some(others)}: they are no classes. Leave {images.name} and {masks.name} there alone."
            )
        return _match_folders(images, masks, root)
    tables = [path for path in files if path.suffix.lower() in _TABLES or len(files) == 1]
    if tables and not folders and KINDS.get(tables[0].suffix.lower()) not in ("image", "sound"):
        advice = f"To read a table or a text, name the file itself: {tables[0]}."
        raise DataError(f"{folder} is a folder with {_by_suffix(files)}. {advice}")
    if folders and files:
        inside = f"{len(folders):,} folders ({list_some(path.name for path in folders)})"
        raise DataError(f"{folder} holds {inside} and beside them {_by_suffix(files)}. {UNDERSTOOD}")
    if not folders:
        kind = _one_kind([str(path) for path in files], folder)
        by_file = {path.name: str(path) for path in files}
        apart = split_one_folder(list(by_file)) if kind == "image" else None
        if apart is not None:
            return _match_masks(*apart, by_file, by_file, root=root, where=(folder.name, folder.name))
        items = [Item(path, _relative(path, root)) for path in by_file.values()]
        return Layout(kind, "files in one folder", None, items)
    if len(folders) == 1:
        inner = find_layout(folders[0], root)
        return replace(inner, notes=[f"all files are in {folders[0].name}", *inner.notes])
    return _by_class(folder, folders, root)


def _by_class(folder: Path, folders: Sequence[Path], root: Path) -> Layout:
    files = {path.name: _walk(path) for path in folders}
    empty = [f"the class folder {folder / name} holds no file." for name, paths in files.items() if not paths]
    if empty:
        advice = "Put pictures, sounds or texts into it, or remove it if there is no such class."
        raise DataError([f"{problem} {advice}" for problem in empty])
    kind = _one_kind([path for paths in files.values() for path in paths], folder)
    items = [Item(path, _relative(path, root), label) for label, paths in files.items() for path in paths]
    if kind == "image":
        refuse_masks(folder, files)
        _refuse_masks_beside(folder, [item.name for item in items])
    return Layout(kind, "a folder a class", "class", items, findings=_find_alike(list(files)))


def _refuse_masks_beside(folder: Path, names: Sequence[str]) -> None:
    """Raises: `DataError` where class folders hold masks beside pictures, which would be learned as such."""
    apart = split_one_folder(names)
    if apart is not None:
        raise DataError(
            f"{folder} is a folder a class, but {len(apart[1]):,} of its {len(names):,} pictures are by name "
            f"masks of others ({list_some(apart[1], most=2)}). To learn classes, move the masks "
            "elsewhere; to learn masks, put all files into one folder."
        )


def _find_alike(classes: Sequence[str]) -> list[Finding]:
    """Classes whose names differ in case or spaces alone."""
    groups: dict[str, list[str]] = {}
    for name in classes:
        groups.setdefault(" ".join(name.lower().split()), []).append(f"'{name}'")
    alike = [" and ".join(names) for names in groups.values() if len(names) > 1]
    if not alike:
        return []
    return [
        Finding(
            level="warning",
            name="classes-alike",
            column="class",
            seen=f"Class folders whose names differ in case or spaces alone: {list_some(alike)}.",
            why="They may be one class, which the network would have to tell apart.",
            action="They count as different classes; move their files into one folder if they are one.",
        )
    ]


def _match_folders(images: Path, masks: Path, root: Path) -> Layout:
    """Pictures and masks in two folders."""
    own, theirs = (
        {path[len(str(part)) + 1 :].replace(os.sep, "/"): path for path in _walk(part)}
        for part in (images, masks)
    )
    if not own or not theirs:
        expected = f"expected pictures in {images.name}, and masks in {masks.name}"
        raise DataError(f"{masks if own else images} holds no file; {expected}.")
    _one_kind([*own.values(), *theirs.values()], images.parent)
    return _match_masks(list(own), list(theirs), own, theirs, root=root, where=(images.name, masks.name))


def _match_masks(
    pictures: Sequence[str],
    masks: Sequence[str],
    own: Mapping[str, str],
    theirs: Mapping[str, str],
    *,
    root: Path,
    where: tuple[str, str],
) -> Layout:
    """Pictures with the masks that belong to them by name.

    Arguments:
        own, theirs: the paths of pictures and masks, by their names.
        where: the names of the folders.
    """
    pairs = match(pictures, masks)
    require_all(pairs, *where)
    items = [
        Item(own[name], _relative(own[name], root), mask=theirs[mask]) for name, mask in pairs.masks.items()
    ]
    together = (
        f"in {where[0]} beside masks in {where[1]}" if where[0] != where[1] else "and masks in one folder"
    )
    return Layout("image", f"pictures {together}", "mask", items, notes=describe(pairs))


def _walk(folder: Path) -> list[str]:
    """All files in a folder and its folders. A link to a folder already visited is skipped."""
    below: list[str] = []
    visited: set[str] = set()
    for place, folders, files in os.walk(folder, followlinks=True, onerror=_refuse):
        real = os.path.realpath(place)
        if real in visited:
            folders.clear()
            continue
        visited.add(real)
        folders[:] = _usable_names(folders)
        below += [os.path.join(place, name) for name in _usable_names(files)]  # noqa: PTH118 (many files)
    return below


def _usable_names(names: Sequence[str]) -> list[str]:
    return sorted((name for name in names if not _is_skipped(name)), key=natural_key)


def _is_skipped(name: str) -> bool:
    """Whether a file is the system's, or a paper beside the data, which may be a text but no picture."""
    if _SYSTEM.match(name):
        return True
    paper = _PAPER.match(name)
    kind = KINDS.get(os.path.splitext(name)[1].lower())  # noqa: PTH122 (many files)
    return paper is not None and (kind is None or (kind == "text" and paper[1] == ".txt"))


def _refuse(error: OSError) -> NoReturn:
    """Raises: `DataError`, since files that cannot be seen are not files that are missing."""
    raise DataError(f"{error.filename} cannot be read: {error.strerror or error}.")


def _one_kind(paths: Sequence[str], folder: Path) -> str:
    """What all files are. Raises: `DataError` for a mixture, or files of another kind."""
    kinds = Counter(KINDS.get(os.path.splitext(path)[1].lower(), "") for path in paths)  # noqa: PTH122
    if len(kinds) == 1 and "" not in kinds:
        return next(iter(kinds))
    files = [Path(path) for path in paths]
    usual = max((kind for kind in kinds if kind), key=lambda kind: kinds[kind], default="")
    odd = [str(file.relative_to(folder)) for file in files if KINDS.get(file.suffix.lower(), "") != usual]
    if usual and len(odd) <= max(3, len(files) // 20):
        also = f"{WORDS[usual]}, but also {list_some(odd)}"
        raise DataError(f"{folder} holds {also}. Move or remove what does not belong there.")
    expected = "pictures, sounds (.wav) or texts (.txt) alone"
    raise DataError(f"{folder} holds {_by_suffix(files)}; expected {expected}. {UNDERSTOOD}")


def _relative(path: str, root: Path) -> str:
    return os.path.relpath(path, root).replace(os.sep, "/")


def _by_suffix(files: Sequence[Path]) -> str:
    counts = Counter(path.suffix.lower() or "without ending" for path in files)
    return ", ".join(f"{plural(count, 'file')} {suffix}" for suffix, count in counts.most_common(8))
