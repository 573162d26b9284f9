"""Successive halving: many trials begin, and the better third goes on three times as long."""

import math
from collections.abc import Sequence

from handrail.tuning.space import Settings
from handrail.tuning.trial import Result, Trial

ETA = 3


class Halving:
    """Rungs of epochs: on rung r of R, n/3ʳ trials have been trained for 3^(r − R) of their epochs; the best
    third goes on.

    Arguments:
        settings: of the trials that begin.
        epochs: of the recipe; rungs of less than one epoch there are none.
        higher: whether a higher figure is a better one.

    Source: Jamieson & Talwalkar 2016; the factor 3 of Li 2018
    """

    def __init__(self, settings: Sequence[Settings], *, epochs: int, higher: bool) -> None:
        self.last = min(_whole_log(len(settings)), _whole_log(epochs))
        self.sign = 1 if higher else -1
        self._next = [Trial(number, one, 0, self._share(0)) for number, one in enumerate(settings, start=1)]
        self._asked: list[Trial] = []

    def ask(self) -> list[Trial]:
        """The trials of the next rung."""
        self._asked, self._next = self._next, []
        return self._asked

    def tell(self, results: Sequence[Result]) -> None:
        """The better third goes on, unless this was the last rung; of equal ones those with the lower loss,
        then the earlier.
        """
        if not results or results[0].rung == self.last:
            return
        rung = results[0].rung + 1
        order = sorted(
            (one for one in results if not one.failure),
            key=lambda one: (-self.sign * one.value, one.loss, one.number),
        )
        kept = {one.number for one in order[: max(1, len(results) // ETA)]}
        self._next = [
            Trial(one.number, one.settings, rung, self._share(rung))
            for one in self._asked
            if one.number in kept
        ]

    def _share(self, rung: int) -> float:
        return float(ETA) ** (rung - self.last)


def _whole_log(number: int) -> int:
    return int(math.log(number, ETA) + 1e-9)
