"""Two ways to start a process that trains groups of trials: a new Python, or a copy of this process."""

import json
import logging
import multiprocessing
import os
import signal
import sys
import threading
import warnings
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import IO

import threadpoolctl
import torch

from handrail.tools.machine import keep_freed_memory
from handrail.tools.workers import WorkerProcess
from handrail.training.speed.compilation import refuse_compiling
from handrail.tuning.executors.worker import answer_group
from handrail.tuning.group import Measurement
from handrail.tuning.workspace import Workspace

COMPILER = "torch._inductor.async_compile"  # torch's compiler has threads and processes of its own


class NewProcess:
    """A new Python, which reads the rows itself: works everywhere, and takes seconds until it is ready.

    Arguments:
        job: from `make_job`.
        errors: the file that receives its standard error.
    """

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

    Arguments:
        errors: the file that receives its standard error.
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
    settings = workspace.recipe.training
    return (
        sys.platform == "linux"
        and not multiprocessing.current_process().daemon
        and workspace.device.type == "cpu"
        and workspace.threads == 1
        and settings.threads in ("auto", 1)
        and settings.compile is not True
        and not any(
            name.startswith(("training.threads", "training.compile"))
            for name in workspace.recipe.tuning.space
        )
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
    wait([parent.sentinel])
    os._exit(0)
