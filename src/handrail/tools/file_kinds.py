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
    """'a device', 'a named pipe (FIFO)', 'a socket', 'a file of the system'; `None` for others.

    Files below /proc and /sys are made while they are read, and some never end.
    """
    try:
        mode, place = path.stat().st_mode, path.resolve()
    except (OSError, ValueError, RuntimeError):  # reported by whoever opens it
        return None
    if place.parts[1:2] in (("proc",), ("sys",)) and place.anchor == "/":
        return "a file of the system"
    return next((name for is_kind, name in _KINDS if is_kind(mode)), None)
