"""`convert`: what is written is read back equal, whole or not at all."""

import errno
import gzip
import importlib.util
import json
import pickle
import sqlite3
import string
import tempfile
import warnings
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow.feather
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handrail.data.sources import read
from handrail.data.writers import convert, infer_types
from handrail.errors import DataError, HandrailError
from handrail.recipe.reading import ReadOptions
from handrail.tools import files

FORMATS = [
    ".csv",
    ".tsv",
    ".json",
    ".jsonl",
    ".parquet",
    ".feather",
    ".npz",
    ".db",
    ".pkl",
    ".csv.gz",
    ".jsonl.zst",
    ".tsv.zip",
]


def read_back(path):
    """The table with the types that its text has, and booleans and times as text, which text files cannot
    tell apart.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        table = read(path, options=ReadOptions(allow_pickle=path.suffix == ".pkl"))
    return alike(table.frame)


def alike(frame):
    texts = [
        pl.col(pl.Boolean).cast(pl.String),
        pl.col(pl.Datetime).dt.strftime("%Y-%m-%dT%H:%M:%S.%6f"),
    ]
    frame = frame.with_columns(texts)
    times = pl.col(pl.String).str.replace(r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?$", "$1.${2}000000")
    cut = pl.col(pl.String).str.replace(r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6})0*$", "$1")
    return infer_types(frame.with_columns(times).with_columns(cut))


words = (
    st.text(string.ascii_lowercase + " ,;|\"'\t\n.é→😀", min_size=1, max_size=8)
    .map(str.strip)
    .filter(lambda text: text not in ("", "?", ".", "-", "nan", "null", "inf", "infinity"))
)
COLUMNS = {
    "Whole": st.integers(-(10**17), 10**17),
    "Real": st.floats(allow_nan=False, width=64).filter(lambda x: x != 0),
    "Flag": st.booleans(),
    "Word": words,
    "When": st.datetimes(datetime(1, 1, 1), datetime(9999, 1, 1)),
}
KINDS = {
    "Whole": pl.Int64,
    "Real": pl.Float64,
    "Flag": pl.Boolean,
    "Word": pl.String,
    "When": pl.Datetime("us"),
}
rows = st.fixed_dictionaries({name: st.none() | values for name, values in COLUMNS.items()})


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(rows, min_size=1, max_size=6), st.sampled_from(FORMATS), st.sampled_from(FORMATS))
def test_any_table_through_any_two_formats(records, first, second):
    # A whole row of numbers tells the header from the data; nothing could in a table of words alone.
    anchor = {"Whole": 7, "Real": 0.5, "Flag": True, "Word": "w", "When": datetime(2020, 1, 2)}
    frame = pl.DataFrame([anchor, *records], schema=KINDS)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        one, two = Path(folder, f"one{first}"), Path(folder, f"two{second}")
        convert(frame, one)
        convert(one, two, options=ReadOptions(allow_pickle=first == ".pkl"))
        expected = alike(frame)
        assert read_back(one).equals(expected)
        assert read_back(two).equals(expected)


@pytest.mark.parametrize(
    "name", ["adult-census/adult-test.csv", "titanic/train.csv", "california-housing/housing.csv"]
)
def test_real_tables_through_every_format(shared_data, tmp_path, name):
    expected = infer_types(read(shared_data / name).frame)
    before = shared_data / name
    for number, suffix in enumerate(FORMATS):
        after = tmp_path / f"t{number}{suffix}"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            convert(before, after, options=ReadOptions(allow_pickle=before.suffix == ".pkl"))
        assert read_back(after).equals(expected), suffix
        before = after


def test_other_libraries_read_what_is_written(tmp_path):
    source = {"a": [1, 2], "b": ["x", None], "c": [1.5, None]}
    for suffix in FORMATS:
        convert(source, tmp_path / f"t{suffix}")
    expected = pd.DataFrame(source)
    for frame in (
        pd.read_csv(tmp_path / "t.csv.gz"),
        pd.read_json(tmp_path / "t.json"),
        pd.read_json(tmp_path / "t.jsonl", lines=True),
        pd.read_parquet(tmp_path / "t.parquet"),
        pyarrow.feather.read_feather(tmp_path / "t.feather"),
        pd.read_pickle(tmp_path / "t.pkl"),
    ):
        assert isinstance(frame, pd.DataFrame)
        pd.testing.assert_frame_equal(frame, expected, check_dtype=False)
    with np.load(tmp_path / "t.npz", allow_pickle=False) as archive:
        assert archive["a"].tolist() == [1, 2]
    connection = sqlite3.connect(tmp_path / "t.db")
    assert connection.execute("select * from data").fetchall() == [(1, "x", 1.5), (2, None, None)]
    connection.close()


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (["1", "-2", None], pl.Int64),
        (["1", "2.5", "1e-3"], pl.Float64),
        (["1", "inf", "-Infinity"], pl.Float64),
        (["3504.", ".5"], pl.Float64),
        (["01", "2"], pl.String),
        (["00.5", "2"], pl.String),
        (["+49", "2"], pl.String),
        (["1234567890123456789012", "2"], pl.String),
        (["true", "false"], pl.String),
        (["1", "x"], pl.String),
        (["inf", "inf"], pl.String),
        ([None, None], pl.String),
    ],
)
def test_typed(texts, kind):
    frame = pl.DataFrame({"a": texts, "b": [1] * len(texts)}, schema_overrides={"a": pl.String})
    typed = infer_types(frame)
    assert typed.schema == {"a": kind, "b": pl.Int64}
    assert typed["a"].null_count() == frame["a"].null_count()
    if kind != pl.String:
        assert typed["a"].drop_nulls().to_list() == [float(text) for text in texts if text]


def test_text_of_a_typed_source_stays_text(tmp_path):
    pl.DataFrame({"code": ["1", "2"]}).write_parquet(tmp_path / "t.parquet")
    convert(tmp_path / "t.parquet", tmp_path / "t.json")
    assert json.loads((tmp_path / "t.json").read_text()) == [{"code": "1"}, {"code": "2"}]


@pytest.mark.parametrize("suffix", FORMATS)
def test_nothing_is_overwritten_unasked(tmp_path, suffix):
    path = tmp_path / f"t{suffix}"
    convert({"a": [1]}, path)
    before = path.read_bytes()
    with pytest.raises(DataError, match=r"already exists|already has a table 'data'"):
        convert({"a": [2]}, path)
    assert path.read_bytes() == before
    convert({"a": [2, 3]}, path, overwrite=True)
    assert read_back(path)["a"].to_list() == [2, 3]


def test_a_second_table_joins_a_database(tmp_path):
    path = tmp_path / "t.db"
    (tmp_path / "my-cars.csv").write_text("a\n1\n")
    assert convert({"a": [1]}, path, table="one") == path
    assert convert(tmp_path / "my-cars.csv", f"sqlite:///{path}") == f"sqlite:///{path}"
    assert read(path, options=ReadOptions(table="my_cars")).frame.rows() == [(1,)]
    with pytest.raises(DataError, match="my_cars, one"):
        read(path)


def test_the_same_table_gives_the_same_bytes(tmp_path):
    for suffix in FORMATS:
        if suffix != ".db":
            convert({"a": [1, 2], "b": ["x", None]}, tmp_path / f"one{suffix}")
            convert({"a": [1, 2], "b": ["x", None]}, tmp_path / f"two{suffix}")
            one, two = ((tmp_path / f"{n}{suffix}").read_bytes() for n in ("one", "two"))
            assert one == two.replace(b"two.", b"one."), suffix
    assert gzip.decompress((tmp_path / "one.csv.gz").read_bytes()) == b"a,b\n1,x\n2,\n"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("t.cvs", r"cannot be written as '.cvs'.*Did you mean '.csv'"),
        ("t", r"'a file without an ending'"),
        ("t.parquet.gz", r"cannot be written as '.parquet' inside '.gz'"),
        ("nowhere/t.csv", r"cannot write .*nowhere/t.csv: the folder does not exist"),
        ("nowhere/t.db", r"cannot write .*nowhere/t.db: the folder does not exist"),
    ],
)
def test_wrong_destinations(tmp_path, name, message):
    with pytest.raises(HandrailError, match=message):
        convert({"a": [1]}, tmp_path / name)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(DataError, match="'table' would have no effect"):
        convert({"a": [1]}, tmp_path / "t.csv", table="x")


def test_a_source_that_fails_leaves_nothing(tmp_path):
    with pytest.raises(DataError, match="no file"):
        convert(tmp_path / "none.csv", tmp_path / "t.parquet")
    assert list(tmp_path.iterdir()) == []


def test_a_pickle_without_pandas_is_arrays(tmp_path, monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        "handrail.data.writers.formats.find_spec", lambda name: None if name == "pandas" else find_spec(name)
    )
    convert({"a": [1, None], "b": ["x", None], "c": [1.5, 2.5]}, tmp_path / "t.pkl")
    content = pickle.loads((tmp_path / "t.pkl").read_bytes())
    assert isinstance(content["c"], np.ndarray)
    assert read_back(tmp_path / "t.pkl").rows() == [(1, "x", 1.5), (None, None, 2.5)]


# ---- files.py


@pytest.mark.parametrize(
    ("number", "message"),
    [(errno.ENOSPC, "the disk is full"), (errno.EROFS, "read-only"), (errno.EACCES, "permission is denied")],
)
def test_what_the_system_refuses_is_explained_and_undone(tmp_path, monkeypatch, number, message):
    path = tmp_path / "t.txt"
    files.write_text(path, "before")

    def refuse(_):
        raise OSError(number, "refused")

    monkeypatch.setattr("os.fsync", refuse)
    with pytest.raises(
        HandrailError,
        match=rf"cannot write .*t.txt: {message}|cannot write .*t.txt: the file system is {message}",
    ):
        files.write_text(path, "after")
    assert [entry.name for entry in tmp_path.iterdir()] == ["t.txt"]
    assert path.read_text() == "before"


def test_a_failing_block_leaves_the_old_file(tmp_path):
    path = tmp_path / "t.txt"
    files.write_bytes(path, b"before")

    def fail():
        with files.write_atomically(path) as temporary:
            temporary.write_text("half")
            assert temporary.parent == tmp_path
            assert temporary.suffix == ".txt"
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        fail()
    assert [entry.name for entry in tmp_path.iterdir()] == ["t.txt"]
    assert path.read_bytes() == b"before"


def test_an_error_about_another_file_is_not_taken_for_ours(tmp_path):
    with pytest.raises(FileNotFoundError), files.write_atomically(tmp_path / "t.txt"):
        (tmp_path / "other.txt").read_text()


def test_folders_in_the_way(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    with pytest.raises(HandrailError, match="a folder of that name is in the way"):
        files.write_text(tmp_path / "folder", "x")
    with pytest.raises(HandrailError, match="a part of the path is a file"):
        files.write_text(tmp_path / "file" / "t.txt", "x")
    with pytest.raises(HandrailError, match="the name is too long"):
        files.write_text(tmp_path / ("x" * 300), "x")
