"""Parquet files as one table that is read a block of rows at a time."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from handrail.data.sources.cells import distinct, native, rename_columns
from handrail.errors import DataError
from handrail.recipe.reading import ReadOptions

BLOCK = 65_536  # rows at once
_BUFFER = 2**20  # bytes of each column that are read ahead


class ParquetRows:
    """The rows of Parquet files with the same columns, one file below the other. Their footers alone are read
    at first.

    Raises: `DataError` for files that cannot be read, or whose columns differ.
    """

    def __init__(self, paths: Sequence[Path], name: str, options: ReadOptions) -> None:
        self.paths, self.name, self.options = list(paths), name, options
        files = [_open(path) for path in self.paths]
        self.lengths = [file.metadata.num_rows for file in files]
        self.starts = np.concatenate([[0], np.cumsum(self.lengths)])
        empty = [
            self._as_type(pl.DataFrame(pl.from_arrow(_empty(file))), path)
            for file, path in zip(files, self.paths, strict=True)
        ]
        nothing = [_without_values(file) for file in files]
        self.types = _common_schema(empty, nothing, self.paths)

    @property
    def rows(self) -> int:
        """Of all files."""
        return int(self.starts[-1])

    @property
    def columns(self) -> list[str]:
        """Those of the first file."""
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
        return (
            pl.concat([self._one(int(row)) for row in rows]) if len(rows) else next(self.blocks())[1].clear()
        )

    def _one(self, row: int) -> pl.DataFrame:
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
        """What a person would call the row."""
        if len(self.paths) == 1:
            return f"row {index + 1}"
        part = int(np.searchsorted(self.starts, index, side="right")) - 1
        return f"row {index - int(self.starts[part]) + 1} of {self.paths[part].name}"

    def _of_file(
        self, path: Path, columns: Sequence[str] | None, groups: list[int] | None
    ) -> Iterator[pl.DataFrame]:
        import pyarrow as pa

        file, seen = _open(path), 0
        asked = None if columns is None else [self._own_name(path, file, name) for name in columns]
        try:
            for batch in file.iter_batches(BLOCK, row_groups=groups, columns=asked, use_threads=False):
                frame = pl.DataFrame(pl.from_arrow(batch))
                if asked is not None:
                    frame = frame.select(asked).rename(dict(zip(asked, columns or (), strict=True)))
                yield self._cast(self._as_type(frame, path, named=asked is not None))
                seen += len(frame)
            pa.default_memory_pool().release_unused()
        except (pa.ArrowException, OSError, pl.exceptions.PolarsError) as error:
            raise _damage_error(path, error, seen) from error

    def _own_name(self, path: Path, file: Any, name: str) -> str:
        """What the file calls the column."""
        if not self.options.names:
            return name
        return file.schema_arrow.names[self.options.names.index(name)]

    def _as_type(self, frame: pl.DataFrame, path: Path, *, named: bool = False) -> pl.DataFrame:
        found = frame if named else rename_columns(frame, self.options.names, path.name)
        return native(found, path.name, markers=self.options.missing or ())

    def _cast(self, frame: pl.DataFrame) -> pl.DataFrame:
        """In the order of the first file, and in the types that suit all files."""
        names = [name for name in self.types if name in frame.columns]
        other = {name: self.types[name] for name in names if frame.schema[name] != self.types[name]}
        found = frame.select(names)
        return found.with_columns(pl.col(name).cast(kind) for name, kind in other.items()) if other else found


def _open(path: Path) -> Any:
    import pyarrow as pa
    from pyarrow import parquet

    from handrail.data.raw_files import missing_file

    if not path.exists():
        raise missing_file(path)
    try:
        file = parquet.ParquetFile(path, buffer_size=_BUFFER, pre_buffer=False)
        distinct(file.schema_arrow.names, path.name)
        return file
    except (pa.ArrowException, OSError) as error:
        raise _damage_error(path, error, 0) from error


def _damage_error(path: Path, error: Exception, seen: int) -> DataError:
    reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
    where = f" behind row {seen:,}" if seen else ""
    return DataError(
        f"{path.name} cannot be read as Parquet{where}: {reason}. The file may be cut short or damaged."
    )


def _empty(file: Any) -> Any:
    return file.schema_arrow.empty_table()


def _without_values(file: Any) -> set[str]:
    """Columns that have the type of nothing."""
    import pyarrow as pa

    return {field.name for field in file.schema_arrow if pa.types.is_null(field.type)}


def _common_schema(
    frames: Sequence[pl.DataFrame], nothing: Sequence[set[str]], paths: Sequence[Path]
) -> dict[str, pl.DataType]:
    """The type of each column: of numbers of several kinds the widest; a column of nothing takes that of the
    other files.

    Raises: `DataError` with every file that differs from the first.
    """
    problems, types = [], {}
    first = frames[0].columns
    for frame, path, empty in zip(frames, paths, nothing, strict=True):
        lacks = [f"'{name}'" for name in first if name not in frame.columns]
        adds = [f"'{name}'" for name in frame.columns if name not in first]
        if lacks or adds:
            said = [
                f"{word} {', '.join(some[:8])}"
                for word, some in (("lacks", lacks), ("has besides", adds))
                if some
            ]
            problems.append(
                f"{path} has other columns than {paths[0]}: it {' and '.join(said)}. Files read together "
                "need the same columns."
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
