"""What kind of quantity each metric of a table's predictions is."""

import math
from collections.abc import Callable, Iterable
from functools import partial

import numpy as np

from handrail.evaluation.forms import Bounded, CalibrationGaps, Form, MeanShare, NoInterval, Ratio, Share
from handrail.evaluation.metrics import (
    CALIBRATION_BINS,
    SMALLEST_PROBABILITY,
    Predictions,
    bin_of,
    confidences,
    row_losses,
    top_hits,
)
from handrail.tools.words import only

FEWEST_OF_A_CLASS = 5  # below, ROC-AUC and means over classes miss their interval (benchmarks/intervals.py)
_FEWEST_CALLS = 8  # of a class, for means over classes of precision and of its area
_FEWEST_LOSSES = 50  # rows for a difference of log losses
_FEWEST_OF_TWO = 10  # where no mean over classes helps


def table_forms(predictions: Predictions, names: Iterable[str]) -> dict[str, Form]:
    """The form of each named metric, which must be defined on the rows as they are."""
    makers = _REGRESSION if predictions.task == "regression" else _CLASSES
    return {name: makers[name](predictions) for name in names}


def _log_loss(predictions: Predictions) -> Form:
    most = -math.log(SMALLEST_PROBABILITY)
    return Ratio(row_losses(predictions), np.ones(predictions.rows), fewest=_FEWEST_LOSSES, most=most)


def _accuracy(predictions: Predictions) -> Form:
    right = predictions.label_codes == predictions.truth
    return _share_of_rows(right.all(axis=1) if predictions.task == "multi-label" else right)


def _share_of_rows(hits: np.ndarray) -> Share:
    return Share(hits, np.ones(len(hits), dtype=bool))


def _recall(predictions: Predictions) -> Form:
    (true, called, _), *others = predictions.sides()
    if predictions.task == "binary" and not others:
        return Share(true & called, true)
    return _mean_over_classes(predictions, of_calls=False)


def _precision(predictions: Predictions) -> Form:
    (true, called, _), *others = predictions.sides()
    if predictions.task == "binary" and not others:
        return Share(true & called, called)
    return _mean_over_classes(predictions, of_calls=True)


def _balanced_accuracy(predictions: Predictions) -> Form:
    if predictions.task != "binary":
        return _mean_over_classes(predictions, of_calls=False)
    true, right = predictions.truth == 1, predictions.label_codes == predictions.truth
    hits, totals = ((right & ~true).sum(), (right & true).sum()), np.array([(~true).sum(), true.sum()])
    if totals.min() < FEWEST_OF_A_CLASS:
        return _too_few(predictions, totals)
    return MeanShare(np.array(hits, dtype=float), totals.astype(float))


def _mean_over_classes(predictions: Predictions, *, of_calls: bool) -> Form:
    """Rows of different classes are independent; labels share their rows."""
    sides = predictions.sides()
    totals = np.array([(called if of_calls else true).sum() for true, called, _ in sides])
    fewest = _FEWEST_CALLS if of_calls else FEWEST_OF_A_CLASS
    if totals.min() < fewest:
        return _too_few(predictions, totals, "called" if of_calls else "", fewest=fewest)
    if predictions.task == "multi-label":
        return Bounded(float(totals.min()))
    hits = np.array([(true & called).sum() for true, called, _ in sides])
    return MeanShare(hits.astype(float), totals.astype(float))


def _false_positive_rate(predictions: Predictions) -> Form:
    (true, called, _), *others = predictions.sides()
    if predictions.task == "binary" and not others:
        return Share(~true & called, ~true)
    return _bounded(predictions, np.array([(~true).sum() for true, _, _ in predictions.sides()]))


def _f1(predictions: Predictions) -> Form:
    (true, called, _), *others = predictions.sides()
    if predictions.task == "binary" and not others:
        return Share(true & called, true | called, f1=True)
    return _bounded(predictions, np.array([true.sum() for true, _, _ in predictions.sides()]))


def _f1_micro(predictions: Predictions) -> Form:
    either = np.any([true | called for true, called, _ in predictions.sides()], axis=0)
    return Bounded(float(max(either.sum(), 1)))


def _area(predictions: Predictions, *, biased: bool = False) -> Form:
    counts = np.array([min(int(true.sum()), int((~true).sum())) for true, _, _ in predictions.sides()])
    of_two, smaller = predictions.task == "binary", int(counts.min())
    fewest = _FEWEST_OF_TWO if of_two else _FEWEST_CALLS if biased else FEWEST_OF_A_CLASS
    if smaller < fewest:
        return _too_few(predictions, counts, fewest=fewest)
    return Bounded(float(smaller), smaller=smaller if of_two else None, biased=biased)


def _bounded(predictions: Predictions, counts: np.ndarray) -> Form:
    if counts.min() < FEWEST_OF_A_CLASS:
        return _too_few(predictions, counts)
    return Bounded(float(counts.min()))


def _too_few(
    predictions: Predictions, counts: np.ndarray, verb: str = "", *, fewest: int = FEWEST_OF_A_CLASS
) -> NoInterval:
    place, count = int(counts.argmin()), int(counts.min())
    code = 1 if predictions.task == "binary" else place
    name = f"“{predictions.classes[code]}”" if code < len(predictions.classes) else f"class {code}"
    rows = only(count, "row is", "rows are")
    what = f"{rows} called {name}" if verb else f"{rows} of {name} or of the other side"
    if not verb and predictions.task == "multi-class":
        what = f"{rows} of {name}"
    return NoInterval(f"{what}; at least {fewest} are needed")


def _calibration(predictions: Predictions) -> Form:
    confidence, right = confidences(predictions)
    return CalibrationGaps(confidence, right, bin_of(confidence, CALIBRATION_BINS))


def _errors(predictions: Predictions) -> tuple[np.ndarray, np.ndarray]:
    assert predictions.values is not None
    truth = predictions.truth.astype(np.float64)
    return truth, predictions.values.astype(np.float64) - truth


def _mae(predictions: Predictions) -> Form:
    return Ratio(np.abs(_errors(predictions)[1]).mean(axis=1), np.ones(predictions.rows))


def _mase(predictions: Predictions) -> Form:
    assert predictions.scale is not None
    scaled = np.abs(_errors(predictions)[1]) / predictions.scale
    return Ratio(scaled.mean(axis=1), np.ones(predictions.rows))


def _rmse(predictions: Predictions) -> Form:
    """With r_o the RMSE of output o, the metric moves as the root of the mean of Σ_o e² / r_o does."""
    squared = _errors(predictions)[1] ** 2
    roots = np.sqrt(squared.mean(axis=0))
    with np.errstate(all="ignore"):
        parts = np.where(roots > 0, squared / roots, 0.0)
    return Ratio(parts.mean(axis=1), np.full(predictions.rows, 1 / max(roots.mean(), 1e-300)), power=0.5)


def _r2(predictions: Predictions) -> Form:
    """The complement of the unexplained share."""
    top, bottom = _unexplained(*_errors(predictions))
    target = None
    if predictions.block > 1 or predictions.scale is not None:
        target = predictions.truth[:, 0].astype(np.float64)
    return Ratio(top, bottom, outer="complement", target=target)


def _nrmse(predictions: Predictions) -> Form:
    """The root of the unexplained share at the last step."""
    truth, values = predictions.at_the_end
    return Ratio(*_unexplained(truth, values - truth), power=0.5, target=truth[:, 0])


def _unexplained(truth: np.ndarray, error: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """1 − R² is the mean over outputs of S / T, which moves as Σ_o e² / T over Σ_o S·(y − ȳ)² / T² does."""
    squared, spread = error**2, (truth - truth.mean(axis=0)) ** 2
    residual, variance = squared.mean(axis=0), spread.mean(axis=0)
    unexplained = float((residual / variance).mean())
    top = (squared / variance).mean(axis=1)
    return top, (spread * residual / variance**2).mean(axis=1) / max(unexplained, 1e-300)


Maker = Callable[[Predictions], Form]
_REGRESSION: dict[str, Maker] = {"mae": _mae, "mase": _mase, "rmse": _rmse, "nrmse": _nrmse, "r2": _r2}
_CLASSES: dict[str, Maker] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "top_3_accuracy": lambda predictions: _share_of_rows(top_hits(predictions, 3)),
    "top_5_accuracy": lambda predictions: _share_of_rows(top_hits(predictions, 5)),
    "precision": _precision,
    "recall": _recall,
    "false_positive_rate": _false_positive_rate,
    "f1": _f1,
    "f1_micro": _f1_micro,
    "roc_auc": _area,
    "pr_auc": partial(_area, biased=True),
    "log_loss": _log_loss,
    "calibration_error": _calibration,
}
