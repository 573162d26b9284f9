"""Files without a name: gone with the process, however that ends."""

import errno
import os
import tempfile
from pathlib import Path

from handrail.errors import HandrailError
from handrail.tools.files import cannot_write


def nameless_file(size: int, folder: Path | None, *, what: str, advice: str) -> int:
    """The descriptor of a file of `size` bytes without a name; its space is reserved at once.

    Arguments:
        folder: where it lies; by default the system's folder for temporary files.
        what: its content, for messages. advice: how to need less space, for messages.

    Raises: `HandrailError` when there is no space, or the folder cannot be written to.
    """
    where = folder or Path(tempfile.gettempdir())
    try:
        with tempfile.TemporaryFile(dir=where, buffering=0) as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)
            else:
                file.truncate(size)
            return os.dup(file.fileno())
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise HandrailError(
                f"{what} need {size / 2**30:.1f} GiB of disk in {where}, which has less. Make room, "
                f"choose another folder for the run, or {advice}."
            ) from error
        raise cannot_write(where, error) from error
