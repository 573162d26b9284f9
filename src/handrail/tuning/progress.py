"""Reports on standard error how far a search is."""

import sys
import time
from collections.abc import Sequence

from handrail.tuning.trial import Result, Trial

_PAUSE = 1.0  # seconds between two lines


class SearchProgress:
    """Prints plain lines, or nothing with the style `none`."""

    def __init__(self, style: str) -> None:
        self.silent = style == "none"
        self.asked = self.done = self.failed = 0
        self.best: tuple[float, int] | None = None
        self._printed, self._began = 0.0, time.monotonic()

    def batch(self, trials: Sequence[Trial], *, done: int) -> None:
        """Report that trials begin; `done` of them have a stored result."""
        self.asked += len(trials)
        self.done += done
        if not self.silent:
            rung = f", rung {trials[0].rung + 1}" if trials[0].share < 1 or trials[0].rung else ""
            before = f" ({done} of them stored already)" if done else ""
            print(f"{len(trials)} trials begin{rung}{before}", file=sys.stderr)  # noqa: T201

    def add(self, results: Sequence[Result], *, metric: str, sign: int) -> None:
        """Report trials that have ended."""
        self.done += len(results)
        self.failed += sum(bool(result.failure) for result in results)
        for result in results:
            if not result.failure and (self.best is None or sign * result.value > sign * self.best[0]):
                self.best = (result.value, result.number)
        now = time.monotonic()
        if self.silent or not results or (now - self._printed < _PAUSE and self.done < self.asked):
            return
        self._printed = now
        best = "" if self.best is None else f"; best {metric} {self.best[0]:.4f}, trial {self.best[1]}"
        failed = f", {self.failed} failed" if self.failed else ""
        seconds = now - self._began
        text = f"{self.done} of {self.asked} done{failed}{best}  ({seconds:.1f} s)"
        print(text, file=sys.stderr)  # noqa: T201
