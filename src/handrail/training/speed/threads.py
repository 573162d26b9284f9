"""How many threads a training takes: one for small steps; a cohort all there are while that is quicker.

Networks in a stack do not share a sum, so that another number of threads gives the same bits, and the choice
may change at any time.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import nn

from handrail.learning.rule import step_operations
from handrail.shapes import InputShape
from handrail.tools.machine import cores as machine_cores
from handrail.training.speed.compilation import best_of

_LARGE = 2e8  # operations a step of one network
_LARGE_COHORT = 3e7  # operations a step: smaller ones are over before a second thread has woken up
_SLOW = 1.2  # times a step on one thread: then others need the processor


def usual_threads(network: nn.Module, shape: InputShape, batch_size: int) -> int:
    """One thread for steps of less than 0.2 GFLOP, else as many as torch has.

    Small steps are over before a second thread has woken up; on a busy machine waiting for it can cost a
    hundredfold. Networks for pictures, series and tokens use each weight many times in a row.
    """
    small = isinstance(shape, int) and step_operations(network, batch_size) < _LARGE
    return 1 if small else torch.get_num_threads()


@contextmanager
def restore_threads() -> Iterator[None]:
    """Whatever number of threads is set inside, afterwards it is what it was."""
    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Threads:
    """One thread, or all of them as long as they pay.

    Arguments:
        step: a step of the cohort, without any effect.
        operations: of a step.
        free: whether the number is handrail's to choose.
        cores: as many at most; by default all that this process has.
    """

    def __init__(
        self, step: Callable[[], object], *, operations: int, free: bool, cores: int | None = None
    ) -> None:
        self.alone, self._slow = 0.0, 0
        every = machine_cores() if cores is None else min(machine_cores(), cores)
        if not free or torch.get_num_threads() > 1 or every < 2 or operations < _LARGE_COHORT:
            return
        alone = best_of(step)
        torch.set_num_threads(every)
        if best_of(step) < alone:
            self.alone = alone
        else:
            torch.set_num_threads(1)

    def begin(self) -> None:
        """Start the clock for some steps."""
        self._began = time.perf_counter()

    def end(self, steps: int) -> None:
        """Fall back to one thread after two slow blocks in a row (one may include tracing)."""
        if not self.alone:
            return
        self._slow = self._slow + 1 if time.perf_counter() - self._began > _SLOW * self.alone * steps else 0
        if self._slow > 1:
            torch.set_num_threads(1)
            self.alone = 0.0
