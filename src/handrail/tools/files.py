"""Files are written whole or not at all: a temporary name in the same folder, fsync, rename."""

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from handrail.errors import HandrailError, RunError

_REASONS = {
    errno.ENOSPC: "the disk is full; make room, or choose another place",
    errno.EDQUOT: "the disk quota is used up; make room, or choose another place",
    errno.EROFS: "the file system is read-only; choose another place",
    errno.EACCES: "permission is denied; choose a folder that you may write to",
    errno.EPERM: "permission is denied; choose a folder that you may write to",
    errno.ENOENT: "the folder does not exist; make it first, or correct the path",
    errno.ENOTDIR: "a part of the path is a file, not a folder; correct the path",
    errno.EISDIR: "a folder of that name is in the way; choose another name",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
}


@contextlib.contextmanager
def explain_damage(path: Path | str) -> Iterator[None]:
    """Within the context nothing but this file is understood: what goes wrong there is the file's fault.

    Raises: `RunError` for values of another type, missing keys and the like.
    """
    try:
        yield
    except HandrailError:
        raise
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        first = (str(error).splitlines() or [""])[0][:200]
        text = f"'{path}' is damaged, or of another version ({type(error).__name__}: {first})"
        raise RunError(f"{text}; take it from a copy of the folder, or train again.") from error


def expand_user(path: Path | str) -> Path:
    """The path with `~` as the home folder; as it is where nobody has that name."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 - pathlib's raises RuntimeError


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
    # cut, so that the temporary name is not too long where the real one is not
    temporary = path.with_name(f".{secrets.token_hex(6)}-{path.name[-200:]}")
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
