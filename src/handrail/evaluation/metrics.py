"""The metrics of predictions, by scikit-learn.

A metric that the rows do not define (one class only, no predicted positive, a constant target) is not a
number: never zero, never a crash.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from handrail.errors import DataError
from handrail.evaluation.metric_names import check_task, metric_names
from handrail.tools.moved import forward

__getattr__ = forward(__name__)

CALIBRATION_BINS = 15
SMALLEST_PROBABILITY = float(np.finfo(np.float64).eps)  # that a log loss takes the truth to have had
_ROUNDING = 1e-5


def rounding_of(*figures: float | np.ndarray) -> float | np.ndarray:
    """How far apart equal figures may be: 10⁻⁵ of the largest, by size, of those that are compared.

    Scores have single precision. Each sum rounds to 6·10⁻⁸ of itself, and after some layers, in another order
    or on another machine, to some 10⁻⁶; so far from each other are answers that are equal but for rounding.
    Figures are shown with four digits, in which that is not seen.
    """
    return _ROUNDING * np.max(np.abs(np.broadcast_arrays(*figures)), axis=0)


@dataclass(frozen=True)
class Predictions:
    """What a model predicted for some rows, beside the truth.

    Arguments:
        task: binary, multi-class, multi-label or regression.
        truth: class codes `[rows]`, 0/1 `[rows, labels]`, or numbers `[rows, outputs]` of a regression.
        probabilities: `[rows, classes]` (binary: two columns) or `[rows, labels]`; without them ROC-AUC, log
            loss … are undefined.
        values: the predictions of regression `[rows, outputs]`, in the target's units.
        labels: decided class codes `[rows]` or 0/1 `[rows, labels]`; the threshold is already applied.
        scale: for forecasts, what the absolute errors of each output are divided by (MASE).
        block: how many neighbouring rows belong together.
        free_run: steps of each target that a forecast went on by itself; the error at the last is measured.

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
    free_run: int = 0

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
        names = metric_names(self.task, self.width)
        names = ["nrmse", *names] if self.free_run else names
        return names if self.scale is None else ["mase", *names]

    @property
    def at_the_end(self) -> tuple[np.ndarray, np.ndarray]:
        """Of a free run the truth and the values at its last step `[rows, targets]`."""
        assert self.values is not None
        last = slice(self.free_run - 1, None, self.free_run)
        return self.truth[:, last].astype(np.float64), self.values[:, last].astype(np.float64)

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
    sizes = zip(shape, array.shape, strict=False)
    if array.ndim != len(shape) or any(size not in (None, actual) for size, actual in sizes):
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


def measure(predictions: Predictions) -> dict[str, float]:
    """All metrics of the predictions; not a number where the rows do not define one.

    Multi-class metrics are means over the classes, each against the others; a class that leaves its own
    undefined (never true, or never predicted) is left out of that mean.

    Source: Pedregosa 2011 (scikit-learn, whose functions compute the point values)
    """
    metrics: dict[str, float] = {}
    if predictions.rows:
        task_metrics = _regression if predictions.task == "regression" else _classification
        with np.errstate(all="ignore"):  # overflow and 0/0 give metrics that are not finite, reported as such
            metrics = task_metrics(predictions)
    return {name: float(metrics.get(name, np.nan)) for name in predictions.names()}


def _regression(predictions: Predictions) -> dict[str, float]:
    from sklearn import metrics as sk

    truth, values = predictions.truth.astype(np.float64), predictions.values
    if values is None or not (np.isfinite(truth).all() and np.isfinite(values).all()):
        return {}
    values = values.astype(np.float64)
    varies = predictions.rows > 1 and bool((truth != truth[0]).any(axis=0).all())
    metrics = {
        "mae": sk.mean_absolute_error(truth, values),
        "rmse": sk.root_mean_squared_error(truth, values),
        "r2": sk.r2_score(truth, values) if varies else np.nan,
    }
    if predictions.scale is not None:
        metrics["mase"] = float((np.abs(values - truth) / predictions.scale).mean())
    if predictions.free_run:
        r2 = sk.r2_score(*predictions.at_the_end) if varies else np.nan
        metrics["nrmse"] = float(np.sqrt(1 - r2))
    return metrics


def _classification(predictions: Predictions) -> dict[str, float]:
    metrics = _label_metrics(predictions)
    probabilities = predictions.probabilities
    if probabilities is not None and np.isfinite(probabilities).all():
        metrics |= _probability_metrics(predictions)
    return metrics


def _label_metrics(predictions: Predictions) -> dict[str, float]:
    from sklearn import metrics as sk

    truth, labels, codes = predictions.truth, predictions.label_codes, np.arange(predictions.width)
    multi_label = predictions.task == "multi-label"
    if multi_label and predictions.width == 1:  # scikit-learn takes a single column for a binary target
        truth, labels, codes = truth.ravel(), labels.ravel(), np.array([1])
    cells = sk.multilabel_confusion_matrix(truth, labels, labels=codes)
    true_negative, false_positive = cells[:, 0, 0], cells[:, 0, 1]
    options: Any = {"labels": codes, "zero_division": np.nan}
    precision, recall, f1, _ = sk.precision_recall_fscore_support(truth, labels, average=None, **options)
    by_class = {
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "false_positive_rate": false_positive / (false_positive + true_negative),
    }
    pick = (lambda values: values[1]) if predictions.task == "binary" else nan_mean
    metrics = {name: float(pick(np.asarray(values))) for name, values in by_class.items()}
    metrics["accuracy"] = sk.accuracy_score(truth, labels)
    if multi_label:
        metrics["f1_micro"] = sk.f1_score(truth, labels, average="micro", **options)
    else:
        several = len(np.unique(truth)) > 1
        metrics["balanced_accuracy"] = float(nan_mean(np.asarray(recall))) if several else np.nan
    return metrics


def _probability_metrics(predictions: Predictions) -> dict[str, float]:
    from sklearn import metrics as sk

    metrics = {"log_loss": float(row_losses(predictions).mean())}
    for name, area in (("roc_auc", sk.roc_auc_score), ("pr_auc", sk.average_precision_score)):
        areas = [
            area(true, probability) if 0 < true.sum() < len(true) else np.nan
            for true, _, probability in predictions.sides()
        ]
        metrics[name] = float(nan_mean(np.array(areas)))
    if predictions.task == "multi-label":
        return metrics
    for k in (3, 5):
        if predictions.width > k:
            metrics[f"top_{k}_accuracy"] = float(top_hits(predictions, k).mean())
    metrics["calibration_error"] = _calibration_error(predictions)
    return metrics


def _calibration_error(predictions: Predictions) -> float:
    """ECE = Σ over bins of |Σ over the bin's rows of (confidence − right)| / rows.

    Source: Guo 2017
    """
    confidence, right = confidences(predictions)
    place = bin_of(confidence, CALIBRATION_BINS)
    gaps = np.bincount(place, weights=confidence - right, minlength=CALIBRATION_BINS)
    return float(np.abs(gaps).sum() / len(confidence))


def nan_mean(values: Float[np.ndarray, "sides ..."]) -> np.ndarray:
    """The mean along the first axis of the entries that are numbers; not a number where there are none."""
    defined = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(defined, values, 0.0).sum(axis=0) / defined.sum(axis=0))


def row_losses(predictions: Predictions) -> Float[np.ndarray, " rows"]:
    """Each row's log loss in nats: −ln p(truth), p clipped to [ε, 1 − ε]; of several labels, their mean."""
    probabilities = predictions.probabilities
    assert probabilities is not None
    limit = SMALLEST_PROBABILITY
    probabilities = probabilities.astype(np.float64)
    if predictions.task == "multi-label":
        of_truth = np.where(predictions.truth == 1, probabilities, 1.0 - probabilities)
        return -np.log(np.clip(of_truth, limit, 1 - limit)).mean(axis=1)
    of_truth = probabilities[np.arange(predictions.rows), predictions.truth.astype(np.int64)]
    return -np.log(np.clip(of_truth / probabilities.sum(axis=1), limit, 1 - limit))


def top_hits(predictions: Predictions, k: int) -> Bool[np.ndarray, " rows"]:
    """Whether the truth is among the k most probable classes; of equal ones the later class is the higher."""
    assert predictions.probabilities is not None
    order = np.argsort(predictions.probabilities, axis=1, kind="stable")[:, ::-1]
    return (order[:, :k] == predictions.truth[:, None]).any(axis=1)


def confidences(predictions: Predictions) -> tuple[np.ndarray, np.ndarray]:
    """The probability `[decisions]` of each row's decision (or label's), and whether it is right.

    Raises: `DataError` for predictions without probabilities.
    """
    labels, probabilities = predictions.label_codes, predictions.probabilities
    if probabilities is None:
        raise DataError("These predictions have no probabilities, and so no confidence to compare with.")
    probabilities = probabilities.astype(np.float64)
    if predictions.task == "multi-label":
        confidence = np.where(labels == 1, probabilities, 1.0 - probabilities)
    else:
        confidence = probabilities[np.arange(predictions.rows), labels.astype(np.int64)]
    return confidence.ravel(), (labels == predictions.truth).ravel()


def bin_of(confidence: Float[np.ndarray, " decisions"], bins: int) -> Int[np.ndarray, " decisions"]:
    """The equal-width bin ((b, b + 1] / bins; the first holds 0 too) of each confidence."""
    return np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
