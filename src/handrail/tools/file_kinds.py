"""What kind of file a path names: devices, pipes and sockets may have no end, and are not opened."""

import stat
from pathlib import Path

_KINDS = (
    (stat.S_ISFIFO, "a named pipe (FIFO)"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)


def special_kind(path: Path) -> str | None:
    """'a device', 'a named pipe (FIFO)', 'a socket'; `None` for files, folders and what is not there."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):  # reported by whoever opens it
        return None
    return next((name for is_kind, name in _KINDS if is_kind(mode)), None)
