"""A pool of worker processes that train groups of trials side by side."""

import tempfile
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from typing import IO, Protocol

from handrail.errors import RunError
from handrail.tools.workers import explain_end
from handrail.training.signals import Interrupted, StopRequest
from handrail.tuning.executors.worker import make_request, read_results
from handrail.tuning.group import Assignment, Group
from handrail.tuning.trial import Result, Trial

OnResults = Callable[[Sequence[Trial], Sequence[Result]], None]
_ATTEMPTS = 3
_POLL = 0.3  # seconds between two checks for a stop request


class Worker(Protocol):
    """A process that answers requests."""

    def ask(self, request: str) -> str:
        """Its answer; empty if it has died."""
        ...

    def kill(self) -> None:
        """End it at once."""
        ...

    def wait(self) -> int:
        """Wait for its end. Returns: the exit code, −n after signal n."""
        ...


class WorkerPool:
    """Worker processes. One that dies is replaced, and its group resumes from its checkpoint.

    Arguments:
        start: makes a worker whose standard error goes to the given file.
    """

    def __init__(
        self, start: Callable[[IO[bytes]], Worker], count: int, *, stop_request: StopRequest
    ) -> None:
        self.start, self.count, self.stop_request = start, count, stop_request
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed by `close`)
        self._threads = ThreadPoolExecutor(count)
        self._starting = threading.Lock()
        self._free: list[Worker] = []
        self._all: list[Worker] = []
        self._closed = False

    def run(self, groups: Sequence[Assignment], on_results: OnResults) -> None:
        """Train all groups; `on_results` is called in this thread for each one that is done."""
        while len(self._all) < min(self.count, len(groups)):
            self._free.append(self._start_worker())
        waiting = {self._threads.submit(self._ask, assignment): assignment[0] for assignment in groups}
        while waiting:
            for done in wait(waiting, timeout=_POLL, return_when=FIRST_COMPLETED).done:
                on_results(waiting.pop(done).trials, done.result())
            if self.stop_request:
                raise stop_error(self.stop_request)

    def close(self) -> None:
        """End all workers."""
        self._closed = True
        for worker in self._all:
            worker.kill()
        self._threads.shutdown(wait=True, cancel_futures=True)
        for worker in self._all:
            worker.wait()
        self._all.clear()
        self._errors.close()

    def _ask(self, assignment: Assignment) -> list[Result]:
        group, folder = assignment
        for attempt in range(_ATTEMPTS):
            worker = self._free.pop() if self._free else self._start_worker()
            line = worker.ask(make_request(group, folder))
            if line:
                self._free.append(worker)
                return read_results(line)
            if self._closed:
                raise RunError("the search has ended.")
            if attempt == _ATTEMPTS - 1:
                raise self._explain_failure(worker, group)
        raise AssertionError("unreachable")

    def _start_worker(self) -> Worker:
        with self._starting:
            worker = self.start(self._errors)
            self._all.append(worker)
            return worker

    def _explain_failure(self, worker: Worker, group: Group) -> RunError:
        end, last_words = explain_end(worker.wait(), self._errors)
        numbers = ", ".join(str(trial.number) for trial in group.trials)
        return RunError(
            f"a process that trains trials {end}, three times at trials {numbers}. "
            f"Fewer tuning.workers need less memory.{last_words}"
        )


def stop_error(stop_request: StopRequest) -> Interrupted:
    """The exception to raise when the search was asked to stop."""
    return Interrupted("stopped; every finished trial is stored.", stop_request.number)
