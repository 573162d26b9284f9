"""How strange a row is beside rows that were held out: conformal p-values."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

_MOST, _SEED = 2000, 29  # rows whose scores are kept


def drawn_rows(rows: int) -> Int[np.ndarray, " drawn"]:
    """Which rows are scored: all, or of more than 2,000 so many, drawn at random."""
    return np.random.default_rng(_SEED).permutation(rows)[:_MOST]


def keep_scores(scores: Float[np.ndarray, " rows"]) -> list[float]:
    """The scores of rows that were held out, in order; finite, so that they can be written as JSON."""
    return np.sort(_as_ranked(scores)).tolist()


def p_values(scores: Float[np.ndarray, " rows"], held_out: Sequence[float]) -> Float[np.ndarray, " rows"]:
    """(1 + n≤) / (n + 1), with n≤ how many of n rows that were held out score no higher.

    Of a row that comes from where these come from it is at most α with a chance of at most α, whatever the
    scores mean, if the model has not seen them. A score that is no number is as strange as any can be, of a
    row that was held out, too.

    Source: Vovk, Gammerman & Shafer 2005; Bates et al. 2023
    """
    known = np.sort(_as_ranked(np.asarray(held_out)))
    lower = np.searchsorted(known, _as_ranked(scores), side="right")
    return (1 + lower) / (len(held_out) + 1)


def least_p_value(held_out: Sequence[float]) -> float:
    """That of a row that scores lower than all that were held out."""
    return 1 / (len(held_out) + 1)


def _as_ranked(scores: Float[np.ndarray, " rows"]) -> Float[np.ndarray, " rows"]:
    """Finite numbers in the order of the scores, of which what is no number comes first."""
    return np.nan_to_num(np.asarray(scores, dtype=np.float64), nan=np.finfo(np.float64).min)
