"""How much memory a large text file takes while it is read."""

import subprocess
import sys

import numpy as np
import pytest

_ROWS, _COLUMNS, _BLOCK = 1_000_000, 50, 20_000
_READ = """
import resource, sys
from handrail.data.sources import read
shape = read(sys.argv[1]).frame.shape
unit = 1 if sys.platform == "darwin" else 1024
print(*shape, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)
"""


@pytest.mark.slow
def test_reading_csv_stays_below_six_times_the_numbers_and_a_gigabyte(tmp_path):
    block = np.random.default_rng(0).normal(size=(_BLOCK, _COLUMNS))
    lines = "".join(",".join(f"{value:.4f}" for value in row) + "\n" for row in block)
    path = tmp_path / "large.csv"
    try:
        with path.open("w") as file:
            file.write(",".join(f"x{i}" for i in range(_COLUMNS)) + "\n")
            for _ in range(_ROWS // _BLOCK):
                file.write(lines)
        ran = subprocess.run([sys.executable, "-c", _READ, path], capture_output=True, text=True, check=True)
    finally:
        path.unlink(missing_ok=True)
    rows, columns, peak = map(int, ran.stdout.split())
    assert (rows, columns) == (_ROWS, _COLUMNS)
    assert peak < 6 * 4 * _ROWS * _COLUMNS + 1e9
