"""The target and what is asked of it: classes or values, one or several."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
import polars as pl
from jaxtyping import Int
from pydantic import BaseModel, ConfigDict

from handrail.data.columns.schema import infer_column
from handrail.data.columns.values import BOOLEANS, as_booleans, as_labels, as_numbers
from handrail.data.labels import Value, find_positive, written_answers, written_values
from handrail.data.stores.store import Classed, Store, Stores
from handrail.data.void import find_void
from handrail.errors import DataError, did_you_mean
from handrail.tools.interface import argument
from handrail.tools.moved import forward

if TYPE_CHECKING:  # mistakes in tables are told before torch is imported
    from torch import Tensor

TaskName = Literal[
    "binary", "multi-class", "multi-label", "regression", "mask", "boxes", "next-token", "sequence"
]
STORED_TASKS = {"mask": "mask", "boxes": "boxes"}  # by the kind of the target's store
TEXT_TASKS = ("next-token", "sequence")
_LARGEST = float(np.finfo(np.float32).max)
MOST_CLASSES = 20  # whole numbers with more different values than this are taken as quantities


class TaskSpec(BaseModel):
    """The kind of answer, its columns and its classes; of two classes the second is the positive one.

    values: the classes as the data writes them (1, True, 'yes'), of several labels no and yes of each; empty
    in runs of earlier versions, whose answers are the classes as text. ignored: values of masks that are no
    class, and count nowhere.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: TaskName
    targets: tuple[str, ...]
    classes: tuple[str, ...] = ()
    values: tuple[Value, ...] = ()
    ignored: tuple[str, ...] = ()
    why: str = ""
    horizon: int = 0
    season: int = 0

    @property
    def is_forecast(self) -> bool:
        """Whether the targets are values of a series, `horizon` steps ahead."""
        return self.horizon > 0

    @property
    def has_values(self) -> bool:
        """Whether the target of a row is classes or numbers, rather than a mask, boxes or a text."""
        return self.name not in (*STORED_TASKS, *TEXT_TASKS)

    @property
    def outputs(self) -> int:
        """How many numbers the network gives for a row."""
        return {"binary": 1, "multi-class": len(self.classes)}.get(self.name, len(self.targets))

    @property
    def is_classification(self) -> bool:
        """Whether each row has exactly one class."""
        return self.name in ("binary", "multi-class")

    @property
    def positive(self) -> str | None:
        """The positive class: what F1, precision, recall and the threshold of two classes are about."""
        return self.classes[1] if self.name in ("binary", "mask") and len(self.classes) == 2 else None

    def decode(self, codes: Int[np.ndarray, " rows"], label: int = 0) -> pl.Series:
        """Codes of classes as the data writes them; of several labels, 0 and 1 of the one at a position."""
        if not self.is_classification:
            values = self.values[2 * label : 2 * label + 2] or (0, 1)
        else:
            values = self.values or self.classes
        return pl.Series(values, strict=False).gather(pl.Series(codes, dtype=pl.Int64))

    def codes(self, answers: pl.Series, label: int = 0) -> Int[np.ndarray, " rows"]:
        """The codes of what `decode` gave; codes, as earlier versions wrote them, stay as they are."""
        if not self.values and answers.dtype.is_integer():
            return answers.to_numpy()
        values = self.decode(np.arange(len(self.classes) if self.is_classification else 2), label)
        return answers.replace_strict(values, pl.Series(range(len(values)), dtype=pl.Int64)).to_numpy()

    def encode(self, frame: pl.DataFrame, *, row_name: Callable[[int], str] | None = None) -> "Tensor":
        """The target columns as numbers: codes `[rows]` (Int64) for classes, places in the store for masks
        and boxes, else `[rows, outputs]` (Float32 for labels; Float64 for values, so that the truth is the
        data's own). What texts and items hold is read by the task in `tasks`.

        Arguments:
            frame: rows with the target columns.
            row_name: what a person would call the row at a position; by default its number in the frame.

        Raises: `DataError` for a class that the training rows did not have, a value that is no number, or a
            number that is infinite or beyond single precision (3.4·10³⁸).
        """
        import torch

        name_of = row_name or (lambda row: f"data row {row + 1}")
        if self.name in STORED_TASKS:
            return torch.from_numpy(frame[self.targets[0]].to_numpy().copy())
        if self.name in TEXT_TASKS:
            return torch.zeros(len(frame), dtype=torch.int64)
        if self.is_classification:
            return torch.from_numpy(self._codes(frame[self.targets[0]], name_of))
        columns = [self._numbers(frame[name], name_of) for name in self.targets]
        stacked = torch.from_numpy(np.stack(columns, axis=1))
        return stacked.float() if self.name == "multi-label" else stacked

    def _numbers(self, series: pl.Series, name_of: Callable[[int], str]) -> np.ndarray:
        of_labels = self.name == "multi-label"
        numbers = as_booleans(series) if of_labels else as_numbers(series)
        fits = (numbers.abs() <= _LARGEST).fill_null(False)
        if not fits.all():
            row = int((~fits).arg_max() or 0)
            expected = "0 or 1" if of_labels else "a finite number, at most 3.4e38"
            value = "no value" if series[row] is None else f"'{series[row]}'"
            raise DataError(
                f"the target '{series.name}': found {value} in {name_of(row)}, expected {expected}."
            )
        return numbers.to_numpy()

    def _codes(self, series: pl.Series, name_of: Callable[[int], str]) -> np.ndarray:
        labels = self.labels(series)
        names = list(self.classes)
        codes = labels.replace_strict(names, list(range(len(names))), default=None, return_dtype=pl.Int64)
        if codes.null_count():
            row = int(codes.is_null().arg_max() or 0)
            value = "no value" if labels[row] is None else f"the class '{labels[row]}'"
            raise DataError(
                f"the target '{series.name}': found {value} in {name_of(row)}, which no training row has; "
                f"expected one of {', '.join(names[:12])}."
            )
        return codes.to_numpy().copy()

    def labels(self, series: pl.Series) -> pl.Series:
        """The target as class names: as it stands, else by its number (3.0 for '3'), else true and false in
        another case, else without a final dot ('>50K.').
        """
        texts = as_labels(series, numbers=False)
        in_lower_case = {name.lower(): name for name in self.classes if name.lower() in BOOLEANS}
        candidates = (
            texts,
            as_labels(series, numbers=True),
            texts.str.to_lowercase().replace_strict(in_lower_case, default=None, return_dtype=pl.String),
            texts.str.strip_suffix("."),
        )
        known = [pl.when(labels.is_in(list(self.classes))).then(labels) for labels in candidates]
        return pl.select(pl.coalesce(*known, texts)).to_series().alias(series.name)


def find_targets(
    columns: Sequence[str], target: str | int | Sequence[str | int] | None, *, alone: bool = False
) -> tuple[str, ...]:
    """The names of the target columns, given by name or by position (1 is the first column, -1 the last).

    Arguments:
        alone: whether the target may be the only column (texts and series are predicted from themselves).

    Raises: `DataError` when there is no such column or no target was named.
    """
    if target is None:
        listed = ", ".join(columns[:20])
        how = f"name it with {argument('target', 'COLUMN')} (data.target)"
        raise DataError(f"no target was named; expected one of the columns {listed}; {how}.")
    targets = [target] if isinstance(target, str | int) else target
    names = tuple(_find_target(columns, item) for item in targets)
    if len(set(names)) < len(names):
        raise DataError(f"data.target names a column twice: {', '.join(names)}.")
    if len(names) >= len(columns) and not alone:
        raise DataError(
            "every column is a target; nothing is left to predict it from. A series whose rows stand in the "
            "order of time is forecast from its own past with data.task=forecast."
        )
    return names


def _find_target(columns: Sequence[str], target: str | int) -> str:
    if str(target) in columns:
        return str(target)
    try:
        position = int(target)
    except ValueError:
        hint = did_you_mean(target, columns)
        raise DataError(f"data.target: the table has no column '{target}'.{hint}") from None
    if position == 0 or not -len(columns) <= position <= len(columns):
        raise DataError(
            f"data.target: found position {position}; the table has columns 1 to {len(columns)} (-1 is the "
            "last)."
        )
    return columns[position - 1 if position > 0 else position]


def infer_task(
    frame: pl.DataFrame,
    targets: Sequence[str],
    *,
    task: str = "auto",
    positive: str | None = None,
    stores: Stores | None = None,
    train: pl.DataFrame | None = None,
    is_text: bool = False,
    ignore: Sequence[str] | None = None,
) -> TaskSpec:
    """What the targets ask for, by the rows outside the sealed part.

    Arguments:
        frame: training and validation rows.
        targets: the names of the target columns.
        task: "auto" or the task that the user gives.
        positive: for two classes, the one that counts as positive; by default see `find_positive`, and of
            masks the second in order.
        stores: of the columns that hold places in a store, such as masks.
        train: the training rows, whose rarer class is the positive one; by default `frame`.
        is_text: whether the format knows no types, so that its answers are written by what they look like.
        ignore: the values of masks that are no class; by default those that usually are none.

    Raises: `DataError` when a target is missing everywhere, has a single value, or does not fit the task.
    """
    store = (stores or {}).get(targets[0])
    if store is not None or task in (*STORED_TASKS, *TEXT_TASKS):
        spec = _infer_for_items(frame[targets[0]], store, task=task, several=len(targets) > 1)
        if spec.name == "mask":
            spec = _without_ignored(spec, ignore)
    else:
        for name in targets:
            _check_target(frame[name])
        if len(targets) > 1 or task == "multi-label":
            spec = _infer_for_several(frame, tuple(targets), task)
        else:
            spec = _infer_for_one(frame[targets[0]], task)
    if positive is not None and spec.positive is None:
        raise DataError(
            f"data.positive: '{positive}' has no effect on {spec.name}; expected a target with two classes."
        )
    if spec.positive is not None:
        spec = _order_classes(spec, positive, (frame if train is None else train)[spec.targets[0]])
    return _with_values(spec, frame, is_text=is_text)


def _order_classes(spec: TaskSpec, positive: str | None, train: pl.Series) -> TaskSpec:
    """The spec with the positive class behind the other, and the reason."""
    if positive is not None:
        chosen, reason = _find_class(spec.classes, positive), "as data.positive says"
    elif spec.name == "mask":
        chosen, reason = spec.classes[1], "the second"
    else:
        chosen, reason = find_positive(spec.classes, spec.labels(train))
    other = next(name for name in spec.classes if name != chosen)
    why = f"{spec.why}; the positive class is '{chosen}', {reason}"
    return spec.model_copy(update={"classes": (other, chosen), "why": why})


def _with_values(spec: TaskSpec, frame: pl.DataFrame, *, is_text: bool) -> TaskSpec:
    values: tuple[Value, ...] = ()
    if spec.is_classification:
        series = frame[spec.targets[0]].drop_nulls()
        values = written_values(series, spec.labels(series), spec.classes, is_text=is_text)
    elif spec.name == "multi-label":
        answers = [written_answers(frame[name].drop_nulls(), is_text=is_text) for name in spec.targets]
        values = tuple(value for pair in answers for value in pair)
    return spec.model_copy(update={"values": values})


def _infer_for_items(series: pl.Series, store: Store | None, *, task: str, several: bool) -> TaskSpec:
    """For masks and boxes, and for texts that the network writes."""
    kind = None if store is None else store.kind
    name = next((name for name, stored in STORED_TASKS.items() if stored == kind), task)
    if (
        several
        or task not in ("auto", name)
        or (name in STORED_TASKS) != (kind is not None)
        or kind not in (None, *STORED_TASKS.values())
    ):
        target = "several targets" if several else f"a target of {kind or 'plain values'}"
        raise DataError(
            f"data.task: found '{task}' with {target} ('{series.name}'), which do not fit each other; leave "
            "data.task out."
        )
    if name in TEXT_TASKS and series.dtype != pl.String:
        raise DataError(
            f"the target '{series.name}': found {series.dtype}, expected text for data.task={name}."
        )
    classes = tuple(store.classes_of(series.drop_nulls().to_numpy())) if isinstance(store, Classed) else ()
    return TaskSpec(
        name=name,  # pyright: ignore[reportArgumentType]
        targets=(series.name,),
        classes=classes,
        why=f"a column of {kind or 'texts'}",
    )


def _without_ignored(spec: TaskSpec, ignore: Sequence[str] | None) -> TaskSpec:
    """Masks without the values that are no class. Raises: `DataError` when no class is left."""
    ignored = tuple(find_void(spec.classes) if ignore is None else ignore)
    classes = tuple(name for name in spec.classes if name not in ignored)
    if ignored and not classes:
        raise DataError(
            f"data.masks.ignore: training and validation masks hold nothing but {', '.join(ignored)}; "
            "expected at least one value that is a class."
        )
    why = f"{spec.why}; {', '.join(ignored)} is no class" if ignored else spec.why
    return spec.model_copy(update={"classes": classes, "ignored": ignored, "why": why})


def _infer_for_one(series: pl.Series, task: str) -> TaskSpec:
    series, name, why = series.drop_nulls(), series.name, "as given"
    if task == "auto":
        task, why = _classes_or_regression(series)
    if task == "regression":
        _require_numbers(series)
        return TaskSpec(name="regression", targets=(name,), why=why)
    classes = _classes(series)
    name_of_task: TaskName = "binary" if len(classes) == 2 else "multi-class"
    if task in ("binary", "multi-class") and task != name_of_task:
        raise DataError(
            f"data.task: found '{task}', but the target '{name}' has {len(classes)} classes; leave data.task "
            f"out, or set it to {name_of_task}."
        )
    return TaskSpec(name=name_of_task, targets=(name,), classes=classes, why=why)


def _check_target(series: pl.Series) -> None:
    values = series.drop_nulls()
    if not len(values):
        raise DataError(
            f"the target '{series.name}': all {len(series):,} values are missing; expected at least two "
            "different ones."
        )
    varies = values.dtype.is_numeric() and bool(values.min() != values.max())  # quick: no texts are made
    if not varies and as_labels(values).n_unique() == 1:
        raise DataError(
            f"the target '{series.name}': every row has the value '{values[0]}'; expected at least two "
            "different ones. There is nothing to learn."
        )


def _classes_or_regression(series: pl.Series) -> tuple[str, str]:
    """Which of the two a target asks for, and why."""
    column = infer_column(series)
    distinct = series.n_unique()
    numbers = as_numbers(series)
    is_words = column.kind == "text" or (column.kind == "identifier" and numbers.null_count())
    if is_words or (column.kind == "datetime" and distinct > MOST_CLASSES):
        values = "dates" if column.kind == "datetime" else "texts"
        raise DataError(
            f"the target '{series.name}' has {distinct:,} different {values} in {len(series):,} rows; "
            "expected classes that repeat, or numbers."
        )
    if column.kind not in ("numeric", "identifier"):
        return "classes", f"{as_labels(series).n_unique()} different values"
    numbers = numbers.drop_nulls()
    distinct = numbers.n_unique()
    if distinct > MOST_CLASSES or not bool(((numbers == numbers.floor()) & numbers.is_finite()).all()):
        return "regression", f"numbers with {distinct:,} different values"
    why = f"whole numbers with {distinct} different values; data.task=regression takes them as quantities"
    return "classes", why


def _classes(series: pl.Series) -> tuple[str, ...]:
    """The labels in order; 'a.' beside 'a' is the same."""
    labels = set(as_labels(series).unique().to_list())
    return sort_classes(
        label for label in labels if not (label.endswith(".") and label.removesuffix(".") in labels)
    )


def sort_classes(labels: Iterable[str]) -> tuple[str, ...]:
    """Labels by number where all are numbers, else by letter."""
    labels = tuple(labels)
    try:
        return tuple(sorted(labels, key=lambda label: (float(label), label)))
    except ValueError:
        return tuple(sorted(labels))


def _find_class(classes: tuple[str, ...], positive: str) -> str:
    """The class that the user means: as it stands, else by its number, else in another case."""
    spellings = (positive, as_labels(pl.Series([positive]))[0])
    found = next((name for name in classes if name in spellings), None)
    in_case = [name for name in classes if name.lower() == positive.lower()]
    if found is None and len(in_case) != 1:
        hint = did_you_mean(positive, classes)
        raise DataError(
            f"data.positive: found '{positive}', expected one of the classes {', '.join(classes)}.{hint}"
        )
    return found or in_case[0]


def _infer_for_several(frame: pl.DataFrame, targets: tuple[str, ...], task: str) -> TaskSpec:
    others = [name for name in targets if as_booleans(frame[name].drop_nulls()).null_count()]
    if task == "multi-label" or (task == "auto" and not others):
        if others:
            raise DataError(
                f"data.task: found 'multi-label', but the target '{others[0]}' has other values than 0 and 1 "
                "(or yes and no); expected targets of these only."
            )
        return TaskSpec(
            name="multi-label", targets=targets, classes=targets, why=f"{len(targets)} columns of 0 and 1"
        )
    if task not in ("auto", "regression"):
        raise DataError(
            f"data.task: found '{task}' with {len(targets)} target columns, expected 'multi-label' or "
            "'regression'."
        )
    for name in targets:
        _require_numbers(frame[name].drop_nulls())
    return TaskSpec(name="regression", targets=targets, why=f"{len(targets)} columns of numbers")


def _require_numbers(series: pl.Series) -> None:
    odd = series.filter(as_numbers(series).is_null())
    if len(odd):
        raise DataError(
            f"the target '{series.name}': found '{odd[0]}' ({len(odd):,} of {len(series):,} rows have no "
            "number), expected numbers for regression; several targets together are all numbers, or all yes "
            "and no."
        )


__getattr__ = forward(__name__)
