"""What may be wrong with a table, before anything is learned from it.

Of sealed test rows only the hashes are read. `check_drift` compares any two parts, for whoever may open them;
`check_size` is called once the network's size is known.

May import tables, columns, parts and tasks. A new check is a function in the file of its subject, called from
`check_parts`.
"""

from collections.abc import Sequence

import numpy as np

from handrail.data.checks.columns.dates import check_dates
from handrail.data.checks.columns.exactness import check_exactness
from handrail.data.checks.columns.identifiers import check_identifiers
from handrail.data.checks.columns.markers import check_markers
from handrail.data.checks.columns.numbers import look_at_numbers
from handrail.data.checks.columns.spellings import check_spellings
from handrail.data.checks.columns.values import check_columns
from handrail.data.checks.columns.words import check_words
from handrail.data.checks.drift import check_drift
from handrail.data.checks.label_classes import check_label
from handrail.data.checks.leaks import check_leaks
from handrail.data.checks.masks import check_masks
from handrail.data.checks.repeats import HashedRows, check_repeats
from handrail.data.checks.target import check_target
from handrail.data.checks.weights import check_weights
from handrail.data.columns.schema import Schema
from handrail.data.finding import Finding
from handrail.data.part import Part
from handrail.data.task import TaskSpec
from handrail.recipe.alone import LONE_TASKS
from handrail.recipe.reading import Split
from handrail.tools.words import list_some, plural

__all__ = ["check_drift", "check_parts", "check_size"]

ROWS_PER_PARAMETER, ROWS_PER_CLASS, ROWS_PER_PREDICTOR = 10, 1000, 10
_AS_USUAL = Split()
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
    ignored: Sequence[str] = (),
    ignore_asked: bool = False,
    split: Split = _AS_USUAL,
    fold: bool | str = "auto",
) -> list[Finding]:
    """All checks that need no look at test rows; errors first, then warnings, then notes.

    Arguments:
        train, validation: rows as read and as typed features.
        balance: `data.balance`.
        sealed: the hashes of the test rows by the columns that tell rows apart.
        hashed: training and validation rows by the same columns; by default `train` and `validation`, by all.
        ignored: the columns that do not tell rows apart, such as a running number.
        ignore_asked: whether `data.masks.ignore` says which values of masks are no class.
        split: how the parts were drawn.
        fold: `data.encoding.fold_case`.
    """
    ours, theirs = hashed or [
        HashedRows(part.name, part.rows, part.table, part.hashes) for part in (train, validation)
    ]
    numbers = look_at_numbers(train, schema)
    findings = [
        *check_leaks(train, validation, schema=schema, task=task),
        *check_repeats(ours, theirs, sealed=sealed, ignored=ignored),
        *check_drift(train, validation, schema=schema, target=task.has_values, every=max(task.horizon, 1)),
        *check_target(train, validation, task=task, balance=balance),
        *check_label(train, validation, task=task),
        *check_masks(train, validation, task=task, asked=ignore_asked),
        *check_words(train, schema=schema, task=task),
        *check_weights(train, schema=schema, task=task),
        *check_identifiers(train, schema, task, numbers),
        *check_dates(train, validation, schema=schema, task=task, split=split),
        *check_markers(train, schema, numbers),
        *check_exactness(train, schema, numbers),
        *check_spellings(train, schema, fold),
        *check_columns(train, validation, schema=schema, numbers=numbers),
    ]
    return sorted(findings, key=lambda finding: _ORDER[finding.level])


def check_size(
    rows: int,
    parameters: int,
    task: TaskSpec,
    schema: Schema,
    class_counts: Sequence[int],
    *,
    chosen: bool = False,
) -> list[Finding]:
    """The lectures' rules of thumb: 10 rows a parameter, 1000 rows a class, 10 rows a predictor (regression).

    Arguments:
        rows: training rows.
        parameters: of the network, those that are learned.
        class_counts: training rows of each class of `task.classes`, in order; empty where rows have no class.
        chosen: whether handrail chose the network: then its size is a note, not for the user to mend.
    """
    findings, predictors = [], len(schema.used)
    if rows < ROWS_PER_PARAMETER * parameters and task.name != "memory":  # which has room to spare so
        alone = task.name in LONE_TASKS
        findings.append(_find_freedom(rows, parameters, alone=alone, chosen=chosen))
    if task.name == "regression" and rows < ROWS_PER_PREDICTOR * predictors:
        findings.append(
            Finding(
                level="warning",
                name="rows-per-predictor",
                seen=_describe_shortage(rows, predictors, "predictor", ROWS_PER_PREDICTOR),
                why="With so few rows some column will seem to explain the target by chance.",
                action="Nothing is changed; data.drop leaves columns out.",
            )
        )
    return findings + (_find_small_classes(task, class_counts) if class_counts else [])


def _find_freedom(rows: int, parameters: int, *, alone: bool, chosen: bool) -> Finding:
    """More parameters than the rule of thumb allows; without a target, not every rule knows penalties."""
    less = "a smaller network, dropout or a penalty (model, objective.penalties) leaves less freedom."
    action = f"Training stops when validation no longer improves (training.patience); {less}"
    if alone:
        action = "The weights of the best epoch are kept; a smaller network (model) leaves less freedom."
    if chosen:
        action = "Handrail chose this network, and keeps its weights of the best epoch (model names another)."
    return Finding(
        level="warning" if rows < parameters and not chosen else "note",
        name="rows-per-parameter",
        seen=_describe_shortage(rows, parameters, "parameter", ROWS_PER_PARAMETER),
        why="A network with so much freedom can learn its rows by heart.",
        action=action,
    )


def _describe_shortage(rows: int, number: int, noun: str, each: int) -> str:
    return (
        f"{plural(rows, 'training row')} for {plural(number, noun)}; the rule of thumb asks for "
        f"{each * number:,} ({each} a {noun})."
    )


def _find_small_classes(task: TaskSpec, class_counts: Sequence[int]) -> list[Finding]:
    sizes = sorted(zip(class_counts, task.classes, strict=True))
    short = [f"'{name}' ({size:,})" for size, name in sizes if size < ROWS_PER_CLASS]
    if not short:
        return []
    return [
        Finding(
            level="note",
            name="rows-per-class",
            seen=f"{len(short):,} of {plural(len(task.classes), 'class', 'classes')} with fewer training "
            f"rows than the rule of thumb asks for ({ROWS_PER_CLASS:,}): {list_some(short)}.",
            why="With few rows of a class, both what is learned of it and what is measured of it are "
            "uncertain.",
            action="Nothing is changed; the intervals beside the figures show how uncertain they are.",
        )
    ]
