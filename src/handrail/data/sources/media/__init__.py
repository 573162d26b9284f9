"""Sources of items, not cells: folders of pictures, sounds and texts, files of series, columns of paths.

May import stores and tables. A new layout is a reader that gives a `Table` with a store, called by
`read_items`.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl

from handrail.data.stores.pixels.decode import SUFFIXES
from handrail.data.stores.store import Store, place_column
from handrail.data.table import Table
from handrail.errors import DataError
from handrail.recipe.reading import ReadOptions
from handrail.tools.files import expand_user

_SERIES = (".ts", ".arff")
_PAIRED = (".txt", ".tsv")
_REPORTED = 20
_ENDINGS = tuple(SUFFIXES)


def has_items(paths: Sequence[Path]) -> bool:
    """Whether these are a folder, or files that hold images or series rather than a table."""
    alone = len(paths) == 1 and (paths[0].is_dir() or _is_series(paths[0]) or _is_idx(paths[0]))
    return alone or _are_pictures(paths)


def _is_series(path: Path) -> bool:
    """By its ending, or as one of the pair NAME_TRAIN.txt and NAME_TEST.txt."""
    suffix = path.suffix.lower()
    return suffix in _SERIES or (suffix in _PAIRED and path.stem.upper().endswith(("_TRAIN", "_TEST")))


def _is_idx(path: Path) -> bool:
    return path.name.lower().removesuffix(".gz").endswith("ubyte")


def _are_pictures(paths: Sequence[Path]) -> bool:
    return bool(paths) and all(path.suffix.lower() in SUFFIXES for path in paths)


def read_items(
    paths: Sequence[Path], *, options: ReadOptions, cache_in: Path | None = None, labelled: bool = True
) -> Table:
    """The table of a folder, or of such files.

    Arguments:
        labelled: whether files without classes are a mistake; not where rows are only to be predicted.

    Raises: `DataError` when the folder's layout is not known, and with every file that cannot be read.
    """
    path = paths[0]
    if path.is_dir():
        from handrail.data.sources.media.folders import read_folder

        return read_folder(path, options=options, cache_in=cache_in, labelled=labelled)
    if _is_series(path):
        from handrail.data.sources.media.series_files import read_series_files

        return read_series_files(path)
    from handrail.data.sources.media.idx import read_idx
    from handrail.data.stores.images import ImageStore

    if _are_pictures(paths):
        names = _distinct_names(paths)
        images = ImageStore.of_files(paths, names, cache_in=cache_in)
        source, namer = names[0] if len(names) == 1 else f"{len(names):,} pictures", names.__getitem__
    else:
        images = ImageStore.of_array(read_idx(path, options.limits), path.name, cache_in=cache_in)
        source, namer = path.name, None
    frame = pl.DataFrame([place_column("image", len(images))])
    return Table(frame, source, namer=namer, stores={"image": images})


def _distinct_names(paths: Sequence[Path]) -> list[str]:
    """The names of files, with the folders below the common one where names are alike."""
    names = [path.name for path in paths]
    if len(set(names)) == len(names):
        return names
    common = os.path.commonpath([path.parent.absolute() for path in paths])
    return [os.path.relpath(path.absolute(), common).replace(os.sep, "/") for path in paths]


def with_pictures(table: Table, base: Path, *, cache_in: Path | None = None) -> Table:
    """A table whose columns of paths to pictures are the pictures themselves.

    Arguments:
        base: the folder that relative paths begin at.

    Raises: `DataError` that names rows and files where pictures are missing or cannot be read.
    """
    for name in _columns_of_paths(table.frame):
        places, store = path_column_store(table.frame[name], base, cache_in, row_name=table.row_name)
        frame = table.frame.with_columns(places.alias(name))
        table = replace(table, frame=frame, stores={**table.stores, name: store})
    return table


def _columns_of_paths(frame: pl.DataFrame) -> list[str]:
    """The first row tells it of nearly every column, without a search."""
    first = frame.row(0) if frame.height else ()
    likely = [
        name for name, cell in zip(frame.columns, first, strict=False) if cell is None or _is_path(cell)
    ]
    return [name for name in likely if holds_paths(frame[name])]


def _is_path(cell: object) -> bool:
    return isinstance(cell, str) and cell.rstrip().lower().endswith(_ENDINGS)


def holds_paths(column: pl.Series) -> bool:
    """Whether most values of a column (not counting missing ones) end as picture files do.

    Not all of them: what a column is must not hang on a single row, which may be a sealed one.
    """
    if column.dtype != pl.String or column.null_count() == len(column):
        return False
    if (first := column.item(0)) is not None and not _is_path(first):
        return False
    ends = "|".join(suffix.removeprefix(".") for suffix in SUFFIXES)
    return 2 * int(column.str.contains(rf"(?i)\.({ends})\s*$").sum()) > len(column) - column.null_count()


def path_column_store(
    column: pl.Series, base: Path, cache_in: Path | None = None, *, row_name: Callable[[int], str]
) -> tuple[pl.Series, Store]:
    """The places of the pictures that a column of paths names (missing where the path is), and the store.

    Arguments:
        base: the folder that relative paths begin at: that of the table's file.
        cache_in: as for `ImageStore.of_files`.
        row_name: what a person would call the row at a position.

    Raises: `DataError` that names rows and files where files are missing, and every file that cannot be read.
    """
    from handrail.data.stores.images import ImageStore

    distinct = column.drop_nulls().unique(maintain_order=True)
    names = distinct.str.strip_chars().to_list()
    paths = [_path(name, base) for name in names]
    missing = [name for name, path in zip(distinct.to_list(), paths, strict=True) if not path.is_file()]
    if missing:
        raise DataError(_missing(column, missing, base, row_name))
    numbers = pl.Series(range(len(distinct)), dtype=pl.Int64)
    places = column.replace_strict(distinct, numbers, return_dtype=pl.Int64)
    return places, ImageStore.of_files(paths, names, cache_in=cache_in)


def _path(name: str, base: Path) -> Path:
    """As it is written, else with Windows' separators read as ours."""
    path = base / expand_user(name)
    return path if path.is_file() or "\\" not in name else base / name.replace("\\", "/")


def _missing(column: pl.Series, missing: list[str], base: Path, row_name: Callable[[int], str]) -> list[str]:
    rows = column.is_in(missing).arg_true().to_list()
    place = f"column '{column.name}'"
    problems = [f"{place}, {row_name(i)}: there is no picture {column[i]}." for i in rows[:_REPORTED]]
    more = f"And {len(rows) - _REPORTED:,} rows more. " if len(rows) > _REPORTED else ""
    on_the_web = any("://" in name for name in missing)
    web = "Pictures at addresses are not read: download them first. " if on_the_web else ""
    advice = f"Relative paths begin at {base}. Mend the paths, or leave the column out (data.drop)."
    return [*problems[:-1], f"{problems[-1]} {more}{web}{advice}"]
