"""Classes, labels or values that a model said of some rows, beside the truth."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from handrail.errors import DataError
from handrail.evaluation.metric_names import check_task, metric_names

if TYPE_CHECKING:
    from handrail.evaluation.outcomes import Outcome, Statistic


@dataclass(frozen=True)
class Predictions:
    """What a model said about some rows, beside the truth.

    truth: class codes [rows] (binary, multi-class), 0/1 [rows, labels] (multi-label), floats [rows, outputs]
    (regression). probabilities: [rows, classes] (binary: two columns) or [rows, labels]; None for regression
    and for models
        without probabilities, whose scores (ROC-AUC, log loss …) are then undefined.
    values: regression's predictions [rows, outputs], in the target's units.
    labels: decided class codes [rows] or 0/1 [rows, labels]; the threshold is already applied.
    scale: for forecasts, what the absolute errors of each output are divided by (MASE). block: how many
    neighbouring rows
        hang together.

    Raises: DataError when the shapes or codes do not fit each other.
    """

    task: str
    truth: np.ndarray
    probabilities: np.ndarray | None = None
    values: np.ndarray | None = None
    labels: np.ndarray | None = None
    classes: tuple[str, ...] = ()
    scale: np.ndarray | None = None
    block: int = 1

    def __post_init__(self) -> None:
        check_task(self.task)
        wide = self.task in ("multi-label", "regression")
        _check_array("truth", self.truth, shape=(len(self.truth), None) if wide else (len(self.truth),))
        if self.task == "regression":
            _check_array("values", self.values, shape=self.truth.shape)
            return
        _check_array("labels", self.labels, shape=self.truth.shape)
        if self.probabilities is not None:
            _check_array("probabilities", self.probabilities, shape=(len(self.truth), self.width))
        _check_codes("truth", self.truth, limit=2 if wide else self.width)
        _check_codes("labels", self.decided, limit=2 if wide else self.width)

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(self.truth)

    @cached_property
    def width(self) -> int:
        """The number of classes, labels or outputs."""
        if self.task in ("multi-label", "regression"):
            return self.truth.shape[1]
        if self.task == "binary":
            return 2
        if self.classes:
            return len(self.classes)
        if self.probabilities is not None and self.probabilities.ndim == 2:
            return self.probabilities.shape[1]
        return int(max(self.truth.max(initial=1), self.decided.max(initial=1))) + 1

    @property
    def decided(self) -> np.ndarray:
        """The labels, which every task but regression has."""
        assert self.labels is not None
        return self.labels

    def sides(self) -> list[tuple[np.ndarray, np.ndarray, np.ndarray | None]]:
        """Each class against the others, or each label: (is it true, is it said, its probability or None).

        A binary task has one side, that of class 1.
        """
        truth, decided, probabilities = self.truth, self.decided, self.probabilities
        columns = [1] if self.task == "binary" else range(self.width)
        scores = [None if probabilities is None else probabilities[:, column] for column in columns]
        if self.task == "multi-label":
            return [(truth[:, column] == 1, decided[:, column] == 1, scores[column]) for column in columns]
        return [(truth == code, decided == code, score) for code, score in zip(columns, scores, strict=True)]

    # What every outcome offers.

    @property
    def work(self) -> int:
        """One for each side."""
        return 1 if self.task == "binary" else self.width

    def names(self) -> list[str]:
        """The figures; the first is the main one."""
        names = metric_names(self.task, self.width)
        return names if self.scale is None else ["mase", *names]

    def measure(self) -> dict[str, float]:
        """All figures."""
        return dict(self._figures)

    @cached_property
    def _figures(self) -> dict[str, float]:
        """Asked for several times, and slow for millions of rows."""
        from handrail.evaluation.metrics import measure

        return measure(self)

    def picked(self, rows: np.ndarray) -> "Predictions":
        """Of some of the rows."""
        some = {name: getattr(self, name) for name in ("truth", "probabilities", "values", "labels")}
        return replace(self, **{name: None if array is None else array[rows] for name, array in some.items()})

    def statistics(self, names: Iterable[str]) -> "list[Statistic]":
        """Functions from weights to figures."""
        from handrail.evaluation.resampled_metrics import statistics

        return statistics(self, names)

    def same_rows(self, other: "Outcome") -> bool:
        """Whether the truths are equal."""
        return (
            isinstance(other, Predictions)
            and self.task == other.task
            and np.array_equal(self.truth, other.truth)
        )

    def errors(self) -> np.ndarray:
        """The mean absolute error, or one minus the probability of the truth."""
        if self.values is not None:
            return np.abs(self.values - self.truth).mean(axis=1)
        assert self.probabilities is not None
        if self.truth.ndim == 2:
            return np.abs(self.probabilities - self.truth).max(axis=1)
        return 1 - self.probabilities[np.arange(self.rows), self.truth]

    def spoken(self, row: int, *, truth: bool) -> str:
        """Truth or answer of a row in words."""
        if self.values is not None:
            return ", ".join(f"{value:.4g}" for value in (self.truth if truth else self.values)[row][:8])
        labels = (self.truth if truth else self.decided)[row]
        if np.ndim(labels):
            return ", ".join(name for name, on in zip(self.classes, labels, strict=True) if on) or "none"
        return self.classes[int(labels)]

    def columns(self) -> dict[str, Any]:
        """Truth, labels, values and probabilities."""
        columns: dict[str, Any] = {}
        several = self.truth.ndim == 2
        outputs = (
            self.classes if self.task == "multi-label" else range(self.truth.shape[1]) if several else [0]
        )
        for index, target in enumerate(outputs):
            suffix = f"_{target}" if several else ""
            columns[f"truth{suffix}"] = self.truth[:, index] if several else self.truth
            if self.labels is not None:
                columns[f"label{suffix}"] = self.labels[:, index] if several else self.labels
            if self.values is not None:
                columns[f"value{suffix}"] = self.values[:, index]
        if self.probabilities is not None:
            columns |= {f"p_{name}": self.probabilities[:, index] for index, name in enumerate(self.classes)}
        return columns


def _check_array(name: str, array: np.ndarray | None, *, shape: tuple[int | None, ...]) -> None:
    wanted = "[" + ", ".join("any" if size is None else str(size) for size in shape) + "]"
    if array is None:
        raise DataError(f"The predictions have no {name}; expected an array of shape {wanted}.")
    fits = array.ndim == len(shape) and all(
        size in (None, found) for size, found in zip(shape, array.shape, strict=True)
    )
    if not fits:
        raise DataError(f"The predictions' {name} have shape {list(array.shape)}; expected {wanted}.")


def _check_codes(name: str, codes: np.ndarray, *, limit: int) -> None:
    with np.errstate(invalid="ignore"):  # not a number is told below
        wrong = (codes < 0) | (codes >= limit) | (codes != codes.astype(np.int64))
    if wrong.any():
        row = int(np.argwhere(wrong)[0][0])
        raise DataError(
            f"The predictions' {name} hold {codes[wrong][0]} in row {row}; expected whole numbers from 0 to {limit - 1}."
        )
