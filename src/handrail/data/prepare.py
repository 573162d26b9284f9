"""From a source to parts: read, split, seal, and only then look.

`prepare` is the first step of every fit. The rows that it seals are reduced to their hashes at once; nothing
of them is in what it returns. `reopen` reads them again, when the seal is opened.
"""

from dataclasses import replace
from pathlib import Path

from handrail.data.columns.names import without
from handrail.data.columns.schema import Schema
from handrail.data.dataset import (
    Dataset,
    describe_change,
    drop_unknown_classes,
    fingerprint_of,
    make_dataset,
    make_part,
    schema_of,
)
from handrail.data.finding import Finding
from handrail.data.part import Part
from handrail.data.split.drawn import Drawn, RawRows
from handrail.data.split.parts import draw_parts, take_samples, task_of_parts
from handrail.data.split.repeats import Content, columns_that_count, content_hashes, drop_repeats
from handrail.data.streaming.parquet import find_streamable
from handrail.data.task import TaskSpec
from handrail.errors import DataError
from handrail.recipe.sections import DataRecipe


def prepare(recipe: DataRecipe, *, cache_in: Path | None = None) -> Dataset:
    """Read the source, draw the parts, seal the test rows, and type the columns by training rows.

    Arguments:
        cache_in: the folder where decoded pictures are kept while they are used; nothing stays there.

    Raises: `DataError` when source, target or values do not serve; each mistake of a column is named.
    """
    source = find_streamable(recipe)
    if source is not None:
        from handrail.data.streaming.prepare import prepare_stream

        return prepare_stream(recipe, source, cache_in=cache_in)
    return _prepare(recipe, *_draw_samples(recipe, cache_in))


def prepare_with_test(recipe: DataRecipe) -> tuple[Dataset, Part]:
    """As `prepare`, and the test rows as well: for checks that compare the parts before a fit.

    Raises: as `prepare`.
    """
    source = find_streamable(recipe)
    if source is not None:
        from handrail.data.streaming.prepare import prepare_stream, reopen_stream

        dataset = prepare_stream(recipe, source)
        known = dataset.schema, dataset.task
        return dataset, reopen_stream(recipe, source, *known, expected=dataset.fingerprint)[2]
    drawn, task = _draw_samples(recipe, None)
    dataset = _prepare(recipe, drawn, task)
    return dataset, _open_test(drawn.test, dataset.schema, task)


def _draw_samples(recipe: DataRecipe, cache_in: Path | None) -> tuple[Drawn, TaskSpec]:
    drawn = _draw(recipe, cache_in)
    task = task_of_parts(recipe, drawn)
    return take_samples(recipe, drawn, task), task


def _prepare(recipe: DataRecipe, drawn: Drawn, task: TaskSpec) -> Dataset:
    schema = schema_of(drawn.train.frame, task, recipe, drawn.table)
    typed = [make_part(part, schema, task) for part in (drawn.train, drawn.validation)]
    odd_files = [
        Finding(
            level="warning",
            name="odd-file",
            column=name,
            seen=remark,
            why="A file that is not like the others may not be what it seems.",
            action="It is used as it is; remove or replace it if it does not belong here.",
        )
        for name, store in drawn.table.stores.items()
        for remark in getattr(store, "remarks", ())
    ]
    return make_dataset(
        recipe,
        drawn,
        typed,
        [part for part, _ in typed],
        [part.hashes for part in drawn.by_code.values()],
        content=_content(recipe, drawn),
        schema=schema,
        task=task,
        remarks=(*drawn.table.findings, *odd_files),
        notes=(*drawn.table.notes, *drawn.notes),
    )


def _draw(recipe: DataRecipe, cache_in: Path | None) -> Drawn:
    """The parts, without repeats where they are to be dropped."""
    drawn = draw_parts(recipe, cache_in=cache_in)
    if recipe.duplicates == "keep":
        return drawn
    return drop_repeats(drawn, *_content(recipe, drawn).hashes)


def _content(recipe: DataRecipe, drawn: Drawn) -> Content:
    """The rows of the three parts by what stands in the columns that tell them apart."""
    frame, stores = drawn.train.frame, drawn.table.stores
    judging = [*drawn.factors, *([] if drawn.label is None else [drawn.label])]
    frame = without(frame, judging)  # which columns judge may not change what is learned
    columns = columns_that_count(frame, recipe, drawn.targets, rows=drawn.train.total, stored=stores)
    whole = len(columns) == drawn.train.frame.width
    parts = drawn.by_code.values()
    hashes = tuple(part.hashes if whole else content_hashes(part, columns) for part in parts)
    counted = set(columns)
    return Content(hashes, tuple(name for name in frame.columns if name not in counted))


def reopen(
    recipe: DataRecipe, schema: Schema, task: TaskSpec, *, expected: str, cache_in: Path | None = None
) -> tuple[Part, Part, Part]:
    """Training, validation and test rows again, by one reading, typed by a schema that is known already.

    Raises: `DataError` when they are not, row by row, what they were; `expected` is `Dataset.fingerprint`.
    """
    source = find_streamable(recipe)
    if source is not None:
        from handrail.data.streaming.prepare import reopen_stream

        return reopen_stream(recipe, source, schema, task, expected=expected, cache_in=cache_in)
    drawn = take_samples(recipe, _draw(recipe, cache_in), task)
    if fingerprint_of([part.hashes for part in drawn.by_code.values()]) != expected:
        raise DataError(describe_change(drawn.table.source))
    train, validation = (make_part(part, schema, task)[0] for part in (drawn.train, drawn.validation))
    return train, validation, _open_test(drawn.test, schema, task)


def _open_test(test: RawRows, schema: Schema, task: TaskSpec) -> Part:
    rows, remarks = drop_unknown_classes(test, task)
    part, odd = make_part(rows, schema, task, strict=False)
    return replace(part, remarks=(*remarks, *(finding.seen for finding in odd)))
