"""Answers beside the truth: decided labels, figures with intervals, the hardest rows."""

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from handrail.evaluation.baselines import Baseline, fit_baselines
from handrail.evaluation.bootstrap import Interval, difference, measure_with_intervals
from handrail.evaluation.metrics import Predictions, higher_is_better, measure

if TYPE_CHECKING:
    from handrail.data.dataset import Part
    from handrail.recipe import EvaluationRecipe

Figures = dict[str, dict[str, float | None]]
_HARDEST = 8


def baselines_of(task: Any, features: np.ndarray, target: np.ndarray) -> dict[str, Baseline]:
    """Majority or mean, and linear, fitted on the rows that the network was trained on."""
    return fit_baselines(task.name, features, target, task.classes)


def figures(predictions: Predictions, settings: "EvaluationRecipe", seed: int = 0) -> Figures:
    """Every metric with its interval, as JSON holds it: not-a-number becomes null."""
    found = measure_with_intervals(predictions, resamples=settings.resamples, confidence=settings.confidence, seed=seed)
    return {name: plain_interval(interval) for name, interval in found.items()}


def plain_interval(interval: Interval) -> dict[str, float | None]:
    """An interval as JSON holds it."""
    return {key: value if math.isfinite(value) else None for key, value in asdict(interval).items()}


def compare(
    network: Predictions, baselines: Mapping[str, Predictions], settings: "EvaluationRecipe", *, metric: str
) -> dict[str, Any]:
    """The network beside the best baseline, by one metric, on the same resampled rows.

    Returns: metric, baseline, difference (in the metric's unit, positive where the network is better), and a verdict:
    better, worse, or no clear difference.
    """
    sign = 1 if higher_is_better(metric) else -1
    best = max(baselines, key=lambda name: sign * measure(baselines[name])[metric])
    gap = difference(network, baselines[best], metric, resamples=settings.resamples, confidence=settings.confidence)
    low, high = sorted((sign * gap.low, sign * gap.high))
    verdict = "better" if low > 0 else "worse" if high < 0 else "no clear difference"
    return {
        "metric": metric,
        "baseline": best,
        "difference": plain_interval(Interval(sign * gap.value, low, high)),
        "verdict": verdict,
    }


def hardest(predictions: Predictions, part: "Part", features: list[str]) -> list[dict[str, Any]]:
    """The rows with the greatest error: their number, truth, answer and values as they were read."""
    rows = np.arange(len(predictions.truth))
    if predictions.values is not None:
        error = np.abs(predictions.values - predictions.truth).mean(axis=1)
    elif predictions.truth.ndim == 2:
        assert predictions.probabilities is not None
        error = np.abs(predictions.probabilities - predictions.truth).max(axis=1)
    else:
        assert predictions.probabilities is not None
        error = 1 - predictions.probabilities[rows, predictions.truth]
    found = []
    for row in np.argsort(-error, kind="stable")[:_HARDEST]:
        values = part.raw.select(features).row(int(row), named=True)
        found.append(
            {
                "row": part.table.row_name(int(part.rows[row])),
                "truth": _spoken(predictions, row, truth=True),
                "answer": _spoken(predictions, row, truth=False),
                "error": float(error[row]),
                "values": {name: None if value is None else str(value) for name, value in values.items()},
            }
        )
    return found


def _spoken(predictions: Predictions, row: int, *, truth: bool) -> str:
    if predictions.values is not None:
        return ", ".join(f"{value:.4g}" for value in (predictions.truth if truth else predictions.values)[row])
    assert predictions.labels is not None
    labels = (predictions.truth if truth else predictions.labels)[row]
    if np.ndim(labels):
        return ", ".join(name for name, on in zip(predictions.classes, labels, strict=True) if on) or "none"
    return predictions.classes[int(labels)]
