"""Run a function in a fork of this process, and say how it ended.

The process that forks has imported everything and used nothing: libraries with threads of their own (Polars,
Arrow, torch) do not survive a fork once their threads have begun.
"""

import atexit
import contextlib
import gc
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

SPARE_MEMORY = 5 * 2**30  # bytes beyond what is mapped before the command: the machine is protected
SIGNALLED = 128
BROKEN = 99  # the exit code of a fork whose own function failed


@dataclass(frozen=True)
class Ending:
    """How a fork ended.

    code: the exit code, 128 + n after signal n. megabytes: the most memory that it had at once.
    """

    code: int
    seconds: float
    megabytes: float
    late: bool
    left_processes: bool


class _LateError(Exception):
    """The time is over."""


def run_forked(work: Callable[[], int], *, output: Path, limit: float) -> Ending:
    """Run `work` in a fork whose standard output and error go to `output`/stdout and `output`/stderr.

    Arguments:
        work: gives the exit code.
        limit: seconds after which the fork is killed, with all processes that it started.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    began = time.monotonic()
    fork = os.fork()
    if fork == 0:
        _live(work, output)
    late = False
    try:
        with _alarm(limit):
            _, status, usage = os.wait4(fork, 0)
    except _LateError:
        late = True
        os.killpg(fork, signal.SIGKILL)
        _, status, usage = os.wait4(fork, 0)
    seconds = time.monotonic() - began
    code = os.waitstatus_to_exitcode(status)
    code = SIGNALLED - code if code < 0 else code
    return Ending(code, seconds, usage.ru_maxrss / 1024, late, _kill_group(fork))


@contextlib.contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    def ring(_number: int, _frame: object) -> None:
        raise _LateError

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _kill_group(leader: int) -> bool:
    """Kill what a fork has left running. Returns: whether there was anything."""
    try:
        os.killpg(leader, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _live(work: Callable[[], int], output: Path) -> None:
    """The life of a fork: it never returns."""
    code = BROKEN
    try:
        os.setsid()
        for number, name, flags in (
            (0, os.devnull, os.O_RDONLY),
            (1, output / "stdout", os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
            (2, output / "stderr", os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        ):
            descriptor = os.open(name, flags, 0o600)
            os.dup2(descriptor, number)
            os.close(descriptor)
        _limit_memory()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        tempfile.tempdir = None  # found again, from TMPDIR
        atexit._clear()  # the parent's
        code = work()
    except BaseException:
        traceback.print_exc()
    finally:
        # What the end of a Python does, without the second that it takes to free torch.
        with contextlib.suppress(BaseException):
            gc.collect()
            atexit._run_exitfuncs()
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * os.sysconf("SC_PAGE_SIZE") + SPARE_MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
