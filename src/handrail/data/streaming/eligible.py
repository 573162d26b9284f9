"""Which sources are streamed: Parquet files whose table would fill the memory, or that the recipe wants
streamed.
"""

from pathlib import Path
from typing import Any

from handrail.data.streaming.parquet import ParquetRows
from handrail.errors import DataError
from handrail.recipe.sections import DataRecipe

LARGE = 128 * 2**20  # bytes of the table at eight a cell: a fit in memory takes some ten times that
_ENDINGS = (".parquet", ".pq")
_WHOLE = ("mask", "boxes", "forecast", "next-token", "sequence")


def find_streamable(recipe: DataRecipe) -> ParquetRows | None:
    """The Parquet files of a recipe whose table is streamed, or nothing where it is read into memory.

    By itself (`data.stream: auto`) a table is streamed from 128 MB on, counted as eight bytes a cell. It does
    not depend on the memory at hand, so that a recipe means the same everywhere.

    Raises: `DataError` when the recipe wants a source streamed that cannot be.
    """
    if recipe.stream is False:
        return None
    paths, problems = parquet_files(recipe.source), _obstacles(recipe)
    if recipe.stream == "auto":
        if not paths or problems or not all(path.is_file() for path in paths):
            return None
        try:
            found = ParquetRows(paths, _name(recipe.source, paths), recipe.read)
        except DataError:
            return None  # reading it whole says what is the matter
        return found if found.size > LARGE and not _names_pictures(found) else None
    if not paths:
        problems.insert(
            0,
            f"data.stream: '{recipe.source}' cannot be streamed; expected Parquet files, or a folder of "
            "them.",
        )
    if problems:
        raise DataError(problems)
    found = ParquetRows(paths, _name(recipe.source, paths), recipe.read)
    if not found.rows:
        raise DataError(f"{found.name} has no rows; expected at least one row of data.")
    if _names_pictures(found):
        raise DataError("data.stream: a table that names pictures cannot be streamed; leave the setting out.")
    return found


def parquet_files(source: Any) -> list[Path]:
    """The files of a source that is Parquet: one, those of a folder or pattern, or a list of them; else none."""
    from handrail.data.sources import matching, parquet_in

    sources = list(source) if isinstance(source, list | tuple) else [source]
    if not all(isinstance(one, str | Path) and "://" not in str(one) for one in sources):
        return []
    try:
        found = (
            sorted({path for one in sources for path in matching(one)})
            if len(sources) > 1
            else matching(sources[0])
        )
        paths = [inside for path in found for inside in (parquet_in(path) if path.is_dir() else [path])]
    except DataError:
        return []
    return paths if all(path.suffix.lower() in _ENDINGS for path in paths) else []


def _name(source: Any, paths: list[Path]) -> str:
    """As `sources.read` would call it."""
    return (
        paths[0].name
        if len(paths) == 1
        else f"{len(paths)} files"
        if isinstance(source, list | tuple)
        else str(source)
    )


def _obstacles(recipe: DataRecipe) -> list[str]:
    """Settings that a streamed table cannot follow."""
    problems = [
        f"data.{name}: a table that is streamed is divided by data.split, and has no other source for a "
        "part; leave it out, or "
        "data.stream."
        for name in ("validation", "test")
        if getattr(recipe, name) is not None
    ]
    if recipe.task in _WHOLE:
        problems.append(f"data.stream: has no effect on {recipe.task}; leave it out.")
    problems += [
        f"data.read.{name}: has no effect on Parquet files that are streamed; leave it out."
        for name in recipe.read.given()
        if name not in ("names", "missing")
    ]
    return problems


def _names_pictures(source: ParquetRows) -> bool:
    from handrail.data.sources.media.picture_columns import holds_paths

    frame = next((frame for _, frame in source.blocks()), None)
    return frame is not None and any(holds_paths(column) for column in frame)
