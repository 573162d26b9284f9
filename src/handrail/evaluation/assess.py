"""Answers beside the truth: decided labels, figures with intervals, the hardest rows."""

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from handrail.evaluation.bootstrap import Interval, difference, measure_with_intervals
from handrail.evaluation.names import higher_is_better
from handrail.evaluation.outcome import Outcome

if TYPE_CHECKING:
    from handrail.data.dataset import Part
    from handrail.sections import EvaluationRecipe

Figures = dict[str, dict[str, float | None]]
_HARDEST = 8


def figures(predictions: Outcome, settings: "EvaluationRecipe", seed: int = 0) -> Figures:
    """Every metric with its interval, as JSON holds it: not-a-number becomes null."""
    found = measure_with_intervals(predictions, resamples=settings.resamples, confidence=settings.confidence, seed=seed)
    return {name: plain_interval(interval) for name, interval in found.items()}


def plain_interval(interval: Interval) -> dict[str, float | None]:
    """An interval as JSON holds it."""
    return {key: value if math.isfinite(value) else None for key, value in asdict(interval).items()}


def compare(network: Outcome, baselines: Mapping[str, Outcome], settings: "EvaluationRecipe", *, metric: str) -> dict[str, Any]:
    """The network beside the best baseline, by one metric, on the same resampled rows.

    Returns: metric, baseline, difference (in the metric's unit, positive where the network is better), and a verdict:
    better, worse, or no clear difference.
    """
    sign = 1 if higher_is_better(metric) else -1
    best = max(baselines, key=lambda name: _defined(sign * baselines[name].measure()[metric]))
    gap = difference(network, baselines[best], metric, resamples=settings.resamples, confidence=settings.confidence)
    low, high = sorted((sign * gap.low, sign * gap.high))
    verdict = "better" if low > 0 else "worse" if high < 0 else "no clear difference"
    return {
        "metric": metric,
        "baseline": best,
        "difference": plain_interval(Interval(sign * gap.value, low, high)),
        "verdict": verdict,
    }


def _defined(value: float) -> float:
    return value if math.isfinite(value) else -math.inf


def hardest(outcome: Outcome, part: "Part", features: list[str]) -> list[dict[str, Any]]:
    """The rows with the greatest error: their number, truth, answer and values as they were read."""
    error, found = outcome.errors(), []
    one_each = len(error) == len(part)  # windows on a long text are no rows of the table
    for row in np.argsort(-error, kind="stable")[:_HARDEST]:
        values = part.readable(int(row), features) if one_each else {}
        found.append(
            {
                "row": part.table.row_name(int(part.rows[row])) if one_each else f"window {row + 1}",
                "place": int(row),
                "truth": outcome.spoken(int(row), truth=True),
                "answer": outcome.spoken(int(row), truth=False),
                "error": float(error[row]),
                "values": values,
            }
        )
    return found
