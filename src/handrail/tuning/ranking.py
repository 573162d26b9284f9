"""The table of a search, and what it says: ranked trials, which are within noise of the best, and which beat
the baselines.
"""

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
    """What is judged, and how surely."""

    metric: str
    confidence: float
    seed: int

    @property
    def sign(self) -> int:
        """1 where a higher figure is better, else −1."""
        return 1 if higher_is_better(self.metric) else -1


def rank(
    trials: Mapping[tuple[int, int], Trial], results: Mapping[tuple[int, int], Result], criterion: Criterion
) -> list[Result]:
    """Each trial's last result: those that came to the last rung first, the best first; failed ones last.

    Of equal figures the lower validation loss counts, then the earlier trial.
    """
    last: dict[int, Result] = {}
    for key in sorted(trials):
        last[key[0]] = results[key]
    return sorted(last.values(), key=lambda one: _order(one, criterion.sign))


def _order(one: Result, sign: int) -> tuple[Any, ...]:
    if one.failure:
        return (1, 0, 0.0, 0.0, one.number)
    return (0, -one.rung, -sign * one.value, one.loss if math.isfinite(one.loss) else math.inf, one.number)


def make_summary(
    trials: Mapping[tuple[int, int], Trial],
    order: Sequence[Result],
    rivals: Mapping[str, tuple[float, np.ndarray]],
    criterion: Criterion,
) -> dict[str, Any]:
    """The table and what it says, as JSON holds it."""
    good = [one for one in order if not one.failure]
    draws = np.array([criterion.sign * _with_training(one, criterion) for one in good])
    values = np.array([criterion.sign * one.value for one in good])
    final = [place for place, one in enumerate(good) if one.rung == good[0].rung]
    alike = find_within_noise(values[final], draws[final], confidence=criterion.confidence)
    within = {good[place].number for place, is_alike in zip(final, alike, strict=True) if is_alike} | {
        good[0].number
    }
    beside = {name: _beside(good, values, draws, rival, criterion) for name, rival in rivals.items()}
    beaten = [set(found["better"]) for found in beside.values()]
    table = [_row(place, one, trials[one.key], within, criterion) for place, one in enumerate(order, start=1)]
    return {
        "metric": criterion.metric,
        "confidence": criterion.confidence,
        "table": table,
        "best": good[0].number,
        "within_noise": sorted(within),
        "compared": len(final),
        "flattery": selection_bias(values, draws),
        "beat_all": sorted(set.intersection(*beaten)) if beaten else [],
        "baselines": beside,
    }


def _with_training(one: Result, criterion: Criterion) -> np.ndarray:
    """The draws, and on top of the chance of the rows that of training, where replicas show how large it is."""
    error = training_error(one)
    if not error:
        return one.draws
    generator = np.random.default_rng(derive(criterion.seed, "training", one.number))
    return one.draws + error * generator.standard_normal(len(one.draws))


def training_error(one: Result) -> float:
    """The standard error that the figure has from the chance of training: that of the mean of its replicas."""
    replicas = one.of_replicas
    return float(replicas.std(ddof=1) / math.sqrt(len(replicas))) if len(replicas) > 1 else 0.0


def _beside(
    good: Sequence[Result],
    values: np.ndarray,
    draws: np.ndarray,
    rival: tuple[float, np.ndarray],
    criterion: Criterion,
) -> dict[str, Any]:
    """One baseline, and which trials are better than it, corrected for their number."""
    value, own = rival
    standing = compare_with(
        values, draws, criterion.sign * value, criterion.sign * own, confidence=criterion.confidence
    )
    first = int(np.argmax(standing.at_least))
    return {
        **_interval(value, own, criterion.confidence),
        "better": [one.number for one, better in zip(good, standing.better, strict=True) if better],
        "surest": good[first].number,
        "gap": float(standing.gaps[first]),
        "at_least": float(standing.at_least[first]),
    }


def _interval(value: float, draws: np.ndarray, confidence: float) -> dict[str, float]:
    tail = (1 - confidence) / 2
    low, high = np.quantile(draws, [tail, 1 - tail])
    return {"value": value, "low": float(min(low, value)), "high": float(max(high, value))}


def _row(place: int, one: Result, trial: Trial, within: set[int], criterion: Criterion) -> dict[str, Any]:
    row: dict[str, Any] = {
        "rank": place,
        "trial": one.number,
        "settings": _plain(trial.settings),
        "rung": one.rung,
    }
    if one.failure:
        return {**row, "failure": one.failure}
    return {
        **row,
        **_interval(one.value, _with_training(one, criterion), criterion.confidence),
        "loss": one.loss if math.isfinite(one.loss) else None,
        "epochs": [epoch for fold in one.epochs for epoch in fold],
        "over_seeds": _spread(one.of_replicas),
        "over_folds": _spread(one.of_folds),
        "within_noise": one.number in within,
        "failure": "",
    }


def _spread(values: np.ndarray) -> float | None:
    return float(values.std(ddof=1)) if len(values) > 1 else None


def _plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    return json.loads(settings_text(Trial(0, dict(settings))))
