"""Files are written whole or not at all: a temporary name in the same folder, fsync, rename.

A temporary name says which process on which machine writes it, so that what a kill left behind can be told
from what is being written.
"""

import contextlib
import errno
import functools
import hashlib
import os
import platform
import re
import secrets
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TextIO

from handrail.errors import DataError, HandrailError, RunError
from handrail.tools.interface import argument

_REASONS = {
    errno.ENOSPC: "the disk is full; make room, or choose another place",
    errno.EDQUOT: "the disk quota is used up; make room, or choose another place",
    errno.EROFS: "the file system is read-only; choose another place",
    errno.EACCES: "permission is denied; choose a folder that you may write to",
    errno.EPERM: "permission is denied; choose a folder that you may write to",
    errno.ENOENT: "the folder does not exist; make it first, or correct the path",
    errno.ENOTDIR: "a part of the path is a file, not a folder; correct the path",
    errno.EEXIST: "something of that name is in the way; choose another name",
    errno.EISDIR: "a folder of that name is in the way; choose another name",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
    errno.ELOOP: "it is a symbolic link; remove it, or put a file in its place",
    errno.ENXIO: "it is no regular file; remove it",
}
_TEMPORARY = re.compile(r"\.(?:(?P<machine>[0-9a-f]{6})-(?P<process>\d+)-[0-9a-f]{8}|[0-9a-f]{12})-.")
_FORGOTTEN = 86_400.0  # seconds after which a temporary file of another machine counts as left behind


@contextlib.contextmanager
def explain_damage(path: Path | str) -> Iterator[None]:
    """Within the context nothing but this file is understood: what goes wrong there is the file's fault.

    Should it be ours after all: with HANDRAIL_DEBUG the error itself is raised, and shows where.

    Raises: `RunError` for values of another type, missing keys and the like.
    """
    try:
        yield
    except HandrailError:
        raise
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        if os.environ.get("HANDRAIL_DEBUG"):
            raise
        first = (str(error).splitlines() or [""])[0][:200]
        text = f"'{path}' is damaged, or of another version ({type(error).__name__}: {first})"
        raise RunError(f"{text}; take it from a copy of the folder, or train again.") from error


def expand_user(path: Path | str) -> Path:
    """The path with `~` as the home folder; as it is where nobody has that name."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 - pathlib's raises RuntimeError


def is_taken(path: Path) -> bool:
    """Whether anything has this name, a link that leads nowhere included, which a new file would replace."""
    return os.path.lexists(path)


def cannot_write(path: Path | str, error: OSError) -> HandrailError:
    """The error for a file that the operating system refuses to write."""
    reason = _REASONS.get(error.errno or 0, error.strerror or str(error))
    return HandrailError(f"cannot write {path}: {reason}.")


@contextlib.contextmanager
def write_atomically(path: Path | str) -> Iterator[Path]:
    """Give a temporary path with the same suffix; when the block succeeds, that file replaces `path`.

    If the block fails, the temporary file is removed and `path` is unchanged.

    Raises: `HandrailError` for a full disk, a read-only or missing folder, a lack of permission.
    """
    path = Path(path)
    temporary = temporary_beside(path)
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "is a directory", str(path))
        if not path.parent.exists():
            raise FileNotFoundError(errno.ENOENT, "no such folder", str(path.parent))
        yield temporary
        _sync(temporary)
        temporary.replace(path)
        _sync(path.parent)
    except OSError as error:
        ours = (temporary, path, path.parent)
        if error.filename is not None and Path(os.fsdecode(error.filename)) not in ours:
            raise
        raise cannot_write(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def temporary_beside(path: Path) -> Path:
    """A name for what is to become `path`, which says who writes it."""
    # cut, so that the temporary name is not too long where the real one is not
    return path.with_name(f".{_machine()}-{os.getpid()}-{secrets.token_hex(4)}-{path.name[-200:]}")


def _sync(path: Path) -> None:
    """Wait until it is on the disk. Folders cannot be synced everywhere, and need not be."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if not path.is_dir() or error.errno not in (errno.EINVAL, errno.EBADF):
            raise
    finally:
        os.close(descriptor)


def write_bytes(path: Path | str, data: bytes) -> None:
    """Write a file whole or not at all. Raises: `HandrailError` as `write_atomically`."""
    with write_atomically(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path | str, text: str) -> None:
    """Write a text as UTF-8 with its own line ends. Raises: `HandrailError` as `write_atomically`."""
    write_bytes(path, text.encode("utf-8"))


def write_by_suffix(
    path: Path | str, texts: Mapping[str, Callable[[], str]], *, overwrite: bool = False
) -> Path:
    """Write the text of this suffix. Raises: `DataError` for another suffix, and for a file that exists."""
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in texts:
        raise DataError(f"out: found '{path}', expected a name that ends in {', '.join(texts)}.")
    if is_taken(path) and not overwrite:
        raise DataError(f"{path} already exists; choose another name, or say {argument('overwrite')}.")
    write_text(path, texts[suffix]())
    return path


def open_to_append(path: Path) -> TextIO:
    """A text file, made if need be, whose end is written to; never through a link, to a pipe or a device.

    Of a file with several names (hard links) only this one is changed.

    Raises: `HandrailError` when the operating system refuses, or it is no regular file.
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC"):  # a pipe without a reader would wait for one
        flags |= getattr(os, name, 0)
    try:
        descriptor = os.open(path, flags, 0o666)
        facts = os.fstat(descriptor)
        if stat.S_ISREG(facts.st_mode) and facts.st_nlink > 1:
            os.close(descriptor)
            write_bytes(path, path.read_bytes())
            descriptor = os.open(path, flags, 0o666)
        elif not stat.S_ISREG(facts.st_mode):
            os.close(descriptor)
            raise OSError(errno.ENXIO, "no regular file", str(path))
    except OSError as error:
        raise cannot_write(path, error) from error
    return os.fdopen(descriptor, "a", encoding="utf-8")


def check_inside(folder: Path) -> None:
    """Raises: `HandrailError` for a link in the folder that leads out of it, and for pipes and devices.

    What is written below the folder then stays there. The folder itself may be a link.
    """
    home = os.path.realpath(folder)
    for where, folders, files in os.walk(home):
        for name in (*folders, *files):
            path = Path(where, name)
            if path.is_symlink():
                target = os.path.realpath(path)
                if os.path.commonpath([home, target]) != home or Path(target).is_symlink():
                    raise HandrailError(
                        f"'{path}' is a symbolic link to '{path.readlink()}'; nothing is written through a "
                        "link that leads out of the folder. Remove it, or put what it leads to in its place."
                    )
            elif not path.is_dir() and not path.is_file() and path.exists():
                raise HandrailError(
                    f"'{path}' is neither a file nor a folder, but a pipe, a socket or a device; remove it."
                )


def is_temporary(path: Path) -> bool:
    """Whether a name is one of those that `write_atomically` gives until a file is whole."""
    return _TEMPORARY.match(path.name) is not None


def sweep(folder: Path) -> None:
    """Remove temporary files below a folder that processes left behind which have ended.

    To be called by the one process that may write there. Of other machines it is not known who lives: theirs
    go after a day.
    """
    for where, _, names in os.walk(folder):
        for name in filter(_TEMPORARY.match, names):
            if _is_left_behind(Path(where, name)):
                with contextlib.suppress(OSError):
                    Path(where, name).unlink()


def sweep_beside(path: Path) -> None:
    """Remove what processes that have ended left of their attempts to write this very file."""
    with contextlib.suppress(OSError):
        for other in path.parent.iterdir():
            match = _TEMPORARY.match(other.name)
            own = match and match["process"] and other.name[match.end() - 1 :] == path.name[-200:]
            if own and _is_left_behind(other):
                other.unlink()


def _is_left_behind(temporary: Path) -> bool:
    match = _TEMPORARY.match(temporary.name)
    assert match
    if match["process"] is None:  # of versions that named no process
        return True
    if match["machine"] == _machine():
        return not _is_alive(int(match["process"]))
    with contextlib.suppress(OSError):
        return time.time() - temporary.stat().st_mtime > _FORGOTTEN
    return False


def _is_alive(process: int) -> bool:
    if os.name == "nt":  # where signal 0 would end it
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


@functools.cache
def _machine() -> str:
    """Six digits for this machine; processes have numbers of their own on each."""
    return hashlib.blake2b(platform.node().encode(), digest_size=3).hexdigest()
