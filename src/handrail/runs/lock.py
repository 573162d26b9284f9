"""One at a time: who writes into a run folder or a search folder holds its lock.

The lock is the operating system's, on a file of the folder, so that it ends with the process however that
ends. Reading needs no lock.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from filelock import FileLock, Timeout

from handrail.errors import RunError
from handrail.tools.files import cannot_write, check_inside, sweep

LOCK = ".lock"
_held: ContextVar[frozenset[Path]] = ContextVar("held", default=frozenset())  # by this thread


@contextmanager
def hold(path: Path) -> Iterator[None]:
    """While open, nobody else writes into this folder: no other process, and no other thread.

    Nothing inside may lead out of the folder, and temporary files of processes that were killed are removed.
    Whoever holds a folder may hold it again.

    Raises: `RunError` when somebody else is at work there; `HandrailError` when the folder cannot be written
        to, or holds a link that leads out of it.
    """
    home = path.resolve()
    if home in _held.get():
        yield
        return
    with lock(path):
        token = _held.set(_held.get() | {home})
        try:
            check_inside(home)
            sweep(home)
            yield
        finally:
            _held.reset(token)


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """The lock alone. Raises: `RunError` when somebody else holds it, `HandrailError` as `hold`."""
    file = FileLock(path.resolve() / LOCK, blocking=False)
    try:
        file.acquire()
        if not (path / LOCK).exists():  # removed with its folder by whoever held it until now
            file.release()
            file.acquire()
    except Timeout:
        raise RunError(
            f"'{path}' is in use: another process, or another thread, writes there. Wait until it has ended, "
            "or end it."
        ) from None
    except OSError as error:
        raise cannot_write(path / LOCK, error) from error
    try:
        yield
    finally:
        file.release()
