"""`prepare` and `reopen` for tables that are streamed: the same steps, a block of rows at a time.

What is learned of columns is learned from a random sample of training rows, which is all of them up to
100,000; levels of categories are counted in all. The target and the hashes are those of all rows.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

from handrail.data.checks.finding import Finding
from handrail.data.checks.repeats import HashedRows
from handrail.data.columns.schema import Schema
from handrail.data.columns.unreadable import unreadable
from handrail.data.dataset import Dataset
from handrail.data.part import Part
from handrail.data.split.draw import TEST, TRAIN, VALIDATION
from handrail.data.split.parts import Drawn, RawRows, check_names, divide, fresh_rows, take_sample, task_of
from handrail.data.steps import (
    describe_change,
    describe_dataset,
    drop_unknown_classes,
    fingerprint_of,
    make_part,
    schema_of,
)
from handrail.data.streaming.key_columns import slim_columns
from handrail.data.streaming.order import scatter
from handrail.data.streaming.parquet import ParquetRows
from handrail.data.streaming.part import StreamedPart
from handrail.data.streaming.scan import SAMPLE, Gathered, gather, level_counts, sample_of, unreadable_rows
from handrail.data.table import Table
from handrail.data.task import TaskSpec, find_targets
from handrail.errors import DataError
from handrail.recipe.sections import DataRecipe

_AT_ONCE = 2**20  # targets
_KNOWN = (TRAIN, VALIDATION)


def prepare_stream(recipe: DataRecipe, source: ParquetRows, *, cache_in: Path | None = None) -> Dataset:
    """As `handrail.data.prepare.prepare`.

    Raises: `DataError` as that.
    """
    found = _draw_parts(recipe, source)
    known = pl.concat([found.train.frame, found.validation.frame], how="vertical_relaxed")
    task = task_of(recipe, known, found.targets, found.table)
    del known
    rows = {
        TRAIN: take_sample(recipe, found.train, task),
        VALIDATION: take_sample(recipe, found.validation, task),
        TEST: found.test,
    }
    chosen = {part: sample_of(rows[part].rows, part, recipe.split.seed) for part in _KNOWN}
    looked = _gather(source, rows, chosen)
    samples = {part: replace(rows[part], frame=looked.samples[part], rows=chosen[part]) for part in _KNOWN}
    schema = schema_of(samples[TRAIN].frame, task, recipe, found.table)
    ready = [make_part(samples[part], schema, task) for part in _KNOWN]
    alike: Any = {
        "schema": schema,
        "task": task,
        "levels": level_counts(looked.counts, schema),
        "seed": recipe.split.seed,
        "folder": cache_in,
    }
    parts = _beside([_part(source, rows[part], ready[part][0], **alike) for part in _KNOWN])
    return describe_dataset(
        recipe,
        found,
        ready,
        parts,
        [looked.hashes[part] for part in (TRAIN, VALIDATION, TEST)],
        schema=schema,
        task=task,
        remarks=_note_sampling(parts),
        notes=(_note(source, parts[0]),),
        hashed=(_hashed_rows_of(rows[TRAIN], looked), _hashed_rows_of(rows[VALIDATION], looked)),
    )


def reopen_stream(
    recipe: DataRecipe,
    source: ParquetRows,
    schema: Schema,
    task: TaskSpec,
    *,
    expected: str,
    cache_in: Path | None = None,
) -> tuple[Part, Part, Part]:
    """As `handrail.data.prepare.reopen`.

    Raises: `DataError` when the rows are not what they were.
    """
    found = _draw_parts(recipe, source)
    rows = {
        TRAIN: take_sample(recipe, found.train, task),
        VALIDATION: take_sample(recipe, found.validation, task),
        TEST: found.test,
    }
    chosen = {part: sample_of(some.rows, part, recipe.split.seed) for part, some in rows.items()}
    looked = _gather(source, rows, chosen)
    if fingerprint_of(*(looked.hashes[part] for part in (TRAIN, VALIDATION, TEST))) != expected:
        raise DataError(describe_change(source.name))
    rows[TEST], remarks = drop_unknown_classes(rows[TEST], task)
    kept = np.isin(chosen[TEST], rows[TEST].rows)
    samples = {
        part: RawRows(some.name, looked.samples[part], chosen[part], found.table)
        for part, some in rows.items()
    }
    samples[TEST] = samples[TEST].pick(np.flatnonzero(kept))
    ready = {part: make_part(some, schema, task, strict=part != TEST)[0] for part, some in samples.items()}
    alike: Any = {
        "schema": schema,
        "task": task,
        "levels": level_counts(looked.counts, schema),
        "seed": recipe.split.seed,
        "folder": cache_in,
    }
    parts = [_part(source, rows[part], ready[part], **alike) for part in (TRAIN, VALIDATION, TEST)]
    odd = [
        unreadable(trouble, places, "test", found.table).seen
        for trouble, places in unreadable_rows(source, rows[TEST].rows, schema)
    ]
    train, validation = _beside(parts[:2])
    return train, validation, replace(parts[2], strict=False, remarks=(*remarks, *odd))


def _draw_parts(recipe: DataRecipe, source: ParquetRows) -> Drawn:
    """The three parts by row number, each with its targets alone."""
    targets = find_targets(source.columns, recipe.target)
    check_names(recipe, source.columns, targets)
    key = recipe.split.column
    text = [key] if key and recipe.split.method == "time" else []
    frame = slim_columns(source, [*targets, *([key] if key else [])], as_text=text)
    table = Table(frame, source.name, namer=source.row_name, streamed=True)
    found = divide(recipe, table, targets, {"validation": None, "test": None})
    empty = replace(table, frame=frame.clear())
    train, validation, test = (
        replace(part, frame=part.frame.select(targets), table=table if recipe.sample else empty)
        for part in (found.train, found.validation, found.test)
    )
    if recipe.duplicates == "drop":
        rows = {TRAIN: train.rows, VALIDATION: validation.rows, TEST: test.rows}
        hashes = gather(source, rows, {}, counted=False).hashes
        fresh = fresh_rows(hashes[TRAIN], hashes[VALIDATION], hashes[TEST])
        validation, test = validation.pick(fresh[0]), test.pick(fresh[1])
    return replace(found, table=empty, train=train, validation=validation, test=test)


def _gather(source: ParquetRows, rows: Mapping[int, RawRows], chosen: Mapping[int, np.ndarray]) -> Gathered:
    places = {part: some.rows for part, some in rows.items()}
    return gather(source, places, chosen, counted=len(chosen[TRAIN]) < len(places[TRAIN]))


def _hashed_rows_of(rows: RawRows, looked: Gathered) -> HashedRows:
    part = TRAIN if rows.name == "train" else VALIDATION
    return HashedRows(rows.name, rows.rows, rows.table, looked.hashes[part])


def _part(
    source: ParquetRows,
    rows: RawRows,
    known: Part,
    *,
    schema: Schema,
    task: TaskSpec,
    levels: Mapping[str, pl.DataFrame],
    seed: int,
    folder: Path | None,
) -> StreamedPart:
    """Training rows in the random order in which they are written, by short numbers; others in their own
    order.
    """
    order, places = np.arange(len(rows.rows)), rows.rows
    if rows.name == "train":
        order = scatter(order, seed)
        places = places[order].astype(np.uint32 if source.rows < 2**32 else np.int64)
    return StreamedPart(
        rows.name,
        known.raw.clear(),
        known.features.clear(),
        _targets(task, rows)[torch.from_numpy(order)],
        places,
        replace(rows.table, frame=rows.table.frame.clear()),
        source=source,
        schema=schema,
        known=known,
        levels=levels if rows.name == "train" else {},
        folder=folder,
        seed=seed,
    )


def _targets(task: TaskSpec, rows: RawRows) -> Tensor:
    """The encoded targets of all rows."""

    def some(start: int) -> Tensor:
        frame = rows.frame[start : start + _AT_ONCE]
        return task.encode(frame, row_name=lambda row: rows.table.row_name(int(rows.rows[start + row])))

    return torch.cat([some(start) for start in range(0, len(rows.rows), _AT_ONCE)])


def _beside(parts: list[StreamedPart]) -> list[StreamedPart]:
    """The parts, which are then encoded in one reading."""
    for part in parts:
        part.beside.extend(parts)
    return parts


def _note_sampling(parts: list[StreamedPart]) -> list[Finding]:
    if all(len(part.known) == len(part) for part in parts):
        return []
    sizes = " and ".join(
        f"{len(part.known):,} of {len(part):,} {name} rows"
        for part, name in zip(parts, ("training", "validation"), strict=True)
    )
    return [
        Finding(
            level="note",
            name="sampled",
            column=None,
            seen=f"The table is streamed: columns were understood, scaled and checked by {sizes}, drawn at "
            "random.",
            why="Rows that do not fit into memory cannot be looked at all at once.",
            action="Repeated rows, levels of categories and the target were looked at in all rows; "
            "data.stream=false reads the "
            "table into memory.",
        )
    ]


def _note(source: ParquetRows, train: StreamedPart) -> str:
    """How it is read and shuffled, in words."""
    learned = "all" if len(train.known) == len(train) else f"{SAMPLE:,} random"
    return (
        f"{source.name}: streamed; scales and kinds of columns from {learned} training rows; training rows "
        "are written in a random "
        "order once, and in each epoch read in blocks in a new random order and shuffled within 16 blocks"
    )
