"""One voice for several processes: those that torchrun has started speak through the first, and each mistake
is told once.
"""

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
_MARK = "handrail: "  # how the one message begins that a command which fails ends with
# Seconds that a process which fails waits for others that will: torchrun ends those it finds at work.
_WAIT = 5.0
_SIGNALS = 128  # exit codes from here on tell of a signal, which everybody was sent


@contextmanager
def as_one() -> Iterator[None]:
    """While open, all processes but the first print nothing; a mistake that is theirs alone they tell at the
    end.
    """
    first, screen = os.environ.get("RANK", "0") == "0", sys.stderr
    errors: Any = _Heard(screen if first else io.StringIO())
    try:
        with redirect_stdout(sys.stdout if first else io.StringIO()), redirect_stderr(errors):
            _refuse_others()
            yield
    except SystemExit as end:
        if isinstance(end.code, int) and 0 < end.code < _SIGNALS:
            # Torchrun sends it as soon as one of them has ended.
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            _part(errors.last, screen, first=first)
        raise


class _Heard:
    """A stream that remembers the last message of a mistake."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self.last = stream, ""

    def write(self, text: str) -> int:
        self.last = text if isinstance(text, str) and text.startswith(_MARK) else self.last
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _refuse_others() -> None:
    command = sys.argv[1] if len(sys.argv) > 1 else ""
    if command and not command.startswith("-") and command not in _SHARED:
        sys.stderr.write(
            f"{_MARK}{command}: is not for several processes ({', '.join(_SHARED)} are); leave torchrun out.\n"
        )
        sys.exit(2)


def _part(text: str, screen: TextIO, *, first: bool) -> None:
    """Tell what nobody has told, and end together with all who have the same to say."""
    from torch import distributed as dist

    from handrail.training.distributed.processes import LOST

    until = time.monotonic() + _WAIT
    try:
        host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        store = dist.TCPStore(host, port, is_master=False, timeout=timedelta(seconds=_WAIT))  # pyright: ignore[reportPrivateImportUsage]
        if first:
            store.set("handrail/said", text)
        else:
            said = _said(store)
            known = text.strip() == said.strip() or bool(said and LOST in text)
            if not known and store.add(f"handrail/said/{text}", 1) == 1:
                screen.write(text)
        store.add("handrail/ended", 1)
        while store.add("handrail/ended", 0) < int(os.environ["WORLD_SIZE"]) and time.monotonic() < until:
            time.sleep(0.05)
    except RuntimeError:  # the place where they meet is gone, and all processes with it
        screen.write("" if first else text)


def _said(store: Any) -> str:
    """What the first process ended with; nothing where it is not about to end, or was killed."""
    try:
        return store.get("handrail/said").decode()
    except RuntimeError:
        return ""
