"""Damaged Parquet and Arrow files: an error for each, and never the end of the process."""

import io
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from handrail.tools.arrow_files import DamageError, arrow_frame, parquet_frame

READ_DAMAGED = """
import random, sys
from handrail.tools.arrow_files import DamageError, arrow_frame, parquet_frame

path, rng, refused = sys.argv[1], random.Random(1), 0
whole = open(path, "rb").read()
for _ in range(300):
    damaged = bytearray(whole)
    for _ in range(rng.choice((1, 2, 8))):
        damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
    data = bytes(damaged)
    try:
        parquet_frame(data) if path.endswith("parquet") else arrow_frame(data, stream=False)
    except DamageError:
        refused += 1
print(refused)
"""


def write(ending: str, path: Path) -> pl.DataFrame:
    frame = pl.DataFrame({"a": range(50), "b": [f"x{row % 7}" for row in range(50)], "c": [None, 0.5] * 25})
    (frame.write_parquet if ending == "parquet" else frame.write_ipc)(path)
    return frame


@pytest.mark.parametrize("ending", ["parquet", "arrow"])
def test_damage_never_ends_the_process(ending: str, tmp_path: Path) -> None:
    """As it did, by an abort of polars."""
    path = tmp_path / f"table.{ending}"
    write(ending, path)
    command = [sys.executable, "-c", READ_DAMAGED, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stderr == ""
    assert int(done.stdout) > 100, "these files are hardly damaged"


def test_whole_files_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "table"
    frame = write("parquet", path)
    assert parquet_frame(path).equals(frame)
    assert parquet_frame(path.read_bytes()).equals(frame)
    write("arrow", path)
    assert arrow_frame(path.read_bytes(), stream=False).equals(frame)
    buffer = io.BytesIO()
    frame.write_ipc_stream(buffer)
    assert arrow_frame(buffer.getvalue(), stream=True).equals(frame)


def test_a_file_that_is_not_there_is_damage() -> None:
    with pytest.raises(DamageError, match="No such file"):
        parquet_frame(Path("nowhere.parquet"))
