"""Bombs, lying headers, endless and special files are refused before they fill the memory."""

import bz2
import gzip
import io
import json
import lzma
import os
import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from pyarrow import parquet

from handrail.data.prepare import prepare
from handrail.data.sources import read
from handrail.errors import DataError
from handrail.recipe import read_options
from handrail.recipe.reading import Limits, ReadOptions
from handrail.recipe.sections import DataRecipe

_SMALL = ReadOptions(limits=Limits(unpacked=0.001))
_ZEROS = b"a,b\n" + b"0,1\n" * 400_000


def _zip(data: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("t.csv", data)
    return file.getvalue()


def _zst(data: bytes) -> bytes:
    return pa.compress(data, codec="zstd", asbytes=True)


@pytest.mark.parametrize(
    ("suffix", "pack"),
    [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress), (".zip", _zip), (".zst", _zst)],
)
def test_far_too_much_content_is_refused(suffix: str, pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    path = tmp_path / f"t.csv{suffix}"
    path.write_bytes(pack(_ZEROS))
    assert read(path).frame.shape == (400_000, 2)
    with pytest.raises(DataError, match=r"at most 1,000,000\. If that is right, raise .*limits\.unpacked"):
        read(path, options=_SMALL)


def test_content_that_is_many_times_the_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(b"0,1\n" * 20_000_000, compresslevel=9))
    with pytest.raises(DataError, match=r"100 times its [\d,]+ bytes. .*limits\.expansion"):
        read(path)


def test_arrays_are_measured_before_they_are_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "t.npz"
    np.savez_compressed(path, x=np.zeros((200_000, 2)), y=np.zeros(200_000))
    with pytest.raises(DataError, match="holds 4,800,"):
        read(path, options=_SMALL)


@pytest.mark.parametrize("packed", [False, True])
def test_headers_of_arrays_do_not_lie(packed: bool, tmp_path: Path) -> None:
    file = io.BytesIO()
    np.save(file, np.zeros(8))
    lie = file.getvalue().replace(b"(8,), }" + b" " * 6, b"(1000000,), }")
    path = tmp_path / ("t.npz" if packed else "t.npy")
    if packed:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("x.npy", lie)
    else:
        path.write_bytes(lie)
    with pytest.raises(DataError, match=r"its header says 8,000,000 bytes of values .*and 64 follow"):
        read(path)


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_headers_of_every_version_are_read(version: tuple[int, int], tmp_path: Path) -> None:
    values = np.array(
        [(1, 2.5), (3, 4.5)], dtype=[("größe" if version == (3, 0) else "a", int), ("b", float)]
    )
    with (tmp_path / "t.npy").open("wb") as file:
        np.lib.format.write_array(file, values, version=version)
    assert read(tmp_path / "t.npy").frame.rows() == [(1, 2.5), (3, 4.5)]


def test_a_header_of_brackets_is_damaged(tmp_path: Path) -> None:
    text = b"(" * 500
    (tmp_path / "t.npy").write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text)
    with pytest.raises(DataError, match="its header is damaged"):
        read(tmp_path / "t.npy")


def test_parquet_of_one_value_does_not_fill_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    columns = {f"x{i}": pa.array(np.zeros(1_000_000, np.int8)) for i in range(130)}
    parquet.write_table(pa.table(columns), path)
    message = r"says that it holds 1,000,000 rows of 130 columns, 1,040,000,000 bytes; expected at most"
    with pytest.raises(DataError, match=message):
        read(path)
    with pytest.raises(DataError, match=message):
        prepare(DataRecipe(source=str(path), target="x0", stream=True))


def test_an_unknown_time_zone_is_named(tmp_path: Path) -> None:
    times = pa.array([0, 1], pa.timestamp("us", tz="Mars/Olympus"))
    parquet.write_table(pa.table({"t": times}), tmp_path / "t.parquet")
    with pytest.raises(DataError, match="column 't' has times in the zone 'Mars/Olympus', which is unknown"):
        read(tmp_path / "t.parquet")


@pytest.mark.parametrize("record", [{"c": "\ud800"}, {"\ud800": 1}])
def test_half_a_surrogate_pair_is_named(record: dict[str, object], tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text(json.dumps([{"a": 1}, record]))
    with pytest.raises(DataError, match=r"column 'c' holds half of a surrogate|names '.ud800' are no text"):
        read(tmp_path / "t.json")


def test_long_numbers_in_json_are_refused(tmp_path: Path) -> None:
    for name in ("t.json", "t.jsonl"):
        (tmp_path / name).write_text('[{"a": ' * (name == "t.json") + "9" * 5000 + "}]")
        with pytest.raises(DataError, match=re.escape(name)):
            read(tmp_path / name)


def test_special_files_are_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "t.csv")
    with pytest.raises(DataError, match=r"is a named pipe \(FIFO\); expected a file"):
        read(tmp_path / "t.csv")
    with pytest.raises(DataError, match="/dev/zero is a device; expected a file"):
        read("/dev/zero")


@pytest.mark.parametrize("size", [10**10, 10**9])
@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_sparse_files_are_not_read(name: str, size: int, tmp_path: Path) -> None:
    with (tmp_path / name).open("wb") as file:
        file.write(b"a,b\n1,2\n")
        file.truncate(size)
    with pytest.raises(DataError, match="is mostly holes"):
        read(tmp_path / name)


def test_a_file_too_large_to_be_read_whole_may_be_streamed(tmp_path: Path) -> None:
    frame = pl.DataFrame({"x": np.random.default_rng(0).normal(size=200_000), "y": [1.5, 2] * 100_000})
    frame.write_csv(tmp_path / "t.csv")
    frame.write_parquet(tmp_path / "t.parquet")
    for name in ("t.csv", "t.parquet"):
        with pytest.raises(
            DataError, match=r"of a file that is read whole.*data.stream=true reads in blocks"
        ):
            read(tmp_path / name, options=_SMALL)
    recipe = DataRecipe(source=str(tmp_path / "t.parquet"), target="x", read=_SMALL, stream=True)
    assert len(prepare(recipe).train) == 140_000


def test_a_large_damaged_parquet_is_not_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handrail.data.streaming.parquet.LARGE", 10**5)
    (tmp_path / "t.parquet").write_bytes(b"PAR1" + os.urandom(1_100_000))
    with pytest.raises(DataError, match=r"cannot be read as Parquet.*cut short or damaged"):
        prepare(DataRecipe(source=str(tmp_path / "t.parquet"), target="x", read=_SMALL))


def test_columns_levels_classes_and_answers_are_limited(tmp_path: Path) -> None:
    words = [f"w{i % 50}" for i in range(400)]
    frame = pl.DataFrame({"c": words, "x": np.arange(400) / 3, "y": words[::-1]})
    frame.write_csv(tmp_path / "t.csv")

    def refusal(target: str, **limits: float) -> str:
        read = {"limits": limits}
        with pytest.raises(DataError) as error:
            prepare(
                DataRecipe.model_validate({"source": str(tmp_path / "t.csv"), "target": target, "read": read})
            )
        return str(error.value)

    assert "has 3 columns; expected at most 2" in refusal("x", columns=2)
    assert "levels: 'c' (" in refusal("x", levels=20)
    assert "training rows takes 0.0 GB" in refusal("x", encoded=1e-6)
    assert "the target 'y' has 50 classes; expected at most 49" in refusal("y", classes=49)


def test_limits_are_given_with_a_dot() -> None:
    assert read_options({"limits.unpacked": 20}).limits.unpacked == 20
