"""A table's column of paths as pictures."""

from collections.abc import Callable
from pathlib import Path

import polars as pl

from handrail.data.stores.pixels.decode import SUFFIXES
from handrail.data.stores.store import Store
from handrail.errors import DataError

_REPORTED = 20


def holds_paths(column: pl.Series) -> bool:
    """Whether all values of a column (not counting missing ones) end as picture files do."""
    if column.dtype != pl.String or column.null_count() == len(column):
        return False
    ends = "|".join(suffix.removeprefix(".") for suffix in SUFFIXES)
    return bool(column.drop_nulls().str.contains(rf"(?i)\.({ends})\s*$").all())


def path_column_store(
    column: pl.Series,
    base: Path,
    cache_in: Path | None = None,
    *,
    row_name: Callable[[int], str] | None = None,
) -> tuple[pl.Series, Store] | None:
    """The places of a column's pictures (missing where the path is), and the store; None for a column that
    names no pictures.

    Arguments:
        base: the folder that relative paths begin at: that of the table's file.
        cache_in: as for `ImageStore.of_files`.
        row_name: what a person would call the row at a position.

    Raises: `DataError` that names rows and files where files are missing, and every file that cannot be read.
    """
    from handrail.data.stores.images import ImageStore

    if not holds_paths(column):
        return None
    name_of = row_name or (lambda row: f"row {row + 1}")
    distinct = column.drop_nulls().unique(maintain_order=True)
    names = distinct.str.strip_chars().to_list()
    paths = [_path(name, base) for name in names]
    missing = [name for name, path in zip(distinct.to_list(), paths, strict=True) if not path.is_file()]
    if missing:
        raise DataError(_missing(column, missing, base, name_of))
    places = column.replace_strict(
        distinct, pl.Series(range(len(distinct)), dtype=pl.Int64), return_dtype=pl.Int64
    )
    return places, ImageStore.of_files(paths, names, cache_in=cache_in)


def _path(name: str, base: Path) -> Path:
    """As it is written, else with Windows' separators read as ours."""
    path = base / Path(name).expanduser()
    return path if path.is_file() or "\\" not in name else base / name.replace("\\", "/")


def _missing(column: pl.Series, missing: list[str], base: Path, name_of: Callable[[int], str]) -> list[str]:
    rows = column.is_in(missing).arg_true().to_list()
    problems = [
        f"column '{column.name}', {name_of(row)}: there is no picture {column[row]}."
        for row in rows[:_REPORTED]
    ]
    more = f"And {len(rows) - _REPORTED:,} rows more. " if len(rows) > _REPORTED else ""
    web = (
        "Pictures at addresses are not read: download them first. "
        if any("://" in name for name in missing)
        else ""
    )
    advice = f"Relative paths begin at {base}. Mend the paths, or leave the column out (data.drop)."
    return [*problems[:-1], f"{problems[-1]} {more}{web}{advice}"]
