"""Calibration of probabilities: a temperature that corrects them, and the reliability diagram."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Num
from scipy.optimize import minimize_scalar

from handrail.evaluation.metric_names import check_task
from handrail.evaluation.metrics import CALIBRATION_BINS, bin_of, confidences
from handrail.evaluation.predictions import Predictions

_LOWEST, _HIGHEST = 0.05, 20.0


def fit_temperature(
    scores: Float[np.ndarray, "rows ..."], truth: Num[np.ndarray, "rows ..."], task: str
) -> float:
    """The T > 0 that minimises the log loss of softmax(scores / T) on these (validation) rows.

    T lies in [0.05, 20] and is never worse than 1 on these rows. It is 1 for regression, for fewer than two
    classes, for scores that are not finite, and (where we deviate) for rows that are all on the right side:
    there the loss falls without end as T does, so that the rows do not determine it and every later mistake
    would be a certain one.

    Arguments:
        scores: logits `[rows, classes]`; for a binary task one column `[rows]` or `[rows, 1]`; for several
            labels `[rows, labels]`, with the sigmoid in place of the softmax. One T serves all columns.
        truth: class codes `[rows]`, or 0/1 `[rows, labels]`.

    Raises: `RecipeError` for an unknown task.

    Source: Guo 2017
    """
    check_task(task)
    if task == "regression" or not np.isfinite(scores).all() or len(np.unique(truth)) < 2:
        return 1.0
    margins = _margins(scores.astype(np.float64), truth, task)
    if (margins <= 0).all():
        return 1.0
    optimum = minimize_scalar(
        lambda logarithm: _loss(margins, np.exp(logarithm)),
        bounds=(np.log(_LOWEST), np.log(_HIGHEST)),
        method="bounded",
        options={"xatol": 1e-6},
    )
    temperature = float(np.exp(optimum.x))
    return temperature if _loss(margins, temperature) < _loss(margins, 1.0) else 1.0


def _margins(scores: np.ndarray, truth: np.ndarray, task: str) -> Float[np.ndarray, "rows others"]:
    """How far each score lies above that of the truth: the log loss is ln Σ exp(margin / T), the truth's 0
    included. For sigmoids the alternative is the opposite, whose score is 0: ln(1 + exp(∓score / T)).
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
