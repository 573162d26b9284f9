"""Who trains the groups of a search: this process, several others, or a cluster."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from handrail.errors import RunError
from handrail.training.signals import Interrupted, StopWish
from handrail.tuning.trial import Result, Trial
from handrail.tuning.work import Group, Measuring, work_on
from handrail.tuning.worker import request_of, results_of
from handrail.tuning.workshop import Workshop

Placed = tuple[Group, Path | None]  # and the folder of its checkpoints
Finished = Callable[[Sequence[Trial], Sequence[Result]], None]
_WORTH_IT = 20.0  # seconds ahead, from which on the start of processes is worth it
_ATTEMPTS = 3
_LOOK = 0.3  # seconds between two looks at whether to stop


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
        self, workshop: Workshop, measuring: Measuring, *, wish: StopWish, others: Callable[[], Hands] | None = None
    ) -> None:
        self.workshop, self.measuring, self.wish = workshop, measuring, wish
        self._make_others, self._others = others, None

    def do(self, groups: Sequence[Placed], finished: Finished) -> None:
        """One after another."""
        left = list(groups)
        while left and self._others is None:
            group, folder = left.pop(0)
            began = time.monotonic()
            finished(group.trials, work_on(self.workshop, group, self.measuring, folder=folder, wish=self.wish))
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


class Crew:
    """Worker processes. One that dies is replaced, and its group begun again from its checkpoint."""

    def __init__(self, job: str, count: int, *, wish: StopWish) -> None:
        self.job, self.wish = job, wish
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed by `close`)
        self._pool = ThreadPoolExecutor(count)
        self._free: list[subprocess.Popen[str]] = []
        self._all: list[subprocess.Popen[str]] = []
        self._closed = False

    def do(self, groups: Sequence[Placed], finished: Finished) -> None:
        """Side by side."""
        waiting = {self._pool.submit(self._ask, group, folder): group for group, folder in groups}
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
            for pipe in filter(None, (worker.stdin, worker.stdout)):
                with suppress(OSError):
                    pipe.close()
            worker.wait()
        self._all.clear()
        self._errors.close()

    def _ask(self, group: Group, folder: Path | None) -> list[Result]:
        for attempt in range(_ATTEMPTS):
            worker = self._free.pop() if self._free else self._started()
            line = _exchanged(worker, request_of(group, folder))
            if line:
                self._free.append(worker)
                return results_of(line)
            if self._closed:
                raise RunError("the search has ended.")
            if attempt == _ATTEMPTS - 1:
                raise self._ended(worker, group)
        raise AssertionError("unreachable")

    def _started(self) -> subprocess.Popen[str]:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        command = [sys.executable, "-P", "-W", "ignore", "-m", "handrail.tuning.worker"]
        worker = subprocess.Popen(  # noqa: S603 (this very interpreter)
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=environment,
            text=True,
            encoding="utf-8",
        )
        self._all.append(worker)
        assert worker.stdin
        with suppress(OSError):
            worker.stdin.write(self.job + "\n")
        return worker

    def _ended(self, worker: subprocess.Popen[str], group: Group) -> RunError:
        code = worker.wait()
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        said = f" Its last words: {lines[-1]}" if lines else ""
        how = f"was ended by signal {-code}; perhaps the memory was full" if code < 0 else f"ended with code {code}"
        numbers = ", ".join(str(trial.number) for trial in group.trials)
        return RunError(
            f"a process that trains trials {how}, three times at trials {numbers}. Fewer tuning.workers need less memory.{said}"
        )


def _exchanged(worker: subprocess.Popen[str], request: str) -> str:
    """A worker's answer; empty where it has died."""
    assert worker.stdin
    assert worker.stdout
    try:
        worker.stdin.write(request + "\n")
        worker.stdin.flush()
        return worker.stdout.readline()
    except (OSError, ValueError):
        return ""


def stopped(wish: StopWish) -> Interrupted:
    """What is raised when the search was asked to stop."""
    return Interrupted("stopped; every finished trial is stored.", wish.number)
