"""After how many rows a series repeats itself."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

# How high a peak must be, and how far it must stand out: of values, of changes from row to row.
_LEVEL, _CHANGES = 0.3, 0.1
_AS_GOOD = 0.8  # the shortest season wins among nearly equal ones: 24 hours rather than 48
_STEPS = 100  # of a forecast that are compared
_ERRORS = 5.0  # standard errors (1/√n) that chance does not reach among a few hundred lags


def find_season(values: Float[np.ndarray, " rows"]) -> int:
    """The lag of the autocorrelation's highest peak, at most a third of the rows; 1 without a clear peak.

    r_k = Σ (y_t − ȳ)(y_{t+k} − ȳ) / ((n − k)·s²), of the values without their straight trend. A peak counts
    from r = 0.3 on, or 5/√n where that is more, and when it stands out by 0.3. Where there is none, the
    changes from row to row are taken, with 0.1 for 0.3: a slow drift hides the days of an hourly temperature.
    Of peaks within 20 % of the highest the first is taken.

    Arguments:
        values: training rows in the order of time; missing ones count as the last one before them.

    Source: Box & Jenkins 1970 (the autocorrelation)
    """
    from scipy.signal import detrend

    known = _without_gaps(values)
    if len(known) < 8 or known.min() == known.max():
        return 1
    # So that sums do not overflow, and then squares neither vanish nor overflow.
    small = known / np.abs(known).max()
    scaled = (small - small.mean()) / np.abs(small - small.mean()).max()
    return _highest_peak(detrend(scaled), _LEVEL) or _highest_peak(np.diff(scaled), _CHANGES) or 1


@dataclass(frozen=True)
class Season:
    """What is known of a series' repetition.

    Arguments:
        rows: of the season whose repetition is a baseline and the scale of MASE; 1 where there is none, and
            the last value is repeated instead.
        cycle: rows after which the series really repeats itself, whether or not that helps this forecast.
        why: which season was taken, or why none.
    """

    rows: int
    cycle: int
    why: str


def choose_season(values: Float[np.ndarray, " rows"], *, horizon: int) -> Season:
    """The season of training rows: seen at least three times, and better to repeat than the last value.

    The candidate is that of `find_season`. It is the season where repeating it has a smaller mean absolute
    error over the steps 1 … horizon of all training rows than repeating the last value. It is a cycle where
    that holds over a whole season ahead: a random walk has neither, whatever its autocorrelation.

    Arguments:
        values: training rows in the order of time, not a number where missing.
        horizon: how many rows are forecast.
    """
    candidate, rows = find_season(values), f"{len(values):,} training rows"
    if candidate == 1:
        return Season(1, 1, f"no season: nothing was seen to repeat itself three times in {rows}")
    seasonal, last = (
        naive_error(values, season, horizon=horizon, known_rows=candidate) for season in (candidate, 1)
    )
    errors = f"mean absolute error {seasonal:.4g} against {last:.4g}, in {rows}"
    around = [
        naive_error(values, season, horizon=max(candidate, horizon), known_rows=candidate)
        for season in (candidate, 1)
    ]
    cycle = candidate if around[0] < around[1] else 1
    if not seasonal < last:
        why = f"no season: to repeat the last {candidate} rows is no better than to repeat the last value"
        return Season(1, cycle, f"{why} ({errors})")
    return Season(
        candidate, cycle, f"season of {candidate} rows, better repeated than the last value ({errors})"
    )


def naive_error(values: Float[np.ndarray, " rows"], season: int, *, horizon: int, known_rows: int) -> float:
    """The mean absolute error of repeating the last season, over the steps 1 … horizon from every row on.

    A missing value is not asked for, and is known as the last one before it. Not a number without a pair. Of
    long horizons a hundred steps are looked at.

    Arguments:
        known_rows: which at least are known before the first forecast, so that seasons can be compared.
    """
    known = _without_gaps(values)
    truth = values[len(values) - len(known) :]
    total, count = 0.0, 0
    furthest = max(1, min(horizon, len(known) - known_rows))
    for step in np.unique(np.linspace(1, furthest, min(furthest, _STEPS)).round().astype(int)).tolist():
        back = season * -(-step // season)  # from the row that is forecast to the one that is repeated
        first = max(back, known_rows - 1 + step)
        errors = np.abs(truth[first:] - known[first - back : len(known) - back])
        total, count = total + float(np.nansum(errors)), count + int(np.isfinite(errors).sum())
    return total / count if count else np.nan


def _highest_peak(series: np.ndarray, least: float) -> int | None:
    from scipy.signal import find_peaks

    correlation = _autocorrelation(series)[: len(series) // 3 + 1]
    peaks, _ = find_peaks(correlation, height=max(least, _ERRORS / np.sqrt(len(series))), prominence=least)
    if not len(peaks):
        return None
    return int(peaks[correlation[peaks] >= _AS_GOOD * correlation[peaks].max()][0])


def _autocorrelation(series: np.ndarray) -> np.ndarray:
    centred, n = series - series.mean(), len(series)
    if not (centred**2).sum() > 1e-12 * n:  # a straight line: only rounding is left
        return np.zeros(n)
    spectrum = np.fft.rfft(centred, 2 * n)  # twice as long, so that the end does not meet the beginning
    sums = np.fft.irfft(np.abs(spectrum) ** 2, 2 * n)[:n]
    return sums / sums[0] * n / (n - np.arange(n))


def _without_gaps(values: np.ndarray) -> np.ndarray:
    known = np.isfinite(values)
    if not known.any():
        return values[:0]
    last = np.maximum.accumulate(np.where(known, np.arange(len(values)), -1))
    return values[last[last >= 0]]


def seasonal_naive(
    history: Float[np.ndarray, "rows length"], horizon: int, season: int
) -> Float[np.ndarray, "rows horizon"]:
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
    """The mean absolute error of the seasonal naive forecast over training rows: mean |y_t − y_{t−m}|.

    Pairs with a missing value (not a number) do not count. Not a number without a pair, or for an error of 0.

    Source: Hyndman & Koehler 2006
    """
    errors = np.abs(train[season:] - train[:-season])
    known = ~np.isnan(errors)
    count = known.sum(axis=0)
    total = np.where(known, errors, 0.0).sum(axis=0)
    return np.where((count > 0) & (total > 0), total / np.maximum(count, 1), np.nan)


def mase(
    truth: Float[np.ndarray, "rows outputs"],
    forecast: Float[np.ndarray, "rows outputs"],
    scale: Float[np.ndarray, " outputs"],
) -> float:
    """The mean absolute scaled error mean |y − ŷ| / scale; below 1, better than seasonal naive in training.

    Arguments:
        scale: `mase_scale` of each output's target.

    Source: Hyndman & Koehler 2006
    """
    return float((np.abs(truth - forecast) / scale).mean())
