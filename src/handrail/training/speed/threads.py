"""How many threads a cohort takes: all there are while that is quicker, else one.

Networks in a stack do not share a sum, so that another number of threads gives the same bits, and the choice
may change at any time.
"""

import time
from collections.abc import Callable

import torch

from handrail.tools.machine import cores as machine_cores
from handrail.training.speed.compilation import best_of

_LARGE = 3e7  # operations a step: smaller ones are over before a second thread has woken up
_SLOW = 1.2  # times a step on one thread: then others need the processor


class Threads:
    """One thread, or all of them as long as they pay.

    Arguments:
        step: a step of the cohort, without any effect.
        operations: of a step.
        free: whether the number is handrail's to choose.
        cores: as many at most; by default all that this process has.
    """

    def __init__(
        self, step: Callable[[], object], *, operations: float, free: bool, cores: int | None = None
    ) -> None:
        self.alone, self._slow = 0.0, 0
        every = machine_cores() if cores is None else min(machine_cores(), cores)
        if not free or torch.get_num_threads() > 1 or every < 2 or operations < _LARGE:
            return
        alone = best_of(step)
        torch.set_num_threads(every)
        if best_of(step) < alone:
            self.alone = alone
        else:
            torch.set_num_threads(1)

    def begin(self) -> None:
        """A stretch of steps begins."""
        self._began = time.perf_counter()

    def end(self, steps: int) -> None:
        """It has ended: where two behind each other took too long, go on with one thread; in a single one a
        step may have been traced.
        """
        if not self.alone:
            return
        self._slow = self._slow + 1 if time.perf_counter() - self._began > _SLOW * self.alone * steps else 0
        if self._slow > 1:
            torch.set_num_threads(1)
            self.alone = 0.0
