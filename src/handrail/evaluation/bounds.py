"""The bounds of one metric, or of the difference of two, by the kind of quantity that it is."""

import functools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.special import ndtri, stdtrit

from handrail.evaluation.dependence import dependent_spread, independent_blocks
from handrail.evaluation.forms import (
    FEWEST_ROWS,
    Bounded,
    CalibrationGaps,
    Form,
    Mean,
    MeanShare,
    NoInterval,
    Ratio,
    Share,
)
from handrail.evaluation.metrics import CALIBRATION_BINS
from handrail.evaluation.proportions import Bounds, logistic, mean_share, paired_shares, wilson
from handrail.evaluation.resampling import draw_counts, sum_groups
from handrail.tools.words import only

_FEWEST_ERRORS = 5  # rows whose loss is not 0
_FEWEST_BLOCKS, _FEWEST_BLOCKS_R2 = 12, 30  # independent ones; R² needs the series' own variance as well,
_BLOCKS_R2 = 1000  # and so many in all: of fewer, those that seem independent are not any
_DRAWS = 2000
_LEAST = 1e-9  # so near to 0 and 1 a value is there, but for rounding; a corrected one stays inside
# The share of the tails below and above at which the bootstrap-t is read, by the power of the ratio: bounds
# of RMSE are taken further out, since squares have heavy tails, and miss otherwise (benchmarks/intervals.py).
# Above a thousand rows less of it is needed: it goes down with the root of the rows.
_TAILS = {1.0: (1.0, 0.8), 0.5: (0.8, 0.4)}
_TAILS_OF_MEAN = (0.8, 0.8)
_TAILS_UP_TO = 1000
_FEWEST_OF_TWO = 20  # rows of the smaller class, for the difference of two areas under a curve


@dataclass(frozen=True)
class Setting:
    """What an interval is asked for.

    Arguments:
        confidence: 0.95 for 95 %.
        resamples: of the bootstrap.
        block: how many neighbouring rows belong together.
        follow: whether rows follow one another, so that one may tell of the next.
    """

    confidence: float
    resamples: int
    seed: int
    rows: int
    block: int = 1
    follow: bool = False

    @property
    def in_time(self) -> bool:
        """Whether rows may depend on those beside them."""
        return self.block > 1 or self.follow

    @property
    def tail(self) -> float:
        """The chance on each side."""
        return (1 - self.confidence) / 2

    def quantile(self, freedom: float = np.inf) -> float:
        """That of Student's distribution, or of the normal one."""
        tail = 1 - self.tail
        return float(ndtri(tail) if np.isinf(freedom) else stdtrit(freedom, tail))


Result = Bounds | NoInterval


def bound(form: Form, value: float, left_out: np.ndarray | None, setting: Setting) -> Result:
    """The interval of a metric.

    Arguments:
        left_out: of a `Bounded` metric, its values with groups of rows left out.
    """
    quantile = setting.quantile()
    match form:
        case NoInterval():
            result: Result = form
        case Share():
            share = wilson(float(form.hits.sum() / form.of.sum()), float(form.of.sum()), quantile)
            result = Bounds(*(2 * end / (1 + end) for end in share)) if form.f1 else share
        case MeanShare():
            result = mean_share(form.hits, form.totals, quantile)
        case CalibrationGaps():
            result = bound_calibration_error(form, value, setting)
        case Ratio():
            result = _bound_ratio(form, value, setting)
        case Mean():
            result = _bound_mean(form.values, setting)
        case Bounded():
            assert left_out is not None
            result = _bound_by_jackknife(form, value, left_out, setting)
    return result


def _bound_by_jackknife(form: Bounded, value: float, left_out: np.ndarray, setting: Setting) -> Result:
    """Student's t in log-odds around the value, corrected where it is biased.

    Source: Quenouille 1956 (the correction)
    """
    if setting.rows < form.fewest:
        return NoInterval(f"there are only {setting.rows} rows; at least {form.fewest} are needed")
    if not np.isfinite(left_out).all():
        return NoInterval("it hangs on a single row: without it, it is not defined")
    error, freedom = jackknife(left_out)
    inside = _LEAST < value < 1 - _LEAST
    if error == 0 and inside:
        return NoInterval("it is the same whichever rows are left out")
    # Of n values, n·value − (n − 1)·(mean without each) is free of the bias that goes down with the rows.
    bias = freedom * (float(left_out.mean()) - value) if form.biased else 0.0
    quantile = setting.quantile(_freedom(form.smaller, freedom))
    if inside and (form.chance > setting.tail or value <= bias):  # log-odds of nearly 0 have no error
        return Bounds(0.0, min(1.0, max(value - bias, 0.0) + quantile * error))
    centre = min(max(value - bias, _LEAST), 1 - _LEAST) if inside else round(value)
    return logistic(centre, error, quantile, form.total)


def _freedom(smaller: int | None, freedom: float) -> float:
    """The degrees of freedom of an error, which are no more than the rows of the smaller class give it."""
    return freedom if smaller is None else min(freedom, smaller - 1)


def jackknife(left_out: Float[np.ndarray, " groups"]) -> tuple[float, float]:
    """The standard error from the values without each group, and its degrees of freedom.

    error² = (g − 1) / g · Σ (value without the group − their mean)²

    Source: Tukey 1958
    """
    groups = len(left_out)
    moved = left_out - left_out.mean()
    if groups < 2:
        return np.nan, 1
    return float(np.sqrt((groups - 1) / groups * (moved @ moved))), groups - 1


def _outer(form: Ratio, scaled: np.ndarray) -> np.ndarray:
    if form.outer == "complement":
        return (1 - scaled)[::-1]
    return np.exp(scaled) if form.outer == "exponential" else scaled


def _inner(form: Ratio, value: float) -> float:
    if form.outer == "complement":
        return 1 - value
    return float(np.log(value)) if form.outer == "exponential" else value


def _bound_ratio(form: Ratio, value: float, setting: Setting) -> Result:
    reason = _lack(form, setting)
    inner = _inner(form, value)
    if reason or inner <= 0:
        return NoInterval(reason or "there is no error on any row")
    if setting.in_time or form.target is not None:
        reach = _reach_in_time(influence(form), form, setting)
    else:
        reach = _bootstrap_t(form, setting)
    if isinstance(reach, NoInterval):
        return reach
    low, high = _outer(form, inner * np.exp([-reach[0], reach[1]]))
    return Bounds(float(low), min(float(high), form.most))


def _lack(form: Ratio, setting: Setting) -> str:
    if setting.rows < FEWEST_ROWS and setting.block == 1:
        return f"there are only {setting.rows} rows; at least {FEWEST_ROWS} are needed"
    wrong = int((form.top > 0).sum())
    if wrong < min(_FEWEST_ERRORS, setting.rows):
        have = f"{only(wrong, 'row')} {'have' if wrong > 1 else 'has'} an error"
        return f"{have}; at least {_FEWEST_ERRORS} are needed"
    return ""


def influence(form: Ratio) -> Float[np.ndarray, " rows"]:
    """How the logarithm of the quantity moves with each row, power·(top / mean − bottom / mean)."""
    return form.power * (form.top / form.top.mean() - form.bottom / form.bottom.mean())


def _reach_in_time(terms: np.ndarray, form: Ratio, setting: Setting) -> tuple[float, float] | NoInterval:
    """How far the mean of the terms reaches down and up."""
    blocks, fewest = independent_blocks(terms, setting.block), _FEWEST_BLOCKS
    if form.target is not None:
        blocks, fewest = (
            min(blocks, independent_blocks(form.target, setting.block, caution=1.0)),
            _FEWEST_BLOCKS_R2,
        )
    if blocks < fewest:
        windows = "overlapping windows" if setting.block > 1 else "windows, one behind the other,"
        return NoInterval(
            f"the {setting.rows:,} {windows} are worth about {int(blocks)} independent blocks; "
            f"at least {fewest} are needed"
        )
    if form.target is not None and setting.rows < _BLOCKS_R2 * setting.block:
        return NoInterval(
            f"the variance of the series itself is needed, and {_BLOCKS_R2:,} times the horizon in rows; "
            f"there are {setting.rows:,}"
        )
    spread = dependent_spread(terms, blocks)
    if not spread.error:
        return NoInterval("the error is the same on every row")
    reach = setting.quantile(spread.freedom) * spread.error
    return reach, reach


def _bootstrap_t(form: Ratio, setting: Setting) -> tuple[float, float] | NoInterval:
    """How far the logarithm of a ratio reaches down and up, in resamples scaled by their own errors.

    Source: Efron 1981; Hall 1988 (studentised, in logarithms)
    """
    top, bottom = sum_groups(
        [form.top / form.top.mean(), form.bottom / form.bottom.mean()], seed=setting.seed
    )
    rows = len(top)
    terms = form.power * (top / top.mean() - bottom / bottom.mean())
    error = float(terms.std(ddof=1)) / np.sqrt(rows)
    if error < 1e-12:
        return NoInterval("the error is the same on every row")
    sums = _sums(np.stack([top, bottom, top**2, top * bottom, bottom**2]), setting) / rows
    t, b, tt, tb, bb = sums
    with np.errstate(all="ignore"):
        variance = tt / t**2 - 2 * tb / (t * b) + bb / b**2
        scaled = np.log(t / b * (bottom.mean() / top.mean())) / np.sqrt(np.maximum(variance, 0) / (rows - 1))
    return _quantiles(scaled, error, _tails(_TAILS[form.power], setting), setting)


def _tails(tails: tuple[float, float], setting: Setting) -> tuple[float, float]:
    low, high = (1 - (1 - tail) * min(1.0, np.sqrt(_TAILS_UP_TO / setting.rows)) for tail in tails)
    return low, high


def _sums(columns: Float[np.ndarray, "columns rows"], setting: Setting) -> np.ndarray:
    return columns @ _counts(columns.shape[1], setting.resamples, setting.seed)


@functools.lru_cache(maxsize=2)
def _counts(rows: int, resamples: int, seed: int) -> np.ndarray:
    return draw_counts(np.random.default_rng(seed), rows, resamples)


def _quantiles(
    scaled: np.ndarray, error: float, tails: tuple[float, float], setting: Setting
) -> tuple[float, float] | NoInterval:
    known = scaled[np.isfinite(scaled)]
    if len(known) < 0.95 * len(scaled):
        return NoInterval("too few rows differ from the others")
    below, above = (tail * setting.tail for tail in tails)
    low, high = np.quantile(known, [above, 1 - below])
    return max(float(high), 0.0) * error, max(float(-low), 0.0) * error


def bound_calibration_error(form: CalibrationGaps, value: float, setting: Setting) -> Result:
    """An interval that holds the true error at least as often as it says, and usually more often.

    The measured error is Σ |gap of the bin|, which noise makes larger. As ||a| − |b|| ≤ |a − b|, it is no
    further from the true one than Σ |gap − true gap|, whose upper quantile follows from the noise of each
    bin: hits among its rows. Of a bin's noise the larger is taken: by its hits, with two more rows at its
    confidence, or by its confidence alone.
    """
    bins, rows = CALIBRATION_BINS, len(form.confidence)
    totals = np.bincount(form.place, minlength=bins).astype(float)
    right = np.bincount(form.place, weights=form.right, minlength=bins)
    confidence = np.bincount(form.place, weights=form.confidence, minlength=bins) / np.maximum(totals, 1)
    share = (right + 2 * confidence) / (totals + 2)
    chance = np.maximum(share * (1 - share), confidence * (1 - confidence))
    error = np.sqrt(totals * chance) / rows
    noise = np.abs(np.random.default_rng(setting.seed).normal(size=(_DRAWS, bins))) @ error
    reach = float(np.quantile(noise, setting.confidence))
    return Bounds(max(0.0, value - reach), min(1.0, value + reach))


def bound_difference(
    a: Form,
    b: Form,
    values: tuple[float, float],
    left_out: tuple[np.ndarray, np.ndarray] | None,
    setting: Setting,
) -> Result:
    """The interval of the metric of a minus that of b on the same rows."""
    unknown = next((form for form in (a, b) if isinstance(form, NoInterval)), None)
    if unknown:
        return unknown
    if isinstance(a, CalibrationGaps):
        return NoInterval("for differences of calibration errors no interval is known to hold")
    if isinstance(a, Share) and isinstance(b, Share) and not a.f1 and np.array_equal(a.of, b.of):
        only_a, only_b = int((a.hits & ~b.hits).sum()), int((b.hits & ~a.hits).sum())
        return paired_shares(only_a, only_b, int(a.of.sum()), setting.quantile())
    if isinstance(a, Ratio) and isinstance(b, Ratio):
        return _bound_ratio_difference(a, b, values, setting)
    if isinstance(a, Mean) and isinstance(b, Mean):
        return _bound_mean_difference(a.values - b.values, setting)
    assert left_out is not None
    return _bound_difference_by_jackknife(a, values, left_out[0] - left_out[1], setting)


def _bound_difference_by_jackknife(
    form: Form, values: tuple[float, float], moved: np.ndarray, setting: Setting
) -> Result:
    if setting.rows < FEWEST_ROWS:
        return NoInterval(f"there are only {setting.rows} rows; at least {FEWEST_ROWS} are needed")
    smaller = form.smaller if isinstance(form, Bounded) else None
    if smaller is not None and smaller < _FEWEST_OF_TWO:
        return NoInterval(
            f"the smaller class has {smaller} rows; a difference needs at least {_FEWEST_OF_TWO}"
        )
    if not np.isfinite(moved).all():
        return NoInterval("one of them hangs on a single row: without it, it is not defined")
    error, freedom = jackknife(moved)
    if not error > 0:
        return NoInterval("their difference is the same whichever rows are left out")
    gap, reach = values[0] - values[1], setting.quantile(_freedom(smaller, freedom)) * error
    return Bounds(gap - reach, gap + reach)


def _slope(form: Ratio, value: float) -> float:
    """How the metric moves with the logarithm of the quantity inside it."""
    inner = _inner(form, value)
    return -inner if form.outer == "complement" else value * inner if form.outer == "exponential" else inner


def _bound_ratio_difference(a: Ratio, b: Ratio, values: tuple[float, float], setting: Setting) -> Result:
    reason = next((lack for form in (a, b) if (lack := _lack(form, setting))), "")
    if not reason and setting.rows < a.fewest:
        reason = f"there are only {setting.rows} rows; a difference needs at least {a.fewest}"
    if reason:
        return NoInterval(reason)
    terms = _slope(a, values[0]) * influence(a) - _slope(b, values[1]) * influence(b)
    if np.abs(terms).max() <= 1e-12 * max(abs(values[0]), abs(values[1]), 1e-300):
        return NoInterval("both have the same error on every row")
    gap = values[0] - values[1]
    if setting.in_time or a.target is not None:
        reach = _reach_in_time(terms, a, setting)
    else:
        reach = _reach_of_mean(terms, setting)
    if isinstance(reach, NoInterval):
        return reach
    return Bounds(gap - reach[0], gap + reach[1])


def _bound_mean(values: Float[np.ndarray, " rows"], setting: Setting) -> Result:
    """A bootstrap-t around a mean of independent rows, whose tails may differ.

    Source: Efron 1981; Hall 1988
    """
    if reason := _lack_of_mean(values, setting):
        return NoInterval(reason)
    mean = float(values.mean())
    (sums,) = sum_groups([values - mean], seed=setting.seed)
    rows = len(sums)
    terms = sums * (rows / len(values))
    error = float(terms.std(ddof=1)) / np.sqrt(rows)
    moved, squares = _sums(np.stack([terms, terms**2]), setting) / rows
    with np.errstate(all="ignore"):
        scaled = moved / np.sqrt(np.maximum(squares - moved**2, 0) / (rows - 1))
    reach = _quantiles(scaled, error, _tails(_TAILS_OF_MEAN, setting), setting)
    return reach if isinstance(reach, NoInterval) else Bounds(mean - reach[0], mean + reach[1])


def _lack_of_mean(values: Float[np.ndarray, " rows"], setting: Setting) -> str:
    if setting.rows < FEWEST_ROWS:
        return f"there are only {setting.rows} rows; at least {FEWEST_ROWS} are needed"
    same = not values.std() > 1e-12 * max(float(np.abs(values).max()), 1e-300)
    return "it is the same on every row" if same else ""


def _bound_mean_difference(values: Float[np.ndarray, " rows"], setting: Setting) -> Result:
    """Student's t around the mean of what two differ in."""
    if reason := _lack_of_mean(values, setting):
        return NoInterval(reason)
    mean, reach = float(values.mean()), _reach_of_mean(values, setting)
    return Bounds(mean - reach[0], mean + reach[1])


def _reach_of_mean(terms: np.ndarray, setting: Setting) -> tuple[float, float]:
    """How far a mean reaches by Student's t, whose freedom is that of the error itself: 2·rows / (κ − 1).

    κ is the fourth moment over the square of the second, 3 for normal terms; where few rows hold most of the
    error, the error is not well known. In simulations it holds for differences where a bootstrap-t misses.

    Source: Student 1908; Satterthwaite 1946; Box 1953 (the error of a variance)
    """
    rows, moved = len(terms), terms - terms.mean()
    variance = float((moved**2).mean())
    kurtosis = float((moved**4).mean()) / variance**2 if variance else 3.0
    freedom = min(rows - 1.0, max(2.0, 2 * rows / max(kurtosis - 1, 1.0)))
    reach = setting.quantile(freedom) * float(terms.std(ddof=1)) / np.sqrt(rows)
    return reach, reach
