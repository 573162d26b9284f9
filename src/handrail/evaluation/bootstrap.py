"""How far metrics would move with other rows: percentile intervals from resampled rows.

Source: Efron 1979
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from handrail.errors import DataError, RecipeError, did_you_mean
from handrail.evaluation.outcomes import Outcome

Metrics = dict[str, np.ndarray]

_WORK = 200_000_000  # rows × work × resamples: some seconds on one core
_FEWEST = 100
_CHUNK = 2**18  # counts held at once: two megabytes stay in a core's cache
_MOST_ROWS, _SAMPLE = 500_000, 50_000


@dataclass(frozen=True)
class Interval:
    """A metric and its bounds at the requested confidence; all three not a number where it is undefined."""

    value: float
    low: float
    high: float


def measure_with_intervals(
    outcome: Outcome, *, resamples: int = 1000, confidence: float = 0.95, seed: int = 0
) -> dict[str, Interval]:
    """Every metric with its percentile interval over resampled rows.

    Resamples in which a metric is undefined are left out of its interval, which is widened to hold its own
    metric where it would not (the calibration error grows under resampling). Above 200 million rows × classes
    × resamples (200,000 rows of a binary task) fewer are drawn, at least 100. Of more than 500,000 rows, m =
    50,000 random ones are resampled, and their distances from the metric of the m rows multiplied by √(m /
    n). The interval covers the randomness of the sample, not that of training.

    Raises: `RecipeError` for less than two resamples or a confidence outside (0, 1).

    Source: Efron 1979; m out of n: Bickel, Götze & van Zwet 1997
    """
    _check(resamples, confidence)
    values = outcome.measure()
    defined = [name for name, value in values.items() if np.isfinite(value)]
    (samples,) = _resample([outcome], defined, resamples=resamples, seed=seed)
    return {name: _interval(value, samples.get(name), confidence) for name, value in values.items()}


def difference(
    a: Outcome, b: Outcome, metric: str, *, resamples: int = 1000, confidence: float = 0.95, seed: int = 0
) -> Interval:
    """The metric of `a` minus that of `b` on the same rows, each resample drawn for both: a paired bootstrap.

    An interval that holds 0 means that the rows cannot tell the two apart.

    Raises: `DataError` when the two are not about the same rows; `RecipeError` for an unknown metric.

    Source: Efron 1979
    """
    _check(resamples, confidence)
    if not a.same_rows(b):
        raise DataError("Two outcomes can be compared on the same rows only; their truths differ.")
    names = a.names()
    if metric not in names:
        raise RecipeError(f"A {a.task} task has no metric '{metric}'.{did_you_mean(metric, names)}")
    value = a.measure()[metric] - b.measure()[metric]
    if not np.isfinite(value):
        return _interval(value, None, confidence)
    of_a, of_b = _resample([a, b], [metric], resamples=resamples, seed=seed)
    return _interval(value, of_a[metric] - of_b[metric], confidence)


def _check(resamples: int, confidence: float) -> None:
    if resamples < 2:
        raise RecipeError(f"The bootstrap needs at least 2 resamples; {resamples} were asked for.")
    if not 0 < confidence < 1:
        raise RecipeError(f"The confidence of an interval lies between 0 and 1; {confidence} was given.")


def _resample(
    outcomes: Sequence[Outcome], names: Sequence[str], *, resamples: int, seed: int
) -> list[Metrics]:
    """Each outcome's named metrics [resamples], where all see the same draws."""
    if not names:
        return [{} for _ in outcomes]
    rows, block = outcomes[0].rows, outcomes[0].block
    if rows > _MOST_ROWS and block == 1:
        chosen = np.sort(np.random.default_rng([seed, 41]).choice(rows, _SAMPLE, replace=False))
        samples = [sample for outcome in outcomes if (sample := outcome.pick(chosen)) is not None]
        if len(samples) == len(outcomes):
            return _resample_sample(outcomes, samples, names, resamples=resamples, seed=seed)
    resamples = min(resamples, max(_FEWEST, _WORK // (rows * outcomes[0].work)))
    chunk = int(np.clip(_CHUNK // rows, 4, 1024))
    generator = np.random.default_rng(seed)
    statistics = [outcome.statistics(names) for outcome in outcomes]
    chunks: list[list[Metrics]] = [[] for _ in outcomes]
    with np.errstate(all="ignore"):  # 0/0 marks an undefined resample
        for first in range(0, resamples, chunk):
            weights = draw_counts(generator, rows, min(chunk, resamples - first), block=block)
            for parts, functions in zip(chunks, statistics, strict=True):
                metrics: Metrics = {}
                for function in functions:
                    metrics |= function(weights)
                parts.append(metrics)
    return [{name: np.concatenate([part[name] for part in parts]) for name in names} for parts in chunks]


def _resample_sample(
    outcomes: Sequence[Outcome],
    samples: Sequence[Outcome],
    names: Sequence[str],
    *,
    resamples: int,
    seed: int,
) -> list[Metrics]:
    shrinkage, resampled = np.sqrt(samples[0].rows / outcomes[0].rows), []
    resamplings = _resample(samples, names, resamples=resamples, seed=seed)
    for outcome, sample, metrics in zip(outcomes, samples, resamplings, strict=True):
        of_all, of_sample = outcome.measure(), sample.measure()
        moved = {name: of_all[name] + (metrics[name] - of_sample[name]) * shrinkage for name in names}
        resampled.append(moved)
    return resampled


def draw_counts(
    generator: np.random.Generator, rows: int, resamples: int, *, block: int = 1
) -> Float[np.ndarray, "rows resamples"]:
    """How often each row is drawn in each resample of as many rows (to within a block), with replacement.

    Rows that belong together are drawn in blocks of neighbours; the first row follows the last.

    Source: Efron 1979; Politis & Romano 1992 (circular blocks)
    """
    block = min(block, rows)
    starts = _draw(generator, rows, -(-rows // block), resamples)
    if block == 1:
        return starts
    total = np.cumsum(np.concatenate([starts[rows - block + 1 :], starts]), axis=0)
    total = np.concatenate([np.zeros((1, resamples)), total])
    return total[block:] - total[:-block]


def _draw(
    generator: np.random.Generator, rows: int, draws: int, resamples: int
) -> Float[np.ndarray, "rows resamples"]:
    flat = generator.integers(0, rows, size=(draws, resamples)) * resamples + np.arange(resamples)
    return np.bincount(flat.ravel(), minlength=rows * resamples).reshape(rows, resamples).astype(np.float64)


def _interval(value: float, samples: np.ndarray | None, confidence: float) -> Interval:
    samples = np.empty(0) if samples is None else samples[np.isfinite(samples)]
    if not len(samples):
        return Interval(value, np.nan, np.nan) if np.isfinite(value) else Interval(np.nan, np.nan, np.nan)
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(samples, [tail, 1.0 - tail])
    return Interval(float(value), float(min(low, value)), float(max(high, value)))
