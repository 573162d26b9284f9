"""Calibration of probabilities (temperature, reliability) and the threshold of decisions."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Num

from handrail.errors import RecipeError, did_you_mean
from handrail.evaluation.metric_names import check_task
from handrail.evaluation.metrics import CALIBRATION_BINS, Predictions, bin_of, confidences

_LOWEST, _HIGHEST = 0.05, 20.0
_SPREAD = 0.25  # of ln T before any row was seen
_CLEAR = 3.84  # twice the gain in log likelihood that chance gives in one case of twenty

_METRICS = ("accuracy", "f1", "balanced_accuracy")


def fit_temperature(
    scores: Float[np.ndarray, "rows ..."], truth: Num[np.ndarray, "rows ..."], task: str
) -> float:
    """The T that suits softmax(scores / T) on these (validation) rows, drawn towards 1 where they are few.

    T minimises rows × log loss + (ln T / 0.25)² / 2, a normal prior on ln T, and lies in [0.05, 20]. Below
    1, where it makes probabilities surer, it must be better than 1 by more than chance: 2 × rows × gain in
    loss > 3.84; a few hundred rows that are nearly all right say little about mistakes to come. T is never
    worse than 1 on these rows. It is 1 for regression, for fewer than two classes, and for scores that are
    not finite.
    `benchmarks/results/temperature.md` compares this rule with others on rows that it has not seen.

    Arguments:
        scores: logits `[rows, classes]`; of a binary task `[rows]` or `[rows, 1]`; of several labels `[rows,
            labels]`, with the sigmoid in place of the softmax. One T serves all columns.
        truth: class codes `[rows]`, or 0/1 `[rows, labels]`.

    Raises: `RecipeError` for an unknown task.

    Source: Guo 2017; the prior and the test (likelihood ratio, Wilks 1938) are where we deviate
    """
    check_task(task)
    if task == "regression" or not np.isfinite(scores).all() or len(np.unique(truth)) < 2:
        return 1.0
    return temperature_of(margins_of(scores.astype(np.float64), truth, task))


def temperature_of(margins: Float[np.ndarray, "rows others"]) -> float:
    """As `fit_temperature`, from how far each score lies above that of the truth."""
    from scipy.optimize import minimize_scalar

    rows = len(margins)
    optimum = minimize_scalar(
        lambda logarithm: rows * _loss(margins, np.exp(logarithm)) + (logarithm / _SPREAD) ** 2 / 2,
        bounds=(np.log(_LOWEST), np.log(_HIGHEST)),
        method="bounded",
        options={"xatol": 1e-6},
    )
    temperature = float(np.exp(optimum.x))
    gain = 2 * rows * (_loss(margins, 1.0) - _loss(margins, temperature))
    return temperature if gain > (0.0 if temperature > 1 else _CLEAR) else 1.0


def margins_of(scores: np.ndarray, truth: np.ndarray, task: str) -> Float[np.ndarray, "rows others"]:
    """How far each score lies above that of the truth: the log loss is ln Σ exp(margin / T).

    The truth's 0 is included. Of sigmoids the other score is 0: ln(1 + exp(∓score / T)).
    """
    if task == "multi-class":
        return scores - scores[np.arange(len(scores)), truth.astype(np.int64)][:, None]
    columns = truth.reshape(len(truth), -1) == 1
    return np.where(columns, -1.0, 1.0).ravel()[:, None] * scores.reshape(-1, 1) * np.array([[1.0, 0.0]])


def _loss(margins: np.ndarray, temperature: float) -> float:
    """Mean of ln Σ exp(margin / T); `scipy.special.logsumexp` would take four times as long."""
    scaled = margins / temperature
    highest = scaled.max(axis=1)
    return float(np.mean(np.log(np.exp(scaled - highest[:, None]).sum(axis=1)) + highest))


@dataclass(frozen=True)
class Reliability:
    """Bins of the reliability diagram: edges [bins + 1], the rest [bins]; means of empty bins are NaN."""

    edges: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray
    count: np.ndarray


def reliability(predictions: Predictions, bins: int = CALIBRATION_BINS) -> Reliability:
    """Mean confidence and accuracy of the decisions (with several labels, of each) in equal-width bins.

    Raises: `DataError` for predictions without probabilities.

    Source: Guo 2017
    """
    confidence, right = confidences(predictions)
    finite = np.isfinite(confidence)
    confidence, right = confidence[finite], right[finite]
    place = bin_of(confidence, bins)
    count = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore"):
        return Reliability(
            edges=np.linspace(0.0, 1.0, bins + 1),
            confidence=np.bincount(place, weights=confidence, minlength=bins) / count,
            accuracy=np.bincount(place, weights=right, minlength=bins) / count,
            count=count,
        )


def choose_threshold(
    probabilities_of_positive: Float[np.ndarray, " rows"],
    truth: Num[np.ndarray, " rows"],
    *,
    metric: Literal["accuracy", "f1", "balanced_accuracy"] = "accuracy",
) -> float:
    """The threshold t with the best metric on the rows given, where `probability > t` means positive.

    Candidates are 0.5 and the midpoints between 0 and neighbouring distinct probabilities, so that all rows
    may be positive; of equally good ones the nearest to 0.5 wins. One sort, so O(n log n). It is 0.5 where
    the rows do not determine it: one class only, no rows, or probabilities that are not finite.

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
    distinct = np.unique(np.append(probabilities, 0.0))
    lower, upper = distinct[:-1], distinct[1:]
    midpoints = lower + (upper - lower) / 2
    midpoints = np.where(midpoints < upper, midpoints, lower)  # no number lies between neighbouring floats
    return np.append(midpoints, 0.5)


def _quality(
    probabilities: np.ndarray, positive: np.ndarray, candidates: np.ndarray, metric: str
) -> np.ndarray:
    order = np.argsort(probabilities)
    # Rows that each candidate calls negative.
    below = np.searchsorted(probabilities[order], candidates, side="right")
    positives_below = np.concatenate([[0], np.cumsum(positive[order])])[below]
    positives, rows = int(positive.sum()), len(positive)
    hits, true_negatives = positives - positives_below, below - positives_below
    if metric == "accuracy":
        return (hits + true_negatives) / rows
    if metric == "f1":
        return 2 * hits / (positives + rows - below)
    return 0.5 * (hits / positives + true_negatives / (rows - positives))
