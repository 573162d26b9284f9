"""`prepare` and `reopen` for tables that are streamed: the same steps, a block of rows at a time.

What is learned of columns is learned from a random sample of training rows, which is all of them up to
100,000; levels of categories are counted in all. The target and the hashes are those of all rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from handrail.data.columns.schema import Schema
from handrail.data.dataset import (
    Dataset,
    describe_change,
    drop_unknown_classes,
    fingerprint_of,
    make_dataset,
    make_part,
    report_unreadable,
    schema_of,
)
from handrail.data.finding import Finding
from handrail.data.part import Part
from handrail.data.split.draw import TEST, TRAIN, VALIDATION
from handrail.data.split.drawn import Drawn, RawRows
from handrail.data.split.parts import (
    check_names,
    divide,
    take_samples,
    task_of_parts,
)
from handrail.data.split.repeats import Content, columns_that_count, drop_repeats
from handrail.data.streaming.parquet import ParquetRows
from handrail.data.streaming.part import StreamedPart, scatter
from handrail.data.streaming.scan import (
    SAMPLE,
    Scan,
    level_counts,
    sample_of,
    scan,
    slim_columns,
    unreadable_rows,
)
from handrail.data.table import Table
from handrail.data.targets.find import find_targets
from handrail.data.task import TaskSpec
from handrail.errors import DataError
from handrail.recipe.sections import DataRecipe

_AT_ONCE = 2**20  # targets


def prepare_stream(recipe: DataRecipe, source: ParquetRows, *, cache_in: Path | None = None) -> Dataset:
    """As `handrail.data.prepare.prepare`.

    Raises: `DataError` as that.
    """
    drawn = _draw_parts(recipe, source)
    task = task_of_parts(recipe, drawn)
    drawn = take_samples(recipe, drawn, task)
    columns = _columns_that_count(recipe, source, drawn)
    counted = set(columns)
    ignored = tuple(name for name in source.columns if name not in counted)
    samples, seen = _look(recipe, source, drawn, [TRAIN, VALIDATION], columns)
    schema = schema_of(samples[TRAIN].frame, task, recipe, drawn.table)
    typed = [make_part(rows, schema, task) for rows in samples.values()]
    known = {TRAIN: typed[0][0], VALIDATION: typed[1][0]}
    parts = _make_parts(recipe, source, drawn, known, seen, schema=schema, task=task, folder=cache_in)
    return make_dataset(
        recipe,
        drawn,
        typed,
        parts,
        [seen.hashes[part] for part in drawn.by_code],
        content=Content(tuple(seen.content.values()), ignored),
        schema=schema,
        task=task,
        remarks=_report_sampling(parts),
        notes=(_describe_reading(source, parts[0]), *drawn.notes),
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
    drawn = take_samples(recipe, _draw_parts(recipe, source), task)
    samples, seen = _look(recipe, source, drawn, [TRAIN, VALIDATION, TEST], source.columns)
    if fingerprint_of([seen.hashes[part] for part in drawn.by_code]) != expected:
        raise DataError(describe_change(source.name))
    test, remarks = drop_unknown_classes(drawn.test, task)
    drawn = replace(drawn, test=test)
    samples[TEST] = samples[TEST].pick(np.flatnonzero(np.isin(samples[TEST].rows, test.rows)))
    known = {part: make_part(rows, schema, task, strict=part != TEST)[0] for part, rows in samples.items()}
    parts = _make_parts(recipe, source, drawn, known, seen, schema=schema, task=task, folder=cache_in)
    odd = report_unreadable(unreadable_rows(source, test.rows, schema), "test", drawn.table)
    remarks = [*remarks, *(finding.seen for finding in odd)]
    return parts[0], parts[1], replace(parts[2], strict=False, remarks=tuple(remarks))


def _draw_parts(recipe: DataRecipe, source: ParquetRows) -> Drawn:
    """The three parts by row number, each with its targets alone."""
    targets = find_targets(source.columns, recipe.target)
    check_names(recipe, source.columns, targets)
    keys = [] if recipe.split.column is None else [recipe.split.column]
    frame = slim_columns(source, [*targets, *keys], as_text=keys if recipe.split.method == "time" else [])
    table = Table(frame, source.name, namer=source.row_name, streamed=True)
    drawn = divide(recipe, table, targets, {"validation": None, "test": None})
    train, validation, test = (
        replace(part, frame=part.frame[list(targets)]) for part in drawn.by_code.values()
    )
    drawn = replace(drawn, train=train, validation=validation, test=test)
    if recipe.duplicates == "keep":
        return drawn
    rows = {part: raw.rows for part, raw in drawn.by_code.items()}
    columns = _columns_that_count(recipe, source, drawn)
    content = scan(source, rows, {}, counted=False, content=columns).content
    return drop_repeats(drawn, content[TRAIN], content[VALIDATION], content[TEST])


def _columns_that_count(recipe: DataRecipe, source: ParquetRows, drawn: Drawn) -> list[str]:
    """As of a table in memory, by the training rows of the first block."""
    start, frame = next(source.blocks())
    rows = drawn.train.rows
    known = frame[rows[slice(*np.searchsorted(rows, (start, start + len(frame))))] - start]
    return columns_that_count(known, recipe, drawn.targets, rows=source.rows, stored=())


def _look(
    recipe: DataRecipe, source: ParquetRows, drawn: Drawn, sampled: Sequence[int], content: Sequence[str]
) -> tuple[dict[int, RawRows], Scan]:
    """A sample of some parts, and the hashes and counts of all rows, by one reading."""
    raw = drawn.by_code
    rows = {part: raw[part].rows for part in raw}
    chosen = {part: sample_of(rows[part], part, recipe.split.seed) for part in sampled}
    seen = scan(source, rows, chosen, counted=len(chosen[TRAIN]) < len(rows[TRAIN]), content=content)
    return {part: replace(raw[part], frame=seen.samples[part], rows=chosen[part]) for part in sampled}, seen


def _make_parts(
    recipe: DataRecipe,
    source: ParquetRows,
    drawn: Drawn,
    known: Mapping[int, Part],
    seen: Scan,
    *,
    schema: Schema,
    task: TaskSpec,
    folder: Path | None,
) -> list[StreamedPart]:
    """Parts with all rows; training and validation rows are encoded in one reading.

    Training rows stand in the random order in which they are written, by short numbers; others in their own.
    """
    parts, levels = [], level_counts(seen.counts, schema)
    for code, sample in known.items():
        rows = drawn.by_code[code]
        order, places = np.arange(len(rows.rows)), rows.rows
        if code == TRAIN:
            order = scatter(order, recipe.split.seed)
            places = places[order].astype(np.uint32 if source.rows < 2**32 else np.int64)
        part = StreamedPart(
            rows.name,
            sample.raw.clear(),
            sample.features.clear(),
            _encode_targets(task, rows)[torch.from_numpy(order)],
            places,
            rows.table,
            source=source,
            schema=schema,
            known=sample,
            levels=levels if code == TRAIN else {},
            folder=folder,
            seed=recipe.split.seed,
        )
        parts.append(part)
    for part in parts[:2]:
        part.beside.extend(parts[:2])
    return parts


def _encode_targets(task: TaskSpec, rows: RawRows) -> Tensor:

    def encode(start: int) -> Tensor:
        frame = rows.frame[start : start + _AT_ONCE]
        return task.encode(frame, row_name=lambda row: rows.table.row_name(int(rows.rows[start + row])))

    return torch.cat([encode(start) for start in range(0, len(rows.rows), _AT_ONCE)])


def _report_sampling(parts: list[StreamedPart]) -> list[Finding]:
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
            seen=f"The table is streamed: columns were understood, scaled and checked by {sizes}, drawn at "
            "random.",
            why="Rows that do not fit into memory cannot be looked at all at once.",
            action="Repeated rows, levels of categories and the target were looked at in all rows; "
            "data.stream=false reads the table into memory.",
        )
    ]


def _describe_reading(source: ParquetRows, train: StreamedPart) -> str:
    learned = "all" if len(train.known) == len(train) else f"{SAMPLE:,} random"
    return (
        f"{source.name}: streamed; scales and kinds of columns from {learned} training rows; training rows "
        "are written in a random order once, and in each epoch read in blocks in a new random order and "
        "shuffled within 16 blocks"
    )
