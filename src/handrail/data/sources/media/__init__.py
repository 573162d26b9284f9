"""Sources whose rows are no cells: folders of pictures, sounds and texts, files of images and of series,
columns of paths.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl

from handrail.data.stores.store import place_column
from handrail.data.table import Table
from handrail.recipe.reading import ReadOptions

_SERIES = (".ts", ".arff")
_PAIRED = (".txt", ".tsv")


def has_items(paths: Sequence[Path]) -> bool:
    """Whether these are a folder, or files that hold images or series rather than a table."""
    return (
        len(paths) == 1 and (paths[0].is_dir() or _is_series(paths[0]) or _is_idx(paths[0]))
    ) or _are_pictures(paths)


def _is_series(path: Path) -> bool:
    """By its ending, or as one of the pair NAME_TRAIN.txt and NAME_TEST.txt."""
    return path.suffix.lower() in _SERIES or (
        path.suffix.lower() in _PAIRED and path.stem.upper().endswith(("_TRAIN", "_TEST"))
    )


def _is_idx(path: Path) -> bool:
    return path.name.lower().removesuffix(".gz").endswith("ubyte")


def _are_pictures(paths: Sequence[Path]) -> bool:
    from handrail.data.stores.pixels.decode import SUFFIXES

    return bool(paths) and all(path.suffix.lower() in SUFFIXES for path in paths)


def read_items(
    paths: Sequence[Path], *, options: ReadOptions, cache_in: Path | None = None, labelled: bool = True
) -> Table:
    """The table of a folder, or of such files.

    Arguments:
        labelled: whether files without classes are a mistake; not where rows are only to be answered.

    Raises: `DataError` when the folder's layout is not known, or files in it cannot be read; all of them are
    named.
    """
    path = paths[0]
    if path.is_dir():
        from handrail.data.sources.media.folders import read_folder

        return read_folder(path, options=options, cache_in=cache_in, labelled=labelled)
    if _is_series(path):
        from handrail.data.sources.media.series_files import read_series_files

        return read_series_files(path)
    if _are_pictures(paths):
        from handrail.data.stores.images import ImageStore

        names = [item.name for item in paths]
        store = ImageStore.of_files(paths, names, cache_in=cache_in)
        frame = pl.DataFrame([place_column("image", len(paths))])
        return Table(
            frame,
            names[0] if len(names) == 1 else f"{len(names):,} pictures",
            namer=names.__getitem__,
            stores={"image": store},
        )
    from handrail.data.sources.media.idx import read_idx
    from handrail.data.stores.images import ImageStore

    images = ImageStore.of_array(read_idx(path), path.name, cache_in=cache_in)
    return Table(pl.DataFrame([place_column("image", len(images))]), path.name, stores={"image": images})


def with_pictures(table: Table, base: Path, *, cache_in: Path | None = None) -> Table:
    """A table whose columns of paths to pictures are the pictures themselves.

    Arguments:
        base: the folder that relative paths begin at.

    Raises: `DataError` that names rows and files where pictures are missing or cannot be read.
    """
    from handrail.data.sources.media.picture_columns import holds_paths, path_column_store

    for name in [column.name for column in table.frame if holds_paths(column)]:
        found = path_column_store(table.frame[name], base, cache_in, row_name=table.row_name)
        if found is not None:
            places, store = found
            table = replace(
                table,
                frame=table.frame.with_columns(places.alias(name)),
                stores={**table.stores, name: store},
            )
    return table
