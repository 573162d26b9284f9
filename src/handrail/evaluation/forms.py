"""What kind of quantity a metric is, which decides how its interval is found.

An outcome says it of each of its metrics (`Outcome.forms`); `bootstrap` finds the bounds.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

FEWEST_ROWS = 20  # that carry bounds of a loss, an error or a jackknife, or of the difference of two


@dataclass(frozen=True, eq=False)
class Share:
    """Hits among the rows that count: accuracy, recall, precision.

    Arguments:
        hits: the rows that are hits; all of them count.
        of: the rows that count.
        f1: the metric is 2·share / (1 + share), which is F1 where the share is Jaccard's.
    """

    hits: Bool[np.ndarray, " rows"]
    of: Bool[np.ndarray, " rows"]
    f1: bool = False


@dataclass(frozen=True, eq=False)
class MeanShare:
    """A mean over classes of shares that have no row in common: balanced accuracy, mean recall."""

    hits: Float[np.ndarray, " classes"]
    totals: Float[np.ndarray, " classes"]


@dataclass(frozen=True, eq=False)
class Ratio:
    """A positive quantity (Σ top / Σ bottom)^power, or what follows from it: errors, losses, R².

    Of metrics that are no such ratio (RMSE averaged over outputs), top and bottom move with each row as the
    metric does, to first order.

    Arguments:
        outer: the metric is the quantity, 1 minus it (R²), or its exponential (perplexity).
        target: of R² in forecasts, the true values in time, whose own memory counts.
        fewest: rows below which a difference of two has no bounds: log losses are small but for a few rows.
        most: what no value can exceed, as a log loss of clipped probabilities; no bound lies above it.
    """

    top: Float[np.ndarray, " rows"]
    bottom: Float[np.ndarray, " rows"]
    power: float = 1.0
    outer: Literal["same", "complement", "exponential"] = "same"
    target: Float[np.ndarray, " rows"] | None = None
    fewest: int = FEWEST_ROWS
    most: float = np.inf


@dataclass(frozen=True, eq=False)
class Mean:
    """A mean over rows of values of either sign: logarithms of densities."""

    values: Float[np.ndarray, " rows"]


@dataclass(frozen=True)
class Bounded:
    """A smooth quantity from 0 to 1 without a closed interval: ROC-AUC, mean F1, Dice, mAP.

    Arguments:
        total: of how many independent trials it is the share, at most, where it is 0 or 1.
        smaller: of an area under a curve, the rows of the smaller of two classes, which its error hangs on.
        biased: whether it comes out too high on few rows, as the area under precision and recall does.
        fewest: rows below which it has no bounds.
        chance: how often it were as large, were it truly 0; unless that is seldom, 0 is within the bounds.
    """

    total: float
    smaller: int | None = None
    biased: bool = False
    fewest: int = FEWEST_ROWS
    chance: float = 0.0


@dataclass(frozen=True, eq=False)
class CalibrationGaps:
    """The calibration error: confidence, right or wrong, and bin of each decision."""

    confidence: Float[np.ndarray, " decisions"]
    right: Bool[np.ndarray, " decisions"]
    place: Int[np.ndarray, " decisions"]


@dataclass(frozen=True)
class NoInterval:
    """A metric whose interval the rows cannot carry, and why; the reason follows “because”."""

    reason: str


Form = Share | MeanShare | Ratio | Mean | Bounded | CalibrationGaps | NoInterval
