"""Who trains the groups of a search: this process, several others, or a cluster."""

import functools
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from torch import Tensor

from handrail.tools.machine import collecting_little
from handrail.training.signals import StopWish
from handrail.tuning.executors.pool import Crew, Finished, stopped
from handrail.tuning.executors.processes import Forked
from handrail.tuning.group import Measuring, Placed, work_on
from handrail.tuning.workspace import Workshop

_WORTH_IT = 20.0  # seconds ahead, from which on the start of processes is worth it


class Hands(Protocol):
    """Trains groups, in any order."""

    def do(self, groups: Sequence[Placed], finished: Finished) -> None:
        """Train all; `finished` is called in this thread as each group comes in.

        Raises: `Interrupted` when asked to stop.
        """
        ...

    def close(self) -> None:
        """Let go of processes."""
        ...


class Own:
    """This process; where much is left to do and `others` may help, those."""

    def __init__(
        self,
        workshop: Workshop,
        measuring: Measuring,
        *,
        wish: StopWish,
        others: Callable[[], Hands] | None = None,
    ) -> None:
        self.workshop, self.measuring, self.wish = workshop, measuring, wish
        self._make_others, self._others = others, None

    def do(self, groups: Sequence[Placed], finished: Finished) -> None:
        """One after another."""
        left = list(groups)
        while left and self._others is None:
            group, folder = left.pop(0)
            began = time.monotonic()
            finished(
                group.trials, work_on(self.workshop, group, self.measuring, folder=folder, wish=self.wish)
            )
            if self.wish:
                raise stopped(self.wish)
            if self._make_others and len(left) > 1 and (time.monotonic() - began) * len(left) > _WORTH_IT:
                self._others = self._make_others()
        if left and self._others is not None:
            self._others.do(left, finished)

    def close(self) -> None:
        """The others', if there are any."""
        if self._others is not None:
            self._others.close()


class Copies:
    """Copies of this process, for groups whose rows lie in memory; for others, and for a single group,
    `alone`.
    """

    def __init__(
        self, workshop: Workshop, measuring: Measuring, count: int, *, wish: StopWish, alone: Hands
    ) -> None:
        self.workshop, self.measuring, self.count = workshop, measuring, count
        self.wish, self.alone = wish, alone

    def do(self, groups: Sequence[Placed], finished: Finished) -> None:
        """Side by side, by copies that are made now: they have the rows that were encoded until now."""
        if len(groups) < 2 or not all(self._is_ready(placed) for placed in groups):
            self.alone.do(groups, finished)
            return
        crew = Crew(
            functools.partial(Forked, self.workshop, self.measuring),
            min(self.count, len(groups)),
            wish=self.wish,
        )
        with collecting_little():  # a collection in a copy would touch, and so copy, all that both share
            try:
                crew.do(groups, finished)
            finally:
                crew.close()

    def close(self) -> None:
        """Those of `alone`."""
        self.alone.close()

    def _is_ready(self, placed: Placed) -> bool:
        """Encode its rows, which a copy could not, and say whether they lie in memory as numbers."""
        recipe = self.workshop.settle_trial(placed[0].members[0])
        folds = range(len(self.workshop.divisions))
        return all(isinstance(self.workshop.bench(recipe, fold).lesson.inputs, Tensor) for fold in folds)
