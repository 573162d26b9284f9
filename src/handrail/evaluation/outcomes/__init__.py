"""What every task's answers offer, so that intervals, comparison, report and files are written once."""

from collections.abc import Callable, Iterable
from typing import Any, Protocol

import numpy as np

Statistic = Callable[[np.ndarray], dict[str, np.ndarray]]


class Outcome(Protocol):
    """Answers for some rows beside the truth."""

    @property
    def task(self) -> str:
        """The task's name."""
        ...

    @property
    def rows(self) -> int:
        """How many rows there are; a row is what the bootstrap draws (an image, a window of text)."""
        ...

    @property
    def work(self) -> int:
        """How much a row costs in a resample, in figures summed up: fewer resamples are drawn where rows ×
        work is large.
        """
        ...

    @property
    def block(self) -> int:
        """How many neighbouring rows hang together (windows that overlap); the bootstrap draws so many at
        once.
        """
        ...

    def names(self) -> list[str]:
        """The figures, in the order of the report; the first is the main one. Each has its entry in
        `metrics.DESCRIPTIONS`.
        """
        ...

    def measure(self) -> dict[str, float]:
        """All figures; not a number where the rows do not define one."""
        ...

    def statistics(self, names: Iterable[str]) -> list[Statistic]:
        """Functions from weights `[rows, resamples]` (how often each row was drawn) to figures `[resamples]`.

        With weights of ones they give the same as `measure`.
        """
        ...

    def same_rows(self, other: "Outcome") -> bool:
        """Whether the other answers are about the same rows."""
        ...

    def errors(self) -> np.ndarray:
        """How wrong each row is, for the list of the hardest."""
        ...

    def spoken(self, row: int, *, truth: bool) -> str:
        """Truth or answer of a row in a few words."""
        ...

    def columns(self) -> dict[str, Any]:
        """Truth and answers as columns of the predictions file; what does not fit a table is summed up a row."""
        ...
