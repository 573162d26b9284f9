"""Which differences between trials are more than luck, given that the best of many was chosen.

All statements rest on the same resamples of the validation rows for every trial, and are corrected for the
number of trials: the best of 64 equal trials looks better than it is.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

Values = Float[np.ndarray, " trials"]
Draws = Float[np.ndarray, "trials resamples"]


@dataclass(frozen=True)
class Standing:
    """Trials against one rival: by how much each is better, and by how much at least, all statements at once."""

    gaps: Values
    at_least: Values

    @property
    def better(self) -> Bool[np.ndarray, " trials"]:
        """Which of them are better than the rival beyond noise."""
        return self.at_least > 0


def against(
    values: Values,
    draws: Draws,
    rival: float,
    rival_draws: Float[np.ndarray, " resamples"],
    *,
    confidence: float,
) -> Standing:
    """How trials stand against a rival that was given beforehand.

    With d the difference to the rival, s its standard error over the resamples, and c the quantile of max (d*
    − d) / s over all trials, d − c·s is a bound that holds for all trials at once. If no trial is better than
    the rival, some trial is said to be in at most 1 − confidence of all data sets.

    Arguments:
        values, draws: of the trials, such that higher is better. rival, rival_draws: likewise.

    Source: White 2000 (reality check), studentised after Hansen 2005; Romano & Wolf 2005
    """
    gaps, drawn = values - rival, draws - rival_draws
    error = _errors(drawn)
    limit = _limit((drawn - gaps[:, None]) / error[:, None], confidence)
    return Standing(gaps, gaps - limit * error)


def among_best(values: Values, draws: Draws, *, confidence: float) -> Bool[np.ndarray, " trials"]:
    """Which trials are within noise of the best: the truly best one is among them in `confidence` of all data
    sets.

    A trial is left out when some other one is better than it, by the bound of `against`, with this trial for
    a rival.

    Source: Hsu 1984 (comparisons with the best)
    """
    return np.array(
        [
            not against(values, draws, values[k], draws[k], confidence=confidence).better.any()
            for k in range(len(values))
        ]
    )


def flattery(values: Values, draws: Draws) -> float:
    """By how much choosing the best flatters its figure: the mean over resamples of its figure there, chosen
    there, less its own.
    """
    chosen = draws.argmax(axis=0)
    return float((draws.max(axis=0) - values[chosen]).mean())


def _errors(drawn: Draws) -> Values:
    """Standard errors, none of them nothing: a trial that answers as its rival does is not better, and not
    surely equal.
    """
    error = drawn.std(axis=1)
    return np.maximum(error, 1e-12)


def _limit(scaled: Draws, confidence: float) -> float:
    return max(float(np.quantile(scaled.max(axis=0), confidence)), 0.0)
