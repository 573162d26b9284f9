"""What is asked of the target: classes or values, one or several, and its way to numbers and back."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import polars as pl
from jaxtyping import Int
from pydantic import BaseModel, ConfigDict

from handrail.data.columns.values import BOOLEANS, as_booleans, as_labels, as_numbers
from handrail.data.labels import Value
from handrail.data.targets.spellings import read_spellings
from handrail.errors import DataError
from handrail.recipe.alone import LONE_TASKS
from handrail.tools.moved import forward
from handrail.tools.words import list_some

if TYPE_CHECKING:  # mistakes in tables are told before torch is imported
    from torch import Tensor

TaskName = Literal[
    "binary",
    "multi-class",
    "multi-label",
    "regression",
    "mask",
    "boxes",
    "bit-sequence",
    "next-token",
    "sequence",
    "text-to-image",
    "clusters",
    "density",
    "generation",
    "map",
    "memory",
    "reconstruction",
    "translation",
]
STORED_TASKS = {  # by the kind of the target's store
    "mask": "mask",
    "boxes": "boxes",
    "bit-sequence": "bits",
    "text-to-image": "image",
}
TEXT_TASKS = ("next-token", "sequence")
_LARGEST = float(np.finfo(np.float32).max)


class TaskSpec(BaseModel):
    """The kind of answer, its columns and its classes; of two classes the second is the positive one.

    values: the classes as the data writes them (1, True, 'yes'), of several labels no and yes of each; empty
    in runs of earlier versions, whose answers are the classes as text. label: where no target is learned, the
    column that helps to judge, and that no rule sees unless the model is told it. factors: there, columns
    that say what varies from row to row. partners: columns that hold the true partner of a row of two
    domains, and that only judge. free_run: whether a forecast goes on from its own answers, one step after
    the other. as_written: whether labels that differ in case, white space or a final dot are different
    classes. ignored: values of masks that are no class, and count nowhere.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: TaskName
    targets: tuple[str, ...]
    classes: tuple[str, ...] = ()
    values: tuple[Value, ...] = ()
    ignored: tuple[str, ...] = ()
    label: str | None = None
    factors: tuple[str, ...] = ()
    partners: tuple[str, ...] = ()
    why: str = ""
    horizon: int = 0
    season: int = 0
    free_run: bool = False
    as_written: bool = False

    @classmethod
    def alone(
        cls, name: str, label: str | None, *, factors: Sequence[str] = (), partners: Sequence[str] = ()
    ) -> "TaskSpec":
        """The task of a model that learns without a target."""
        why = "learned without a target" + ("" if label is None else f"; '{label}' is the label")
        known: Any = {"name": name, "label": label, "factors": tuple(factors), "partners": tuple(partners)}
        if factors:
            names = list_some((f"'{each}'" for each in factors), last=" and ")
            why += f"; {names} {'say' if len(factors) > 1 else 'says'} what varies"
        return cls(targets=(), why=why, **known)

    @property
    def is_forecast(self) -> bool:
        """Whether the targets are values of a series, `horizon` steps ahead."""
        return self.horizon > 0

    @property
    def has_values(self) -> bool:
        """Whether the target of a row is classes or numbers, rather than a mask, boxes or a text."""
        return self.name not in (*STORED_TASKS, *TEXT_TASKS, *LONE_TASKS)

    @property
    def set_aside(self) -> tuple[str, ...]:
        """The columns that are no inputs: the targets, or the label, factors and true partners."""
        label = () if self.label is None else (self.label,)
        return tuple(dict.fromkeys((*self.targets, *label, *self.factors, *self.partners)))

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
        data's own). What texts and items hold is read by the task in `tasks`. Where factors are known, codes
        `[rows, factors]` (Int64) of their values in these rows, from 1; 0 where there is none.

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
        if self.factors:
            codes = [as_labels(frame[name]).rank("dense").fill_null(0).to_numpy() for name in self.factors]
            return torch.from_numpy(np.stack(codes, axis=1).astype(np.int64))
        if self.name in (*TEXT_TASKS, *LONE_TASKS):
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
        another case, else without a final dot ('>50K.'), else, unless `as_written`, in another spelling.
        """
        texts = as_labels(series, numbers=False)
        in_lower_case = {name.lower(): name for name in self.classes if name.lower() in BOOLEANS}
        candidates = [
            texts,
            as_labels(series, numbers=True),
            texts.str.to_lowercase().replace_strict(in_lower_case, default=None, return_dtype=pl.String),
            texts.str.strip_suffix("."),
        ]
        if not self.as_written:
            unknown = texts.filter(~texts.is_in(list(self.classes))).unique().drop_nulls()
            spelled = read_spellings(unknown.to_list(), self.classes)
            candidates.append(texts.replace_strict(spelled, default=None, return_dtype=pl.String))
        known = [pl.when(labels.is_in(list(self.classes))).then(labels) for labels in candidates]
        return pl.select(pl.coalesce(*known, texts)).to_series().alias(series.name)


__getattr__ = forward(__name__)
