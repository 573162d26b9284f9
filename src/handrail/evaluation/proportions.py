"""Closed intervals for shares: score intervals, which are right at 0 and 1 too.

The interval of 12 right among 12 is 0.76 to 1, not 1 to 1.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.special import expit


class Bounds(NamedTuple):
    """The ends of an interval."""

    low: float
    high: float


def wilson(share: float, total: float, quantile: float) -> Bounds:
    """The score interval of a share: all p with |share − p| ≤ z·√(p·(1 − p) / total).

    Arguments:
        share: hits / total.
        total: how many rows (or, of rows that hang together, how many independent ones they are worth).
        quantile: z, 1.96 for a confidence of 95 %.

    Source: Wilson 1927; with an effective total: Dean & Pagano 2015
    """
    weight = quantile**2 / total
    centre = (share + weight / 2) / (1 + weight)
    reach = quantile * np.sqrt(share * (1 - share) / total + weight / (4 * total)) / (1 + weight)
    low = 0.0 if share <= 0 else centre - reach
    high = 1.0 if share >= 1 else centre + reach
    return Bounds(float(max(low, 0.0)), float(min(high, 1.0)))


def mean_share(
    hits: Float[np.ndarray, " classes"], totals: Float[np.ndarray, " classes"], quantile: float
) -> Bounds:
    """The interval of a mean of independent shares, symmetric in log-odds.

    With h hits of n in each class, error² = Σ s·(1 − s) / n / classes², where s = (h + ½) / (n + 1) is the
    share with half a hit and half a miss more: a class without a miss is not taken for one that never fails.

    Source: Haldane 1956 (the halves); as `logistic`
    """
    classes = len(hits)
    likely = (hits + 0.5) / (totals + 1)
    error = float(np.sqrt((likely * (1 - likely) / totals).sum())) / classes
    return logistic(float((hits / totals).mean()), error, quantile, classes**2 / float((1 / totals).sum()))


def paired_shares(only_a: float, only_b: float, rows: int, quantile: float) -> Bounds:
    """The interval of the difference of two shares on the same rows.

    One row is added to those that only a has right, and one to those that only b has right, so that two that
    answer alike are not called surely equal.

    Source: Bonett & Price 2012
    """
    a, b, total = (only_a + 1) / (rows + 2), (only_b + 1) / (rows + 2), rows + 2
    reach = quantile * np.sqrt((a + b - (a - b) ** 2) / total)
    return Bounds(float(max(a - b - reach, -1.0)), float(min(a - b + reach, 1.0)))


def logistic(share: float, error: float, quantile: float, total: float) -> Bounds:
    """The interval that is symmetric in log-odds; at 0 and 1 that of a share of `total`.

    Source: Boyd, Eng & Page 2013 (for the area under precision and recall); Qin & Hotilovac 2008 (ROC-AUC)
    """
    if not 0 < share < 1:
        return wilson(float(np.clip(share, 0, 1)), total, quantile)
    centre, reach = np.log(share / (1 - share)), quantile * error / (share * (1 - share))
    return Bounds(float(expit(centre - reach)), float(expit(centre + reach)))
