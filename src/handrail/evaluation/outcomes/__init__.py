"""Outcomes: what every task's answers offer (intervals, comparison, report and files are written once on it).

One file a kind of answer: tables, masks, boxes and tokens, each measured against the truth. May import
`handrail.evaluation` and below. A new kind of answer brings its `Outcome` here.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from handrail.evaluation.forms import Bounded, Form
from handrail.evaluation.metric_names import metric_names

Statistic = Callable[[np.ndarray], dict[str, np.ndarray]]


class Outcome(ABC):
    """A network's answers for some rows beside the truth.

    A row is independent of others (but see `block`): a row of a table, an image, a window of text.
    """

    task: str
    "The task's name."
    block: int = 1
    "How many neighbouring rows belong together (overlapping windows)."
    follow: bool = False
    "Whether rows follow one another in time, so that what one holds may tell of the next."

    @property
    def drawn_together(self) -> int:
        """Neighbouring rows that a resample draws as one: rows^⅓ of rows that follow one another.

        Source: Hall, Horowitz & Jing 1995
        """
        return max(self.block, round(self.rows ** (1 / 3))) if self.follow else self.block

    remark: str = ""
    "What has to be said of how the answers were made: that a baseline was fitted on a sample."

    @property
    @abstractmethod
    def rows(self) -> int:
        """How many rows there are."""

    @property
    @abstractmethod
    def work(self) -> int:
        """The cost of a row in a resample, in numbers summed; where rows × work is large, fewer are drawn."""

    def names(self) -> list[str]:
        """The metrics in the order of the report, the main one first; see `metric_names.DESCRIPTIONS`."""
        return metric_names(self.task)

    def why_undefined(self, name: str) -> str:
        """Why the rows do not define a metric, where more can be said than that; follows “because”."""
        return ""

    def measure(self) -> dict[str, float]:
        """All metrics; not a number where the rows do not define one."""
        names, weights, metrics = self.names(), np.ones((self.rows, 1)), {}
        with np.errstate(all="ignore"):
            for statistic in self.statistics(names):
                metrics |= statistic(weights)
        return {name: float(metrics[name][0]) for name in names}

    @abstractmethod
    def statistics(self, names: Iterable[str]) -> list[Statistic]:
        """Functions from weights `[rows, resamples]` (how often each row was drawn) to metrics `[resamples]`.

        With weights of ones they give the same as `measure`.
        """

    def forms(self, names: Iterable[str]) -> dict[str, Form]:
        """What kind of quantity each named metric is, which decides how its interval is found."""
        return {name: Bounded(float(self.rows)) for name in names}

    @abstractmethod
    def same_rows(self, other: "Outcome") -> bool:
        """Whether the other outcome has the same truth, so that the two can be compared."""

    @abstractmethod
    def errors(self) -> np.ndarray:
        """How wrong each row is, for the list of the hardest."""

    @abstractmethod
    def describe(self, row: int, *, truth: bool) -> str:
        """The truth or the answer of a row in a few words."""

    @abstractmethod
    def columns(self) -> dict[str, Any]:
        """Truth and answers as columns of the predictions file, summarised where they do not fit a cell."""
