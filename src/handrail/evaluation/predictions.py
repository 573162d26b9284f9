"""A model's answers as plain arrays: classes, labels or values of some rows, beside the truth."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from handrail.errors import DataError
from handrail.evaluation.metric_names import check_task, metric_names


@dataclass(frozen=True)
class Predictions:
    """What a model predicted for some rows, beside the truth.

    Arguments:
        task: binary, multi-class, multi-label or regression.
        truth: class codes `[rows]` (binary, multi-class), 0/1 `[rows, labels]` (multi-label) or numbers
            `[rows, outputs]` (regression).
        probabilities: `[rows, classes]` (binary: two columns) or `[rows, labels]`; None for regression and
            for models without probabilities, whose scores (ROC-AUC, log loss …) are then undefined.
        values: the predictions of regression `[rows, outputs]`, in the target's units.
        labels: decided class codes `[rows]` or 0/1 `[rows, labels]`; the threshold is already applied.
        scale: for forecasts, what the absolute errors of each output are divided by (MASE).
        block: how many neighbouring rows belong together.

    Raises: `DataError` when the shapes or codes do not fit each other.
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
        _check_codes("labels", self.label_codes, limit=2 if wide else self.width)

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
        return int(max(self.truth.max(initial=1), self.label_codes.max(initial=1))) + 1

    @property
    def label_codes(self) -> np.ndarray:
        """The labels, which every task but regression has."""
        assert self.labels is not None
        return self.labels

    def names(self) -> list[str]:
        """The metrics that these predictions are measured by, the main one first."""
        names = metric_names(self.task, self.width)
        return names if self.scale is None else ["mase", *names]

    def sides(self) -> list[tuple[np.ndarray, np.ndarray, np.ndarray | None]]:
        """Each class against the others, or each label: (true?, predicted?, probability or None).

        A binary task has one side, that of class 1.
        """
        truth, labels, probabilities = self.truth, self.label_codes, self.probabilities
        columns = [1] if self.task == "binary" else range(self.width)
        scores = [None if probabilities is None else probabilities[:, column] for column in columns]
        if self.task == "multi-label":
            return [(truth[:, column] == 1, labels[:, column] == 1, scores[column]) for column in columns]
        return [(truth == code, labels == code, score) for code, score in zip(columns, scores, strict=True)]


def _check_array(name: str, array: np.ndarray | None, *, shape: tuple[int | None, ...]) -> None:
    expected = "[" + ", ".join("any" if size is None else str(size) for size in shape) + "]"
    if array is None:
        raise DataError(f"The predictions have no {name}; expected an array of shape {expected}.")
    fits = array.ndim == len(shape) and all(
        size in (None, actual) for size, actual in zip(shape, array.shape, strict=True)
    )
    if not fits:
        raise DataError(f"The predictions' {name} have shape {list(array.shape)}; expected {expected}.")


def _check_codes(name: str, codes: np.ndarray, *, limit: int) -> None:
    with np.errstate(invalid="ignore"):  # not a number is reported below
        wrong = (codes < 0) | (codes >= limit) | (codes != codes.astype(np.int64))
    if wrong.any():
        row = int(np.argwhere(wrong)[0][0])
        raise DataError(
            f"The predictions' {name} hold {codes[wrong][0]} in row {row}; "
            f"expected whole numbers from 0 to {limit - 1}."
        )
