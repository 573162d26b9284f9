"""Successive halving: many trials begin, and the best third continues for three times as many epochs."""

import math
from collections.abc import Sequence

from handrail.tuning.space import Settings
from handrail.tuning.trial import Result, Trial

ETA = 3


class Halving:
    """Rungs of epochs: on rung r of R, n/3ʳ trials have been trained for 3^(r − R) of their epochs.

    Arguments:
        settings: of the trials that begin.
        epochs: of the recipe; no rung has less than one epoch.

    Source: Jamieson & Talwalkar 2016; the factor 3 of Li 2018
    """

    def __init__(self, settings: Sequence[Settings], *, epochs: int, higher: bool) -> None:
        self.last = min(_whole_log(len(settings)), _whole_log(epochs))
        self.sign = 1 if higher else -1
        self._next = [Trial(number, values, 0, self._share(0)) for number, values in enumerate(settings, 1)]
        self._asked: list[Trial] = []

    def ask(self) -> list[Trial]:
        self._asked, self._next = self._next, []
        return self._asked

    def tell(self, results: Sequence[Result]) -> None:
        """Keep the best third, unless the rung was the last; ties go to the lower loss, then number."""
        if not results or results[0].rung == self.last:
            return
        rung = results[0].rung + 1
        order = sorted(
            (result for result in results if not result.failure),
            key=lambda result: (-self.sign * result.value, result.loss, result.number),
        )
        best = {result.number for result in order[: max(1, len(results) // ETA)]}
        trials = [trial for trial in self._asked if trial.number in best]
        self._next = [Trial(trial.number, trial.settings, rung, self._share(rung)) for trial in trials]

    def _share(self, rung: int) -> float:
        return float(ETA) ** (rung - self.last)


def _whole_log(number: int) -> int:
    return int(math.log(number, ETA) + 1e-9)
