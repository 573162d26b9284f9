"""A folder of pictures, sounds, texts or series as a table: the layout is found out and said."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from handrail.data.raw_files import decode
from handrail.data.sources.media.idx import idx_pairs, read_idx_folder
from handrail.data.sources.media.layout import PART_FOLDERS, WORDS, Item, Layout, entries, layout
from handrail.data.sources.media.pascal_voc import is_voc, read_voc
from handrail.data.stores.images import ImageStore
from handrail.data.stores.masks import MaskStore
from handrail.data.stores.store import Store, place_column
from handrail.data.table import Table
from handrail.errors import DataError
from handrail.recipe.reading import ReadOptions

_SERIES = (".ts", ".arff", ".txt", ".tsv")
_PARTS = ("training", "validation", "test")


def read_folder(
    path: str | Path, *, options: ReadOptions, cache_in: Path | None = None, labelled: bool = True
) -> Table:
    """What a folder holds, one row a file or series.

    Columns: `image`, `audio` or `text`, and `class`, `mask`, `boxes` or parts of the file names (`name_1` …).

    Arguments:
        options: of which `encoding` counts, for texts.
        cache_in: the folder for decoded pictures when they are many; they are a file without a name.
        labelled: whether files without classes are a mistake; not where rows are only to be predicted.

    Raises: `DataError` when there is no such folder, when its layout is not understood (it says which are),
    and with every file that cannot be read.
    """
    folder = Path(path).expanduser()
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}. Check the path.")
    if not os.access(folder, os.R_OK | os.X_OK):
        raise DataError(
            f"{folder} cannot be read: permission is denied. Ask its owner for the right to read it."
        )
    if is_voc(folder):
        return read_voc(folder, cache_in=cache_in)
    pairs = idx_pairs(folder)
    if pairs:
        return read_idx_folder(folder, pairs, cache_in=cache_in)
    if _holds_series(folder):
        from handrail.data.sources.media.series_files import read_series_files

        return read_series_files(folder)
    found, parts = _in_parts(folder, labelled)
    return _table(folder, found, parts, options, cache_in)


def _holds_series(folder: Path) -> bool:
    """Whether there are files NAME_TRAIN.ts and the like."""
    return any(
        file.suffix.lower() in _SERIES and file.stem.upper().endswith(("_TRAIN", "_TEST"))
        for file in entries(folder)[1]
    )


def _in_parts(folder: Path, labelled: bool) -> tuple[Layout, np.ndarray | None]:
    """All files, and the part of each where folders train, val and test give it."""
    folders, files = entries(folder)
    parts = {path: PART_FOLDERS[path.name.lower()] for path in folders if path.name.lower() in PART_FOLDERS}
    if 0 not in parts.values() or len(parts) < len(folders) or files:
        return _one(folder, folder, labelled), None
    if len(parts) == 1:
        found = _one(folders[0], folder, labelled)
        found.notes.insert(0, f"only a folder {folders[0].name}: validation and test rows are drawn from it")
        return found, None
    twice = [part for part, count in Counter(parts.values()).items() if count > 1]
    if twice:
        raise DataError(
            f"{folder} has several folders for the {_PARTS[twice[0]]} part: "
            f"{', '.join(p.name for p in parts if parts[p] == twice[0])}."
        )
    read = {part: layout(path, folder) for path, part in parts.items()}
    return _join(folder, read)


def _one(folder: Path, root: Path, labelled: bool) -> Layout:
    found = layout(folder, root)
    if found.target is None and labelled and not name_parts([item.name for item in found.items]):
        raise DataError(
            f"{folder} holds {len(found.items):,} {WORDS[found.kind]} in one folder{_note(found)}, and "
            "nothing says what is to be learned about them. Put them "
            "into a folder for each class, or write a table with a column of paths and a column of what is "
            "to be learned."
        )
    return found


def _note(found: Layout) -> str:
    return f" ({'; '.join(found.notes)})" if found.notes else ""


def _join(folder: Path, read: dict[int, Layout]) -> tuple[Layout, np.ndarray | None]:
    """The parts one behind the other; one without the classes that training has cannot be used and is left
    out.
    """
    train, notes = read[0], []
    for part in sorted(read):
        if read[part].kind != train.kind:
            raise DataError(
                f"{folder}: training files are {WORDS[train.kind]}, {_PARTS[part]} files "
                f"{WORDS[read[part].kind]}; expected one kind."
            )
    for part in [part for part in read if read[part].target != train.target]:
        left = read.pop(part)
        notes.append(
            f"the {len(left.items):,} {_PARTS[part]} files are left out: they are {left.how}, without what "
            f"is to be learned ({train.how})."
        )
    order = sorted(read)
    items = [item for part in order for item in read[part].items]
    counts = ", ".join(f"{_PARTS[part]} {len(read[part].items):,}" for part in order)
    notes = [
        f"parts as the folders give them: {counts}",
        *notes,
        *(note for part in order for note in read[part].notes),
    ]
    parts = np.concatenate([np.full(len(read[part].items), part, dtype=np.int64) for part in order])
    return Layout(train.kind, train.how, train.target, items, notes), parts if len(order) > 1 else None


def _table(
    folder: Path, found: Layout, parts: np.ndarray | None, options: ReadOptions, cache_in: Path | None
) -> Table:
    """The files of a layout as columns."""
    names = [item.name for item in found.items]
    columns, stores, remarks = _content(found, names, options, cache_in)
    if found.target == "class":
        columns.append(pl.Series("class", [item.label for item in found.items], dtype=pl.String))
    elif found.target == "mask":
        masks = MaskStore.of_files(
            [str(item.mask) for item in found.items],
            [f"the mask of {name}" for name in names],
            cache_in=cache_in,
        )
        _refuse_other_sizes(stores["image"], masks, names)
        columns.append(place_column("mask", len(names)))
        stores["mask"] = masks
        remarks = (*remarks, *masks.remarks)
    else:
        columns += name_parts(names)
    return Table(
        pl.DataFrame(columns),
        folder.name,
        notes=(_summary(found, columns), *found.notes, *remarks),
        namer=names.__getitem__,
        stores=stores,
        parts=parts,
        target=found.target,
    )


def _content(
    found: Layout, names: Sequence[str], options: ReadOptions, cache_in: Path | None
) -> tuple[list[pl.Series], dict[str, Store], tuple[str, ...]]:
    paths = [item.path for item in found.items]
    if found.kind == "image":
        images = ImageStore.of_files(paths, names, cache_in=cache_in)
        return [place_column("image", len(names))], {"image": images}, images.remarks
    if found.kind == "sound":
        from handrail.data.sources.media.wav import read_sounds

        places, sounds = read_sounds([Path(path) for path in paths], names)
        return [places], {"audio": sounds}, getattr(sounds, "remarks", ())
    return [pl.Series("text", _texts(found.items, options), dtype=pl.String)], {}, ()


def _texts(items: Sequence[Item], options: ReadOptions) -> list[str]:
    """Raises: `DataError` with every file that is no text."""
    texts, problems = [], []
    for item in items:
        try:
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
    """Columns `name_1`, `name_2` … of the parts of file names between '_', where all have equally many; else
    nothing.
    """
    split = [name.rsplit("/", 1)[-1].rsplit(".", 1)[0].split("_") for name in names]
    count = len(split[0])
    if count < 2 or any(len(parts) != count for parts in split):
        return []
    return [
        pl.Series(f"name_{part + 1}", [parts[part] for parts in split], dtype=pl.String)
        for part in range(count)
    ]


def _summary(found: Layout, columns: Sequence[pl.Series]) -> str:
    text = f"{found.how}: {len(found.items):,} {WORDS[found.kind]}"
    if found.target == "class":
        classes = Counter(item.label for item in found.items)
        shown = ", ".join(f"{label} {count:,}" for label, count in list(classes.items())[:8])
        return f"{text}, {len(classes):,} classes ({shown}{' …' if len(classes) > 8 else ''})"
    parts = [column.name for column in columns if column.name.startswith("name_")]
    if not parts:
        return text
    return (
        f"{text}; the parts of their names are the columns {', '.join(parts)}: name one as the target, and "
        "drop those that would not be "
        "known of a new file"
    )
