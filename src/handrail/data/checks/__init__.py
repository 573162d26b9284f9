"""What may be wrong with a table, before anything is learned from it.

Training and validation rows are read; of sealed test rows only their hashes. `check_drift` compares any two
parts, for whoever may open them; `check_size` speaks once the network's size is known.
"""

from collections.abc import Sequence

import numpy as np

from handrail.data.checks.columns import check_columns
from handrail.data.checks.drift import check_drift
from handrail.data.checks.finding import Finding
from handrail.data.checks.leaks import check_leaks
from handrail.data.checks.repeats import HashedRows, check_rows
from handrail.data.checks.target import check_target
from handrail.data.checks.wording import make
from handrail.data.columns.schema import Schema
from handrail.data.part import Part
from handrail.data.task import TaskSpec
from handrail.tools.words import list_some, plural

__all__ = ["check_drift", "check_parts", "check_size"]

ROWS_PER_PARAMETER, ROWS_PER_CLASS, ROWS_PER_PREDICTOR = 10, 1000, 10
_ORDER = {"error": 0, "warning": 1, "note": 2}


def check_parts(
    train: Part,
    validation: Part,
    *,
    schema: Schema,
    task: TaskSpec,
    balance: str,
    sealed: np.ndarray,
    hashed: tuple[HashedRows, HashedRows] | None = None,
) -> list[Finding]:
    """All checks that need no look at test rows; errors first, then warnings, then notes.

    Arguments:
        train, validation: rows as read and as typed features.
        balance: `data.balance`.
        sealed: the hashes of the test rows, `fingerprint.row_hashes` of all their columns.
        hashed: the rows that are looked through for repeats, where there are more than these.
    """
    findings = [
        *check_leaks(train, validation, schema=schema, task=task),
        *check_rows(*(hashed or (_hashed_rows_of(train), _hashed_rows_of(validation))), sealed=sealed),
        *check_drift(train, validation, schema=schema, target=task.has_values, every=max(task.horizon, 1)),
        *check_target(train, validation, task=task, balance=balance),
        *check_columns(train, validation, schema=schema),
    ]
    return sorted(findings, key=lambda finding: _ORDER[finding.level])


def _hashed_rows_of(part: Part) -> HashedRows:
    return HashedRows(part.name, part.rows, part.table, part.hashes)


def check_size(
    rows: int, parameters: int, task: TaskSpec, schema: Schema, class_counts: Sequence[int]
) -> list[Finding]:
    """The lectures' rules of thumb: 10 rows a parameter, 1000 rows a class, 10 rows a predictor (regression).

    Arguments:
        rows: training rows.
        parameters: of the network, those that are learned.
        class_counts: training rows of each class, in the order of `task.classes`; empty where rows have no
            class.
    """
    findings = _per_parameter(rows, parameters)
    if task.name == "regression":
        findings += _per_predictor(rows, len(schema.used))
    return findings + (_per_class(task, class_counts) if class_counts else [])


def _per_parameter(rows: int, parameters: int) -> list[Finding]:
    wanted = ROWS_PER_PARAMETER * parameters
    if rows >= wanted:
        return []
    return [
        make(
            "warning" if rows < parameters else "note",
            "rows-per-parameter",
            seen=f"{plural(rows, 'training row')} for {plural(parameters, 'parameter')}; the rule of thumb "
            f"asks for {wanted:,} "
            f"({ROWS_PER_PARAMETER} a parameter).",
            why="A network with so much freedom can learn its rows by heart.",
            action="Training stops when validation no longer improves (training.patience); a smaller "
            "network, dropout or a penalty "
            "(model, objective.penalties) leaves less freedom.",
        )
    ]


def _per_class(task: TaskSpec, class_counts: Sequence[int]) -> list[Finding]:
    if not class_counts:
        return []
    short = sorted(
        (size, name) for name, size in zip(task.classes, class_counts, strict=True) if size < ROWS_PER_CLASS
    )
    if not short:
        return []
    sizes = [f"'{name}' ({size:,})" for size, name in short]
    return [
        make(
            "note",
            "rows-per-class",
            seen=f"{len(short):,} of {plural(len(task.classes), 'class', 'classes')} with fewer training rows "
            "than the rule of "
            f"thumb asks for ({ROWS_PER_CLASS:,}): {list_some(sizes)}.",
            why="With few rows of a class, both what is learned of it and what is measured of it are "
            "uncertain.",
            action="Nothing is changed; the intervals beside the figures show how uncertain they are.",
        )
    ]


def _per_predictor(rows: int, predictors: int) -> list[Finding]:
    wanted = ROWS_PER_PREDICTOR * predictors
    if rows >= wanted:
        return []
    return [
        make(
            "warning",
            "rows-per-predictor",
            seen=f"{plural(rows, 'training row')} for {plural(predictors, 'predictor')}; the rule of thumb "
            f"asks for {wanted:,} "
            f"({ROWS_PER_PREDICTOR} a predictor).",
            why="With so few rows some column will seem to explain the target by chance.",
            action="Nothing is changed; data.drop leaves columns out.",
        )
    ]
