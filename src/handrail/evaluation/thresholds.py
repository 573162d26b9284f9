"""The probability from which a row is called positive, chosen on validation rows."""

from typing import Literal

import numpy as np
from jaxtyping import Float, Num

from handrail.errors import RecipeError, did_you_mean

_METRICS = ("accuracy", "f1", "balanced_accuracy")


def choose_threshold(
    probabilities_of_positive: Float[np.ndarray, " rows"],
    truth: Num[np.ndarray, " rows"],
    *,
    metric: Literal["accuracy", "f1", "balanced_accuracy"] = "accuracy",
) -> float:
    """The threshold t with the best metric on the rows given, where `probability ≥ t` means positive.

    Candidates are 0.5 and the midpoints between neighbouring distinct probabilities; of equally good ones the
    nearest to 0.5 wins. One sort, so O(n log n). It is 0.5 where the rows do not determine it: one class
    only, no rows, or probabilities that are not finite.

    Arguments:
        truth: 0 or 1.

    Raises: `RecipeError` for an unknown metric.
    """
    if metric not in _METRICS:
        raise RecipeError(f"No threshold can be chosen for '{metric}'.{did_you_mean(metric, _METRICS)}")
    probabilities = np.asarray(probabilities_of_positive, dtype=np.float64)
    positive = np.asarray(truth) == 1
    if not np.isfinite(probabilities).all() or positive.all() or not positive.any():
        return 0.5
    candidates = _candidates(probabilities)
    quality = _quality(probabilities, positive, candidates, metric)
    best = candidates[quality >= quality.max() - 1e-12]  # equal fractions may differ in their last bit
    return float(best[np.argmin(np.abs(best - 0.5))])


def _candidates(probabilities: np.ndarray) -> np.ndarray:
    distinct = np.unique(probabilities)
    lower, upper = distinct[:-1], distinct[1:]
    midpoints = lower + (upper - lower) / 2
    midpoints = np.where(midpoints > lower, midpoints, upper)  # no number lies between neighbouring floats
    return np.append(midpoints, 0.5)


def _quality(
    probabilities: np.ndarray, positive: np.ndarray, candidates: np.ndarray, metric: str
) -> np.ndarray:
    order = np.argsort(probabilities)
    # Rows that each candidate calls negative.
    below = np.searchsorted(probabilities[order], candidates, side="left")
    positives_below = np.concatenate([[0], np.cumsum(positive[order])])[below]
    positives, rows = int(positive.sum()), len(positive)
    hits, true_negatives = positives - positives_below, below - positives_below
    if metric == "accuracy":
        return (hits + true_negatives) / rows
    if metric == "f1":
        return 2 * hits / (positives + rows - below)
    return 0.5 * (hits / positives + true_negatives / (rows - positives))
