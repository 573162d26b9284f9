"""A panic of a library in Rust, such as polars for many a damaged file, as an error like others.

Python learns of it as an exception outside of `Exception`, after a trace that Rust itself writes on standard
error.
"""

import contextlib
import os
import sys
import tempfile
import threading
from collections.abc import Iterator

_holding = threading.Lock()  # there is one standard error


class PanicError(RuntimeError):
    """A library has given up in the middle; what it was given is damaged."""


@contextlib.contextmanager
def catch_panics() -> Iterator[None]:
    """Within the context a panic is a `PanicError`, of which nothing else is shown.

    What is written on standard error meanwhile is shown at the end, unless it is the trace of a panic.
    """
    with _hold_back() as held:
        try:
            yield
        except BaseException as error:
            if type(error).__name__ != "PanicException":
                raise
            held.clear()
            raise PanicError((str(error).splitlines() or [""])[0]) from error


@contextlib.contextmanager
def _hold_back() -> Iterator[list[int]]:
    """Hold standard error back; the list is to be emptied if it is not to be shown."""
    with contextlib.ExitStack() as stack:
        held: list[int] = []
        if _holding.acquire(blocking=False):  # another thread holds it back already
            stack.callback(_holding.release)
            with contextlib.suppress(OSError):  # there is none, or no room
                file = stack.enter_context(tempfile.TemporaryFile())
                _flush()
                shown = os.dup(2)
                stack.callback(os.close, shown)
                os.dup2(file.fileno(), 2)
                stack.callback(_show, held, file.fileno(), shown)
                held.append(2)
        yield held


def _show(held: list[int], file: int, shown: int) -> None:
    """Standard error is what it was, with what was held back."""
    _flush()
    os.dup2(shown, 2)
    os.lseek(file, 0, os.SEEK_SET)
    while held and (text := os.read(file, 1 << 16)):
        os.write(2, text)


def _flush() -> None:
    with contextlib.suppress(OSError, ValueError, AttributeError):  # it is closed, or there is none
        sys.stderr.flush()
