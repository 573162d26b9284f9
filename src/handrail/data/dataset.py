"""From a source to parts: read, split, seal, and only then look.

`prepare` is the first step of every fit. The rows that it seals are reduced to their hashes at once; nothing of them is
in what it returns. `reopen` reads them again, when the seal is opened.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
from torch import Tensor

from handrail.data.checks import check_parts
from handrail.data.drawing import RawRows, drawn, sampled, task_of
from handrail.data.findings import Finding
from handrail.data.fingerprint import row_hashes
from handrail.data.schema import ColumnKind, Schema, infer, read_frame
from handrail.data.store import Stores
from handrail.data.table import Table
from handrail.data.task import Task
from handrail.errors import DataError
from handrail.sections import DataRecipe


@dataclass(frozen=True)
class Part:
    """Rows of one part: as read, as typed features, as encoded target; `rows` are positions in their source."""

    name: str
    raw: pl.DataFrame
    features: pl.DataFrame
    target: Tensor
    rows: np.ndarray
    table: Table
    remarks: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def stores(self) -> Stores:
        """What the cells of some columns are places in."""
        return self.table.stores

    @cached_property
    def hashes(self) -> np.ndarray:
        """Of each row as it was read, by content."""
        return row_hashes(self.raw, stores=self.stores)

    def readable(self, row: int, names: Sequence[str]) -> dict[str, str | None]:
        """The values of a row as a person would name them: a stored item by its file."""
        values = self.raw.select(names).row(row, named=True)
        return {name: None if value is None else self._said(name, value) for name, value in values.items()}

    def _said(self, name: str, value: object) -> str:
        return self.stores[name].name(int(str(value))) if name in self.stores else str(value)


@dataclass(frozen=True)
class Sealed:
    """What is known of the test rows before the seal is opened: how many, and their hashes."""

    rows: int
    hashes: np.ndarray


@dataclass(frozen=True)
class Dataset:
    """Training and validation rows, what was found out about them, and the sealed part's hashes."""

    source: str
    task: Task
    schema: Schema
    train: Part
    validation: Part
    sealed: Sealed
    parts: np.ndarray
    fingerprint: str
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = field(default=())


def prepare(recipe: DataRecipe, *, cache_in: Path | None = None) -> Dataset:
    """Read the source, draw the parts, seal the test rows, and find out what the columns are from training rows.

    Arguments:
        cache_in: the folder where decoded pictures are kept while they are used; nothing stays there.

    Raises: `DataError` when the source, the target or the values do not serve; each mistake of a column is named.
    """
    found = drawn(recipe, cache_in=cache_in)
    table, targets = found.table, found.targets
    sealed = Sealed(len(found.test.rows), found.test.hashes)
    known = pl.concat([part.frame.select(targets) for part in (found.train, found.validation)], how="vertical_relaxed")
    task = task_of(recipe, known, targets, table)
    if recipe.task == "forecast":
        task = task.model_copy(update={"horizon": recipe.forecast.horizon, "season": found.season})
    train, validation = sampled(recipe, found.train, task), sampled(recipe, found.validation, task)
    fingerprint = _fingerprint(train, validation, found.test)
    features = _features(train.frame, task, recipe)
    schema = infer(features, kinds=_kinds(features, task, recipe), stored=_stored(table, task))
    if not schema.used:
        raise DataError(
            "no column is left to learn from: " + "; ".join(f"'{c.name}' is {c.kind} ({c.why})" for c in schema.columns) + ". "
            "data.columns.NAME=numeric, category or text takes a column as such."
        )
    ready = [_part(part, schema, task) for part in (train, validation)]
    findings = [finding for _, troubles in ready for finding in troubles]
    findings += [*_unlabelled(found.missing, targets), *_odd_words(schema), *_remarks(table)]
    findings += check_parts(ready[0][0], ready[1][0], schema=schema, task=task, balance=recipe.balance, sealed=sealed.hashes)
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


def _kinds(features: pl.DataFrame, task: Task, recipe: DataRecipe) -> Mapping[str, str]:
    """As the recipe says. A text is written from a text: a lone column is one, though its values may look like dates or names."""
    lone = task.name == "sequence" and features.width == 1 and features.dtypes[0] == pl.String
    return {**dict.fromkeys(features.columns, "text"), **recipe.columns} if lone else recipe.columns


def _stored(table: Table, task: Task) -> dict[str, ColumnKind]:
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


def _unlabelled(missing: int, targets: Sequence[str]) -> list[Finding]:
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


def _odd_words(schema: Schema) -> list[Finding]:
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
    recipe: DataRecipe, schema: Schema, task: Task, *, expected: str, cache_in: Path | None = None
) -> tuple[Part, Part, Part]:
    """Training, validation and test rows of a recipe again, by one reading, typed by a schema that is known already.

    Raises: `DataError` when they are not, row by row, what they were; `expected` is `Dataset.fingerprint`.
    """
    found = drawn(recipe, cache_in=cache_in)
    train, validation, test = sampled(recipe, found.train, task), sampled(recipe, found.validation, task), found.test
    if _fingerprint(train, validation, test) != expected:
        raise DataError(
            f"'{found.table.source}' has changed since the fit: its rows, or their order, are not the same. Restore it, name its "
            "place (--source), or fit again."
        )
    test, remarks = _of_known_classes(test, task)
    tested, odd = _part(test, schema, task, strict=False)
    tested = replace(tested, remarks=(*remarks, *(finding.seen for finding in odd)))
    return _part(train, schema, task)[0], _part(validation, schema, task)[0], tested


def _of_known_classes(test: RawRows, task: Task) -> tuple[RawRows, list[str]]:
    """Without the rows of a class that no training or validation row has, and a sentence about them."""
    if not task.is_classification:
        return test, []
    labels = task.labels(test.frame[task.targets[0]])
    unknown = ~labels.is_in(list(task.classes)).to_numpy()
    if not unknown.any():
        return test, []
    names = ", ".join(f"'{name}'" for name in labels.filter(pl.Series(unknown)).unique().sort().to_list()[:5])
    sentence = (
        f"{unknown.sum():,} test rows are of classes that training did not have ({names}) and are left out: count them as wrong."
    )
    return test.picked(np.flatnonzero(~unknown)), [sentence]


def _fingerprint(*parts: RawRows) -> str:
    """32 characters that change with any value, and with the order of the rows of a part."""
    total = hashlib.sha256()
    for part in parts:
        total.update(len(part.rows).to_bytes(8, "little") + part.hashes.tobytes())
    return total.hexdigest()[:32]


def _features(frame: pl.DataFrame, task: Task, recipe: DataRecipe) -> pl.DataFrame:
    if task.name == "next-token":  # a text is predicted from itself
        return frame.select(task.targets)
    keys = [recipe.split.column] if recipe.split.method in ("group", "column") else []
    return frame.drop([*task.targets, *recipe.drop, *(key for key in keys if key)])


def _part(rows: RawRows, schema: Schema, task: Task, *, strict: bool = True) -> tuple[Part, list[Finding]]:
    """Typed rows; values that cannot be read count as missing, but infinite ones are refused where it is `strict`."""
    features, troubles = read_frame(rows.frame, schema)
    problems, findings = [], []
    for trouble in troubles:
        places = [rows.table.row_name(int(rows.rows[row])) for row in trouble.rows]
        where = f"{', '.join(places[:5])}{' …' if len(places) > 5 else ''} of '{rows.table.source}'"
        if strict and _is_infinite(trouble.example):
            problems.append(
                f"{trouble} in {where}; expected a finite number. Mend the rows, or give the word as a missing marker (data.read.missing)."
            )
        else:
            findings.append(
                Finding(
                    level="warning",
                    name="unreadable",
                    column=trouble.column,
                    seen=f"{trouble} in {len(places):,} {rows.name} rows ({where}).",
                    why="The column was understood from training rows, and these values do not fit.",
                    action="They count as missing.",
                )
            )
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


def _is_infinite(text: str) -> bool:
    try:
        return abs(float(text)) == float("inf")
    except ValueError:
        return False
