"""Files without a name: gone with the process, however that ends."""

import errno
import os
import tempfile
import weakref
from pathlib import Path

from handrail.errors import HandrailError
from handrail.tools.files import cannot_write


class ScratchFile:
    """A file of `size` bytes that has no name from the start (O_TMPFILE, or unlinked at once).

    Its space is reserved at once. It is written and read by position, from any thread.

    Arguments:
        folder: where it lies; by default the system's folder for temporary files.
        what: its content, for messages. advice: how to need less space, for messages.

    Raises: `HandrailError` when there is no space, or the folder cannot be written to.
    """

    def __init__(self, size: int, folder: Path | None, *, what: str, advice: str) -> None:
        self.what = what
        where = folder or Path(tempfile.gettempdir())
        try:
            with tempfile.TemporaryFile(dir=where, buffering=0) as file:
                if hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(file.fileno(), 0, size)
                else:
                    file.truncate(size)
                self.descriptor = os.dup(file.fileno())
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise HandrailError(
                    f"{what} need {size / 2**30:.1f} GiB of disk in {where}, which has less. Make room, "
                    f"choose another folder for the run, or {advice}."
                ) from error
            raise cannot_write(where, error) from error
        weakref.finalize(self, os.close, self.descriptor)

    def write(self, start: int, data: bytes | memoryview) -> None:
        """Put bytes at a position. Raises: `HandrailError` when the disk is full."""
        left = memoryview(data)
        try:
            while left:
                done = os.pwrite(self.descriptor, left, start)
                start, left = start + done, left[done:]
        except OSError as error:
            raise cannot_write(self.what, error) from error

    def read(self, start: int, into: memoryview) -> None:
        """Fill `into` from a position. Raises: `HandrailError` when the file ends before it is full."""
        while into:
            done = os.preadv(self.descriptor, [into], start)
            if not done:
                raise HandrailError(
                    f"{self.what} cannot be read back: the file ends too soon. Is the disk sound?"
                )
            start, into = start + done, into[done:]
