"""From a source to parts: read, split, seal, and only then look.

`prepare` is the first step of every fit. The rows that it seals are reduced to their hashes at once; nothing
of them is in what it returns. `reopen` reads them again, when the seal is opened.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import polars as pl

from handrail.data.checks import check_parts
from handrail.data.checks.finding import Finding
from handrail.data.columns.schema import ColumnKind, Schema, infer, read_frame
from handrail.data.columns.unreadable import infinite, unreadable
from handrail.data.part import Part
from handrail.data.split.parts import RawRows, drawn, sampled, task_of
from handrail.data.streaming.eligible import streamed_source
from handrail.data.table import Table
from handrail.data.task import TaskSpec
from handrail.errors import DataError
from handrail.recipe.sections import DataRecipe


@dataclass(frozen=True)
class Sealed:
    """What is known of the test rows before the seal is opened: how many, and their hashes."""

    rows: int
    hashes: np.ndarray


@dataclass(frozen=True)
class Dataset:
    """Training and validation rows, what was found out about them, and the sealed part's hashes."""

    source: str
    task: TaskSpec
    schema: Schema
    train: Part
    validation: Part
    sealed: Sealed
    parts: np.ndarray
    fingerprint: str
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = field(default=())


def prepare(recipe: DataRecipe, *, cache_in: Path | None = None) -> Dataset:
    """Read the source, draw the parts, seal the test rows, and find out what the columns are from training
    rows.

    Arguments:
        cache_in: the folder where decoded pictures are kept while they are used; nothing stays there.

    Raises: `DataError` when the source, the target or the values do not serve; each mistake of a column is
    named.
    """
    source = streamed_source(recipe)
    if source is not None:
        from handrail.data.streaming.prepare import prepare_streamed

        return prepare_streamed(recipe, source, cache_in=cache_in)
    found = drawn(recipe, cache_in=cache_in)
    table, targets = found.table, found.targets
    sealed = Sealed(len(found.test.rows), found.test.hashes)
    known = pl.concat(
        [part.frame.select(targets) for part in (found.train, found.validation)], how="vertical_relaxed"
    )
    task = task_of(recipe, known, targets, table)
    if recipe.task == "forecast":
        task = task.model_copy(update={"horizon": recipe.forecast.horizon, "season": found.season})
    train, validation = sampled(recipe, found.train, task), sampled(recipe, found.validation, task)
    fingerprint = fingerprint_of(train.hashes, validation.hashes, found.test.hashes)
    schema = schema_of(train.frame, task, recipe, table)
    ready = [typed_part(part, schema, task) for part in (train, validation)]
    findings = [finding for _, troubles in ready for finding in troubles]
    findings += [*unlabelled(found.missing, targets), *odd_words(schema), *_remarks(table)]
    findings += check_parts(
        ready[0][0], ready[1][0], schema=schema, task=task, balance=recipe.balance, sealed=sealed.hashes
    )
    return Dataset(
        source=table.source,
        task=task,
        schema=schema,
        train=ready[0][0],
        validation=ready[1][0],
        sealed=sealed,
        parts=found.parts,
        fingerprint=fingerprint,
        findings=tuple(findings),
        notes=tuple(table.notes),
    )


def schema_of(train: pl.DataFrame, task: TaskSpec, recipe: DataRecipe, table: Table) -> Schema:
    """What the columns are, by training rows.

    Raises: `DataError` when none is left to learn from.
    """
    features = _features(train, task, recipe)
    schema = infer(features, kinds=_kinds(features, task, recipe), stored=_stored(table, task))
    if not schema.used:
        raise DataError(
            "no column is left to learn from: "
            + "; ".join(f"'{c.name}' is {c.kind} ({c.why})" for c in schema.columns)
            + ". "
            "data.columns.NAME=numeric, category or text takes a column as such."
        )
    return schema


def _kinds(features: pl.DataFrame, task: TaskSpec, recipe: DataRecipe) -> Mapping[str, str]:
    """As the recipe says. A text is written from a text: a lone column is one, though its values may look
    like dates or names.
    """
    lone = task.name == "sequence" and features.width == 1 and features.dtypes[0] == pl.String
    return {**dict.fromkeys(features.columns, "text"), **recipe.columns} if lone else recipe.columns


def _stored(table: Table, task: TaskSpec) -> dict[str, ColumnKind]:
    """The kinds of columns that the source gives by itself."""
    found: dict[str, ColumnKind] = {name: store.kind for name, store in table.stores.items()}  # pyright: ignore[reportAssignmentType]
    return {**found, task.targets[0]: "stream"} if task.name == "next-token" else found


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


def unlabelled(missing: int, targets: Sequence[str]) -> list[Finding]:
    """What is said of rows that cannot be learned from."""
    if not missing:
        return []
    return [
        Finding(
            level="warning",
            name="no-target",
            column=targets[0],
            seen=f"{missing:,} training and validation rows have no target: '{targets[0]}' is missing there (blank, or a usual word for missing such as NA).",
            why="There is nothing to learn from them, and nothing to measure on them.",
            action="They are left out.",
        )
    ]


def odd_words(schema: Schema) -> list[Finding]:
    """Words among numbers that are taken for missing."""
    return [
        Finding(
            level="warning",
            name="odd-words",
            column=column.name,
            seen=f"Column '{column.name}': {', '.join(repr(word) for word in column.markers)} among numbers.",
            why="A word there may be a slip, or stand for missing.",
            action=f"It counts as missing, in new rows too; mend the rows, or data.columns.{column.name}=category keeps the words.",
        )
        for column in schema.used
        if column.markers
    ]


def reopen(
    recipe: DataRecipe, schema: Schema, task: TaskSpec, *, expected: str, cache_in: Path | None = None
) -> tuple[Part, Part, Part]:
    """Training, validation and test rows of a recipe again, by one reading, typed by a schema that is known
    already.

    Raises: `DataError` when they are not, row by row, what they were; `expected` is `Dataset.fingerprint`.
    """
    source = streamed_source(recipe)
    if source is not None:
        from handrail.data.streaming.prepare import reopen_streamed

        return reopen_streamed(recipe, source, schema, task, expected=expected, cache_in=cache_in)
    found = drawn(recipe, cache_in=cache_in)
    train, validation, test = (
        sampled(recipe, found.train, task),
        sampled(recipe, found.validation, task),
        found.test,
    )
    if fingerprint_of(train.hashes, validation.hashes, test.hashes) != expected:
        raise DataError(changed(found.table.source))
    test, remarks = of_known_classes(test, task)
    tested, odd = typed_part(test, schema, task, strict=False)
    tested = replace(tested, remarks=(*remarks, *(finding.seen for finding in odd)))
    return typed_part(train, schema, task)[0], typed_part(validation, schema, task)[0], tested


def of_known_classes(test: RawRows, task: TaskSpec) -> tuple[RawRows, list[str]]:
    """Without the rows of a class that no training or validation row has, and a sentence about them."""
    if not task.is_classification:
        return test, []
    labels = task.labels(test.frame[task.targets[0]])
    unknown = ~labels.is_in(list(task.classes)).to_numpy()
    if not unknown.any():
        return test, []
    names = ", ".join(f"'{name}'" for name in labels.filter(pl.Series(unknown)).unique().sort().to_list()[:5])
    sentence = f"{unknown.sum():,} test rows are of classes that training did not have ({names}) and are left out: count them as wrong."
    return test.picked(np.flatnonzero(~unknown)), [sentence]


def changed(source: str) -> str:
    """What is said of a source that does not give the same rows again."""
    return (
        f"'{source}' has changed since the fit: its rows, or their order, are not the same. Restore it, name its place (--source), "
        "or fit again."
    )


def fingerprint_of(*hashes: np.ndarray) -> str:
    """32 characters that change with any value, and with the order of the rows of a part, whose hashes are
    given.
    """
    total = hashlib.sha256()
    for part in hashes:
        total.update(len(part).to_bytes(8, "little") + part.tobytes())
    return total.hexdigest()[:32]


def _features(frame: pl.DataFrame, task: TaskSpec, recipe: DataRecipe) -> pl.DataFrame:
    if task.name == "next-token":  # a text is predicted from itself
        return frame.select(task.targets)
    keys = [recipe.split.column] if recipe.split.method in ("group", "column") else []
    return frame.drop([*task.targets, *recipe.drop, *(key for key in keys if key)])


def typed_part(
    rows: RawRows, schema: Schema, task: TaskSpec, *, strict: bool = True
) -> tuple[Part, list[Finding]]:
    """Typed rows; values that cannot be read count as missing, but infinite ones are refused where it is
    `strict`.
    """
    features, troubles = read_frame(rows.frame, schema)
    problems, findings = [], []
    for trouble in troubles:
        places = [int(rows.rows[row]) for row in trouble.rows]
        if strict and trouble.is_infinite:
            problems.append(infinite(trouble, places, rows.table))
        else:
            findings.append(unreadable(trouble, places, rows.name, rows.table))
    if problems:
        raise DataError(problems)
    return Part(
        rows.name,
        rows.frame,
        features,
        task.encode(rows.frame, row_name=lambda row: rows.table.row_name(int(rows.rows[row]))),
        rows.rows,
        rows.table,
    ), findings
