"""The steps that tables in memory and streamed tables share: schema, typed rows, remarks, the dataset."""

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from handrail.data.checks import check_parts
from handrail.data.checks.finding import Finding
from handrail.data.checks.repeats import HashedRows
from handrail.data.columns.schema import ColumnKind, Schema, infer, read_frame
from handrail.data.columns.unreadable import infinite, unreadable
from handrail.data.dataset import Dataset, Sealed
from handrail.data.part import Part
from handrail.data.split.parts import Drawn, RawRows
from handrail.data.table import Table
from handrail.data.task import TaskSpec
from handrail.errors import DataError
from handrail.recipe.sections import DataRecipe


def schema_of(train: pl.DataFrame, task: TaskSpec, recipe: DataRecipe, table: Table) -> Schema:
    """What the columns are, by training rows.

    Raises: `DataError` when none is left to learn from.
    """
    features = _features(train, task, recipe)
    schema = infer(features, kinds=_kinds(features, task, recipe), stored=_kinds_by_store(table, task))
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


def _kinds_by_store(table: Table, task: TaskSpec) -> dict[str, ColumnKind]:
    """The kinds of columns that the source gives by itself."""
    found: dict[str, ColumnKind] = {name: store.kind for name, store in table.stores.items()}  # pyright: ignore[reportAssignmentType]
    return {**found, task.targets[0]: "stream"} if task.name == "next-token" else found


def _features(frame: pl.DataFrame, task: TaskSpec, recipe: DataRecipe) -> pl.DataFrame:
    if task.name == "next-token":  # a text is predicted from itself
        return frame.select(task.targets)
    keys = [recipe.split.column] if recipe.split.method in ("group", "column") else []
    return frame.drop([*task.targets, *recipe.drop, *(key for key in keys if key)])


def make_part(
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


def report_missing_targets(missing: int, targets: Sequence[str]) -> list[Finding]:
    """What is said of rows that cannot be learned from."""
    if not missing:
        return []
    return [
        Finding(
            level="warning",
            name="no-target",
            column=targets[0],
            seen=f"{missing:,} training and validation rows have no target: '{targets[0]}' is missing there "
            "(blank, or a usual word for missing such as NA).",
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
            action="It counts as missing, in new rows too; mend the rows, or "
            f"data.columns.{column.name}=category keeps the words.",
        )
        for column in schema.used
        if column.markers
    ]


def drop_unknown_classes(test: RawRows, task: TaskSpec) -> tuple[RawRows, list[str]]:
    """Without the rows of a class that no training or validation row has, and a sentence about them."""
    if not task.is_classification:
        return test, []
    labels = task.labels(test.frame[task.targets[0]])
    unknown = ~labels.is_in(list(task.classes)).to_numpy()
    if not unknown.any():
        return test, []
    names = ", ".join(f"'{name}'" for name in labels.filter(pl.Series(unknown)).unique().sort().to_list()[:5])
    sentence = f"{unknown.sum():,} test rows are of classes that training did not have ({names}) and are left out: count them as wrong."
    return test.pick(np.flatnonzero(~unknown)), [sentence]


def describe_change(source: str) -> str:
    """What is said of a source that does not give the same rows again."""
    return (
        f"'{source}' has changed since the fit: its rows, or their order, are not the same. Restore it, name "
        "its place (--source), "
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


def describe_dataset(
    recipe: DataRecipe,
    drawn: Drawn,
    typed: Sequence[tuple[Part, list[Finding]]],
    parts: Sequence[Part],
    hashes: Sequence[np.ndarray],
    *,
    schema: Schema,
    task: TaskSpec,
    remarks: Sequence[Finding],
    notes: Sequence[str],
    hashed: tuple[HashedRows, HashedRows] | None = None,
) -> Dataset:
    """The dataset, with what the checks found.

    Arguments:
        typed: training and validation rows that the checks read, and what was odd about their values.
        parts: training and validation rows as they are learned from; of a streamed table more than `typed`.
        hashes: those of training, validation and test rows.
        remarks: findings of the reader.
        hashed: the rows that are looked through for repeats, where there are more than those of `typed`.
    """
    sealed = Sealed(len(drawn.test.rows), hashes[2])
    findings = [finding for _, odd in typed for finding in odd]
    findings += [*report_missing_targets(drawn.missing, drawn.targets), *odd_words(schema), *remarks]
    findings += check_parts(
        typed[0][0],
        typed[1][0],
        schema=schema,
        task=task,
        balance=recipe.balance,
        sealed=sealed.hashes,
        hashed=hashed,
    )
    return Dataset(
        source=drawn.table.source,
        task=task,
        schema=schema,
        train=parts[0],
        validation=parts[1],
        sealed=sealed,
        parts=drawn.parts,
        fingerprint=fingerprint_of(*hashes),
        findings=tuple(findings),
        notes=tuple(notes),
    )
