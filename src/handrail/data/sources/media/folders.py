"""A folder of pictures, sounds, texts or series as a table: its layout is detected and reported."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from handrail.data.raw_files import decode, refuse_special_file
from handrail.data.sources.media.foreign_boxes import refuse_foreign_boxes
from handrail.data.sources.media.idx import idx_pairs, read_idx_folder
from handrail.data.sources.media.layout import PART_FOLDERS, WORDS, Item, Layout, entries, find_layout
from handrail.data.sources.media.pascal_voc import is_voc, read_voc
from handrail.data.stores.images import ImageStore
from handrail.data.stores.masks import MaskStore
from handrail.data.stores.store import Store, place_column
from handrail.data.table import Table
from handrail.errors import DataError
from handrail.recipe.reading import ReadOptions
from handrail.tools.files import expand_user

_SERIES = (".ts", ".arff", ".txt", ".tsv")
_PARTS = ("training", "validation", "test")


def read_folder(
    path: str | Path, *, options: ReadOptions, cache_in: Path | None = None, labelled: bool = True
) -> Table:
    """What a folder holds, one row a file or series.

    Columns: `image`, `audio` or `text`, and `class`, `mask`, `boxes` or parts of the file names (`name_1` …).

    Arguments:
        options: `encoding` is used, for texts.
        cache_in: the folder for decoded pictures when they are many; they are a file without a name.
        labelled: whether files without classes are a mistake; not where rows are only to be predicted, or
            are learned without a target.

    Raises: `DataError` for a missing folder, an unknown layout (naming the known ones), and unreadable files.
    """
    folder = expand_user(path)
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}. Check the path.")
    if not os.access(folder, os.R_OK | os.X_OK):
        text = "permission is denied. Ask its owner for the right to read it."
        raise DataError(f"{folder} cannot be read: {text}")
    if is_voc(folder):
        return read_voc(folder, cache_in=cache_in)
    refuse_foreign_boxes(folder)
    pairs = idx_pairs(folder)
    if pairs:
        return read_idx_folder(folder, pairs, cache_in=cache_in)
    if _holds_series(folder):
        from handrail.data.sources.media.series_files import read_series_files

        return read_series_files(folder)
    files, parts = _read_parts(folder, labelled)
    table = _table(folder, files, parts, options, cache_in)
    return replace(table, notes=(_summary(files, table, labelled), *table.notes))


def _holds_series(folder: Path) -> bool:
    """Whether there are files NAME_TRAIN.ts and the like."""
    files = [file for file in entries(folder)[1] if file.suffix.lower() in _SERIES]
    return any(file.stem.upper().endswith(("_TRAIN", "_TEST")) for file in files)


def _read_parts(folder: Path, labelled: bool) -> tuple[Layout, np.ndarray | None]:
    """All files, and the part of each where folders train, val and test give it."""
    folders, files = entries(folder)
    parts = {path: PART_FOLDERS[path.name.lower()] for path in folders if path.name.lower() in PART_FOLDERS}
    if 0 not in parts.values() or len(parts) < len(folders) or files:
        whole = _whole_layout(folder, folder, labelled)
        return whole, _parts_below(whole)
    if len(parts) == 1:
        train = _whole_layout(folders[0], folder, labelled)
        train.notes.insert(0, f"only a folder {folders[0].name}: validation and test rows are drawn from it")
        return train, None
    twice = [part for part, count in Counter(parts.values()).items() if count > 1]
    if twice:
        names = ", ".join(path.name for path, part in parts.items() if part == twice[0])
        raise DataError(f"{folder} has several folders for the {_PARTS[twice[0]]} part: {names}.")
    layouts = {part: find_layout(path, folder) for path, part in parts.items()}
    _require_target(layouts[0], folder, labelled)
    return _join(folder, layouts)


def _whole_layout(folder: Path, root: Path, labelled: bool) -> Layout:
    files = find_layout(folder, root)
    _require_target(files, folder, labelled)
    return files


def _require_target(files: Layout, folder: Path, labelled: bool) -> None:
    """Raises: `DataError` for files without anything to learn about them, unless they are for answers."""
    if files.target is None and labelled and not name_parts([item.name for item in files.items]):
        notes = f" ({'; '.join(files.notes)})" if files.notes else ""
        alone = (
            " Without a target, a model such as autoencoder, kmeans or rbm learns what they have in common "
            "(model=autoencoder)."
        )
        advice = "" if files.kind == "text" else alone  # no model learns texts without a target
        raise DataError(
            f"{folder} holds {len(files.items):,} {WORDS[files.kind]} in one folder{notes}, and nothing says "
            "what is to be learned about them. Put them into a folder for each class, or write a table with "
            f"a column of paths and a column of what is to be learned.{advice}"
        )


def _join(folder: Path, layouts: dict[int, Layout]) -> tuple[Layout, np.ndarray | None]:
    """The parts one after the other; one without the classes that training has is left out."""
    train, notes = layouts[0], []
    for part in sorted(layouts):
        if layouts[part].kind != train.kind:
            others = f"{_PARTS[part]} files {WORDS[layouts[part].kind]}"
            raise DataError(f"{folder}: training files are {WORDS[train.kind]}, {others}; expected one kind.")
    for part in [part for part in layouts if layouts[part].target != train.target]:
        left = layouts.pop(part)
        notes.append(
            f"the {len(left.items):,} {_PARTS[part]} files are left out: they are {left.how}, without what "
            f"is to be learned ({train.how})."
        )
    order = sorted(layouts)
    items = [item for part in order for item in layouts[part].items]
    counts = ", ".join(f"{_PARTS[part]} {len(layouts[part].items):,}" for part in order)
    notes.insert(0, f"parts as the folders give them: {counts}")
    notes += dict.fromkeys(note for part in order for note in layouts[part].notes)
    parts = np.concatenate([np.full(len(layouts[part].items), part, dtype=np.int64) for part in order])
    findings = list({finding.seen: finding for part in order for finding in layouts[part].findings}.values())
    whole = Layout(train.kind, train.how, train.target, items, notes, findings)
    return whole, parts if len(order) > 1 else None


def _parts_below(files: Layout) -> np.ndarray | None:
    """The part of each picture beside masks, where folders train, val and test lie below that of pictures."""
    folders = [item.name.lower().split("/")[1:2] for item in files.items] if files.target == "mask" else []
    known = [PART_FOLDERS.get(folder[0]) for folder in folders if folder]
    if len(known) < len(files.items) or None in known or 0 not in known or len(set(known)) == 1:
        return None
    parts = np.array(known, dtype=np.int64)
    counts = ", ".join(
        f"{name} {(parts == part).sum():,}" for part, name in enumerate(_PARTS) if part in known
    )
    files.notes.insert(0, f"parts as the folders give them: {counts}")
    return parts


def _table(
    folder: Path, files: Layout, parts: np.ndarray | None, options: ReadOptions, cache_in: Path | None
) -> Table:
    """The files of a layout as columns."""
    names = [item.name for item in files.items]
    columns, stores, remarks = _content(files, names, options, cache_in)
    parts_of_names: list[pl.Series] = []
    if files.target == "class":
        columns.append(pl.Series("class", [item.label for item in files.items], dtype=pl.String))
    elif files.target == "mask":
        paths, mask_names = (
            [str(item.mask) for item in files.items],
            [f"the mask of {name}" for name in names],
        )
        masks = MaskStore.of_files(paths, mask_names, cache_in=cache_in)
        _refuse_other_sizes(stores["image"], masks, names)
        columns.append(place_column("mask", len(names)))
        stores["mask"] = masks
        remarks = (*remarks, *masks.remarks)
    else:
        parts_of_names = name_parts(names)
        columns += parts_of_names
    return Table(
        pl.DataFrame(columns),
        folder.name,
        notes=(*files.notes, *remarks),
        findings=tuple(files.findings),
        namer=names.__getitem__,
        stores=stores,
        parts=parts,
        target=files.target,
        name_parts=tuple(column.name for column in parts_of_names),
    )


def _content(
    files: Layout, names: Sequence[str], options: ReadOptions, cache_in: Path | None
) -> tuple[list[pl.Series], dict[str, Store], tuple[str, ...]]:
    paths = [item.path for item in files.items]
    if files.kind == "image":
        images = ImageStore.of_files(paths, names, cache_in=cache_in)
        return [place_column("image", len(names))], {"image": images}, images.remarks
    if files.kind == "sound":
        from handrail.data.sources.media.wav import read_sounds

        places, sounds = read_sounds([Path(path) for path in paths], names)
        return [places], {"audio": sounds}, getattr(sounds, "remarks", ())
    return [pl.Series("text", _texts(files.items, options), dtype=pl.String)], {}, ()


def _texts(items: Sequence[Item], options: ReadOptions) -> list[str]:
    """Raises: `DataError` with every file that is no text."""
    texts, problems = [], []
    for item in items:
        try:
            refuse_special_file(Path(item.path))
            texts.append(decode(Path(item.path).read_bytes(), item.name, encoding=options.encoding)[0])
        except DataError as error:
            problems += error.problems
        except OSError as error:
            problems.append(f"{item.name} cannot be read: {error.strerror or error}.")
    if problems:
        raise DataError(problems[:20])
    return texts


def _refuse_other_sizes(images: Store, masks: MaskStore, names: Sequence[str]) -> None:
    assert isinstance(images, ImageStore)
    problems = [
        f"{names[place]} is {images.sizes[place][1]} × {images.sizes[place][0]} pixels, and its mask "
        f"{masks.sizes[place][1]} × {masks.sizes[place][0]}."
        for place in np.flatnonzero((images.sizes != masks.sizes).any(axis=1)).tolist()
    ]
    if problems:
        raise DataError([*problems[:20], "A mask needs the size of its picture."])


def name_parts(names: Sequence[str]) -> list[pl.Series]:
    """Columns `name_1`, `name_2` … of the parts of file names between '_', if all have equally many."""
    split = [name.rsplit("/", 1)[-1].rsplit(".", 1)[0].split("_") for name in names]
    count = len(split[0])
    if count < 2 or any(len(parts) != count for parts in split):
        return []
    by_part = zip(*split, strict=True)
    return [pl.Series(f"name_{i}", values, dtype=pl.String) for i, values in enumerate(by_part, start=1)]


def _summary(files: Layout, table: Table, labelled: bool) -> str:
    text = f"{files.how}: {len(files.items):,} {WORDS[files.kind]}"
    if files.target == "class":
        classes = Counter(item.label for item in files.items)
        shown = ", ".join(f"{label} {count:,}" for label, count in list(classes.items())[:8])
        return f"{text}, {len(classes):,} classes ({shown}{' …' if len(classes) > 8 else ''})"
    if not table.name_parts:
        return text
    use = "name one as the target, and drop those that are unknown for a new file"
    use = use if labelled else "one of them may be the label (data.label)"
    return f"{text}; the parts of their names are the columns {', '.join(table.name_parts)}: {use}"
