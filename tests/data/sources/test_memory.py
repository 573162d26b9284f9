"""How much memory a large text file takes."""

import subprocess
import sys

import numpy as np
import polars as pl
import pytest

_ROWS, _COLUMNS = 1_000_000, 50
_CHECK = """
import resource, sys, handrail
rows = len(handrail.check(sys.argv[1], "y").data.parts)
unit = 1 if sys.platform == "darwin" else 1024
print(rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)
"""


@pytest.mark.slow
@pytest.mark.parametrize("digits", [4, 17])
def test_checking_csv_stays_below_six_times_the_numbers_and_a_gigabyte(tmp_path, digits):
    values = np.random.default_rng(0).normal(size=(_ROWS, _COLUMNS))
    frame = pl.DataFrame({f"x{i}": column for i, column in enumerate(values.T)})
    path = tmp_path / "large.csv"
    try:
        frame.with_columns(y=pl.col("x0") > 0).write_csv(path, float_precision=digits)
        ran = subprocess.run([sys.executable, "-c", _CHECK, path], capture_output=True, text=True, check=True)
    finally:
        path.unlink(missing_ok=True)
    rows, peak = map(int, ran.stdout.split())
    assert rows == _ROWS
    assert peak < 6 * 4 * _ROWS * _COLUMNS + 1e9
