"""Predict tables larger than memory: read, predict and write a block of rows at a time."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from handrail.data.columns.schema import Trouble, missing_columns, read_frame
from handrail.data.missing_words import may_hold_words, without_words
from handrail.data.streaming.parquet import ParquetRows, find_streamable
from handrail.data.table import Table
from handrail.data.writers.blocks import write_blocks
from handrail.errors import DataError
from handrail.pipeline import Pipeline
from handrail.recipe.reading import ReadOptions
from handrail.recipe.sections import DataRecipe
from handrail.runs.answers.predict import (
    Answers,
    check_warnings,
    describe_names,
    describe_unreadable,
    describe_unseen,
    free_names,
    predict_columns,
    without_bad,
)


def large_source(source: Any, options: ReadOptions | None, pipeline: Pipeline) -> ParquetRows | None:
    """The files of a table to predict block by block; None for other tables."""
    if not pipeline.task.has_values or pipeline.task.is_forecast:
        return None
    recipe = DataRecipe(source=source, read=options or ReadOptions())
    return find_streamable(recipe, needed_only=True)


def predict_large(
    pipeline: Pipeline, source: ParquetRows, *, keep: bool, strict: bool, skip_bad: bool
) -> Answers:
    """Predict with all answers in memory. Raises: as `handrail.runs.answers.predict.predict_table`."""
    blocks = PredictedBlocks(pipeline, source, keep=keep)
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
    """Write answers block by block, the whole file or nothing. Returns: the number of rows, and warnings.

    Raises: as `handrail.runs.answers.predict.predict_table`, and `DataError` when the file already exists.
    """
    blocks = PredictedBlocks(pipeline, source, keep=keep)
    warnings: list[str] = []
    rows = write_blocks(
        out,
        blocks,
        overwrite=overwrite,
        check=lambda: warnings.extend(blocks.warnings(strict=strict, skip_bad=skip_bad)),
    )
    return rows, warnings


class PredictedBlocks:
    """The answers for each block of a table; with `keep`, appended to the columns that were read.

    Raises: `DataError` when columns are missing.
    """

    def __init__(self, pipeline: Pipeline, source: ParquetRows, *, keep: bool) -> None:
        self.pipeline, self.source, self.keep = pipeline, source, keep
        self.table = Table(pl.DataFrame(), source.name, namer=source.row_name, streamed=True)
        self.names = [column.name for column in pipeline.encoder.schema.used]
        present = set(source.columns)
        absent = [name for name in self.names if name not in present]
        if absent:
            raise DataError(missing_columns(absent, source.columns))
        self.renamed: dict[str, str] = {}
        self.troubles: dict[tuple[str, bool], tuple[Trouble, list[int]]] = {}
        self.unseen: dict[str, tuple[set[str | None], list[int]]] = {}

    def __iter__(self) -> Iterator[pl.DataFrame]:
        for start, frame in self.source.blocks(None if self.keep else self.names):
            schema = self.pipeline.encoder.schema
            known = without_words(frame, schema.missing_words or (), among=may_hold_words(schema.used))
            features, troubles = read_frame(known, schema)
            self._note(start, features, troubles)
            answers = without_bad(predict_columns(self.pipeline, features, self.table)[0], troubles)
            if self.keep:
                self.renamed = free_names(answers.columns, frame.columns)
                answers = pl.concat([frame, answers.rename(self.renamed)], how="horizontal")
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
        """What was noticed, once all blocks have been read. Raises: `DataError` as `check_warnings`."""
        unseen = [
            describe_unseen(self.table, pl.Series(sorted(values, key=str)), name, np.array(rows))
            for name, (values, rows) in self.unseen.items()
        ]
        problems = [describe_unreadable(self.table, *trouble) for trouble in self.troubles.values()]
        noticed = check_warnings(unseen, problems, strict=strict, skip_bad=skip_bad)
        return [*noticed, *describe_names(self.renamed)]
