"""How trials are measured and ranked, and which differences between them are more than luck.

All statements rest on the same resamples of the validation rows for every trial, and are corrected for the
number of trials: the best of 64 equal trials looks better than it is.
"""

import functools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from handrail.evaluation.bootstrap import draw_counts
from handrail.evaluation.metric_names import higher_is_better
from handrail.evaluation.metrics import rounding_of
from handrail.evaluation.outcomes import Outcome
from handrail.training.seeds import derive
from handrail.tuning.trial import Result, Trial, settings_text

Values = Float[np.ndarray, " trials"]
Resamples = Float[np.ndarray, "trials resamples"]

_WORK = 50_000_000  # rows × sides × resamples: a fraction of a second a trial
_FEWEST = 200
_CACHED = 4_000_000  # counts: 32 megabytes are cached from one trial to the next
_CHUNK = 2**18


@dataclass(frozen=True)
class Comparison:
    """How much better each trial is than a baseline, and at least how much, for all trials at once."""

    gaps: Values
    at_least: Values
    rounding: Values

    @property
    def better(self) -> Bool[np.ndarray, " trials"]:
        """Which trials are better than the baseline beyond noise, and beyond what rounding makes."""
        return self.at_least > self.rounding


def compare_with(
    values: Values,
    resamples: Resamples,
    baseline: float,
    baseline_resamples: Float[np.ndarray, " resamples"],
    *,
    confidence: float,
) -> Comparison:
    """Compare all trials with a baseline that was chosen beforehand; see `compare_with_all`."""
    return compare_with_all(values, resamples, [(baseline, baseline_resamples)], confidence=confidence)[0]


def compare_with_all(
    values: Values,
    resamples: Resamples,
    baselines: Sequence[tuple[float, Float[np.ndarray, " resamples"]]],
    *,
    confidence: float,
) -> list[Comparison]:
    """Compare all trials with each of several baselines.

    With d the difference from a baseline, s its standard error over the resamples, and c the quantile of max
    (d* − d) / s over all trials and baselines, d − c·s is a bound that holds for all of them at once. If no
    trial is better than any baseline, one is called better in at most 1 − confidence of all data sets.

    Arguments:
        values, resamples: the metric of the trials, signed such that higher is better.
        baselines: likewise, each with its resamples.

    Source: White 2000 (reality check), studentised after Hansen 2005; Romano & Wolf 2005
    """
    pairs, most = [], np.full(resamples.shape[1], -np.inf)
    for baseline, own in baselines:
        gaps, resampled = values - baseline, resamples - own
        # never 0: a trial whose answers equal the baseline's is not better, and not surely equal
        error = np.maximum(resampled.std(axis=1), 1e-12)
        most = np.maximum(most, ((resampled - gaps[:, None]) / error[:, None]).max(axis=0))
        pairs.append((gaps, error, np.asarray(rounding_of(values, np.array(baseline)))))
    limit = max(float(np.quantile(most, confidence)), 0.0)
    return [Comparison(gaps, gaps - limit * error, rounding) for gaps, error, rounding in pairs]


def find_within_noise(
    values: Values, resamples: Resamples, *, confidence: float
) -> Bool[np.ndarray, " trials"]:
    """Which trials are within noise of the best.

    The truly best one is among them in `confidence` of all data sets. A trial is left out when another one is
    better, by the bound of `compare_with` with this trial as the baseline.

    Source: Hsu 1984 (comparisons with the best)
    """
    comparisons = [
        compare_with(values, resamples, value, own, confidence=confidence)
        for value, own in zip(values, resamples, strict=True)
    ]
    return np.array([not comparison.better.any() for comparison in comparisons])


def selection_bias(values: Values, resamples: Resamples) -> float:
    """How much choosing the best trial flatters its metric: mean over resamples of (best there − its own)."""
    chosen = resamples.argmax(axis=0)
    return float((resamples.max(axis=0) - values[chosen]).mean())


def resamples_for(outcome: Outcome, count: int) -> int:
    """The number of resamples to draw: `count`, or fewer where there are many rows."""
    return min(count, max(_FEWEST, _WORK // max(outcome.rows * outcome.work, 1)))


@dataclass(frozen=True)
class Measurement:
    """What is measured of trials: the metric, and the number and seed of the resamples for its interval."""

    metric: str
    resamples: int
    seed: int

    def measure(self, outcome: Outcome) -> float:
        """The metric on all rows."""
        return float(_weighted_values(outcome, self.metric, [np.ones((outcome.rows, 1))])[0])

    def resample(self, outcome: Outcome, fold: int) -> np.ndarray:
        """The metric on resamples of the rows; where it is undefined on one, the metric on all rows.

        Source: Efron 1979
        """
        draw = _cached_counts if outcome.rows * self.resamples <= _CACHED else _draw_counts
        counts = draw(outcome.rows, self.resamples, outcome.drawn_together, self.seed + fold)
        values = _weighted_values(outcome, self.metric, counts)
        return np.where(np.isfinite(values), values, self.measure(outcome))


def _weighted_values(outcome: Outcome, metric: str, weights: Sequence[np.ndarray]) -> np.ndarray:
    functions = outcome.statistics([metric])
    with np.errstate(all="ignore"):  # 0/0 marks an undefined resample
        values = [
            figures[metric]
            for chunk in weights
            for function in functions
            if metric in (figures := function(chunk))
        ]
    return np.concatenate(values).astype(np.float64)


def _draw_counts(rows: int, resamples: int, block: int, seed: int) -> Sequence[np.ndarray]:
    generator = np.random.default_rng(seed)
    chunk = int(np.clip(_CHUNK // rows, 4, 1024))
    sizes = [min(chunk, resamples - first) for first in range(0, resamples, chunk)]
    return [draw_counts(generator, rows, size, block=block) for size in sizes]


_cached_counts = functools.lru_cache(maxsize=12)(_draw_counts)


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
    """Each trial's last result, best first: last rung first, failed ones last; ties by loss, then number."""
    last = {number: results[number, rung] for number, rung in sorted(trials)}
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
    """The table and its conclusions, as plain data for JSON; `baselines` are figures with their resamples."""
    good = [result for result in ranking if not result.failure]
    resamples = np.array([criterion.sign * _with_training_noise(result, criterion) for result in good])
    values = np.array([criterion.sign * result.value for result in good])
    final = [place for place, result in enumerate(good) if result.rung == good[0].rung]
    alike = find_within_noise(values[final], resamples[final], confidence=criterion.confidence)
    within = {good[place].number for place, is_alike in zip(final, alike, strict=True) if is_alike}
    within.add(good[0].number)
    signed = [(criterion.sign * value, criterion.sign * own) for value, own in baselines.values()]
    comparisons = compare_with_all(values, resamples, signed, confidence=criterion.confidence)
    compared = {
        name: _describe(good, comparison, baseline, criterion)
        for (name, baseline), comparison in zip(baselines.items(), comparisons, strict=True)
    }
    beat = [set(comparison["better"]) for comparison in compared.values()]
    places = enumerate(ranking, start=1)
    return {
        "metric": criterion.metric,
        "confidence": criterion.confidence,
        "table": [_row(place, result, trials[result.key], within, criterion) for place, result in places],
        "best": good[0].number,
        "within_noise": sorted(within),
        "compared": len(final),
        "flattery": selection_bias(values, resamples),
        "beat_all": sorted(set.intersection(*beat)) if beat else [],
        "baselines": compared,
    }


def find_simplest(summary: Mapping[str, Any], parameters: Mapping[int, int]) -> int:
    """The trial with the fewest parameters of those within noise of the best; of equal ones the better."""
    alike = [row["trial"] for row in summary["table"] if row["trial"] in parameters]
    return min(alike, key=lambda number: parameters[number])  # the first of equal ones, and the best is first


def _with_training_noise(result: Result, criterion: Criterion) -> np.ndarray:
    """The resamples; where replicas show the noise of training, it is added to that of the rows."""
    replicas = result.of_replicas
    error = float(replicas.std(ddof=1) / math.sqrt(len(replicas))) if len(replicas) > 1 else 0.0
    if not error:
        return result.draws
    rng = np.random.default_rng(derive(criterion.seed, "training", result.number))
    return result.draws + error * rng.standard_normal(len(result.draws))


def _describe(
    good: Sequence[Result],
    comparison: Comparison,
    baseline: tuple[float, np.ndarray],
    criterion: Criterion,
) -> dict[str, Any]:
    """One baseline, and which trials are better than it, corrected for the number of both."""
    first = int(np.argmax(comparison.at_least))
    return {
        **_interval(*baseline, criterion.confidence),
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
    settings = json.loads(settings_text(trial))
    row = {"rank": rank, "trial": result.number, "settings": settings, "rung": result.rung}
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
