"""The metrics of weighted rows, for many weightings at once.

A bootstrap resample is a count for each row, so a thousand resamples are a matrix `weights` [rows,
resamples]. What depends on the rows alone (sorting, one-hot codes, errors) is computed once; each function
returned turns weights into metrics [resamples] by sums. Whole numbers are held as floats: counts stay exact.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from handrail.evaluation.metrics import (
    CALIBRATION_BINS,
    Predictions,
    bin_of,
    confidences,
    nan_mean,
    row_losses,
    top_hits,
)
from handrail.evaluation.outcomes import Statistic

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Weights = Float[np.ndarray, "rows resamples"]
Metrics = dict[str, np.ndarray]

_FROM_CELLS = frozenset({"balanced_accuracy", "precision", "recall", "false_positive_rate", "f1", "f1_micro"})


def statistics(predictions: Predictions, names: Iterable[str]) -> list[Statistic]:
    """Functions from weights to the named metrics, which must be defined on the rows as they are."""
    selected = set(names)
    if predictions.task == "regression":
        return [_regression(predictions)] if selected else []
    functions: list[Statistic] = []
    columns = _row_columns(predictions, selected)
    if columns:
        functions.append(_average(columns))
    if selected & _FROM_CELLS:
        functions.append(_cells(predictions))
    if "calibration_error" in selected:
        functions.append(_calibration(predictions))
    if selected & {"roc_auc", "pr_auc"}:
        functions.append(_ranking(predictions))
    return functions


def _row_columns(predictions: Predictions, selected: set[str]) -> Metrics:
    columns: Metrics = {}
    if "accuracy" in selected:
        right = predictions.label_codes == predictions.truth
        columns["accuracy"] = right.all(axis=1) if predictions.task == "multi-label" else right
    if "log_loss" in selected:
        columns["log_loss"] = row_losses(predictions)
    for k in (3, 5):
        if f"top_{k}_accuracy" in selected:
            columns[f"top_{k}_accuracy"] = top_hits(predictions, k)
    return columns


def _average(columns: Metrics) -> Statistic:
    rows = np.stack([column.astype(np.float64) for column in columns.values()])  # [metrics, rows]

    def statistic(weights: Weights) -> Metrics:
        means = rows @ weights / weights.sum(axis=0)
        return dict(zip(columns, means, strict=True))

    return statistic


def _regression(predictions: Predictions) -> Statistic:
    """R² = 1 − Σw e² / (Σw y² − (Σw y)² / Σw), with y centred so that the difference keeps its digits."""
    assert predictions.values is not None
    truth = predictions.truth.astype(np.float64)
    error = np.ascontiguousarray((predictions.values - truth).T)  # [outputs, rows]
    centred = np.ascontiguousarray((truth - truth.mean(axis=0)).T)
    absolute, squared, centred_squared = np.abs(error), error**2, centred**2
    ahead = predictions.free_run
    last = slice(ahead - 1, None, ahead) if ahead else slice(0)
    in_scale = None if predictions.scale is None else absolute / predictions.scale[:, None]

    def statistic(weights: Weights) -> Metrics:
        total = weights.sum(axis=0)
        residual = squared @ weights
        power = centred_squared @ weights
        variance = power - (centred @ weights) ** 2 / total
        variance[variance <= 1e-12 * power] = np.nan  # a single value was drawn: R² is undefined
        unexplained = residual / variance
        return {
            "mae": (absolute @ weights / total).mean(axis=0),
            "rmse": np.sqrt(residual / total).mean(axis=0),
            "r2": 1.0 - unexplained.mean(axis=0),
            **({"nrmse": np.sqrt(unexplained[last].mean(axis=0))} if ahead else {}),
            **({} if in_scale is None else {"mase": (in_scale @ weights / total).mean(axis=0)}),
        }

    return statistic


def _indicator(columns: list[np.ndarray]) -> "csr_array":
    """Boolean columns [rows] as a sparse matrix [columns, rows]; its product with the weights counts them."""
    from scipy.sparse import csr_array

    lengths = [int(column.sum()) for column in columns]
    where = np.concatenate([np.flatnonzero(column) for column in columns])
    shape = (len(columns), len(columns[0]))
    return csr_array((np.ones(len(where)), where, np.concatenate([[0], np.cumsum(lengths)])), shape=shape)


def _cells(predictions: Predictions) -> Statistic:
    sides = predictions.sides()
    binary = predictions.task == "binary"
    if binary:  # the other side is for the balanced accuracy alone
        true, predicted, _ = sides[0]
        sides = [(~true, ~predicted, None), *sides]
    both = _indicator([true & predicted for true, predicted, _ in sides])
    actual = _indicator([true for true, _, _ in sides])
    called = _indicator([predicted for _, predicted, _ in sides])

    def statistic(weights: Weights) -> Metrics:
        total = weights.sum(axis=0)
        hits, positives, calls = both @ weights, actual @ weights, called @ weights  # [sides, resamples]
        recall = hits / positives
        by_class = {
            "precision": hits / calls,
            "recall": recall,
            "false_positive_rate": (calls - hits) / (total - positives),
            "f1": 2.0 * hits / (positives + calls),
        }
        metrics = {name: values[1] if binary else nan_mean(values) for name, values in by_class.items()}
        metrics["f1_micro"] = 2.0 * hits.sum(axis=0) / (positives + calls).sum(axis=0)
        one_class = (positives > 0).sum(axis=0) < 2
        metrics["balanced_accuracy"] = np.where(one_class, np.nan, nan_mean(recall))
        return metrics

    return statistic


def _calibration(predictions: Predictions) -> Statistic:
    from scipy.sparse import csr_array

    confidence, right = confidences(predictions)
    place = (bin_of(confidence, CALIBRATION_BINS), np.arange(predictions.rows))
    gaps = csr_array((confidence - right, place), shape=(CALIBRATION_BINS, predictions.rows))

    def statistic(weights: Weights) -> Metrics:
        return {"calibration_error": np.abs(gaps @ weights).sum(axis=0) / weights.sum(axis=0)}

    return statistic


def _ranking(predictions: Predictions) -> Statistic:
    sides = [_side(true, score) for true, _, score in predictions.sides() if score is not None and true.any()]

    def statistic(weights: Weights) -> Metrics:
        running = np.zeros((predictions.rows + 1, weights.shape[1]))  # for all sides: fresh memory costs time
        areas = np.stack([side(weights, running) for side in sides])  # [sides, 2, resamples]
        roc, precision = nan_mean(areas)
        return {"roc_auc": roc, "pr_auc": precision}

    return statistic


def _side(true: np.ndarray, score: np.ndarray) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """ROC-AUC and average precision of one side, from one sort.

    With the rows in falling order of score and C the running sum of weights, a positive row p in a group of
    equal scores that spans (start, end] beats the weight after its group and ties with that of its group: AUC
    = (Σ w_p (C_total − (C_start + C_end) / 2) − P² / 2) / (P · N), where P² / 2 removes the pairs of
    positives; AP = Σ w_p · (positives up to the end) / (C_end · P).

    Source: Mann 1947
    """
    order = np.argsort(-score.astype(np.float64), kind="stable")
    sorted_score = score[order]
    edges = np.flatnonzero(np.diff(sorted_score) != 0) + 1
    starts, ends = np.concatenate([[0], edges]), np.concatenate([edges, [len(order)]])
    group = np.repeat(np.arange(len(starts)), ends - starts)
    positive = np.flatnonzero(true[order])  # places of the positive rows, in falling order
    start, end = starts[group[positive]], ends[group[positive]]
    hits_end = np.searchsorted(positive, end)  # positives up to the end of each one's group

    def areas(weights: Weights, running: np.ndarray) -> np.ndarray:
        np.cumsum(weights[order], axis=0, out=running[1:])  # running[0] stays 0
        total = running[-1]
        own = weights[order[positive]]  # [positives, resamples]
        below, through = running[start], running[end]
        hits = np.cumsum(own, axis=0)
        positives = hits[-1]
        wins = np.einsum("pr,pr->r", own, total - 0.5 * (below + through)) - 0.5 * positives**2
        roc = wins / (positives * (total - positives))
        precision = hits[hits_end - 1] / np.maximum(through, 1.0)  # nothing drawn so far: own weight is 0 too
        average = np.einsum("pr,pr->r", own, precision) / positives
        average[positives == total] = np.nan  # no negatives: undefined, as the point value is
        return np.stack([roc, average])

    return areas
