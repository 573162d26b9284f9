"""What a forecast has to beat, and the scale on which it is measured."""

import numpy as np
from jaxtyping import Float


def seasonal_naive(history: Float[np.ndarray, "rows length"], horizon: int, season: int) -> Float[np.ndarray, "rows horizon"]:
    """As one season ago: ŷ_{t+h} = y_{t+h−m·⌈h/m⌉}, for h = 1 … horizon and a season of m rows.

    With m = 1 it is the naive forecast: all as the last value.

    Arguments:
        history: the values up to t, the latest last.
        season: m; what is known must reach back that far.

    Raises: `ValueError` where the history is shorter than a season.

    Source: Hyndman & Athanasopoulos 2018, chapter 3
    """
    length = history.shape[1]
    if not 1 <= season <= length:
        raise ValueError(f"a history of {length} rows is shorter than the season of {season}")
    ahead = np.arange(1, horizon + 1)
    return history[:, length - 1 + ahead - season * np.ceil(ahead / season).astype(np.int64)]


def mase_scale(train: Float[np.ndarray, "rows targets"], season: int) -> Float[np.ndarray, " targets"]:
    """The mean absolute error of the seasonal naive forecast one season ahead over training rows: mean |y_t − y_{t−m}|.

    Pairs of which a value is missing (not a number) do not count. Not a number where there is no pair, or the error is zero.

    Source: Hyndman & Koehler 2006
    """
    errors = np.abs(train[season:] - train[:-season])
    known = ~np.isnan(errors)
    count = known.sum(axis=0)
    total = np.where(known, errors, 0.0).sum(axis=0)
    return np.where((count > 0) & (total > 0), total / np.maximum(count, 1), np.nan)


def mase(
    truth: Float[np.ndarray, "rows outputs"], forecast: Float[np.ndarray, "rows outputs"], scale: Float[np.ndarray, " outputs"]
) -> float:
    """The mean absolute scaled error: mean |y − ŷ| / scale; below 1 it is better than the seasonal naive forecast in training.

    Arguments:
        scale: `mase_scale` of each output's target.

    Source: Hyndman & Koehler 2006
    """
    return float((np.abs(truth - forecast) / scale).mean())
