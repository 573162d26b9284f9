"""What `prepare` returns, and the steps to it that tables in memory and streamed tables share."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl

from handrail.data.checks import check_parts
from handrail.data.checks.columns.words import report_odd_words
from handrail.data.checks.limits import check_limits
from handrail.data.checks.repeats import HashedRows
from handrail.data.columns.names import without
from handrail.data.columns.schema import Conventions, Schema, Trouble, infer, read_frame
from handrail.data.finding import Finding
from handrail.data.missing_words import usual_words
from handrail.data.part import Part
from handrail.data.rows import TargetWindows
from handrail.data.split.drawn import Drawn, RawRows
from handrail.data.split.repeats import Content
from handrail.data.stores.series import WindowStore
from handrail.data.table import Table
from handrail.data.targets.texts import READ_TEXTS, report_source, source_kinds
from handrail.data.task import TaskSpec
from handrail.errors import DataError
from handrail.recipe.sections import DataRecipe
from handrail.tools.interface import argument
from handrail.tools.moved import forward
from handrail.tools.words import list_some, plural

Located = Sequence[tuple[Trouble, Sequence[int]]]


@dataclass(frozen=True)
class Sealed:
    """What is known of the test rows before the seal is opened: how many, and their hashes.

    A forecast's rows are windows, but the hashes are of the rows of the table that they predict: another
    history or horizon cuts other windows from the same rows.
    """

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


def schema_of(train: pl.DataFrame, task: TaskSpec, recipe: DataRecipe, table: Table) -> Schema:
    """What the columns are, by training rows.

    Raises: `DataError` when none is left to learn from.
    """
    in_order = task.is_forecast or table.is_series
    kinds: Mapping[str, str] = {} if in_order else recipe.columns  # used up by the ordering
    stored: dict[str, Any] = {name: store.kind for name, store in table.stores.items()}
    if task.name == "next-token":  # a text is predicted from itself
        kind = "symbols" if table.is_series else "stream"
        features, stored[task.targets[0]] = train[list(task.targets)], kind
    else:
        key = recipe.split.column if recipe.split.method in ("group", "column") else None
        # A forecast's table of windows is without what was dropped.
        dropped = [name for name in recipe.drop if not task.is_forecast or name in train.columns]
        features = without(train, [*task.set_aside, *dropped, *([] if key is None else [key])])
    if task.name in READ_TEXTS:
        kinds = {**source_kinds(features, kinds, alone=task.name == "text-to-image"), **kinds}
    schema = infer(features, kinds=kinds, stored=stored, conventions=_conventions(recipe, in_order))
    if not schema.used:
        reasons = "; ".join(f"'{column.name}' is {column.kind} ({column.why})" for column in schema.columns)
        raise DataError(
            f"no column is left to learn from: {reasons}. data.columns.NAME=numeric, category or text takes "
            "a column as such."
        )
    missing = usual_words(is_text=table.is_text, given=recipe.read.missing)
    return schema.model_copy(update={"notations": dict(table.notations), "missing_words": missing})


def _conventions(recipe: DataRecipe, in_order: bool) -> Conventions:
    """What the recipe says about values; what was put in the order of time has no dates any more."""
    formats = {} if in_order else {**recipe.dates.formats}
    formats.pop(recipe.split.column or "", None)
    missing = {name: tuple(map(str, words)) for name, words in recipe.missing.items()}
    if in_order:
        missing = {}
    return Conventions(recipe.dates.order, formats, missing, recipe.encoding.fold_case)


def make_part(
    rows: RawRows, schema: Schema, task: TaskSpec, *, strict: bool = True
) -> tuple[Part, list[Finding]]:
    """Typed rows; values that cannot be read count as missing, but infinite ones are refused if `strict`."""
    features, odd = _read_features(rows, schema, strict=strict)
    target = window_targets(rows, task)
    if target is None:
        target = task.encode(rows.frame, row_name=lambda row: rows.table.row_name(int(rows.rows[row])))
    part = Part(rows.name, rows.frame, features, target, rows.rows, rows.table)
    if rows.unlabelled is not None:
        unlabelled, others = _read_features(rows.unlabelled, schema, strict=strict)
        part, odd = replace(part, unlabelled=unlabelled), [*odd, *others]
    return part, odd


def _read_features(rows: RawRows, schema: Schema, *, strict: bool) -> tuple[pl.DataFrame, list[Finding]]:
    features, troubles = read_frame(rows.frame, schema)
    located = locate(troubles, rows.rows)
    if strict:
        refuse_infinite(located, rows.table)
    return features, report_unreadable(located, rows.name, rows.table)


def window_targets(rows: RawRows, task: TaskSpec) -> TargetWindows | None:
    """The targets of a forecast, where they stand in the series; None for other tasks and for bad values."""
    stores = [(name, store) for name, store in rows.table.stores.items() if isinstance(store, WindowStore)]
    if not task.is_forecast or not stores:
        return None
    name, store = stores[0]
    return store.targets(rows.frame[name].to_numpy())


def locate(troubles: Sequence[Trouble], rows: np.ndarray) -> Located:
    """Each trouble with the rows of the table that it is about."""
    return [(trouble, [int(rows[row]) for row in trouble.rows]) for trouble in troubles]


def refuse_infinite(troubles: Located, table: Table) -> None:
    """Raises: `DataError` that names the rows with infinite numbers."""
    problems = [
        f"{trouble} in {_name_rows(rows, table)}; expected a finite number. Mend the rows, or give the word "
        "as a missing marker (data.read.missing)."
        for trouble, rows in troubles
        if trouble.is_infinite
    ]
    if problems:
        raise DataError(problems)


def report_unreadable(troubles: Located, name: str, table: Table) -> list[Finding]:
    """Values of a part that do not fit their column."""
    return [
        Finding(
            level="warning",
            name="unreadable",
            column=trouble.column,
            seen=f"{trouble} in {plural(len(rows), f'{name} row')} ({_name_rows(rows, table)}).",
            why="The column was understood from training rows, and these values do not fit.",
            action="They count as missing; mend them in the source, or "
            f"data.columns.{trouble.column}=category keeps all values as words.",
        )
        for trouble, rows in troubles
    ]


def _name_rows(rows: Sequence[int], table: Table) -> str:
    names = ", ".join(table.row_name(row) for row in rows[:5])
    return f"{names}{' …' if len(rows) > 5 else ''} of '{table.source}'"


def drop_unknown_classes(test: RawRows, task: TaskSpec) -> tuple[RawRows, list[str]]:
    """Without the rows of a class that no training or validation row has, and a sentence about them.

    Raises: `DataError` when no row is left.
    """
    if not task.is_classification:
        return test, []
    labels = task.labels(test.frame[task.targets[0]])
    unknown = ~labels.is_in(list(task.classes)).to_numpy()
    if not unknown.any():
        return test, []
    names = ", ".join(f"'{name}'" for name in labels.filter(pl.Series(unknown)).unique().sort().to_list()[:5])
    if unknown.all():
        raise DataError(
            f"the target '{task.targets[0]}': all {len(unknown):,} test rows are of classes that training "
            f"did not have ({names}), so that nothing can be measured. Divide them otherwise (data.split)."
        )
    sentence = (
        f"{unknown.sum():,} test rows are of classes that training did not have ({names}) and are left out: "
        "count them as wrong."
    )
    return test.pick(np.flatnonzero(~unknown)), [sentence]


def describe_change(source: str) -> str:
    """The message for a source that does not give the same rows again."""
    return (
        f"'{source}' has changed since the fit: its rows, or their order, are not the same. Restore it, name "
        f"its place ({argument('source', 'PATH')}), or fit again."
    )


def fingerprint_of(hashes: Sequence[np.ndarray]) -> str:
    """32 characters that change with any value and with the order of rows, by the hashes of all parts."""
    total = hashlib.sha256()
    for part in hashes:
        total.update(len(part).to_bytes(8, "little") + part.tobytes())
    return total.hexdigest()[:32]


def make_dataset(
    recipe: DataRecipe,
    drawn: Drawn,
    typed: Sequence[tuple[Part, list[Finding]]],
    parts: Sequence[Part],
    hashes: Sequence[np.ndarray],
    *,
    content: Content,
    schema: Schema,
    task: TaskSpec,
    remarks: Sequence[Finding],
    notes: Sequence[str],
) -> Dataset:
    """The dataset, with what the checks found.

    Arguments:
        typed: training and validation rows that the checks read, and what was odd about their values.
        parts: training and validation rows as they are learned from; of a streamed table more than `typed`.
        hashes: those of training, validation and test rows.
        content: likewise by the columns that tell rows apart, which are searched for repeats.
        remarks: findings of the reader.

    Raises: `DataError` for more levels or classes than the limits allow.
    """
    moments = drawn.table.moments
    train, validation = (
        HashedRows(part.name, part.rows, part.table, hashes_of_part)
        for part, hashes_of_part in zip((drawn.train, drawn.validation), content.hashes[:2], strict=True)
    )
    check_limits(recipe, *parts, schema=schema, task=task)
    findings = [finding for _, odd in typed for finding in odd]
    findings += [*_report_missing_targets(drawn), *report_odd_words(schema.used, typed[0][0]), *remarks]
    findings += report_source(schema, task, recipe.columns)
    findings += check_parts(
        *(part for part, _ in typed),
        schema=schema,
        task=task,
        balance=recipe.balance,
        sealed=content.hashes[2],
        hashed=(train, validation),
        ignored=content.ignored,
        ignore_asked=recipe.masks.ignored is not None,
        split=recipe.split,
        fold=recipe.encoding.fold_case,
    )
    return Dataset(
        source=drawn.table.source,
        task=task,
        schema=schema,
        train=parts[0],
        validation=parts[1],
        sealed=Sealed(len(drawn.test.rows), hashes[2] if moments is None else moments),
        parts=drawn.parts,
        fingerprint=fingerprint_of(hashes),
        findings=tuple(findings),
        notes=tuple(notes),
    )


def _report_missing_targets(drawn: Drawn) -> list[Finding]:
    if not drawn.missing:
        return []
    gaps = {name: each for name, each in drawn.gaps.items() if each.rows}
    where = [
        f"'{name}' is missing {'there' if len(gaps) == 1 else f'in {each.rows:,}'}"
        + (f" ({each})" if each.words else "")
        for name, each in gaps.items()
    ]
    words = any(each.words for each in gaps.values())
    return [
        Finding(
            level="warning",
            name="no-target",
            column=next(iter(gaps)) if len(gaps) == 1 else None,
            seen=f"{drawn.missing:,} training and validation rows have no target: "
            f"{list_some(where, most=8)}.",
            why="There is nothing to learn from them, and nothing to measure on them.",
            action="They are left out."
            + (" data.read.missing=[] keeps such words as classes." if words else ""),
            decided=True,
        )
    ]


__getattr__ = forward(__name__)
