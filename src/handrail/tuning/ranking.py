"""The summary of a search: ranked trials, those within noise of the best, those that beat the baselines."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from handrail.evaluation.metric_names import higher_is_better
from handrail.training.seeds import derive
from handrail.tuning.comparison import compare_with, find_within_noise, selection_bias
from handrail.tuning.trial import Result, Trial
from handrail.tuning.trial_store import settings_text


@dataclass(frozen=True)
class Criterion:
    """The metric that trials are ranked by, and the confidence of the statements."""

    metric: str
    confidence: float
    seed: int

    @property
    def sign(self) -> int:
        """1 where a higher metric is better, else −1."""
        return 1 if higher_is_better(self.metric) else -1


def rank(
    trials: Mapping[tuple[int, int], Trial], results: Mapping[tuple[int, int], Result], criterion: Criterion
) -> list[Result]:
    """Each trial's last result, best first: those of the last rung before the others, failed ones last.

    Ties are broken by the lower validation loss, then by the lower number.
    """
    last: dict[int, Result] = {}
    for key in sorted(trials):
        last[key[0]] = results[key]
    return sorted(last.values(), key=lambda result: _sort_key(result, criterion.sign))


def _sort_key(result: Result, sign: int) -> tuple[Any, ...]:
    if result.failure:
        return (1, 0, 0.0, 0.0, result.number)
    loss = result.loss if math.isfinite(result.loss) else math.inf
    return (0, -result.rung, -sign * result.value, loss, result.number)


def make_summary(
    trials: Mapping[tuple[int, int], Trial],
    ranking: Sequence[Result],
    baselines: Mapping[str, tuple[float, np.ndarray]],
    criterion: Criterion,
) -> dict[str, Any]:
    """The table and its conclusions, as plain data for JSON.

    Arguments:
        baselines: the metric of each baseline and its resamples.
    """
    good = [result for result in ranking if not result.failure]
    resamples = np.array([criterion.sign * _with_training_noise(result, criterion) for result in good])
    values = np.array([criterion.sign * result.value for result in good])
    final = [place for place, result in enumerate(good) if result.rung == good[0].rung]
    alike = find_within_noise(values[final], resamples[final], confidence=criterion.confidence)
    within = {good[place].number for place, is_alike in zip(final, alike, strict=True) if is_alike} | {
        good[0].number
    }
    compared = {
        name: _compare(good, values, resamples, baseline, criterion) for name, baseline in baselines.items()
    }
    beaten = [set(comparison["better"]) for comparison in compared.values()]
    table = [
        _row(rank, result, trials[result.key], within, criterion)
        for rank, result in enumerate(ranking, start=1)
    ]
    return {
        "metric": criterion.metric,
        "confidence": criterion.confidence,
        "table": table,
        "best": good[0].number,
        "within_noise": sorted(within),
        "compared": len(final),
        "flattery": selection_bias(values, resamples),
        "beat_all": sorted(set.intersection(*beaten)) if beaten else [],
        "baselines": compared,
    }


def _with_training_noise(result: Result, criterion: Criterion) -> np.ndarray:
    """The resamples; where replicas show the noise of training, it is added to that of the rows."""
    error = training_error(result)
    if not error:
        return result.draws
    rng = np.random.default_rng(derive(criterion.seed, "training", result.number))
    return result.draws + error * rng.standard_normal(len(result.draws))


def training_error(result: Result) -> float:
    """The standard error of the metric from the noise of training: that of the mean of its replicas."""
    replicas = result.of_replicas
    return float(replicas.std(ddof=1) / math.sqrt(len(replicas))) if len(replicas) > 1 else 0.0


def _compare(
    good: Sequence[Result],
    values: np.ndarray,
    resamples: np.ndarray,
    baseline: tuple[float, np.ndarray],
    criterion: Criterion,
) -> dict[str, Any]:
    """One baseline, and which trials are better than it, corrected for their number."""
    value, own = baseline
    comparison = compare_with(
        values, resamples, criterion.sign * value, criterion.sign * own, confidence=criterion.confidence
    )
    first = int(np.argmax(comparison.at_least))
    return {
        **_interval(value, own, criterion.confidence),
        "better": [result.number for result, better in zip(good, comparison.better, strict=True) if better],
        "surest": good[first].number,
        "gap": float(comparison.gaps[first]),
        "at_least": float(comparison.at_least[first]),
    }


def _interval(value: float, resamples: np.ndarray, confidence: float) -> dict[str, float]:
    tail = (1 - confidence) / 2
    low, high = np.quantile(resamples, [tail, 1 - tail])
    return {"value": value, "low": float(min(low, value)), "high": float(max(high, value))}


def _row(rank: int, result: Result, trial: Trial, within: set[int], criterion: Criterion) -> dict[str, Any]:
    row: dict[str, Any] = {
        "rank": rank,
        "trial": result.number,
        "settings": _plain_settings(trial.settings),
        "rung": result.rung,
    }
    if result.failure:
        return {**row, "failure": result.failure}
    return {
        **row,
        **_interval(result.value, _with_training_noise(result, criterion), criterion.confidence),
        "loss": result.loss if math.isfinite(result.loss) else None,
        "epochs": [epoch for fold in result.epochs for epoch in fold],
        "over_seeds": _deviation(result.of_replicas),
        "over_folds": _deviation(result.of_folds),
        "within_noise": result.number in within,
        "failure": "",
    }


def _deviation(values: np.ndarray) -> float | None:
    return float(values.std(ddof=1)) if len(values) > 1 else None


def _plain_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    return json.loads(settings_text(Trial(0, dict(settings))))
