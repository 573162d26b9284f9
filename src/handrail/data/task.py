"""The target and what is asked of it: classes or values, one or several."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import polars as pl
import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from handrail.data.schema import as_booleans, as_labels, as_numbers, infer_column
from handrail.errors import DataError, did_you_mean

TaskName = Literal["binary", "multi-class", "multi-label", "regression"]
MOST_CLASSES = 20  # whole numbers with more different values than this are taken as quantities


class Task(BaseModel):
    """The kind of answer, its columns and its classes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: TaskName
    targets: tuple[str, ...]
    classes: tuple[str, ...] = ()
    why: str = ""

    @property
    def outputs(self) -> int:
        """How many numbers the network gives for a row."""
        return {"binary": 1, "multi-class": len(self.classes)}.get(self.name, len(self.targets))

    @property
    def is_classification(self) -> bool:
        """Whether each row has exactly one class."""
        return self.name in ("binary", "multi-class")

    def encode(self, frame: pl.DataFrame) -> Tensor:
        """The target columns as numbers: codes `[rows]` (Int64) for classes, else `[rows, outputs]` (Float32).

        Raises: `DataError` for a class that the training rows did not have, or a value that is no number.
        """
        if self.is_classification:
            return torch.from_numpy(self._codes(frame[self.targets[0]]))
        read = as_booleans if self.name == "multi-label" else as_numbers
        columns = [read(frame[name]) for name in self.targets]
        for column in columns:
            row = column.is_null().arg_max()
            if column.null_count() and row is not None:
                raise DataError(
                    f"the target '{column.name}': found '{frame[column.name][row]}' in data row {row + 1}, expected a {'0 or 1' if self.name == 'multi-label' else 'number'}."
                )
        return torch.from_numpy(np.stack([column.to_numpy() for column in columns], axis=1).astype(np.float64)).float()

    def _codes(self, series: pl.Series) -> np.ndarray:
        labels = self.labels(series)
        codes = labels.replace_strict(
            list(self.classes), list(range(len(self.classes))), default=None, return_dtype=pl.Int64
        )
        if codes.null_count():
            row = int(codes.is_null().arg_max() or 0)
            raise DataError(
                f"the target '{series.name}': found the class '{labels[row]}' in data row {row + 1}, which no training row has; "
                f"expected one of {', '.join(self.classes[:12])}."
            )
        return codes.to_numpy().copy()

    def labels(self, series: pl.Series) -> pl.Series:
        """The target as class names; a dot behind a known name ('>50K.') is taken off."""
        labels = as_labels(series)
        known = labels.is_in(list(self.classes))
        bare = labels.str.strip_suffix(".")
        return pl.select(
            pl.when(known).then(labels).when(bare.is_in(list(self.classes))).then(bare).otherwise(labels)
        ).to_series()


def find_targets(columns: Sequence[str], target: str | int | Sequence[str | int] | None) -> tuple[str, ...]:
    """The names of the target columns, given by name or by position (1 is the first column, -1 the last).

    Raises: `DataError` when there is no such column or no target was named.
    """
    if target is None:
        raise DataError(
            f"no target was named; expected one of the columns {', '.join(columns[:20])} (data.target, --target)."
        )
    wanted = list(target) if isinstance(target, list | tuple) else [target]
    names = tuple(_find_target(columns, item) for item in wanted)
    if len(set(names)) < len(names):
        raise DataError(f"data.target names a column twice: {', '.join(names)}.")
    if len(names) >= len(columns):
        raise DataError("every column is a target; nothing is left to predict it from.")
    return names


def _find_target(columns: Sequence[str], target: str | int) -> str:
    if str(target) in columns:
        return str(target)
    try:
        position = int(target)
    except ValueError:
        raise DataError(f"data.target: the table has no column '{target}'.{did_you_mean(target, columns)}") from None
    if position == 0 or not -len(columns) <= position <= len(columns):
        raise DataError(
            f"data.target: found position {position}; the table has columns 1 to {len(columns)} (-1 is the last)."
        )
    return columns[position - 1 if position > 0 else position]


def infer_task(frame: pl.DataFrame, targets: Sequence[str], *, task: str = "auto", positive: str | None = None) -> Task:
    """What the targets ask for, found out from the rows outside the sealed part.

    Arguments:
        frame: training and validation rows.
        targets: the names of the target columns.
        task: "auto" or the task that the user gives.
        positive: for two classes, the one that counts as positive (by default the second in order).

    Raises: `DataError` when a target is missing everywhere, has a single value, or does not fit the task.
    """
    for name in targets:
        _check_target(frame[name])
    if len(targets) > 1:
        return _several(frame, tuple(targets), task)
    name, series = targets[0], frame[targets[0]].drop_nulls()
    if task == "auto":
        task, why = _single(series)
    else:
        why = "as given"
    if task == "regression":
        _require_numbers(series)
        return Task(name="regression", targets=(name,), why=why)
    if task == "multi-label":
        return _several(frame, (name,), task)
    classes = _classes(series, positive)
    name_of_task: TaskName = "binary" if len(classes) == 2 else "multi-class"
    if task in ("binary", "multi-class") and task != name_of_task:
        raise DataError(f"data.task: found '{task}', but the target '{name}' has {len(classes)} classes.")
    return Task(name=name_of_task, targets=(name,), classes=classes, why=why)


def _check_target(series: pl.Series) -> None:
    values = series.drop_nulls()
    if not len(values):
        raise DataError(
            f"the target '{series.name}': all {len(series):,} values are missing; expected at least two different ones."
        )
    if values.n_unique() == 1:
        raise DataError(
            f"the target '{series.name}': every row has the value '{values[0]}'; expected at least two different ones. There is nothing to learn."
        )
    numbers = as_numbers(values)
    if numbers.null_count() == 0 and bool(numbers.is_infinite().any()):
        raise DataError(
            f"the target '{series.name}': found an infinite number in data row {int(numbers.is_infinite().arg_max() or 0) + 1}; expected finite numbers. Mend or remove the row."
        )


def _single(series: pl.Series) -> tuple[str, str]:
    column = infer_column(series)
    distinct = series.n_unique()
    if column.kind == "text" or (
        column.kind == "identifier" and series.dtype == pl.String and as_numbers(series).null_count()
    ):
        raise DataError(
            f"the target '{series.name}' has {distinct:,} different texts in {len(series):,} rows; expected classes that repeat, or numbers."
        )
    if column.kind in ("numeric", "identifier"):
        numbers = as_numbers(series).drop_nulls()
        whole = bool((numbers == numbers.floor()).all())
        if not whole or distinct > MOST_CLASSES:
            return "regression", f"numbers with {distinct:,} different values"
        return (
            "classes",
            f"whole numbers with {distinct} different values; data.task=regression takes them as quantities",
        )
    return "classes", f"{distinct} different values"


def _classes(series: pl.Series, positive: str | None) -> tuple[str, ...]:
    labels = as_labels(series).unique().to_list()
    try:
        classes = sorted(labels, key=float)
    except ValueError:
        classes = sorted(labels)
    if positive is None:
        return tuple(classes)
    if len(classes) != 2 or str(positive) not in classes:
        raise DataError(
            f"data.positive: found '{positive}', expected one of two classes; the target has {', '.join(classes[:12])}."
        )
    return tuple([name for name in classes if name != str(positive)] + [str(positive)])


def _several(frame: pl.DataFrame, targets: tuple[str, ...], task: str) -> Task:
    yes_no = all(as_booleans(frame[name].drop_nulls()).null_count() == 0 for name in targets)
    if task == "multi-label" or (task == "auto" and yes_no):
        if not yes_no:
            raise DataError("data.task: found 'multi-label', expected targets of 0 and 1 (or yes and no) only.")
        return Task(name="multi-label", targets=targets, classes=targets, why=f"{len(targets)} columns of 0 and 1")
    if task not in ("auto", "regression"):
        raise DataError(
            f"data.task: found '{task}' with {len(targets)} target columns, expected 'multi-label' or 'regression'."
        )
    for name in targets:
        _require_numbers(frame[name].drop_nulls())
    return Task(name="regression", targets=targets, why=f"{len(targets)} columns of numbers")


def _require_numbers(series: pl.Series) -> None:
    numbers = as_numbers(series)
    if numbers.null_count():
        row = int(numbers.is_null().arg_max() or 0)
        raise DataError(f"the target '{series.name}': found '{series[row]}', expected numbers for regression.")
