"""A pool of worker processes that train groups side by side: new Pythons, or copies of this process."""

import json
import logging
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import IO, Protocol

import threadpoolctl
import torch

from handrail.errors import RunError
from handrail.tools.machine import keep_freed_memory
from handrail.tools.workers import WorkerProcess, explain_end
from handrail.training.signals import Interrupted, StopRequest
from handrail.training.speed.compilation import refuse_compiling
from handrail.tuning.comparison import Measurement
from handrail.tuning.executors.worker import answer_group, make_request, read_results
from handrail.tuning.group import Assignment, Group
from handrail.tuning.trial import Result, Trial
from handrail.tuning.workspace import Workspace

OnResults = Callable[[Sequence[Trial], Sequence[Result]], None]
COMPILER = "torch._inductor.async_compile"  # torch's compiler has threads and processes of its own
_ATTEMPTS = 3
_POLL = 0.3  # seconds between two checks for a stop request


class Worker(Protocol):
    """A process that answers requests; its standard error goes to a file that it is given."""

    def ask(self, request: str) -> str:
        """Its answer; empty if it has died."""
        ...
        ...

    def kill(self) -> None:
        """End it at once."""

    def wait(self) -> int:
        """Wait for its end. Returns: the exit code, −n after signal n."""
        ...
        ...


class WorkerPool:
    """Worker processes. One that dies is replaced, and its group resumes from its checkpoint."""

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


class NewProcess:
    """A new Python, which reads the rows itself, as `job` says: works everywhere, takes seconds to start."""

    def __init__(self, job: str, errors: IO[bytes]) -> None:
        self.job, self._worker = job, WorkerProcess("handrail.tuning.executors.worker", errors)
        self.kill, self.wait = self._worker.kill, self._worker.wait

    def ask(self, request: str) -> str:
        reply = self._worker.ask(json.dumps({"job": self.job, "group": request}))
        return "" if reply is None else reply[0]


class ForkedProcess:
    """A copy of this process with its rows, ready at once.

    A copy lacks the threads of libraries, so it works with a single thread, as the workers of torch's
    `DataLoader` do, and rows have to be encoded before it is made.
    """

    def __init__(self, workspace: Workspace, measurement: Measurement, errors: IO[bytes]) -> None:
        context = multiprocessing.get_context("fork")
        self.pipe, child_pipe = context.Pipe()
        self.process = context.Process(
            target=_answer, args=(child_pipe, self.pipe, workspace, measurement, errors), daemon=True
        )
        with warnings.catch_warnings():
            # Python warns of locks that other threads may hold; a copy needs none of them.
            warnings.simplefilter("ignore", DeprecationWarning)
            self.process.start()
        child_pipe.close()

    def ask(self, request: str) -> str:
        try:
            self.pipe.send_bytes(request.encode())
            return self.pipe.recv_bytes().decode()
        except (OSError, EOFError):
            return ""

    def kill(self) -> None:
        self.process.kill()

    def wait(self) -> int:
        self.pipe.close()
        self.process.join()
        return self.process.exitcode or 0


def can_copy(workspace: Workspace) -> bool:
    """Whether copies of this process can train: on Linux, on the CPU, with one thread, uncompiled."""
    settings, space = workspace.recipe.training, workspace.recipe.tuning.space
    return (
        sys.platform == "linux"
        and not multiprocessing.current_process().daemon
        and workspace.device.type == "cpu"
        and workspace.threads == 1
        and settings.threads in ("auto", 1)
        and settings.compile is not True
        and not any(name.startswith(("training.threads", "training.compile")) for name in space)
        and COMPILER not in sys.modules
    )


def _answer(
    pipe: Connection,
    parent_pipe: Connection,
    workspace: Workspace,
    measurement: Measurement,
    errors: IO[bytes],
) -> None:
    """In the copy: answer requests until the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the main process, which then ends this one
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    parent_pipe.close()
    _redirect_output(errors)
    refuse_compiling("copies of a process compile nothing")
    torch.set_num_threads(1)
    threadpoolctl.threadpool_limits(1)
    keep_freed_memory()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(EOFError, OSError):
        while True:
            pipe.send_bytes(answer_group(workspace, measurement, pipe.recv_bytes().decode()).encode())


def _redirect_output(errors: IO[bytes]) -> None:
    """Print to the file; a copy must not use the streams and log handlers of its parent."""
    os.dup2(errors.fileno(), 2)
    sys.stdout = sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    logging.disable()
    warnings.simplefilter("ignore")


def _end_with_parent() -> None:
    """Two processes must not train in one folder."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    multiprocessing.connection.wait([parent.sentinel])
    os._exit(0)
