"""Trials on a Ray cluster: each group is a task, and what comes back is stored here."""

import contextlib
import logging
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from handrail.errors import HandrailError
from handrail.training.signals import StopWish
from handrail.tuning.executors.pool import Finished, stopped
from handrail.tuning.executors.worker import answer, request_of, results_of
from handrail.tuning.group import Placed

_RETRIES = 3
_LOOK = 0.5  # seconds between two looks at whether to stop


class Cluster:
    """The workers of a Ray cluster, or two or more processes here (`local`).

    A worker that dies takes with it what it was at work on, nothing that was finished: Ray gives its group to
    another one, where it goes on from its checkpoint if that lies on the same machine, else begins again, to
    the same figures.

    Arguments:
        address: `local`, or as `ray.init` takes it.
        workers: processes of a local cluster.

    Raises: `HandrailError` when Ray is missing or there is no cluster.
    """

    def __init__(self, job: str, address: str, workers: int, *, wish: StopWish) -> None:
        self.job, self.wish, self.local = job, wish, address == "local"
        self.ray = _ray()
        self._mine = not self.ray.is_initialized()
        if self._mine:
            _begin(self.ray, address, workers)
        self._task = self.ray.remote(num_cpus=1, max_retries=_RETRIES)(answer)
        self._job = self.ray.put(job)

    def do(self, groups: Sequence[Placed], finished: Finished) -> None:
        """Side by side, on whichever workers there are."""
        waiting = {
            self._task.remote(self._job, request_of(group, self._reachable(folder))): group
            for group, folder in groups
        }
        try:
            while waiting:
                done, _ = self.ray.wait(list(waiting), timeout=_LOOK)
                for one in done:
                    finished(waiting.pop(one).trials, results_of(_got(self.ray, one)))
                if self.wish:
                    raise stopped(self.wish)
        finally:
            for one in waiting:
                self.ray.cancel(one, force=True)

    def close(self) -> None:
        """Leave the cluster; one of our own ends."""
        if self._mine:
            self.ray.shutdown()

    def _reachable(self, folder: Path | None) -> Path | None:
        """Checkpoints are kept where all workers see the search folder."""
        return folder if self.local else None


def _ray() -> Any:
    try:
        import ray
    except ModuleNotFoundError:
        raise HandrailError(
            "tuning.cluster needs the package ray; install it with: pip install 'handrail[cluster]'"
        ) from None
    return ray


def _begin(ray: Any, address: str, workers: int) -> None:
    place = {"num_cpus": workers, "include_dashboard": False} if address == "local" else {"address": address}
    environment = (
        {"env_vars": {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}} if address == "local" else None
    )
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(None):
            warnings.simplefilter("ignore")
            ray.init(**place, runtime_env=environment, logging_level=logging.ERROR, log_to_driver=False)
    except (ConnectionError, ValueError, RuntimeError) as error:
        first = str(error).strip().splitlines()[0]
        raise HandrailError(
            f"tuning.cluster: there is no Ray cluster at '{address}' ({first}); expected `local` or HOST:PORT."
        ) from error


def _got(ray: Any, task: Any) -> str:
    try:
        return ray.get(task)
    except ray.exceptions.RayError as error:
        first = str(error).strip().splitlines()[0]
        raise HandrailError(
            f"a group of trials could not be finished on the cluster, after {_RETRIES} more attempts: {first}"
        ) from error
