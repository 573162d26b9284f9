"""Memory that is freed stays with the process."""

import platform
import subprocess
import sys

import pytest

COUNT = """
import resource
import torch
from handrail.tools.machine import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(50):
        [torch.ones(1_000_000) for _ in range(3)]
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

before = faults()
keep_freed_memory()
faults()
print(before, faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries keep to ways of their own")
def test_large_tensors_are_given_the_memory_of_earlier_ones() -> None:
    output = subprocess.run(
        [sys.executable, "-c", COUNT], capture_output=True, text=True, check=True
    ).stdout.split()
    before, after = (int(number) for number in output)
    assert after < before / 20
