"""Executors train the groups of a search: this process, several worker processes, or a Ray cluster.

They may import the groups and workspace of tuning, `training` and `tools`. A new way to train groups side by
side implements `Executor` in a file of its own and is chosen in `tuning.search`.
"""

import functools
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from torch import Tensor

from handrail.tools.machine import freeze_garbage
from handrail.training.signals import StopRequest
from handrail.tuning.executors.pool import OnResults, WorkerPool, stop_error
from handrail.tuning.executors.processes import ForkedProcess
from handrail.tuning.group import Assignment, Measurement, train_group
from handrail.tuning.workspace import Workspace

_WORTH_WORKERS = 20.0  # seconds of work ahead from which starting processes pays


class Executor(Protocol):
    """Trains groups, in any order."""

    def run(self, groups: Sequence[Assignment], on_results: OnResults) -> None:
        """Train all groups; `on_results` is called in this thread for each one that is done.

        Raises: `Interrupted` when asked to stop.
        """
        ...

    def close(self) -> None:
        """End its processes."""
        ...


class ThisProcess:
    """Trains in this process, and hands the rest to `make_workers()` when much is left to do."""

    def __init__(
        self,
        workspace: Workspace,
        measurement: Measurement,
        *,
        stop_request: StopRequest,
        make_workers: Callable[[], Executor] | None = None,
    ) -> None:
        self.workspace, self.measurement, self.stop_request = workspace, measurement, stop_request
        self._make_workers, self._workers = make_workers, None

    def run(self, groups: Sequence[Assignment], on_results: OnResults) -> None:
        left = list(groups)
        while left and self._workers is None:
            group, folder = left.pop(0)
            began = time.monotonic()
            results = train_group(
                self.workspace, group, self.measurement, folder=folder, stop_request=self.stop_request
            )
            on_results(group.trials, results)
            if self.stop_request:
                raise stop_error(self.stop_request)
            expected = (time.monotonic() - began) * len(left)
            if self._make_workers and len(left) > 1 and expected > _WORTH_WORKERS:
                self._workers = self._make_workers()
        if left and self._workers is not None:
            self._workers.run(left, on_results)

    def close(self) -> None:
        if self._workers is not None:
            self._workers.close()


class ForkedProcesses:
    """Trains in copies of this process if the rows of all groups lie in memory; else `fallback` trains.

    A single group is left to `fallback`, too.
    """

    def __init__(
        self,
        workspace: Workspace,
        measurement: Measurement,
        count: int,
        *,
        stop_request: StopRequest,
        fallback: Executor,
    ) -> None:
        self.workspace, self.measurement, self.count = workspace, measurement, count
        self.stop_request, self.fallback = stop_request, fallback

    def run(self, groups: Sequence[Assignment], on_results: OnResults) -> None:
        if len(groups) < 2 or not all(self._is_in_memory(assignment) for assignment in groups):
            self.fallback.run(groups, on_results)
            return
        # Forked now, so that the copies have the rows that were encoded just above.
        pool = WorkerPool(
            functools.partial(ForkedProcess, self.workspace, self.measurement),
            min(self.count, len(groups)),
            stop_request=self.stop_request,
        )
        with freeze_garbage():  # a collection in a copy would touch, and so copy, all that both share
            try:
                pool.run(groups, on_results)
            finally:
                pool.close()

    def close(self) -> None:
        self.fallback.close()

    def _is_in_memory(self, assignment: Assignment) -> bool:
        """Encode the rows of a group, which a copy could not; whether they lie in memory as numbers."""
        recipe = self.workspace.settle_trial(assignment[0].members[0])
        folds = range(len(self.workspace.divisions))
        return all(isinstance(self.workspace.rows_for(recipe, fold).lesson.inputs, Tensor) for fold in folds)
