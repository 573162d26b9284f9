"""Labelled series from the files of the UCR and UEA archives: sktime's `.ts`, Weka's `.arff`, and plain
`.txt` and `.tsv`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from handrail.data.raw_files import decode, missing_file, read_bytes
from handrail.data.sources.media.arff import read_arff_lines
from handrail.data.sources.media.series_lines import Mistakes, Row, class_name, numbers, without_trailing_gaps
from handrail.data.sources.media.ts import read_ts_lines
from handrail.data.split.draw import TEST, TRAIN
from handrail.data.stores.series import SeriesStore
from handrail.data.stores.store import place_column
from handrail.data.table import Table
from handrail.errors import DataError

SERIES, CLASS = "series", "class"
_ENDINGS = (".ts", ".arff", ".tsv", ".txt")  # the fullest description first
_PART = re.compile(r"^(?P<problem>.+?)_(?P<part>TRAIN|TEST)$", re.IGNORECASE)


@dataclass(frozen=True)
class _File:
    """One file as it was read."""

    path: Path
    rows: list[Row] = field(repr=False)
    target: str = CLASS


def read_series_files(path: Path) -> Table:
    """One row a series: the columns `series` and `class` (or `value`, where a `.ts` file says that the target
    is a number).

    A folder holds NAME_TRAIN.* and NAME_TEST.*; of a file with such a name its sibling is found. Then the
    parts are those of the files. A file by itself gives no parts.

    Raises: `DataError` for files that are not there or not of their format; ragged rows, words among values
    and wrong
        numbers of dimensions are named by file and line, five of them and how many more there are.
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
    codes = np.array([_part_of(file.path) for file in files], dtype=np.uint8).repeat(
        [len(file.rows) for file in files]
    )
    return Table(
        pl.DataFrame(columns),
        path.name if len(files) == 1 else files[0].path.parent.name,
        notes=tuple(_note(file) for file in files),
        namer=lambda row: f"line {rows[row].line} of {sources[row]}",
        stores={SERIES: store},
        parts=codes if len(files) == 2 else None,
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
        problems = _problems(path)
        if not problems:
            raise DataError(
                f"{path} holds no labelled series; expected NAME_TRAIN and NAME_TEST with one of "
                f"{', '.join(_ENDINGS)}."
            )
        if len(problems) > 1:
            found = ", ".join(sorted(problems)[:8])
            raise DataError(
                f"{path} holds {len(problems)} data sets ({found}); expected one. Name one of the files."
            )
        return next(iter(problems.values()))
    if not path.exists():
        raise missing_file(path)
    named = _PART.match(path.stem)
    if not named:
        return [path]
    problems = _problems(path.parent, path.suffix)
    return next((found for found in problems.values() if path in found), [path])


def _problems(folder: Path, ending: str | None = None) -> dict[str, list[Path]]:
    """The files of each data set in a folder, training first, in the fullest format that there is of all its
    parts.
    """
    found: dict[str, dict[str, dict[int, Path]]] = {}
    for path in sorted(folder.iterdir()):
        named, suffix = _PART.match(path.stem), path.suffix.lower()
        if named and path.is_file() and (path.suffix == ending if ending else suffix in _ENDINGS):
            found.setdefault(named["problem"], {}).setdefault(suffix, {})[_part_of(path)] = path
    return {problem: _fullest(formats) for problem, formats in found.items()}


def _fullest(formats: dict[str, dict[int, Path]]) -> list[Path]:
    best = max(formats, key=lambda suffix: (len(formats[suffix]), -_ENDINGS.index(suffix)))
    return [formats[best][part] for part in sorted(formats[best])]


def _part_of(path: Path) -> int:
    return TEST if path.stem.upper().endswith("_TEST") else TRAIN


def _read_all(paths: list[Path]) -> list[_File]:
    """The files; what is wrong with any of them is said at once."""
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
    reader: Callable[[list[str], Mistakes], tuple[list[Row], bool]]
    reader = {".ts": read_ts_lines, ".arff": read_arff_lines}.get(path.suffix.lower(), _read_plain)
    rows, of_numbers = reader(text.splitlines(), mistakes)
    mistakes.raise_if_any()
    if not rows:
        raise DataError(f"{path.name} holds no series; expected at least one row of data.")
    return _File(path, rows, "value" if of_numbers else CLASS)


def _read_plain(lines: list[str], mistakes: Mistakes) -> tuple[list[Row], bool]:
    """UCR's own format: the class, then the values, by tabs, commas or spaces; gaps at the end say that the
    series is shorter.
    """
    rows, width = [], 0
    for line, text in enumerate(lines, start=1):
        cells = _cells(text)
        if not cells:
            continue
        width = width or len(cells)
        if len(cells) != width:
            mistakes.add(line, f"found {len(cells) - 1} values, expected {width - 1} as in the first row")
            continue
        values = numbers(cells[1:], line, mistakes)
        if values is not None:
            rows.append(Row(line, without_trailing_gaps(values[None]), class_name(cells[0], of_numbers=True)))
    return rows, False


def _cells(text: str) -> list[str]:
    for sign in ("\t", ","):
        if sign in text:
            return [cell.strip() for cell in text.strip().split(sign)]
    return text.split()


def _disagreements(files: list[_File]) -> list[str]:
    """What a training and a test file must share."""
    channels = {file.path.name: file.rows[0].values.shape[0] for file in files}
    if len(set(channels.values())) > 1:
        found = ", ".join(f"{name} has {number}" for name, number in channels.items())
        return [f"the files differ in their number of dimensions: {found}; expected the same."]
    labelled = {file.path.name: any(row.label is not None for row in file.rows) for file in files}
    if len(set(labelled.values())) > 1:
        without = next(name for name, known in labelled.items() if not known)
        return [
            f"{without} has no classes, but the other file has; expected them in both, or name one file "
            "alone."
        ]
    return []
