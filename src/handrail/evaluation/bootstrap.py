"""How far metrics would move with other rows from the same source: intervals that hold what they say.

Which method belongs to which metric, and how often it was seen to hold: docs/decisions/0020.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from handrail.errors import DataError, RecipeError, did_you_mean
from handrail.evaluation.bounds import Result, Setting, bound, bound_difference
from handrail.evaluation.forms import Bounded, Form, MeanShare, NoInterval, Share
from handrail.evaluation.outcomes import Outcome
from handrail.evaluation.resampling import draw_counts, leave_out

__all__ = ["Interval", "difference", "draw_counts", "measure_with_intervals"]


@dataclass(frozen=True)
class Interval:
    """A metric and its bounds at the requested confidence.

    Bounds are not a number where the rows cannot carry an interval; `reason` then follows “no interval,
    because”. All three are not a number where the metric itself is undefined.
    """

    value: float
    low: float
    high: float
    reason: str = ""


def measure_with_intervals(
    outcome: Outcome, *, resamples: int = 1000, confidence: float = 0.95, seed: int = 0
) -> dict[str, Interval]:
    """Every metric with its interval, by the method that was seen to hold for it.

    Shares of rows have Wilson's interval, means of them one in log-odds. Errors and losses have that of a
    bootstrap-t in logarithms; of forecasts, whose windows overlap, Student's t on slow swings. Other metrics
    between 0 and 1 have Student's t in log-odds, by a jackknife. The interval covers the randomness of the
    sample, not that of training.

    Arguments:
        resamples: of the bootstrap.

    Raises: `RecipeError` for less than two resamples or a confidence outside (0, 1).

    Source: docs/decisions/0020, with those of each method
    """
    _check(resamples, confidence)
    values = outcome.measure()
    defined = [name for name, value in values.items() if np.isfinite(value)]
    forms = outcome.forms(defined)
    setting = Setting(confidence, resamples, seed, outcome.rows, outcome.block, outcome.follow)
    bounded = [name for name, form in forms.items() if isinstance(form, Bounded)]
    left_out = leave_out(outcome, bounded, seed=seed) if bounded else {}
    intervals = {name: Interval(np.nan, np.nan, np.nan, outcome.why_undefined(name)) for name in values}
    for name, form in forms.items():
        intervals[name] = _interval(values[name], bound(form, values[name], left_out.get(name), setting))
    return intervals


def difference(
    a: Outcome, b: Outcome, metric: str, *, resamples: int = 1000, confidence: float = 0.95, seed: int = 0
) -> Interval:
    """The metric of `a` minus that of `b` on the same rows, with an interval from the pairs.

    An interval that holds 0 means that the rows cannot tell the two apart; without bounds nothing is known.

    Raises: `DataError` when the two are not about the same rows; `RecipeError` for an unknown metric.

    Source: docs/decisions/0020
    """
    _check(resamples, confidence)
    if not a.same_rows(b):
        raise DataError("Two outcomes can be compared on the same rows only; their truths differ.")
    names = a.names()
    if metric not in names:
        raise RecipeError(f"A {a.task} task has no metric '{metric}'.{did_you_mean(metric, names)}")
    values = a.measure()[metric], b.measure()[metric]
    if not np.isfinite(values[0] - values[1]):
        return Interval(np.nan, np.nan, np.nan)
    forms = a.forms([metric])[metric], b.forms([metric])[metric]
    setting = Setting(confidence, resamples, seed, a.rows, a.block, a.follow)
    left_out = None
    if not any(isinstance(form, NoInterval) for form in forms) and _needs_jackknife(forms):
        left_out = _leave_out(a, metric, seed), _leave_out(b, metric, seed)
    result = bound_difference(*forms, values, left_out, setting)
    return _interval(values[0] - values[1], result)


def _leave_out(outcome: Outcome, metric: str, seed: int) -> np.ndarray:
    return leave_out(outcome, [metric], seed=seed)[metric]


def _needs_jackknife(forms: Sequence[Form]) -> bool:
    a, b = forms
    shares = isinstance(a, Share) and isinstance(b, Share) and not a.f1 and np.array_equal(a.of, b.of)
    return not shares and isinstance(a, Share | MeanShare | Bounded)


def _check(resamples: int, confidence: float) -> None:
    if resamples < 2:
        raise RecipeError(f"The bootstrap needs at least 2 resamples; {resamples} were asked for.")
    if not 0 < confidence < 1:
        raise RecipeError(f"The confidence of an interval lies between 0 and 1; {confidence} was given.")


def _interval(value: float, result: Result) -> Interval:
    if isinstance(result, NoInterval) or not np.isfinite(result).all():
        reason = result.reason if isinstance(result, NoInterval) else "its error cannot be estimated"
        return Interval(float(value), np.nan, np.nan, reason)
    return Interval(float(value), min(result.low, float(value)), max(result.high, float(value)))
