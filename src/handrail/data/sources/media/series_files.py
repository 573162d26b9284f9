"""Labelled series from the files of the UCR and UEA archives: `.ts`, `.arff`, and plain `.txt` and `.tsv`."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from handrail.data.raw_files import decode, missing_file, read_bytes
from handrail.data.sources.media.series_formats import (
    Mistakes,
    Reader,
    Row,
    read_arff_lines,
    read_plain_lines,
    read_ts_lines,
)
from handrail.data.split.draw import TEST, TRAIN
from handrail.data.stores.series import SeriesStore
from handrail.data.stores.store import place_column
from handrail.data.table import Table
from handrail.errors import DataError

SERIES, CLASS = "series", "class"
_READERS: dict[str, Reader] = {".ts": read_ts_lines, ".arff": read_arff_lines}  # else plain text
_ENDINGS = (".ts", ".arff", ".tsv", ".txt")  # the fullest description first
_PART = re.compile(r"^(?P<problem>.+?)_(?P<part>TRAIN|TEST)$", re.IGNORECASE)


@dataclass(frozen=True)
class _File:
    """One file as it was read."""

    path: Path
    rows: list[Row] = field(repr=False)
    target: str = CLASS


def read_series_files(path: Path) -> Table:
    """One row a series: the columns `series` and `class` (or `value`, where a `.ts` file names a number).

    A folder holds NAME_TRAIN.* and NAME_TEST.*; of a file with such a name its sibling is found. Then the
    parts are those of the files. A file by itself gives no parts.

    Raises: `DataError` for files that are missing or not of their format; ragged rows, words among values and
        wrong numbers of dimensions are named by file and line, five of them and how many more there are.
    """
    files = _read_all(_files(path))
    rows = [row for file in files for row in file.rows]
    sources = [file.path.name for file in files for _ in file.rows]
    names = [f"{source}, line {row.line}" for source, row in zip(sources, rows, strict=True)]
    store = SeriesStore.of_arrays([row.values for row in rows], names)
    columns = [place_column(SERIES, len(store))]
    labelled = any(row.label is not None for row in rows)
    if labelled:
        columns.append(pl.Series(files[0].target, [row.label for row in rows], dtype=pl.String))
    codes = np.array([_part_of(file.path) for file in files], dtype=np.uint8)
    return Table(
        pl.DataFrame(columns),
        path.name if len(files) == 1 else files[0].path.parent.name,
        notes=tuple(_note(file) for file in files),
        namer=lambda row: f"line {rows[row].line} of {sources[row]}",
        stores={SERIES: store},
        parts=codes.repeat([len(file.rows) for file in files]) if len(files) == 2 else None,
        target=files[0].target if labelled else None,
    )


def _note(file: _File) -> str:
    channels = file.rows[0].values.shape[0]
    lengths = sorted({row.values.shape[1] for row in file.rows})
    length = f"{lengths[0]}" if len(lengths) == 1 else f"{lengths[0]} to {lengths[-1]}"
    many = f"{channels} channels, " if channels > 1 else ""
    return f"{file.path.name}: {len(file.rows):,} series, {many}length {length}"


def _files(path: Path) -> list[Path]:
    """The training file, then the test file; or the only file."""
    if path.is_dir():
        data_sets = _data_sets(path)
        if not data_sets:
            expected = f"NAME_TRAIN and NAME_TEST with one of {', '.join(_ENDINGS)}"
            raise DataError(f"{path} holds no labelled series; expected {expected}.")
        if len(data_sets) > 1:
            names = ", ".join(sorted(data_sets)[:8])
            raise DataError(
                f"{path} holds {len(data_sets)} data sets ({names}); expected one. Name one of the files."
            )
        return next(iter(data_sets.values()))
    if not path.exists():
        raise missing_file(path)
    if not _PART.match(path.stem):
        return [path]
    data_sets = _data_sets(path.parent, path.suffix)
    return next((files for files in data_sets.values() if path in files), [path])


def _data_sets(folder: Path, ending: str | None = None) -> dict[str, list[Path]]:
    """The files of each data set in a folder, training first, in the fullest format of all its parts."""
    by_name: dict[str, dict[str, dict[int, Path]]] = {}
    for path in sorted(folder.iterdir()):
        named, suffix = _PART.match(path.stem), path.suffix.lower()
        if named and path.is_file() and (path.suffix == ending if ending else suffix in _ENDINGS):
            by_name.setdefault(named["problem"], {}).setdefault(suffix, {})[_part_of(path)] = path
    return {name: _fullest_format(formats) for name, formats in by_name.items()}


def _fullest_format(formats: dict[str, dict[int, Path]]) -> list[Path]:
    best = max(formats, key=lambda suffix: (len(formats[suffix]), -_ENDINGS.index(suffix)))
    return [formats[best][part] for part in sorted(formats[best])]


def _part_of(path: Path) -> int:
    return TEST if path.stem.upper().endswith("_TEST") else TRAIN


def _read_all(paths: list[Path]) -> list[_File]:
    """The files. Raises: `DataError` with what is wrong with any of them."""
    files, problems = [], []
    for path in paths:
        try:
            files.append(_read(path))
        except DataError as error:
            problems += error.problems
    problems = problems or _disagreements(files)
    if problems:
        raise DataError(problems)
    return files


def _read(path: Path) -> _File:
    text, _ = decode(read_bytes(path), path.name)
    mistakes = Mistakes(path.name)
    reader = _READERS.get(path.suffix.lower(), read_plain_lines)
    rows, of_numbers = reader(text.splitlines(), mistakes)
    mistakes.raise_if_any()
    if not rows:
        raise DataError(f"{path.name} holds no series; expected at least one row of data.")
    return _File(path, rows, "value" if of_numbers else CLASS)


def _disagreements(files: list[_File]) -> list[str]:
    """What a training and a test file must share."""
    channels = {file.path.name: file.rows[0].values.shape[0] for file in files}
    if len(set(channels.values())) > 1:
        counts = ", ".join(f"{name} has {number}" for name, number in channels.items())
        return [f"the files differ in their number of dimensions: {counts}; expected the same."]
    labelled = {file.path.name: any(row.label is not None for row in file.rows) for file in files}
    if len(set(labelled.values())) > 1:
        without = next(name for name, known in labelled.items() if not known)
        return [
            f"{without} has no classes, but the other file has; expected them in both, or one file alone."
        ]
    return []
