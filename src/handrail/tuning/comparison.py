"""Which differences between trials are more than luck, given that the best of many was chosen.

All statements rest on the same resamples of the validation rows for every trial, and are corrected for the
number of trials: the best of 64 equal trials looks better than it is.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from handrail.evaluation.bootstrap import draw_counts
from handrail.evaluation.outcome import Outcome

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

    @property
    def better(self) -> Bool[np.ndarray, " trials"]:
        """Which trials are better than the baseline beyond noise."""
        return self.at_least > 0


def compare_with(
    values: Values,
    resamples: Resamples,
    baseline: float,
    baseline_resamples: Float[np.ndarray, " resamples"],
    *,
    confidence: float,
) -> Comparison:
    """Compare all trials with a baseline that was chosen beforehand.

    With d the difference from the baseline, s its standard error over the resamples, and c the quantile of
    max (d* − d) / s over all trials, d − c·s is a bound that holds for all trials at once. If no trial is
    better than the baseline, some trial is called better in at most 1 − confidence of all data sets.

    Arguments:
        values, resamples: the metric of the trials, signed such that higher is better.
        baseline, baseline_resamples: likewise.

    Source: White 2000 (reality check), studentised after Hansen 2005; Romano & Wolf 2005
    """
    gaps, resampled = values - baseline, resamples - baseline_resamples
    # never 0: a trial whose answers equal the baseline's is not better, and not surely equal
    error = np.maximum(resampled.std(axis=1), 1e-12)
    scaled = (resampled - gaps[:, None]) / error[:, None]
    limit = max(float(np.quantile(scaled.max(axis=0), confidence)), 0.0)
    return Comparison(gaps, gaps - limit * error)


def find_within_noise(
    values: Values, resamples: Resamples, *, confidence: float
) -> Bool[np.ndarray, " trials"]:
    """Which trials are within noise of the best.

    The truly best one is among them in `confidence` of all data sets. A trial is left out when another one is
    better, by the bound of `compare_with` with this trial as the baseline.

    Source: Hsu 1984 (comparisons with the best)
    """
    return np.array(
        [
            not compare_with(values, resamples, values[k], resamples[k], confidence=confidence).better.any()
            for k in range(len(values))
        ]
    )


def selection_bias(values: Values, resamples: Resamples) -> float:
    """How much choosing the best trial flatters its metric.

    The mean over resamples of the metric of the trial that is best there, minus that trial's own metric.
    """
    chosen = resamples.argmax(axis=0)
    return float((resamples.max(axis=0) - values[chosen]).mean())


def resamples_for(outcome: Outcome, count: int) -> int:
    """The number of resamples to draw: `count`, or fewer where there are many rows."""
    return min(count, max(_FEWEST, _WORK // max(outcome.rows * outcome.work, 1)))


def measure(outcome: Outcome, metric: str) -> float:
    """The metric on all rows."""
    return float(_measure_weighted(outcome, metric, [np.ones((outcome.rows, 1))])[0])


def resample_metric(outcome: Outcome, metric: str, *, resamples: int, seed: int) -> np.ndarray:
    """The metric on resamples of the rows; where it is undefined on one, the metric on all rows.

    Source: Efron 1979
    """
    cached = outcome.rows * resamples <= _CACHED
    counts = (_counts_for if cached else _draw_counts)(outcome.rows, resamples, outcome.block, seed)
    values = _measure_weighted(outcome, metric, counts)
    return np.where(np.isfinite(values), values, measure(outcome, metric))


def _measure_weighted(outcome: Outcome, metric: str, weights: Sequence[np.ndarray]) -> np.ndarray:
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
    return [
        draw_counts(generator, rows, min(chunk, resamples - first), block=block)
        for first in range(0, resamples, chunk)
    ]


@functools.lru_cache(maxsize=12)
def _counts_for(rows: int, resamples: int, block: int, seed: int) -> Sequence[np.ndarray]:
    return _draw_counts(rows, resamples, block, seed)
