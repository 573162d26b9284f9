"""`read`: every format and object gives the same table, and what is no table is refused."""

import bz2
import gzip
import json
import lzma
import os
import pickle
import subprocess
import sys
import zipfile
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn import datasets

from handrail.data.sources import read
from handrail.errors import DataError
from handrail.recipe.reading import ReadOptions

RECORDS = [{"size": 1.5, "kind": " a ", "count": 3}, {"size": None, "kind": "?", "count": 4}]
EXPECTED = [(1.5, "a", 3), (None, None, 4)]


def options(**settings):
    return ReadOptions(**settings)


# ---- formats


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.json", json.dumps(RECORDS)),
        ("columns.json", json.dumps({key: [record[key] for record in RECORDS] for key in RECORDS[0]})),
        ("t.jsonl", "\n\n".join(json.dumps(record) for record in RECORDS)),
        ("t.ndjson", json.dumps(RECORDS[0]) + "\n" + '{"count": 4}'),
        ("unknown", json.dumps(RECORDS)),
        ("lines", "\n".join(json.dumps(record) for record in RECORDS)),
    ],
)
def test_json(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    frame = read(tmp_path / name).frame
    assert frame.select("size", "kind", "count").rows() == EXPECTED
    assert frame.schema == {"size": pl.Float64, "kind": pl.String, "count": pl.Int64}


def test_json_of_mixed_types_is_text(tmp_path):
    path = tmp_path / "t.json"
    path.write_text(
        '[{"a": 1, "b": true, "c": null}, {"a": "?", "b": false, "c": null}, {"a": 2.5, "b": null}]'
    )
    frame = read(path).frame
    assert frame["a"].to_list() == ["1", None, "2.5"]
    assert frame["b"].to_list() == [True, False, None]
    assert frame["c"].dtype == pl.String


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.json", '[{"a": 1}', r"t.json is not JSON: .* in line 1, column 10"),
        ("t.json", "3", r"found int; expected an array of records"),
        ("t.json", '[{"a": {"b": 1}}]', r"column 'a' holds nested values.*data.drop=\[a\]"),
        ("t.json", '{"a": [1, 2], "b": [1]}', r"columns of different lengths \('a' 2, 'b' 1\)"),
        ("t.json", "[]", r"t.json has no columns"),
        ("t.json", "[1, 2]", r"row 1 holds int; expected a record"),
        ("t.jsonl", '{"a": 1}\n{"a": ', r"line 2 is not JSON"),
        ("t.jsonl", '{"a": 1}\n\n[2]', r"line 3 holds list; expected a record"),
        ("t.parquet", "a,b\n1,2\n", r"t.parquet cannot be read as Parquet"),
        ("t.arrow", "a,b\n1,2\n", r"t.arrow cannot be read as Arrow"),
        ("t.npz", "a,b\n1,2\n", r"t.npz is not NPZ: it seems to be something unknown"),
        ("t.npy", "a,b\n1,2\n", r"t.npy"),
        ("t.db", "a,b\n1,2\n", r"t.db is not SQLite"),
        ("t.csv.gz", "a,b\n1,2\n", r"t.csv.gz cannot be decompressed"),
        ("t.csv.zst", "a,b\n1,2\n", r"t.csv.zst cannot be decompressed"),
        ("t.csv.zip", "a,b\n1,2\n", r"t.csv.zip cannot be decompressed"),
        ("t.csv.xz", "a,b\n1,2\n", r"t.csv.xz cannot be decompressed"),
        ("t.csv.bz2", "a,b\n1,2\n", r"t.csv.bz2 cannot be decompressed"),
    ],
)
def test_broken_files(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=message):
        read(tmp_path / name)


def test_parquet_and_arrow(tmp_path):
    frame = pl.DataFrame(
        {
            "float": [1.0, float("nan"), float("inf")],
            "text": [" a", "NA", "b"],
            "category": pl.Series(["x", None, "y"], dtype=pl.Categorical),
            "decimal": [Decimal("1.5"), None, Decimal("2")],
            "date": [date(2020, 1, 2), None, date(2021, 1, 2)],
            "small": pl.Series([1, 2, None], dtype=pl.Int8),
            "nothing": [None, None, None],
        }
    )
    frame.write_parquet(tmp_path / "t.parquet")
    frame.write_ipc(tmp_path / "t.feather")
    frame.write_ipc_stream(tmp_path / "stream.arrow")
    (tmp_path / "no_ending").write_bytes((tmp_path / "t.parquet").read_bytes())
    for name in ("t.parquet", "t.feather", "stream.arrow", "no_ending"):
        result = read(tmp_path / name).frame
        assert result.rows() == [
            (1.0, "a", "x", 1.5, datetime(2020, 1, 2), 1, None),
            (None, "NA", None, None, None, 2, None),
            (float("inf"), "b", "y", 2.0, datetime(2021, 1, 2), None, None),
        ]
        assert result["decimal"].dtype == pl.Float64


def test_nested_columns_are_all_named(tmp_path):
    pl.DataFrame({"a": [[1]], "b": [{"c": 1}], "d": [b"x"], "ok": [1]}).write_parquet(tmp_path / "t.parquet")
    with pytest.raises(DataError, match=r"'a' holds nested(.|\n)*'b' holds nested(.|\n)*'d' holds binary"):
        read(tmp_path / "t.parquet")


def test_npz(tmp_path):
    path = tmp_path / "t.npz"
    np.savez(
        path,
        X=np.arange(6.0).reshape(3, 2),
        y=np.array(["a", "b", "?"]),
        when=np.array(["2020-01-02"] * 3, "M8[D]"),
    )
    frame = read(path).frame
    assert frame.columns == ["x_1", "x_2", "y", "when"]
    assert frame.row(2) == (4.0, 5.0, None, datetime(2020, 1, 2))
    assert read(path, options=options(key="y")).frame.columns == ["x_1", "x_2", "when", "target"]
    with pytest.raises(DataError, match=r"no array 'Y'.*Did you mean|no array 'Y'.*Known"):
        read(path, options=options(key="Y"))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": np.array([1, "x", None], dtype=object)}, r"array of Python objects"),
        ({"a": np.zeros((2, 2, 2))}, r"'a' has the shape \(2, 2, 2\)"),
        ({"a": np.zeros(2), "b": np.zeros(3)}, r"different lengths \('a' 2, 'b' 3\)"),
        ({"a": np.zeros(2, complex)}, r"'a' holds complex128"),
        ({"a": np.float64(3)}, r"'a' has the shape \(\)"),
    ],
)
def test_npz_that_is_no_table(tmp_path, arrays, message):
    np.savez(tmp_path / "t.npz", **arrays)
    with pytest.raises(DataError, match=message):
        read(tmp_path / "t.npz")


def test_npy(tmp_path):
    np.save(tmp_path / "plain.npy", np.arange(4).reshape(2, 2))
    np.save(tmp_path / "named.npy", np.array([(1, 2.5), (2, np.nan)], dtype=[("a", int), ("b", float)]))
    assert read(tmp_path / "plain.npy").frame.to_dicts() == [{"x_1": 0, "x_2": 1}, {"x_1": 2, "x_2": 3}]
    assert read(tmp_path / "named.npy").frame.to_dicts() == [{"a": 1, "b": 2.5}, {"a": 2, "b": None}]


class Bomb:
    """A pickle that makes a file when it is opened."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("name", ["bomb.pkl", "bomb.pickle", "bomb", "bomb.csv", "bomb.parquet", "bomb.npy"])
def test_a_pickle_does_not_run_without_the_flag(tmp_path, name):
    path, trace = tmp_path / name, tmp_path / "trace"
    path.write_bytes(pickle.dumps(Bomb(trace)))
    with pytest.raises(DataError):
        read(path)
    assert not trace.exists()
    if name in ("bomb.pkl", "bomb"):
        with pytest.raises(DataError, match=r"Nothing was run.*allow_pickle=True"):
            read(path)


@pytest.mark.parametrize(
    "content",
    [pd.DataFrame({"a": [1, 2]}), {"a": np.array([1, 2])}, [{"a": 1}, {"a": 2}], pl.DataFrame({"a": [1, 2]})],
)
def test_a_pickle_with_the_flag_and_its_warning(tmp_path, content):
    path = tmp_path / "t.pkl"
    path.write_bytes(pickle.dumps(content))
    with pytest.warns(UserWarning, match="a pickle can run any code"):
        assert read(path, options=options(allow_pickle=True)).frame.rows() == [(1,), (2,)]


def test_compressed_text(tmp_path):
    text = b"a,b\n1,x\n2,y\n"
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(text))
    (tmp_path / "t.csv.bz2").write_bytes(bz2.compress(text))
    (tmp_path / "t.csv.xz").write_bytes(lzma.compress(text))
    with pa.CompressedOutputStream(str(tmp_path / "t.csv.zst"), "zstd") as stream:
        stream.write(text)
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        archive.writestr("inside.csv", text)
    for name in ("t.csv.gz", "t.csv.bz2", "t.csv.xz", "t.csv.zst", "t.zip"):
        table = read(tmp_path / name)
        assert table.frame.rows() == [("1", "x"), ("2", "y")]
        assert table.source == name


def test_a_zip_of_several_files_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        archive.writestr("a.csv", "a\n1\n")
        archive.writestr("b.csv", "a\n1\n")
    with pytest.raises(DataError, match=r"holds 2 files: a.csv, b.csv; expected one table"):
        read(tmp_path / "t.zip")


# ---- paths


def test_missing_files_and_folders(tmp_path):
    (tmp_path / "train.csv").write_text("a\n1\n")
    with pytest.raises(DataError, match=r"there is no file .*trian.csv. Did you mean 'train.csv'\?"):
        read(tmp_path / "trian.csv")
    with pytest.raises(DataError, match=r"the folder .*nowhere does not exist"):
        read(str(tmp_path / "nowhere" / "t.csv"))
    with pytest.raises(DataError, match=r"no file matches the pattern"):
        read(str(tmp_path / "*.parquet"))
    with pytest.raises(DataError, match=r"https addresses are not read; download"):
        read("https://example.org/t.csv")


def test_permission_denied(tmp_path, monkeypatch):
    path = tmp_path / "t.csv"
    path.write_text("a\n1\n")

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.read_bytes", refuse)
    with pytest.raises(DataError, match=r"t.csv cannot be read: permission is denied"):
        read(path)


def test_patterns_and_lists_are_read_in_sorted_order(tmp_path):
    (tmp_path / "b.csv").write_text("x,y\n3,c\n4,d\n")
    (tmp_path / "a.csv").write_text("y,x\na,1\nb,2\n")
    for source in (str(tmp_path / "*.csv"), [tmp_path / "b.csv", tmp_path / "a.csv"]):
        table = read(source)
        assert table.frame.select("x", "y").rows() == [("1", "a"), ("2", "b"), ("3", "c"), ("4", "d")]
        assert table.row_name(2) == "line 2 of b.csv"
        assert len(table.notes) == 3


def test_files_with_other_columns_are_named(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    (tmp_path / "b.csv").write_text("x,z\n1,2\n")
    with pytest.raises(
        DataError, match=r"b.csv has other columns than .*a.csv: it lacks 'y' and has besides 'z'"
    ):
        read(str(tmp_path / "*.csv"))


def test_files_of_differing_types(tmp_path):
    pl.DataFrame({"a": [1], "b": ["x"], "c": [None]}).write_parquet(tmp_path / "1.parquet")
    pl.DataFrame({"a": [1.5], "b": ["y"], "c": [3]}).write_parquet(tmp_path / "2.parquet")
    assert read(str(tmp_path / "[12].parquet")).frame.rows() == [(1.0, "x", None), (1.5, "y", 3)]
    pl.DataFrame({"a": [1.5], "b": [7], "c": [3]}).write_parquet(tmp_path / "3.parquet")
    with pytest.raises(
        DataError, match=r"3.parquet: column 'b' holds Int64, and String in the files before it"
    ):
        read(str(tmp_path / "*.parquet"))


@pytest.mark.parametrize(
    ("name", "content", "settings", "message"),
    [
        ("t.csv", "a\n1\n", {"table": "x"}, r"'table' would have no effect on t.csv"),
        ("t.csv", "a\n1\n", {"allow_pickle": True}, r"'allow_pickle' would have no effect"),
        ("t.json", '[{"a": 1}]', {"delimiter": ";"}, r"'delimiter' would have no effect on t.json"),
        ("t.jsonl", '{"a": 1}', {"header": False, "quote": "'"}, r"2 mistakes(.|\n)*'header'(.|\n)*'quote'"),
    ],
)
def test_settings_without_effect_are_refused(tmp_path, name, content, settings, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=message):
        read(tmp_path / name, options=options(**settings))


def test_wrong_settings_are_refused():
    for wrong in (
        {"delimiter": "::"},
        {"quote": "''"},
        {"names": ["a", "a"]},
        {"names": []},
        {"delimeter": ","},
    ):
        with pytest.raises(ValueError, match="validation error"):
            ReadOptions.model_validate(wrong)
    assert ReadOptions(delimiter="tab").delimiter == "\t"


# ---- bundled


@pytest.mark.parametrize(
    ("name", "shape", "kind"),
    [
        ("iris", (150, 5), pl.String),
        ("wine", (178, 14), pl.String),
        ("breast_cancer", (569, 31), pl.String),
        ("digits", (1797, 65), pl.Int64),
        ("diabetes", (442, 11), pl.Float64),
    ],
)
def test_bundled(name, shape, kind):
    frame = read(f"bundled:{name}").frame
    assert frame.shape == shape
    assert frame.columns[-1] == "target"
    assert frame["target"].dtype == kind
    assert frame.null_count().sum_horizontal().item() == 0


def test_bundled_diabetes_is_as_measured():
    ages = read("bundled:diabetes").frame["age"]
    assert (ages >= 18).all()  # not scaled by statistics of all rows
    scaled: Any = datasets.load_diabetes()
    assert np.corrcoef(ages, scaled.data[:, 0])[0, 1] == pytest.approx(1.0)


def test_bundled_names():
    assert set(read("bundled:iris").frame["target"]) == {"setosa", "versicolor", "virginica"}
    with pytest.raises(DataError, match=r"no bundled data set 'irsi'. Did you mean 'iris'\?"):
        read("bundled:irsi")


def test_no_heavy_library_is_imported_for_a_file(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n1,x\n2,y\n")
    code = (
        "import sys; from handrail.data.sources import read; from handrail.data.writers import convert; "
        f"read({str(tmp_path / 't.csv')!r}); read({{'a': [1]}}); "
        "print(sorted({'torch', 'pandas', 'sqlalchemy', 'sklearn', 'pyarrow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("lost", [1, 4, 8])
def test_a_zip_file_without_its_first_bytes_is_damaged(lost, tmp_path):
    """Its directory, at the end, then leads to places before the beginning."""
    with zipfile.ZipFile(tmp_path / "t.csv.zip", "w") as archive:
        archive.writestr("t.csv", "a,b\n" + "1,2\n" * 30)
    (tmp_path / "t.csv.zip").write_bytes((tmp_path / "t.csv.zip").read_bytes()[lost:])
    with pytest.raises(DataError, match=r"t\.csv\.zip cannot be decompressed"):
        read(tmp_path / "t.csv.zip")
