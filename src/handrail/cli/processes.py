"""One output for the processes that torchrun started: only the first prints, and each error appears once."""

import io
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from datetime import timedelta
from typing import Any, TextIO

_SHARED = ("fit", "resume")
_MARK = "handrail: "  # the beginning of an error message
_WAIT = 5.0  # seconds that a failing process waits for the others: torchrun kills those still at work
_SIGNALS = 128  # exit codes from here on mean a signal, which every process was sent


@contextmanager
def print_once() -> Iterator[None]:
    """While open, only the first process prints; the others print an error of their own at the end."""
    first, screen = os.environ.get("RANK", "0") == "0", sys.stderr
    errors: Any = _Recorder(screen if first else io.StringIO())
    try:
        with redirect_stdout(sys.stdout if first else io.StringIO()), redirect_stderr(errors):
            _refuse_other_commands()
            yield
    except SystemExit as end:
        if isinstance(end.code, int) and 0 < end.code < _SIGNALS:
            _end_together(errors.last, screen, first=first)
        raise


class _Recorder:
    """A stream that remembers the last error message."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self.last = stream, ""

    def write(self, text: str) -> int:
        if isinstance(text, str) and text.startswith(_MARK):
            signal.signal(signal.SIGTERM, signal.SIG_IGN)  # torchrun sends it once a process has ended
            self.last = text
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _refuse_other_commands() -> None:
    command = sys.argv[1] if len(sys.argv) > 1 else ""
    if command and not command.startswith("-") and command not in _SHARED:
        sys.stderr.write(
            f"{_MARK}{command}: cannot use several processes ({', '.join(_SHARED)} can); omit torchrun.\n"
        )
        sys.exit(2)


def _end_together(text: str, screen: TextIO, *, first: bool) -> None:
    """Print an error that no other process has printed, and wait until all have ended."""
    from torch import distributed as dist

    from handrail.training.distributed.processes import LOST

    until = time.monotonic() + _WAIT
    try:
        host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        connect: Any = dist.TCPStore  # pyright: ignore[reportPrivateImportUsage]
        store = connect(host, port, is_master=False, timeout=timedelta(seconds=_WAIT))
        if first:
            store.set("handrail/said", text)
        else:
            first_error = _first_error(store)
            known = text.strip() == first_error.strip() or bool(first_error and LOST in text)
            if not known and store.add(f"handrail/said/{text}", 1) == 1:
                screen.write(text)
        store.add("handrail/ended", 1)
        while store.add("handrail/ended", 0) < int(os.environ["WORLD_SIZE"]) and time.monotonic() < until:
            time.sleep(0.05)
    except RuntimeError:  # the store is gone, and the other processes with it
        screen.write("" if first else text)


def _first_error(store: Any) -> str:
    """The error of the first process; empty if it is not ending, or was killed."""
    try:
        return store.get("handrail/said").decode()
    except RuntimeError:
        return ""
