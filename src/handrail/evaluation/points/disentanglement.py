"""Disentanglement: whether each factor behind the rows stands in one number of their codes."""

import numpy as np
from jaxtyping import Float, Int

_BINS = 20


def mutual_information_gap(codes: Float[np.ndarray, "rows code"], factor: Int[np.ndarray, " rows"]) -> float:
    """The gap between the two numbers of a code that tell most of a factor v, over what there is to tell:

        (I(zⱼ; v) − maxₖ≠ⱼ I(zₖ; v)) / H(v),   j = argmaxₖ I(zₖ; v)

    1 where one number tells all and no other anything; 0 where two tell as much. Codes are cut into 20 bins
    of equal width. A factor that does not vary has no gap (not a number); beside a single number stands
    nothing, so that all it tells counts.

    Source: Chen et al. 2018 (MIG); bins as Locatello et al. 2019
    """
    entropy = _entropy(factor) if len(factor) else 0.0
    if not entropy:
        return np.nan
    told = [_information(_binned(code), factor) for code in codes.T]
    second, first = np.sort([0.0, *told])[-2:]
    return float((first - second) / entropy)


def _binned(code: Float[np.ndarray, " rows"]) -> Int[np.ndarray, " rows"]:
    low, high = code.min(), code.max()
    if high <= low:
        return np.zeros(len(code), dtype=np.int64)
    return np.minimum((code - low) / (high - low) * _BINS, _BINS - 1).astype(np.int64)


def _information(values: Int[np.ndarray, " rows"], others: Int[np.ndarray, " rows"]) -> float:
    """I = H(values) + H(others) − H(both), in nats."""
    both = values * (int(others.max()) + 1) + others
    return max(0.0, _entropy(values) + _entropy(others) - _entropy(both))


def _entropy(values: Int[np.ndarray, " rows"]) -> float:
    counts = np.unique(values, return_counts=True)[1]
    shares = counts / counts.sum()
    return float(-(shares * np.log(shares)).sum())
