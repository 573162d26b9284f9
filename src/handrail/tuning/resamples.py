"""A figure on resampled rows: the same rows for every trial, so that trials can be compared."""

import functools
from collections.abc import Sequence

import numpy as np

from handrail.evaluation.bootstrap import draw_counts
from handrail.evaluation.outcome import Outcome

_WORK = 50_000_000  # rows × sides × resamples: a fraction of a second a trial
_FEWEST = 200
_KEPT = 4_000_000  # counts: 32 megabytes are kept from one trial to the next
_CHUNK = 2**18


def resamples_for(outcome: Outcome, asked: int) -> int:
    """How many resamples are drawn: as asked, fewer where rows are many."""
    return min(asked, max(_FEWEST, _WORK // max(outcome.rows * outcome.work, 1)))


def value_of(outcome: Outcome, metric: str) -> float:
    """The figure itself."""
    return float(_figures(outcome, metric, [np.ones((outcome.rows, 1))])[0])


def draws_of(outcome: Outcome, metric: str, *, resamples: int, seed: int) -> np.ndarray:
    """The figure on so many resamples of the rows; where one does not define it, the figure itself.

    Source: Efron 1979
    """
    found = _figures(outcome, metric, _weights(outcome.rows, resamples, outcome.block, seed))
    return np.where(np.isfinite(found), found, value_of(outcome, metric))


def _figures(outcome: Outcome, metric: str, weights: Sequence[np.ndarray]) -> np.ndarray:
    functions = outcome.statistics([metric])
    with np.errstate(all="ignore"):  # 0/0 marks an undefined resample
        found = [figures[metric] for some in weights for one in functions if metric in (figures := one(some))]
    return np.concatenate(found).astype(np.float64)


def _weights(rows: int, resamples: int, block: int, seed: int) -> Sequence[np.ndarray]:
    kept = _kept if rows * resamples <= _KEPT else _drawn
    return kept(rows, resamples, block, seed)


def _drawn(rows: int, resamples: int, block: int, seed: int) -> Sequence[np.ndarray]:
    generator = np.random.default_rng(seed)
    chunk = int(np.clip(_CHUNK // rows, 4, 1024))
    return [
        draw_counts(generator, rows, min(chunk, resamples - first), block=block)
        for first in range(0, resamples, chunk)
    ]


@functools.lru_cache(maxsize=12)
def _kept(rows: int, resamples: int, block: int, seed: int) -> Sequence[np.ndarray]:
    return _drawn(rows, resamples, block, seed)
