"""Memory that is freed stays with the process, for the next step."""

import functools

import torch

_BYTES = 31 * 2**20  # glibc learns from blocks of up to 32 MiB


@functools.cache
def keep_freed() -> None:
    """Let the C library hand out freed memory again instead of giving it back to the system.

    Each step frees the tensors that the next one asks for. glibc gives those above 128 KiB back at once, and the system clears every
    page anew when it is touched: a fifth of a step's time for 64 small networks in a stack. The threshold grows to the largest block
    that was ever freed, so one block is asked for, not touched, and freed. Other C libraries are not changed by it.
    """
    torch.empty(_BYTES, dtype=torch.uint8)
