"""How much of the machine this process has."""

import os


def cores() -> int:
    """The processor's cores that it may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
