"""Trials on a Ray cluster: each group is a task; its results are stored by this process."""

import contextlib
import logging
import os
import sys
import warnings
from collections.abc import Sequence
from typing import Any

from handrail.errors import HandrailError
from handrail.training.signals import StopRequest
from handrail.tuning.executors.pool import OnResults, stop_error
from handrail.tuning.executors.worker import answer, make_request, read_results
from handrail.tuning.group import Assignment

_RETRIES = 3
_POLL = 0.5  # seconds between two checks for a stop request


class Cluster:
    """The workers of a Ray cluster, or two or more processes here (`local`).

    When a worker dies, finished groups are kept, and Ray gives its group to another worker, which resumes
    from the checkpoint if that lies on the same machine, else begins again, and comes to the same figures.

    Arguments:
        address: `local`, or as `ray.init` takes it.
        workers: processes of a local cluster.

    Raises: `HandrailError` when Ray is missing or there is no cluster.
    """

    def __init__(self, job: str, address: str, workers: int, *, stop_request: StopRequest) -> None:
        self.stop_request, self.local = stop_request, address == "local"
        try:
            import ray
        except ModuleNotFoundError:
            advice = "install it with: pip install 'handrail[cluster]'"
            raise HandrailError(f"tuning.cluster needs the package ray; {advice}") from None
        self.ray: Any = ray
        self._started_here = not self.ray.is_initialized()
        if self._started_here:
            _init_ray(self.ray, address, workers)
        self._task = self.ray.remote(num_cpus=1, max_retries=_RETRIES)(answer)
        self._job = self.ray.put(job)

    def run(self, groups: Sequence[Assignment], on_results: OnResults) -> None:
        # workers on other machines do not see the folders of checkpoints
        waiting = {
            self._task.remote(self._job, make_request(group, folder if self.local else None)): group
            for group, folder in groups
        }
        try:
            while waiting:
                done, _ = self.ray.wait(list(waiting), timeout=_POLL)
                for task in done:
                    on_results(waiting.pop(task).trials, read_results(_get(self.ray, task)))
                if self.stop_request:
                    raise stop_error(self.stop_request)
        finally:
            for task in waiting:
                self.ray.cancel(task, force=True)

    def close(self) -> None:
        """End the cluster if it was started here."""
        if self._started_here:
            self.ray.shutdown()


def _init_ray(ray: Any, address: str, workers: int) -> None:
    place: dict[str, Any] = {"address": address, "runtime_env": None}
    if address == "local":
        environment = {"env_vars": {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}}
        place = {"num_cpus": workers, "include_dashboard": False, "runtime_env": environment}
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(None):
            warnings.simplefilter("ignore")
            ray.init(**place, logging_level=logging.ERROR, log_to_driver=False)
    except (ConnectionError, ValueError, RuntimeError) as error:
        first = str(error).strip().splitlines()[0]
        problem = f"no Ray cluster at '{address}' ({first}); expected `local` or HOST:PORT"
        raise HandrailError(f"tuning.cluster: {problem}.") from error


def _get(ray: Any, task: Any) -> str:
    try:
        return ray.get(task)
    except ray.exceptions.RayError as error:
        first = str(error).strip().splitlines()[0]
        problem = f"could not be finished on the cluster after {_RETRIES} more attempts"
        raise HandrailError(f"a group of trials {problem}: {first}") from error
