"""How good predictions are: one dictionary of figures for each task.

Point values are scikit-learn's. A figure that the rows do not define (one class only, no predicted positive, a
constant target) is not a number: never zero, never a crash.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int
from sklearn import metrics as sk

from handrail.errors import DataError, RecipeError, did_you_mean

TASKS = ("binary", "multi-class", "multi-label", "regression")

DESCRIPTIONS: dict[str, str] = {
    "accuracy": "Share of rows that are right; with several labels a row, of rows whose every label is right.",
    "balanced_accuracy": "Mean over the classes of the share of their rows that are found.",
    "top_3_accuracy": "Share of rows whose true class is among the three most probable ones.",
    "top_5_accuracy": "Share of rows whose true class is among the five most probable ones.",
    "precision": "Of the rows called positive, the share that is (PPV); mean over classes or labels.",
    "recall": "Of the positive rows, the share that is found (TPR); mean over classes or labels.",
    "false_positive_rate": "Of the negative rows, the share that is called positive (FPR); mean over classes or labels.",
    "f1": "Harmonic mean of precision and recall; mean over classes or labels.",
    "f1_micro": "F1 over all decisions of all labels counted together.",
    "roc_auc": "Chance that a positive row scores above a negative one; mean over classes or labels.",
    "pr_auc": "Average precision: the area under precision against recall; mean over classes or labels.",
    "log_loss": "Mean negative logarithm of the probability given to the truth, in nats.",
    "calibration_error": "Mean gap between confidence and accuracy over 15 equal bins of confidence (ECE).",
    "r2": "Share of the target's variance that is explained; 0 is the mean's, 1 is perfect; mean over outputs.",
    "rmse": "Root of the mean squared error, in the target's units; mean over outputs.",
    "mae": "Mean absolute error, in the target's units; mean over outputs.",
}
_LOWER_IS_BETTER = frozenset({"false_positive_rate", "log_loss", "calibration_error", "rmse", "mae"})
CALIBRATION_BINS = 15


@dataclass(frozen=True)
class Predictions:
    """What a model said about some rows, beside the truth.

    truth: class codes [rows] (binary, multi-class), 0/1 [rows, labels] (multi-label), floats [rows, outputs] (regression).
    probabilities: [rows, classes] (binary: two columns) or [rows, labels]; None for regression and for models
        without probabilities, whose scores (ROC-AUC, log loss …) are then undefined.
    values: regression's predictions [rows, outputs], in the target's units.
    labels: decided class codes [rows] or 0/1 [rows, labels]; the threshold is already applied.

    Raises: DataError when the shapes or codes do not fit each other.
    """

    task: str
    truth: np.ndarray
    probabilities: np.ndarray | None = None
    values: np.ndarray | None = None
    labels: np.ndarray | None = None
    classes: tuple[str, ...] = ()

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


def check_task(task: str) -> None:
    """Refuses an unknown task.

    Raises: RecipeError.
    """
    if task not in TASKS:
        raise RecipeError(f"'{task}' is no task.{did_you_mean(task, TASKS)}")


def _check_array(name: str, array: np.ndarray | None, *, shape: tuple[int | None, ...]) -> None:
    wanted = "[" + ", ".join("any" if size is None else str(size) for size in shape) + "]"
    if array is None:
        raise DataError(f"The predictions have no {name}; expected an array of shape {wanted}.")
    fits = array.ndim == len(shape) and all(size in (None, found) for size, found in zip(shape, array.shape, strict=True))
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


def metric_names(task: str, classes: int) -> list[str]:
    """The names of a task's figures, in the order of the report; the first is the main one.

    Raises: RecipeError for an unknown task.
    """
    check_task(task)
    if task == "regression":
        return ["r2", "rmse", "mae"]
    shared = ["precision", "recall", "false_positive_rate", "f1"]
    scored = ["roc_auc", "pr_auc", "log_loss"]
    if task == "multi-label":
        return ["accuracy", *shared, "f1_micro", *scored]
    top = [f"top_{k}_accuracy" for k in (3, 5) if task == "multi-class" and classes > k]
    return ["accuracy", "balanced_accuracy", *top, *shared, *scored, "calibration_error"]


def main_metric(task: str) -> str:
    """The figure by which a task's models are compared."""
    return metric_names(task, 2)[0]


def higher_is_better(name: str) -> bool:
    """Whether a larger figure is a better one.

    Raises: RecipeError for an unknown metric.
    """
    if name not in DESCRIPTIONS:
        raise RecipeError(f"'{name}' is no metric.{did_you_mean(name, DESCRIPTIONS)}")
    return name not in _LOWER_IS_BETTER


def measure(predictions: Predictions) -> dict[str, float]:
    """All figures of the predictions; not a number where the rows do not define one.

    Multi-class figures are means over the classes, each against the others; a class without its part of the rows
    (never true, or never said) is left out of that mean.
    Source: Pedregosa 2011 (scikit-learn, whose functions compute the point values).
    """
    names = metric_names(predictions.task, predictions.width)
    found: dict[str, float] = {}
    if predictions.rows:
        with np.errstate(all="ignore"):  # overflow and 0/0 give figures that are not finite, and are told as such
            found = _regression(predictions) if predictions.task == "regression" else _classification(predictions)
    return {name: float(found.get(name, np.nan)) for name in names}


def _regression(predictions: Predictions) -> dict[str, float]:
    truth, values = predictions.truth.astype(np.float64), predictions.values
    if values is None or not (np.isfinite(truth).all() and np.isfinite(values).all()):
        return {}
    values = values.astype(np.float64)
    varies = predictions.rows > 1 and bool((truth != truth[0]).any(axis=0).all())
    return {
        "mae": sk.mean_absolute_error(truth, values),
        "rmse": sk.root_mean_squared_error(truth, values),
        "r2": sk.r2_score(truth, values) if varies else np.nan,
    }


def _classification(predictions: Predictions) -> dict[str, float]:
    figures = _decisions(predictions)
    probabilities = predictions.probabilities
    if probabilities is not None and np.isfinite(probabilities).all():
        figures |= _scores(predictions)
    return figures


def _decisions(predictions: Predictions) -> dict[str, float]:
    """What the decided labels alone say."""
    truth, labels, codes = predictions.truth, predictions.decided, np.arange(predictions.width)
    multi_label = predictions.task == "multi-label"
    if multi_label and predictions.width == 1:  # scikit-learn takes a single column for a binary target
        truth, labels, codes = truth.ravel(), labels.ravel(), np.array([1])
    cells = sk.multilabel_confusion_matrix(truth, labels, labels=codes)
    true_negative, false_positive = cells[:, 0, 0], cells[:, 0, 1]
    precision, recall, f1, _ = sk.precision_recall_fscore_support(
        truth,
        labels,
        labels=codes,
        average=None,
        zero_division=np.nan,  # pyright: ignore[reportArgumentType]
    )
    each = {
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "false_positive_rate": false_positive / (false_positive + true_negative),
    }
    pick = (lambda values: values[1]) if predictions.task == "binary" else mean_defined
    figures = {name: float(pick(np.asarray(values))) for name, values in each.items()}
    figures["accuracy"] = sk.accuracy_score(truth, labels)
    if multi_label:
        figures["f1_micro"] = sk.f1_score(
            truth,
            labels,
            labels=codes,
            average="micro",
            zero_division=np.nan,  # pyright: ignore[reportArgumentType]
        )
    else:
        figures["balanced_accuracy"] = float(mean_defined(np.asarray(recall))) if len(np.unique(truth)) > 1 else np.nan
    return figures


def _scores(predictions: Predictions) -> dict[str, float]:
    """What the probabilities say."""
    figures = {"log_loss": float(row_losses(predictions).mean())}
    for name, score in (("roc_auc", sk.roc_auc_score), ("pr_auc", sk.average_precision_score)):
        figures[name] = float(mean_defined(np.array([_ranked(score, *side) for side in predictions.sides()])))
    if predictions.task == "multi-label":
        return figures
    for k in (3, 5):
        if predictions.width > k:
            figures[f"top_{k}_accuracy"] = float(top_hits(predictions, k).mean())
    figures["calibration_error"] = _calibration_error(predictions)
    return figures


def _ranked(score: Callable[..., float], true: np.ndarray, _said: np.ndarray, probability: np.ndarray | None) -> float:
    return score(true, probability) if 0 < true.sum() < len(true) else np.nan


def _calibration_error(predictions: Predictions) -> float:
    """ECE = Σ over bins of |Σ over the bin's rows of (confidence − right)| / rows.

    Source: Guo 2017
    """
    confidence, right = confidences(predictions)
    gaps = np.bincount(bin_of(confidence, CALIBRATION_BINS), weights=confidence - right, minlength=CALIBRATION_BINS)
    return float(np.abs(gaps).sum() / len(confidence))


def mean_defined(values: Float[np.ndarray, "sides ..."]) -> np.ndarray:
    """The mean along the first axis of those entries that are numbers; not a number where there are none."""
    defined = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(defined, values, 0.0).sum(axis=0) / defined.sum(axis=0))


def row_losses(predictions: Predictions) -> Float[np.ndarray, " rows"]:
    """Each row's log loss in nats: −ln p(truth), p clipped to [ε, 1 − ε]; with several labels a row, their mean."""
    probabilities = predictions.probabilities
    assert probabilities is not None
    limit = np.finfo(np.float64).eps
    probabilities = probabilities.astype(np.float64)
    if predictions.task == "multi-label":
        of_truth = np.where(predictions.truth == 1, probabilities, 1.0 - probabilities)
        return -np.log(np.clip(of_truth, limit, 1 - limit)).mean(axis=1)
    of_truth = probabilities[np.arange(predictions.rows), predictions.truth.astype(np.int64)]
    return -np.log(np.clip(of_truth / probabilities.sum(axis=1), limit, 1 - limit))


def top_hits(predictions: Predictions, k: int) -> Bool[np.ndarray, " rows"]:
    """Whether the truth is among the k most probable classes; of equal ones the later class counts as higher."""
    assert predictions.probabilities is not None
    order = np.argsort(predictions.probabilities, axis=1, kind="stable")[:, ::-1]
    return (order[:, :k] == predictions.truth[:, None]).any(axis=1)


def confidences(predictions: Predictions) -> tuple[Float[np.ndarray, " decisions"], Bool[np.ndarray, " decisions"]]:
    """The probability that each decision was given, and whether the decision is right.

    A row is one decision; with several labels a row, each label is one.
    """
    labels, probabilities = predictions.decided, predictions.probabilities
    if probabilities is None:
        raise DataError("These predictions have no probabilities, so they have no confidence to compare with.")
    probabilities = probabilities.astype(np.float64)
    if predictions.task == "multi-label":
        confidence = np.where(labels == 1, probabilities, 1.0 - probabilities)
    else:
        confidence = probabilities[np.arange(predictions.rows), labels.astype(np.int64)]
    return confidence.ravel(), (labels == predictions.truth).ravel()


def bin_of(confidence: Float[np.ndarray, " decisions"], bins: int) -> Int[np.ndarray, " decisions"]:
    """The equal-width bin ((b, b + 1] / bins; the first holds 0 too) of each confidence."""
    return np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
