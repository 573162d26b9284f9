"""From a source to parts: read, split, seal, and only then look.

`prepare` is the first step of every fit. The rows that it seals are reduced to their hashes at once; nothing
of them is in what it returns. `reopen` reads them again, when the seal is opened.
"""

from dataclasses import replace
from pathlib import Path

import polars as pl

from handrail.data.checks.finding import Finding
from handrail.data.columns.schema import Schema
from handrail.data.dataset import Dataset
from handrail.data.part import Part
from handrail.data.split.parts import draw_parts, take_sample, task_of
from handrail.data.steps import (
    describe_change,
    describe_dataset,
    drop_unknown_classes,
    fingerprint_of,
    make_part,
    schema_of,
)
from handrail.data.streaming.eligible import find_streamable
from handrail.data.streaming.prepare import prepare_stream, reopen_stream
from handrail.data.table import Table
from handrail.data.task import TaskSpec
from handrail.errors import DataError
from handrail.recipe.sections import DataRecipe


def prepare(recipe: DataRecipe, *, cache_in: Path | None = None) -> Dataset:
    """Read the source, draw the parts, seal the test rows, and type the columns by training rows.

    Arguments:
        cache_in: the folder where decoded pictures are kept while they are used; nothing stays there.

    Raises: `DataError` when the source, the target or the values do not serve; each mistake of a column is
    named.
    """
    source = find_streamable(recipe)
    if source is not None:
        return prepare_stream(recipe, source, cache_in=cache_in)
    draw = draw_parts(recipe, cache_in=cache_in)
    table, targets = draw.table, draw.targets
    known = pl.concat(
        [part.frame.select(targets) for part in (draw.train, draw.validation)], how="vertical_relaxed"
    )
    task = task_of(recipe, known, targets, table)
    if recipe.task == "forecast":
        task = task.model_copy(update={"horizon": recipe.forecast.horizon, "season": draw.season})
    train, validation = take_sample(recipe, draw.train, task), take_sample(recipe, draw.validation, task)
    schema = schema_of(train.frame, task, recipe, table)
    typed = [make_part(part, schema, task) for part in (train, validation)]
    return describe_dataset(
        recipe,
        draw,
        typed,
        [part for part, _ in typed],
        [train.hashes, validation.hashes, draw.test.hashes],
        schema=schema,
        task=task,
        remarks=_remarks(table),
        notes=table.notes,
    )


def reopen(
    recipe: DataRecipe, schema: Schema, task: TaskSpec, *, expected: str, cache_in: Path | None = None
) -> tuple[Part, Part, Part]:
    """Training, validation and test rows of a recipe again, by one reading, typed by a schema that is known
    already.

    Raises: `DataError` when they are not, row by row, what they were; `expected` is `Dataset.fingerprint`.
    """
    source = find_streamable(recipe)
    if source is not None:
        return reopen_stream(recipe, source, schema, task, expected=expected, cache_in=cache_in)
    found = draw_parts(recipe, cache_in=cache_in)
    train, validation, test = (
        take_sample(recipe, found.train, task),
        take_sample(recipe, found.validation, task),
        found.test,
    )
    if fingerprint_of(train.hashes, validation.hashes, test.hashes) != expected:
        raise DataError(describe_change(found.table.source))
    test, remarks = drop_unknown_classes(test, task)
    tested, odd = make_part(test, schema, task, strict=False)
    tested = replace(tested, remarks=(*remarks, *(finding.seen for finding in odd)))
    return make_part(train, schema, task)[0], make_part(validation, schema, task)[0], tested


def _remarks(table: Table) -> list[Finding]:
    """What is odd about single files."""
    return [
        Finding(
            level="warning",
            name="odd-file",
            column=name,
            seen=remark,
            why="A file that is not like the others may not be what it seems.",
            action="It is used as it is; remove or replace it if it does not belong here.",
        )
        for name, store in table.stores.items()
        for remark in getattr(store, "remarks", ())
    ]
