"""The machine's resources: processor cores, garbage collection, and memory that is freed."""

import functools
import gc
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PROBE_BYTES = 31 * 2**20  # glibc learns from blocks of up to 32 MiB
# Held while objects are frozen: asking gc whether any are counts them, which takes 40 ms.
_freezing = threading.Lock()


def cores() -> int:
    """The number of processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def free_memory() -> int:
    """Bytes that can still be allocated without swapping; where the system does not say, all it has."""
    with suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text().splitlines()
        return 1024 * int(next(line.split()[1] for line in lines if line.startswith("MemAvailable")))
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 2**63


@contextmanager
def freeze_garbage(*, first: bool = False) -> Iterator[None]:
    """While open, the garbage collector looks at new objects only, if none are frozen already.

    With torch loaded a whole collection takes 0.2 s, as long as 400 steps of a small network, and finds
    hardly anything. `first` collects once before, where large tables have just gone.
    """
    if not _freezing.acquire(blocking=False):
        yield
        return
    try:
        if gc.get_freeze_count():
            yield
            return
        if first:
            gc.collect()
        gc.freeze()
        try:
            yield
        finally:
            gc.unfreeze()
    finally:
        _freezing.release()


@functools.cache
def keep_freed_memory() -> None:
    """Let the C library reuse freed memory instead of returning it to the system.

    Each step frees the tensors that the next one asks for. glibc returns those above 128 KiB at once, and the
    system clears every page again when it is touched: a fifth of a step's time for 64 small networks in a
    stack. glibc's threshold grows to the largest block that was ever freed, so one block is allocated, not
    touched, and freed. Other C libraries are not affected.
    """
    import torch

    torch.empty(_PROBE_BYTES, dtype=torch.uint8)
