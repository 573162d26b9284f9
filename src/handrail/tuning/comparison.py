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
Draws = Float[np.ndarray, "trials resamples"]


@dataclass(frozen=True)
class Comparison:
    """Trials against one rival: by how much each is better, and by how much at least, all statements at once."""

    gaps: Values
    at_least: Values

    @property
    def better(self) -> Bool[np.ndarray, " trials"]:
        """Which of them are better than the rival beyond noise."""
        return self.at_least > 0


def compare_with(
    values: Values,
    draws: Draws,
    rival: float,
    rival_draws: Float[np.ndarray, " resamples"],
    *,
    confidence: float,
) -> Comparison:
    """How trials stand against a rival that was given beforehand.

    With d the difference to the rival, s its standard error over the resamples, and c the quantile of max (d*
    − d) / s over all trials, d − c·s is a bound that holds for all trials at once. If no trial is better than
    the rival, some trial is said to be in at most 1 − confidence of all data sets.

    Arguments:
        values, draws: of the trials, such that higher is better. rival, rival_draws: likewise.

    Source: White 2000 (reality check), studentised after Hansen 2005; Romano & Wolf 2005
    """
    gaps, draw_settings = values - rival, draws - rival_draws
    error = _errors(draw_settings)
    limit = _limit((draw_settings - gaps[:, None]) / error[:, None], confidence)
    return Comparison(gaps, gaps - limit * error)


def find_within_noise(values: Values, draws: Draws, *, confidence: float) -> Bool[np.ndarray, " trials"]:
    """Which trials are within noise of the best: the truly best one is among them in `confidence` of all data
    sets.

    A trial is left out when some other one is better than it, by the bound of `compare_with`, with this trial for
    a rival.

    Source: Hsu 1984 (comparisons with the best)
    """
    return np.array(
        [
            not compare_with(values, draws, values[k], draws[k], confidence=confidence).better.any()
            for k in range(len(values))
        ]
    )


def selection_bias(values: Values, draws: Draws) -> float:
    """By how much choosing the best flatters its figure: the mean over resamples of its figure there, chosen
    there, less its own.
    """
    chosen = draws.argmax(axis=0)
    return float((draws.max(axis=0) - values[chosen]).mean())


def _errors(draw_settings: Draws) -> Values:
    """Standard errors, none of them nothing: a trial that answers as its rival does is not better, and not
    surely equal.
    """
    error = draw_settings.std(axis=1)
    return np.maximum(error, 1e-12)


def _limit(scaled: Draws, confidence: float) -> float:
    return max(float(np.quantile(scaled.max(axis=0), confidence)), 0.0)


_WORK = 50_000_000  # rows × sides × resamples: a fraction of a second a trial
_FEWEST = 200
_KEPT = 4_000_000  # counts: 32 megabytes are kept from one trial to the next
_CHUNK = 2**18


def resamples_for(outcome: Outcome, asked: int) -> int:
    """How many resamples are drawn: as asked, fewer where rows are many."""
    return min(asked, max(_FEWEST, _WORK // max(outcome.rows * outcome.work, 1)))


def measure(outcome: Outcome, metric: str) -> float:
    """The figure itself."""
    return float(_figures(outcome, metric, [np.ones((outcome.rows, 1))])[0])


def resample_metric(outcome: Outcome, metric: str, *, resamples: int, seed: int) -> np.ndarray:
    """The figure on so many resamples of the rows; where one does not define it, the figure itself.

    Source: Efron 1979
    """
    found = _figures(outcome, metric, _weights(outcome.rows, resamples, outcome.block, seed))
    return np.where(np.isfinite(found), found, measure(outcome, metric))


def _figures(outcome: Outcome, metric: str, weights: Sequence[np.ndarray]) -> np.ndarray:
    functions = outcome.statistics([metric])
    with np.errstate(all="ignore"):  # 0/0 marks an undefined resample
        found = [figures[metric] for some in weights for one in functions if metric in (figures := one(some))]
    return np.concatenate(found).astype(np.float64)


def _weights(rows: int, resamples: int, block: int, seed: int) -> Sequence[np.ndarray]:
    kept = _cached_counts if rows * resamples <= _KEPT else _draw_counts
    return kept(rows, resamples, block, seed)


def _draw_counts(rows: int, resamples: int, block: int, seed: int) -> Sequence[np.ndarray]:
    generator = np.random.default_rng(seed)
    chunk = int(np.clip(_CHUNK // rows, 4, 1024))
    return [
        draw_counts(generator, rows, min(chunk, resamples - first), block=block)
        for first in range(0, resamples, chunk)
    ]


@functools.lru_cache(maxsize=12)
def _cached_counts(rows: int, resamples: int, block: int, seed: int) -> Sequence[np.ndarray]:
    return _draw_counts(rows, resamples, block, seed)
