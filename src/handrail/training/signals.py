"""Ctrl-C and SIGTERM as a wish to stop, not as a crash."""

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


class StopRequest:
    """Set once somebody wants training to stop; `number` says by which signal."""

    def __init__(self) -> None:
        self.number = 0

    def __bool__(self) -> bool:
        return self.number != 0


@contextmanager
def listening(*, patient: bool = False) -> Iterator[StopRequest]:
    """While open, the first SIGINT or SIGTERM sets the wish; a second one ends the program at once.

    With `patient` it does not: what torchrun has started gets Ctrl-C from the terminal and from torchrun.
    """
    wish = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield wish
        return

    def note(number: int, _frame: FrameType | None) -> None:
        if wish and not patient:
            raise KeyboardInterrupt
        wish.number = wish.number or number

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield wish
    except BaseException:
        if patient:  # torchrun ends the others, too: let them say first what went wrong
            before[signal.SIGTERM] = signal.SIG_IGN
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
