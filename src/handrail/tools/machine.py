"""How much of the machine this process has."""

import functools
import gc
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager


def cores() -> int:
    """The processor's cores that it may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


# While objects are frozen; to count them, as gc does when it is asked whether there are any, takes 40 ms.
_held = threading.Lock()


@contextmanager
def collecting_little(*, first: bool = False) -> Iterator[None]:
    """While open, the garbage collector looks at new objects only; where somebody has frozen objects already,
    nothing changes.

    With torch loaded a whole collection takes 0.2 s, as long as 400 steps of a small network, and finds next
    to nothing.

    Arguments:
        first: collect once before; where large tables have just gone, it may find some of them.
    """
    if not _held.acquire(blocking=False):
        yield
        return
    try:
        with _frozen(first=first):
            yield
    finally:
        _held.release()


@contextmanager
def _frozen(*, first: bool) -> Iterator[None]:
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


_BYTES = 31 * 2**20  # glibc learns from blocks of up to 32 MiB


@functools.cache
def keep_freed() -> None:
    """Let the C library hand out freed memory again instead of giving it back to the system.

    Each step frees the tensors that the next one asks for. glibc gives those above 128 KiB back at once, and
    the system clears every page anew when it is touched: a fifth of a step's time for 64 small networks in a
    stack. The threshold grows to the largest block that was ever freed, so one block is asked for, not
    touched, and freed. Other C libraries are not changed by it.
    """
    import torch

    torch.empty(_BYTES, dtype=torch.uint8)
