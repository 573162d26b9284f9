"""Answers for tables larger than memory: read, answered and written a block of rows at a time."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from handrail.data.columns.schema import Trouble, missing_columns, read_frame
from handrail.data.streaming.eligible import find_streamable
from handrail.data.streaming.parquet import ParquetRows
from handrail.data.table import Table
from handrail.data.writers.blocks import write_parquet_blocks
from handrail.data.writers.formats import WRITERS
from handrail.errors import DataError
from handrail.pipeline import Pipeline
from handrail.recipe.reading import ReadOptions
from handrail.recipe.sections import DataRecipe
from handrail.runs.predict import Answers, predict_columns, unreadable_rows, unseen_rows, without_bad
from handrail.tools.files import write_atomically

_LINES, _PARQUET = (".csv", ".tsv", ".jsonl", ".ndjson"), (".parquet", ".pq")


def large_source(source: Any, options: ReadOptions | None, pipeline: Pipeline) -> ParquetRows | None:
    """The files of a table that is to be answered block by block, if it is one."""
    if not pipeline.task.has_values or pipeline.task.is_forecast:
        return None
    return find_streamable(DataRecipe(source=source, read=options or ReadOptions()))


def writes_blocks(out: Path) -> bool:
    """Whether a file of this ending can be written a block at a time."""
    return out.suffix.lower() in (*_LINES, *_PARQUET)


def answer_large(
    pipeline: Pipeline, source: ParquetRows, *, keep: bool, strict: bool, skip_bad: bool
) -> Answers:
    """Answers with all rows of the answers in memory.

    Raises: as `handrail.runs.predict.answer`.
    """
    blocks = AnsweredBlocks(pipeline, source, keep=keep)
    frame = pl.concat(list(blocks), rechunk=False)
    return Answers(frame, blocks.warnings(strict=strict, skip_bad=skip_bad))


def write_large(
    pipeline: Pipeline,
    source: ParquetRows,
    out: Path,
    *,
    keep: bool,
    strict: bool,
    skip_bad: bool,
    overwrite: bool,
) -> tuple[int, list[str]]:
    """Write answers as they come; the file is there whole or not at all. How many rows there were, and what
    was noticed.

    Raises: as `handrail.runs.predict.answer`, and `DataError` when the file is there already.
    """
    if out.exists() and not overwrite:
        raise DataError(f"{out} exists; choose another name, or overwrite it (overwrite=True, --overwrite).")
    blocks = AnsweredBlocks(pipeline, source, keep=keep)
    with write_atomically(out) as path:
        rows = (
            write_parquet_blocks(path, blocks)
            if out.suffix.lower() in _PARQUET
            else _write_lines(path, blocks)
        )
        noticed = blocks.warnings(strict=strict, skip_bad=skip_bad)
    return rows, noticed


def _write_lines(path: Path, blocks: "AnsweredBlocks") -> int:
    writer, rows = WRITERS[path.suffix.lower()], 0
    header = path.suffix.lower() in (".csv", ".tsv")
    with path.open("wb") as file:
        for frame in blocks:
            data = writer(frame)
            file.write(data if not rows or not header else data.split(b"\n", 1)[1])
            rows += len(frame)
    return rows


class AnsweredBlocks:
    """The answers for each block of a table, with `keep` behind the columns that were read.

    Raises: `DataError` when columns are missing.
    """

    def __init__(self, pipeline: Pipeline, source: ParquetRows, *, keep: bool) -> None:
        self.pipeline, self.source, self.keep = pipeline, source, keep
        self.table = Table(pl.DataFrame(), source.name, namer=source.row_name, streamed=True)
        self.names = [column.name for column in pipeline.encoder.schema.used]
        absent = [name for name in self.names if name not in source.columns]
        if absent:
            raise DataError(missing_columns(absent, source.columns))
        self.troubles: dict[tuple[str, bool], tuple[Trouble, list[int]]] = {}
        self.unseen: dict[str, tuple[set[str | None], list[int]]] = {}

    def __iter__(self) -> Iterator[pl.DataFrame]:
        for start, frame in self.source.blocks(None if self.keep else self.names):
            features, troubles = read_frame(frame, self.pipeline.encoder.schema)
            self._note(start, features, troubles)
            answers = without_bad(predict_columns(self.pipeline, features, self.table)[0], troubles)
            if self.keep:
                names = {name: f"{name}_" for name in answers.columns if name in frame.columns}
                answers = pl.concat([frame, answers.rename(names)], how="horizontal")
            yield answers

    def _note(self, start: int, features: pl.DataFrame, troubles: Sequence[Trouble]) -> None:
        for trouble in troubles:
            known = self.troubles.setdefault((trouble.column, trouble.is_infinite), (trouble, []))
            known[1].extend(start + row for row in trouble.rows)
        for name, rows in self.pipeline.encoder.unseen(features, {}).items():
            values, places = self.unseen.setdefault(name, (set(), []))
            values.update(features[name][rows].unique().to_list())
            places.extend((rows + start).tolist())

    def warnings(self, *, strict: bool, skip_bad: bool) -> list[str]:
        """What was noticed, once all blocks have been seen.

        Raises: `DataError` for values that cannot be read unless they are to be skipped, and for unseen ones
        where it is `strict`.
        """
        unseen = [
            unseen_rows(self.table, pl.Series(sorted(values, key=str)), name, np.array(rows))
            for name, (values, rows) in self.unseen.items()
        ]
        problems = [unreadable_rows(self.table, trouble, rows) for trouble, rows in self.troubles.values()]
        if problems and not skip_bad:
            hint = "Nothing was predicted; mend the rows, or leave them out with skip_bad (--skip-bad)."
            raise DataError([*problems[:-1], f"{problems[-1]} {hint}"])
        if unseen and strict:
            raise DataError(unseen)
        return unseen + problems
