"""Several processes that train groups of trials, side by side."""

import tempfile
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from typing import IO, Protocol

from handrail.errors import RunError
from handrail.training.signals import Interrupted, StopWish
from handrail.tuning.executors.worker import request_of, results_of
from handrail.tuning.group import Group, Placed
from handrail.tuning.trial import Result, Trial

Finished = Callable[[Sequence[Trial], Sequence[Result]], None]
_ATTEMPTS = 3
_LOOK = 0.3  # seconds between two looks at whether to stop


class Worker(Protocol):
    """A process that answers requests."""

    def ask(self, request: str) -> str:
        """Its answer; empty where it has died."""
        ...

    def kill(self) -> None:
        """End it at once."""
        ...

    def wait(self) -> int:
        """Until it has ended; below 0 by that signal."""
        ...


class Crew:
    """Worker processes. One that dies is replaced, and its group begun again from its checkpoint.

    Arguments:
        start: makes a worker whose standard error goes to the file given.
    """

    def __init__(self, start: Callable[[IO[bytes]], Worker], count: int, *, wish: StopWish) -> None:
        self.start, self.count, self.wish = start, count, wish
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed by `close`)
        self._pool = ThreadPoolExecutor(count)
        self._starting = threading.Lock()
        self._free: list[Worker] = []
        self._all: list[Worker] = []
        self._closed = False

    def do(self, groups: Sequence[Placed], finished: Finished) -> None:
        """Side by side."""
        while len(self._all) < min(self.count, len(groups)):
            self._free.append(self._started())
        waiting = {self._pool.submit(self._ask, placed): placed[0] for placed in groups}
        while waiting:
            for done in wait(waiting, timeout=_LOOK, return_when=FIRST_COMPLETED).done:
                finished(waiting.pop(done).trials, done.result())
            if self.wish:
                raise stopped(self.wish)

    def close(self) -> None:
        """End all of them."""
        self._closed = True
        for worker in self._all:
            worker.kill()
        self._pool.shutdown(wait=True, cancel_futures=True)
        for worker in self._all:
            worker.wait()
        self._all.clear()
        self._errors.close()

    def _ask(self, placed: Placed) -> list[Result]:
        group, folder = placed
        for attempt in range(_ATTEMPTS):
            worker = self._free.pop() if self._free else self._started()
            line = worker.ask(request_of(group, folder))
            if line:
                self._free.append(worker)
                return results_of(line)
            if self._closed:
                raise RunError("the search has ended.")
            if attempt == _ATTEMPTS - 1:
                raise self._ended(worker, group)
        raise AssertionError("unreachable")

    def _started(self) -> Worker:
        with self._starting:
            worker = self.start(self._errors)
            self._all.append(worker)
            return worker

    def _ended(self, worker: Worker, group: Group) -> RunError:
        code = worker.wait()
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        said = f" Its last words: {lines[-1]}" if lines else ""
        how = (
            f"was ended by signal {-code}; perhaps the memory was full"
            if code < 0
            else f"ended with code {code}"
        )
        numbers = ", ".join(str(trial.number) for trial in group.trials)
        return RunError(
            f"a process that trains trials {how}, three times at trials {numbers}. Fewer tuning.workers need less memory.{said}"
        )


def stopped(wish: StopWish) -> Interrupted:
    """What is raised when the search was asked to stop."""
    return Interrupted("stopped; every finished trial is stored.", wish.number)
