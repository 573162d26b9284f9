"""Ctrl-C and SIGTERM as a request to stop, not as a crash."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupted(Exception):  # noqa: N818 - it is no error
    """Training was asked to stop, has saved everything, and can be resumed."""

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + number

    @classmethod
    def in_epoch(cls, epoch: int, step: int, number: int) -> "Interrupted":
        """By a signal of that number, between two steps."""
        return cls(f"stopped in epoch {epoch}, after step {step}; everything is saved.", number)


class StopRequest:
    """Set once somebody wants training to stop; `number` says by which signal."""

    def __init__(self) -> None:
        self.number = 0

    def __bool__(self) -> bool:
        return self.number != 0


@contextmanager
def listening(*, patient: bool = False) -> Iterator[StopRequest]:
    """While open, the first SIGINT or SIGTERM sets the request; a second one ends the program at once.

    With `patient` it does not: a process of torchrun gets Ctrl-C both from the terminal and from torchrun.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return

    def note(number: int, _frame: FrameType | None) -> None:
        if request and not patient:
            raise KeyboardInterrupt
        request.number = request.number or number

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield request
    except BaseException:
        if patient:  # torchrun ends the others, too: let them say first what went wrong
            before[signal.SIGTERM] = signal.SIG_IGN
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
