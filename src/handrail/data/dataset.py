"""From a source to parts: read, split, seal, and only then look.

`prepare` is the first step of every fit. The rows that it seals are reduced to their hashes at once; nothing of them is
in what it returns. `reopen` reads them again, when the seal is opened.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl
from torch import Tensor

from handrail.data.checks import check_parts
from handrail.data.findings import Finding
from handrail.data.fingerprint import row_hashes
from handrail.data.schema import Schema, infer, read_frame
from handrail.data.sources import read_expecting
from handrail.data.split import PARTS, TEST, TRAIN, VALIDATION, draw, spread_by_class
from handrail.data.table import Table
from handrail.data.task import Task, find_targets, infer_task
from handrail.errors import DataError, did_you_mean
from handrail.recipe import DataRecipe


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


@dataclass(frozen=True)
class _Rows:
    """Rows of one part as they were read."""

    name: str
    frame: pl.DataFrame
    rows: np.ndarray
    table: Table


def prepare(recipe: DataRecipe) -> Dataset:
    """Read the source, draw the parts, seal the test rows, and find out what the columns are from training rows.

    Raises: `DataError` when the source, the target or the values do not serve; each mistake of a column is named.
    """
    table, targets, train, validation, test, parts, missing = _drawn(recipe)
    sealed = Sealed(len(test.rows), row_hashes(test.frame))
    known = pl.concat([train.frame.select(targets), validation.frame.select(targets)], how="vertical_relaxed")
    task = infer_task(known, targets, task=recipe.task, positive=None if recipe.positive is None else str(recipe.positive))
    train, validation = _sampled(recipe, train, task), _sampled(recipe, validation, task)
    found = _fingerprint(train, validation, test)
    schema = infer(_features(train.frame, targets, recipe), kinds=recipe.columns)
    if not schema.used:
        raise DataError(
            "no column is left to learn from: " + "; ".join(f"'{c.name}' is {c.kind} ({c.why})" for c in schema.columns) + "."
        )
    ready = [_part(part, schema, task) for part in (train, validation)]
    findings = [finding for _, troubles in ready for finding in troubles]
    findings += [*_unlabelled(missing, targets), *_odd_words(schema)]
    findings += check_parts(ready[0][0], ready[1][0], schema=schema, task=task, balance=recipe.balance, sealed=sealed.hashes)
    return Dataset(
        source=table.source,
        task=task,
        schema=schema,
        train=ready[0][0],
        validation=ready[1][0],
        sealed=sealed,
        parts=parts,
        fingerprint=found,
        findings=tuple(findings),
        notes=tuple(table.notes),
    )


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


def reopen(recipe: DataRecipe, schema: Schema, task: Task, *, expected: str) -> tuple[Part, Part, Part]:
    """Training, validation and test rows of a recipe again, by one reading, typed by a schema that is known already.

    Raises: `DataError` when they are not, row by row, what they were; `expected` is `Dataset.fingerprint`.
    """
    table, _, train, validation, test, _, _ = _drawn(recipe)
    train, validation = _sampled(recipe, train, task), _sampled(recipe, validation, task)
    if _fingerprint(train, validation, test) != expected:
        raise DataError(
            f"'{table.source}' has changed since the fit: its rows, or their order, are not the same. Restore it, name its "
            "place (--source), or fit again."
        )
    test, remarks = _of_known_classes(test, task)
    tested, found = _part(test, schema, task, strict=False)
    tested = replace(tested, remarks=(*remarks, *(finding.seen for finding in found)))
    return _part(train, schema, task)[0], _part(validation, schema, task)[0], tested


def _of_known_classes(test: _Rows, task: Task) -> tuple[_Rows, list[str]]:
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
    return _picked(test, np.flatnonzero(~unknown)), [sentence]


def _fingerprint(*parts: _Rows) -> str:
    """32 characters that change with any value, and with the order of the rows of a part."""
    total = hashlib.sha256()
    for part in parts:
        total.update(len(part.rows).to_bytes(8, "little") + row_hashes(part.frame).tobytes())
    return total.hexdigest()[:32]


def _drawn(recipe: DataRecipe) -> tuple[Table, tuple[str, ...], _Rows, _Rows, _Rows, np.ndarray, int]:
    """The three parts as they were read, without rows that repeat what they may not or have no target, and how many have none.

    Rows of the sealed part are not counted: what a fit says must not depend on them.
    """
    table, targets, rows, parts = _divide(recipe)
    train, validation, test = (_labelled(part, targets) for part in rows)
    missing = sum(len(before.rows) - len(after.rows) for before, after in ((rows[TRAIN], train), (rows[VALIDATION], validation)))
    validation, test = _without_repeats(recipe, train, validation, test)
    return table, targets, train, validation, test, parts, missing


def _divide(recipe: DataRecipe) -> tuple[Table, tuple[str, ...], tuple[_Rows, _Rows, _Rows], np.ndarray]:
    """The three parts as they were read."""
    if recipe.source is None:
        raise DataError("no source was given (data.source); expected a file, a database URL or bundled:NAME.")
    wanted = recipe.target if isinstance(recipe.target, list) else [recipe.target]
    table = read_expecting(recipe.source, [name for name in wanted if isinstance(name, str)], options=recipe.read)
    targets = find_targets(table.frame.columns, recipe.target)
    _check_names(recipe, table, targets)
    others = {name: _other(getattr(recipe, name), table, recipe) for name in ("validation", "test")}
    frame = table.frame

    def classes_of(rows: np.ndarray) -> pl.Series | None:
        known = frame[rows] if len(rows) < len(frame) else frame
        task = infer_task(known.select(targets), targets, task=recipe.task)
        return known[targets[0]] if task.is_classification else None

    keys = frame[recipe.split.column] if recipe.split.column else None
    given = {"with_validation": others["validation"] is None, "with_test": others["test"] is None}
    parts = draw(recipe.split, len(frame), keys=keys, classes_of=classes_of, **given)
    rows = []
    for code, name in enumerate(PARTS):
        other = others.get(name)
        places = np.flatnonzero(parts == code) if other is None else np.arange(len(other.frame))
        rows.append(_Rows(name, frame[places] if other is None else other.frame, places, other or table))
    empty = [part.name for part in rows if not len(part.frame)]
    if empty:
        raise DataError(f"the {empty[0]} part has no rows; expected some in each of {', '.join(PARTS)}.")
    return table, targets, (rows[TRAIN], rows[VALIDATION], rows[TEST]), parts


def _other(source: Any, table: Table, recipe: DataRecipe) -> Table | None:
    """A part with a source of its own: the same columns, by name or, without a header, by position."""
    if source is None:
        return None
    other = read_expecting(source, [name for name in table.frame.columns if name not in recipe.drop], options=recipe.read)
    absent = [name for name in table.frame.columns if name not in other.frame.columns and name not in recipe.drop]
    if absent:
        raise DataError(
            f"'{other.source}' has no column '{absent[0]}', which '{table.source}' has.{did_you_mean(absent[0], other.frame.columns)}"
        )
    return other


def _check_names(recipe: DataRecipe, table: Table, targets: Sequence[str]) -> None:
    columns = table.frame.columns
    asked = [("data.drop", name) for name in recipe.drop] + [("data.columns", name) for name in recipe.columns]
    if recipe.split.column:
        asked.append(("data.split.column", recipe.split.column))
    problems = [
        f"{where}: the table has no column '{name}'.{did_you_mean(name, columns)}" for where, name in asked if name not in columns
    ]
    problems += [f"data.drop: '{name}' is the target." for name in recipe.drop if name in targets]
    problems += [f"data.columns: '{name}' is the target; data.task says what it is." for name in recipe.columns if name in targets]
    if problems:
        raise DataError(problems)


def _labelled(part: _Rows, targets: Sequence[str]) -> _Rows:
    """Without the rows whose target is missing."""
    missing = np.zeros(len(part.frame), dtype=bool)
    for name in targets:
        missing |= part.frame[name].is_null().to_numpy()
    if not missing.any():
        return part
    if missing.all():
        raise DataError(
            f"the target '{targets[0]}': all {len(missing):,} values of the {part.name} rows are missing; expected at least some."
        )
    return _picked(part, np.flatnonzero(~missing))


def _picked(part: _Rows, places: np.ndarray) -> _Rows:
    return _Rows(part.name, part.frame[places], part.rows[places], part.table)


def _without_repeats(recipe: DataRecipe, train: _Rows, validation: _Rows, test: _Rows) -> tuple[_Rows, _Rows]:
    """Validation without repeats of training rows, test without repeats of either, where the recipe asks for it."""
    if recipe.duplicates == "keep":
        return validation, test
    before = row_hashes(train.frame)
    known = row_hashes(validation.frame)
    validation = _picked(validation, np.flatnonzero(~np.isin(known, before)))
    test = _picked(test, np.flatnonzero(~np.isin(row_hashes(test.frame), np.concatenate([before, known]))))
    return validation, test


def _sampled(recipe: DataRecipe, part: _Rows, task: Task) -> _Rows:
    """A part of the part, class by class: `data.sample` rows in all (or that share of them)."""
    if recipe.sample is None:
        return part
    share = recipe.sample if recipe.sample <= 1 else recipe.sample / len(part.table.frame)
    if share >= 1:
        return part
    classes = part.frame[task.targets[0]] if task.is_classification else None
    everything = np.arange(len(part.frame))
    left_out = spread_by_class(everything, 1 - share, np.random.default_rng([recipe.split.seed, 11]), classes)
    return _picked(part, np.setdiff1d(everything, left_out))  # what is left holds at least a row of each class


def _features(frame: pl.DataFrame, targets: Sequence[str], recipe: DataRecipe) -> pl.DataFrame:
    keys = [recipe.split.column] if recipe.split.method in ("group", "column") else []
    return frame.drop([*targets, *recipe.drop, *(key for key in keys if key)])


def _part(rows: _Rows, schema: Schema, task: Task, *, strict: bool = True) -> tuple[Part, list[Finding]]:
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
