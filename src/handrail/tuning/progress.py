"""How far a search is, on standard error."""

import sys
import time
from collections.abc import Sequence

from handrail.tuning.trial import Result, Trial

_PAUSE = 1.0  # seconds between two lines


class SearchProgress:
    """Says plain lines, or nothing with the style `none`."""

    def __init__(self, style: str) -> None:
        self.silent = style == "none"
        self.asked = self.done = self.failed = 0
        self.best: tuple[float, int] | None = None
        self._said, self._began = 0.0, time.monotonic()

    def batch(self, trials: Sequence[Trial], *, done: int) -> None:
        """Some trials are begun; some of them were done before."""
        self.asked += len(trials)
        self.done += done
        if not self.silent:
            rung = f", rung {trials[0].rung + 1}" if trials[0].share < 1 or trials[0].rung else ""
            before = f" ({done} of them stored already)" if done else ""
            print(f"{len(trials)} trials begin{rung}{before}", file=sys.stderr)  # noqa: T201

    def finished(self, results: Sequence[Result], *, metric: str, sign: int) -> None:
        """Some have ended."""
        self.done += len(results)
        self.failed += sum(bool(one.failure) for one in results)
        for one in results:
            if not one.failure and (self.best is None or sign * one.value > sign * self.best[0]):
                self.best = (one.value, one.number)
        now = time.monotonic()
        if self.silent or not results or (now - self._said < _PAUSE and self.done < self.asked):
            return
        self._said = now
        best = "" if self.best is None else f"; best {metric} {self.best[0]:.4f}, trial {self.best[1]}"
        failed = f", {self.failed} failed" if self.failed else ""
        print(f"{self.done} of {self.asked} done{failed}{best}  ({now - self._began:.1f} s)", file=sys.stderr)  # noqa: T201
