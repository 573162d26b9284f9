"""Two ways to start a process that trains groups of trials: anew, or as a copy of this one."""

import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import warnings
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import IO

import threadpoolctl
import torch

from handrail.tools.machine import keep_freed
from handrail.training.speed.compilation import refuse_compiling
from handrail.tuning.executors.worker import answered
from handrail.tuning.group import Measuring
from handrail.tuning.workspace import Workshop

COMPILER = "torch._inductor.async_compile"  # torch's; it has threads and processes of its own


class Fresh:
    """A new Python, which reads the rows itself: right everywhere, and seconds until it is ready.

    Arguments:
        job: what it has to know.
        errors: where its standard error goes.
    """

    def __init__(self, job: str, errors: IO[bytes]) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        command = [sys.executable, "-P", "-W", "ignore", "-m", "handrail.tuning.executors.worker"]
        self.process = subprocess.Popen(  # noqa: S603 (this very interpreter)
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment,
            text=True,
            encoding="utf-8",
        )
        with suppress(OSError):
            self._send(job)

    def ask(self, request: str) -> str:
        """Its answer; empty where it has died."""
        assert self.process.stdout
        try:
            self._send(request)
            return self.process.stdout.readline()
        except (OSError, ValueError):
            return ""

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()

    def wait(self) -> int:
        """Until it has ended."""
        for pipe in filter(None, (self.process.stdin, self.process.stdout)):
            with suppress(OSError):
                pipe.close()
        return self.process.wait()

    def _send(self, line: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()


class Forked:
    """A copy of this process, with its rows: ready at once.

    What a copy lacks are the threads of libraries, so all that it does is done by one thread, as in the
    workers of torch's `DataLoader`; and rows have to be encoded before.

    Arguments:
        errors: where its standard error goes.
    """

    def __init__(self, workshop: Workshop, measuring: Measuring, errors: IO[bytes]) -> None:
        context = multiprocessing.get_context("fork")
        self.pipe, others = context.Pipe()
        self.process = context.Process(
            target=_answer, args=(others, self.pipe, workshop, measuring, errors), daemon=True
        )
        with warnings.catch_warnings():
            # Of threads whose locks a copy would find held: it needs none.
            warnings.simplefilter("ignore", DeprecationWarning)
            self.process.start()
        others.close()

    def ask(self, request: str) -> str:
        """Its answer; empty where it has died."""
        try:
            self.pipe.send_bytes(request.encode())
            return self.pipe.recv_bytes().decode()
        except (OSError, EOFError):
            return ""

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()

    def wait(self) -> int:
        """Until it has ended."""
        self.pipe.close()
        self.process.join()
        return self.process.exitcode or 0


def can_copy(workshop: Workshop) -> bool:
    """Whether copies of this process can train: with one thread on a Linux machine's processor, and nothing
    translated to machine code.
    """
    own = workshop.recipe.training
    return (
        sys.platform == "linux"
        and not multiprocessing.current_process().daemon
        and workshop.device.type == "cpu"
        and workshop.threads == 1
        and own.threads in ("auto", 1)
        and own.compile is not True
        and not any(
            name.startswith(("training.threads", "training.compile")) for name in workshop.recipe.tuning.space
        )
        and COMPILER not in sys.modules
    )


def _answer(
    pipe: Connection, parents: Connection, workshop: Workshop, measuring: Measuring, errors: IO[bytes]
) -> None:
    """In the copy: answer until the requests end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the main process, which then ends this one
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    parents.close()
    _fall_silent(errors)
    refuse_compiling("copies of a process compile nothing")
    torch.set_num_threads(1)
    threadpoolctl.threadpool_limits(1)
    keep_freed()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(EOFError, OSError):
        while True:
            pipe.send_bytes(answered(workshop, measuring, pipe.recv_bytes().decode()).encode())


def _fall_silent(errors: IO[bytes]) -> None:
    """What is printed goes to the file; streams and log handlers of the process are not a copy's to use."""
    os.dup2(errors.fileno(), 2)
    sys.stdout = sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    logging.disable()
    warnings.simplefilter("ignore")


def _end_with_parent() -> None:
    """Two must not train in one folder."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(0)
