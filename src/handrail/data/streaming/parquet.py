"""Parquet files as one table that is read a block of rows at a time, and which sources are read so."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from handrail.data.columns.names import name_all
from handrail.data.sources.cells import check_distinct, convert_types, rename_columns
from handrail.data.sources.columnar import check_parquet
from handrail.data.sources.unusable import empty_unusable, refuse_unusable
from handrail.errors import DataError
from handrail.recipe.alone import LONE_TASKS
from handrail.recipe.reading import ReadOptions
from handrail.recipe.sections import DataRecipe
from handrail.tools.arrow_files import to_polars
from handrail.tools.panics import PanicError

LARGE = 128 * 2**20  # bytes of the table at eight a cell: a fit in memory takes some ten times that
BLOCK = 65_536  # rows at once
_BUFFER = 2**20  # bytes of each column that are read ahead
_ENDINGS = (".parquet", ".pq")
_WHOLE = (
    "mask",
    "boxes",
    "bit-sequence",
    "forecast",
    "dynamics",
    "next-token",
    "sequence",
    "text-to-image",
    *LONE_TASKS,
)  # read into memory


class ParquetRows:
    """The rows of Parquet files with the same columns, one below the other; at first only footers are read.

    Raises: `DataError` for files that cannot be read, or whose columns differ.
    """

    def __init__(
        self, paths: Sequence[Path], name: str, options: ReadOptions, drop: Collection[str] | None = ()
    ) -> None:
        self.paths, self.name, self.options, self.drop = list(paths), name, options, drop
        files = [_open(path) for path in self.paths]
        for file, path in zip(files, self.paths, strict=True):
            check_parquet(file, path.name, path.stat().st_size, options.limits)
        self.lengths = [file.metadata.num_rows for file in files]
        self.starts = np.concatenate([[0], np.cumsum(self.lengths)])
        empty = [
            self._as_type(_empty_frame(file, path), path)
            for file, path in zip(files, self.paths, strict=True)
        ]
        self.types = _common_schema(empty, [_without_values(file) for file in files], self.paths)

    @property
    def rows(self) -> int:
        return int(self.starts[-1])

    @property
    def columns(self) -> list[str]:
        return list(self.types)

    @property
    def size(self) -> int:
        """Bytes of the table in memory, at eight a cell."""
        return 8 * self.rows * len(self.types)

    def blocks(self, columns: Sequence[str] | None = None) -> Iterator[tuple[int, pl.DataFrame]]:
        """Neighbouring rows, `BLOCK` at most, each time with the number of the first one (from 0).

        Raises: `DataError` for a file that is damaged, naming the rows.
        """
        for path, start, length in zip(self.paths, self.starts, self.lengths, strict=False):
            seen = 0
            for frame in self._of_file(path, columns, None):
                yield int(start) + seen, frame
                seen += len(frame)
            if seen != length:
                raise DataError(
                    f"{path} has changed while it was read: found {seen:,} rows, expected {length:,}."
                )

    def fetch(self, rows: np.ndarray) -> pl.DataFrame:
        """A few rows, in the order given; of each of them its row group is read."""
        if not len(rows):
            return next(self.blocks())[1].clear()
        return pl.concat([self._fetch_row(int(row)) for row in rows])

    def _fetch_row(self, row: int) -> pl.DataFrame:
        part = int(np.searchsorted(self.starts, row, side="right")) - 1
        path, place = self.paths[part], row - int(self.starts[part])
        metadata = _open(path).metadata
        for group in range(metadata.num_row_groups):
            size = metadata.row_group(group).num_rows
            if place < size:
                for frame in self._of_file(path, None, [group]):
                    if place < len(frame):
                        return frame[place : place + 1]
                    place -= len(frame)
            place -= size
        raise AssertionError("the row lies in one of the groups")

    def row_name(self, index: int) -> str:
        if len(self.paths) == 1:
            return f"row {index + 1}"
        part = int(np.searchsorted(self.starts, index, side="right")) - 1
        return f"row {index - int(self.starts[part]) + 1} of {self.paths[part].name}"

    def _of_file(
        self, path: Path, columns: Sequence[str] | None, groups: list[int] | None
    ) -> Iterator[pl.DataFrame]:
        import pyarrow as pa

        file, seen = _open(path), 0
        names = None if columns is None else [self._own_name(file, name) for name in columns]
        try:
            for batch in file.iter_batches(BLOCK, row_groups=groups, columns=names, use_threads=False):
                frame = to_polars(batch)
                if columns is not None:
                    places = [batch.schema.names.index(name) for name in names or ()]
                    frame = frame[:, places]
                    frame.columns = list(columns)
                yield self._cast(self._as_type(frame, path, named=names is not None))
                seen += len(frame)
            pa.default_memory_pool().release_unused()
        except (pa.ArrowException, OSError, pl.exceptions.PolarsError, PanicError) as error:
            raise _damage_error(path, error, seen) from error

    def _own_name(self, file: Any, name: str) -> str:
        own = file.schema_arrow.names
        return own[(self.options.names or name_all(own)).index(name)]

    def _as_type(self, frame: pl.DataFrame, path: Path, *, named: bool = False) -> pl.DataFrame:
        frame = frame if named else rename_columns(frame, self.options.names, path.name)
        frame, unusable = empty_unusable(frame)
        refuse_unusable(unusable, path.name, drop=self.drop)
        return convert_types(
            frame, path.name, markers=self.options.missing or (), signs=self.options.missing != []
        )

    def _cast(self, frame: pl.DataFrame) -> pl.DataFrame:
        """In the order of the first file, and in the types that suit all files."""
        names = [name for name in self.types if name in frame.columns]
        other = {name: self.types[name] for name in names if frame.schema[name] != self.types[name]}
        return frame[names].with_columns([frame[name].cast(kind) for name, kind in other.items()])


def _empty_frame(file: Any, path: Path) -> pl.DataFrame:
    """The columns of a file without rows. Raises: `DataError` for names that are no text."""
    try:
        return to_polars(file.schema_arrow.empty_table())
    except (pl.exceptions.PolarsError, PanicError) as error:
        raise _damage_error(path, error, 0) from error


def _open(path: Path) -> Any:
    import pyarrow as pa
    from pyarrow import parquet

    from handrail.data.raw_files import missing_file, refuse_special_file

    refuse_special_file(path)
    if not path.exists():
        raise missing_file(path)
    try:
        file = parquet.ParquetFile(path, buffer_size=_BUFFER, pre_buffer=False)
        check_distinct(file.schema_arrow.names, path.name)
        return file
    except (pa.ArrowException, OSError) as error:
        raise _damage_error(path, error, 0) from error


def _damage_error(path: Path, error: Exception, seen: int) -> DataError:
    reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
    where = f" behind row {seen:,}" if seen else ""
    return DataError(
        f"{path.name} cannot be read as Parquet{where}: {reason}. The file may be cut short or damaged."
    )


def _without_values(file: Any) -> set[str]:
    """Columns that have the type of nothing."""
    import pyarrow as pa

    return {field.name for field in file.schema_arrow if pa.types.is_null(field.type)}


def _common_schema(
    frames: Sequence[pl.DataFrame], nothing: Sequence[set[str]], paths: Sequence[Path]
) -> dict[str, pl.DataType]:
    """The type of each column: of several kinds of numbers the widest, of nothing that in the other files.

    Raises: `DataError` with every file that differs from the first.
    """
    problems, types = [], {}
    first = frames[0].columns
    for frame, path, empty in zip(frames, paths, nothing, strict=True):
        lacks = [f"'{name}'" for name in first if name not in frame.columns]
        adds = [f"'{name}'" for name in frame.columns if name not in first]
        if lacks or adds:
            differences = [
                f"{verb} {', '.join(names[:8])}"
                for verb, names in (("lacks", lacks), ("has besides", adds))
                if names
            ]
            problems.append(
                f"{path} has other columns than {paths[0]}: it {' and '.join(differences)}. Files read "
                "together need the same columns."
            )
            continue
        for name, kind in frame.schema.items():
            known = types.get(name)
            if name in empty or known == kind:
                continue
            if known is None:
                types[name] = kind
            elif known.is_numeric() and kind.is_numeric():
                types[name] = pl.Int64() if known.is_integer() and kind.is_integer() else pl.Float64()
            else:
                problems.append(
                    f"{path}: column '{name}' holds {kind}, and {known} in the files before it; expected one "
                    "type."
                )
    if problems:
        raise DataError(problems)
    return {name: types.get(name, pl.String()) for name in first}


def find_streamable(recipe: DataRecipe, *, needed_only: bool = False) -> ParquetRows | None:
    """The Parquet files of a recipe whose table is streamed, or nothing where it is read into memory.

    Arguments:
        needed_only: whether columns that no network can take may be there, as they are not needed.

    By itself (`data.stream: auto`) a table is streamed from 128 MB on, counted as eight bytes a cell: not by
    the memory at hand, so that a recipe means the same everywhere.

    Raises: `DataError` for `data.stream: true` with a source that cannot be streamed.
    """
    if recipe.stream is False:
        return None
    paths, problems = _parquet_files(recipe.source), _obstacles(recipe)
    drop = None if needed_only else recipe.drop
    if recipe.stream == "auto":
        if not paths or problems or not all(path.is_file() for path in paths):
            return None
        try:
            rows = ParquetRows(paths, _name(recipe.source, paths), recipe.read, drop)
        except DataError:
            if sum(path.stat().st_size for path in paths) > LARGE:
                raise
            return None  # reading it whole says better what is the matter
        return rows if rows.size > LARGE and not _names_pictures(rows) else None
    if not paths:
        expected = "expected Parquet files, or a folder of them."
        problems.insert(0, f"data.stream: '{recipe.source}' cannot be streamed; {expected}")
    if problems:
        raise DataError(problems)
    rows = ParquetRows(paths, _name(recipe.source, paths), recipe.read, drop)
    if not rows.rows:
        raise DataError(f"{rows.name} has no rows; expected at least one row of data.")
    if _names_pictures(rows):
        raise DataError("data.stream: a table that names pictures cannot be streamed; leave the setting out.")
    return rows


def _parquet_files(source: Any) -> list[Path]:
    """The files of a source that is Parquet: one, those of a folder or pattern, or of a list; else none."""
    from handrail.data.sources import matching, parquet_in

    sources = list(source) if isinstance(source, list | tuple) else [source]
    if not all(isinstance(each, str | Path) and "://" not in str(each) for each in sources):
        return []
    try:
        if len(sources) > 1:
            matches = sorted({path for each in sources for path in matching(each)})
        else:
            matches = [path for each in sources for path in matching(each)]
        paths = [inside for path in matches for inside in (parquet_in(path) if path.is_dir() else [path])]
    except DataError:
        return []
    return paths if all(path.suffix.lower() in _ENDINGS for path in paths) else []


def _name(source: Any, paths: list[Path]) -> str:
    """As `sources.read` would call it."""
    if len(paths) == 1:
        return paths[0].name
    return f"{len(paths)} files" if isinstance(source, list | tuple) else str(source)


def _obstacles(recipe: DataRecipe) -> list[str]:
    problems = [
        f"data.{name}: a table that is streamed is divided by data.split, and has no other source for a "
        "part; leave it out, or data.stream."
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
    from handrail.data.sources.media import holds_paths

    frame = next((frame for _, frame in source.blocks()), None)
    return frame is not None and any(holds_paths(column) for column in frame)
