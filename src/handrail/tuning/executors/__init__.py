"""Executors train the groups of a search: this process, several worker processes, or a Ray cluster.

They may import groups, trials and the workspace of tuning, and what lies below. A new way to train groups
side by side implements `Executor` in a file of its own and is chosen by `make_executor`.
"""

import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from handrail.errors import RecipeError
from handrail.tools.machine import freeze_garbage
from handrail.training.signals import StopRequest
from handrail.training.speed.compilation import leave_no_empty_cache
from handrail.tuning.comparison import Measurement
from handrail.tuning.executors.pool import (
    ForkedProcess,
    NewProcess,
    OnResults,
    WorkerPool,
    can_copy,
    stop_error,
)
from handrail.tuning.executors.worker import make_job
from handrail.tuning.group import Assignment, GroupTrainer
from handrail.tuning.workspace import Workspace

_WORTH_WORKERS = 20.0  # seconds of work ahead from which starting processes pays


class Executor(Protocol):
    """Trains groups, in any order."""

    def run(self, groups: Sequence[Assignment], on_results: OnResults) -> None:
        """Train all groups; `on_results` is called in this thread for each one that is done.

        Raises: `Interrupted` when asked to stop.
        """

    def close(self) -> None:
        """End its processes."""


@dataclass
class ThisProcess:
    """Trains in this process, and hands the rest to `make_workers()` when much is left to do."""

    trainer: GroupTrainer
    stop_request: StopRequest
    make_workers: Callable[[], Executor] | None = None
    workers: Executor | None = None

    def run(self, groups: Sequence[Assignment], on_results: OnResults) -> None:
        left = list(groups)
        while left and self.workers is None:
            group, folder = left.pop(0)
            began = time.monotonic()
            on_results(group.trials, self.trainer.train(group, folder))
            if self.stop_request:
                raise stop_error(self.stop_request)
            expected = (time.monotonic() - began) * len(left)
            if self.make_workers and len(left) > 1 and expected > _WORTH_WORKERS:
                self.workers = self.make_workers()
        if left and self.workers is not None:
            self.workers.run(left, on_results)

    def close(self) -> None:
        if self.workers is not None:
            self.workers.close()


@dataclass
class ForkedProcesses:
    """Trains in `count` copies of this process; leaves one group, and rows outside memory, to `fallback`."""

    workspace: Workspace
    measurement: Measurement
    stop_request: StopRequest
    count: int
    fallback: Executor

    def run(self, groups: Sequence[Assignment], on_results: OnResults) -> None:
        if len(groups) < 2 or not all(self._is_in_memory(assignment) for assignment in groups):
            self.fallback.run(groups, on_results)
            return
        # Forked now, so that the copies have the rows that were encoded just above.
        start = functools.partial(ForkedProcess, self.workspace, self.measurement)
        pool = WorkerPool(start, min(self.count, len(groups)), stop_request=self.stop_request)
        with freeze_garbage():  # a collection in a copy would touch, and so copy, all that both share
            try:
                pool.run(groups, on_results)
            finally:
                pool.close()

    def close(self) -> None:
        self.fallback.close()

    def _is_in_memory(self, assignment: Assignment) -> bool:
        """Encode the rows of a group, which a copy could not; whether they lie in memory as numbers.

        A label that judges is read from the table after each trial, by polars, which hangs in a copy.
        """
        recipe = self.workspace.settle_trial(assignment[0].members[0])
        rows = [self.workspace.rows_for(recipe, fold) for fold in range(len(self.workspace.divisions))]
        return all(
            isinstance(fold.training_data.inputs, Tensor) and fold.task.spec.label is None for fold in rows
        )


def make_executor(
    workspace: Workspace, measurement: Measurement, count: int, *, stop_request: StopRequest
) -> Executor:
    """The executor that suits the settings of the search, its device and its data, with `count` processes.

    Raises: `RecipeError` when the recipe holds objects, which cannot be sent to a cluster.
    """
    leave_no_empty_cache()
    settings = workspace.recipe.tuning
    job = make_job(workspace, measurement)
    if settings.cluster is not None:
        if job is None:
            problem = "a recipe with objects cannot be sent; name its parts by import path"
            raise RecipeError(f"tuning.cluster: {problem}.")
        from handrail.tuning.executors.ray import Cluster

        return Cluster(job, settings.cluster, count, stop_request=stop_request)
    trainer = GroupTrainer(workspace, measurement, stop_request)
    if count == 1 or workspace.device.type != "cpu":
        return ThisProcess(trainer, stop_request)
    make_pool = None
    if job is not None:
        start = functools.partial(NewProcess, job)
        make_pool = functools.partial(WorkerPool, start, count, stop_request=stop_request)
    if settings.workers == "auto" or not make_pool:
        usual = ThisProcess(trainer, stop_request, make_pool)
    else:
        usual = make_pool()
    if not can_copy(workspace):
        return usual
    return ForkedProcesses(workspace, measurement, stop_request, count, usual)
