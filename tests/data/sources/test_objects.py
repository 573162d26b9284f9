"""`read` of objects in memory: every library's table gives the same columns."""

from datetime import datetime, timedelta, timezone

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch

from handrail.data.sources import read, read_expecting
from handrail.data.table import Table
from handrail.errors import DataError
from handrail.recipe.reading import ReadOptions

RECORDS = [{"size": 1.5, "kind": " a ", "count": 3}, {"size": None, "kind": "?", "count": 4}]
EXPECTED = [(1.5, "a", 3), (None, None, 4)]


def typical_pandas():
    return pd.DataFrame(
        {
            "size": [1.5, np.nan],
            "kind": pd.Categorical([" a ", "?"]),
            "count": pd.array([3, 4], dtype="Int64"),
        },
        index=[7, 9],
    )


@pytest.mark.parametrize(
    "source",
    [
        pl.DataFrame(RECORDS),
        pl.DataFrame(RECORDS).lazy(),
        typical_pandas(),
        pa.Table.from_pylist(RECORDS),
        pa.RecordBatch.from_pylist(RECORDS),
        np.array(
            [(1.5, " a ", 3), (np.nan, "?", 4)], dtype=[("size", float), ("kind", "U3"), ("count", int)]
        ),
        {"size": np.array([1.5, np.nan]), "kind": [" a ", "?"], "count": torch.tensor([3, 4])},
        {"size": [1.5, None], "kind": (" a ", None), "count": pd.Series([3, 4])},
        RECORDS,
    ],
    ids=lambda source: type(source).__module__.split(".")[0] + "." + type(source).__name__,
)
def test_objects(source):
    table = read(source)
    assert table.frame.rows() == EXPECTED
    assert table.row_name(1) == "row 2"


def test_pandas_types():
    frame = pd.DataFrame(
        {
            "yes": pd.array([True, None], dtype="boolean"),
            "number": pd.Categorical([3, 3]),
            "mixed": pd.Series([1, "x"], dtype=object),
            "day": pd.to_datetime(["2020-01-02", None]),
            "zone": pd.to_datetime(["2020-01-02 01:00", None]).tz_localize("Europe/Berlin"),
            5: [1, 2],
        }
    )
    result = read(frame).frame
    assert result.row(0) == (True, 3, "1", datetime(2020, 1, 2), datetime(2020, 1, 2), 1)
    assert result.row(1)[:5] == (None, 3, "x", None, None)
    assert result.columns[-1] == "5"
    with pytest.raises(DataError, match=r"column 'p' of pandas type period|column 'p' holds"):
        read(pd.DataFrame({"p": pd.period_range("2020", periods=2, freq="Y")}))


@pytest.mark.parametrize("make", [np.asarray, torch.as_tensor])
def test_arrays_and_pairs(make):
    features, target = make(np.arange(4.0).reshape(2, 2)), make(np.array([1, 0]))
    assert read(features).frame.columns == ["x_1", "x_2"]
    pair = read((features, target)).frame
    assert pair.rows() == [(0.0, 1.0, 1), (2.0, 3.0, 0)]
    assert pair.columns == ["x_1", "x_2", "target"]
    assert read((features, features)).frame.columns == ["x_1", "x_2", "target_1", "target_2"]
    with pytest.raises(DataError, match=r"X has 2 rows and y has 1"):
        read((features, target[:1]))


def test_more_objects():
    assert read((pd.DataFrame({"a": [1, 2]}), pd.Series(["x", "y"]))).frame.rows() == [(1, "x"), (2, "y")]
    assert read(torch.ones(2, 2, dtype=torch.bfloat16, requires_grad=True)).frame.rows() == [(1.0, 1.0)] * 2
    table = Table(pl.DataFrame({"a": [1]}), "mine")
    assert read(table) is table
    times = [datetime(2020, 1, 1, 12, tzinfo=timezone(timedelta(hours=2))), None]
    assert read({"t": times}).frame["t"].to_list() == [datetime(2020, 1, 1, 10), None]
    assert read(np.zeros((2, 2)), options=ReadOptions(names=["a", "b"])).frame.columns == ["a", "b"]
    assert read({"a": [1, -999], "b": ["-999", "x"]}, options=ReadOptions(missing=["-999"])).frame.rows() == [
        (1, None),
        (None, "x"),
    ]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (3, r"found an object of type int; expected a path"),
        (None, r"type NoneType"),
        ({"a": 3}, r"'a' holds int; expected a list"),
        ({"a": [1, 2], "b": [1]}, r"columns of different lengths"),
        (np.zeros((2, 2, 2)), r"the shape \(2, 2, 2\)"),
        (np.float64(1), r"found a single value|type float64"),
        (pl.DataFrame({"a": []}), r"data frame has 1 columns and no rows"),
        ([], r"type list"),
        ({"a": [{"b": 1}]}, r"column 'a' holds nested values.*data.drop=\[a\]"),
        (torch.nn.Linear(1, 1), r"found a torch Linear|type Linear"),
    ],
)
def test_objects_that_are_no_tables(source, message):
    with pytest.raises(DataError, match=message):
        read(source)


@pytest.mark.parametrize("library", ["pandas", "pyarrow"])
def test_equal_names_are_numbered_and_equal_columns_named(library):
    frame = pd.DataFrame([[1, 5, 1, 7], [2, 6, 2, 8]], columns=["a", "b", "a", "a"])
    source = (
        frame if library == "pandas" else pa.table([[1, 2], [5, 6], [1, 2], [7, 8]], ["a", "b", "a", "a"])
    )
    table = read(source)
    assert table.frame.columns == ["a", "b", "a.1", "a.2"]
    assert table.frame.row(0) == (1, 5, 1, 7)
    (finding,) = table.findings
    assert finding.level == "warning"
    assert finding.decided
    assert "Equal in all rows: 'a' and 'a.1'." in finding.seen
    assert "data.drop=[a.1]" in finding.action


def test_given_names_take_the_place_of_equal_ones():
    table = read(pd.DataFrame([[1, 2]], columns=["a", "a"]), options=ReadOptions(names=["x", "y"]))
    assert table.frame.columns == ["x", "y"]
    assert not table.findings


@pytest.mark.parametrize("kind", ["records", "dictionary", "polars", "pandas"])
def test_nested_columns_may_be_dropped_but_not_needed(kind):
    records = [{"x": 1, "tags": ["a"], "meta": {"n": 1}}, {"x": 2, "tags": None, "meta": {"n": 2}}]
    columns = {name: [record[name] for record in records] for name in records[0]}
    sources = {"records": records, "dictionary": columns, "polars": pl.DataFrame(columns)}
    source = sources.get(kind) if kind != "pandas" else pd.DataFrame(columns)
    with pytest.raises(DataError, match=r"'tags' holds nested.*'meta' holds nested.*drop=\[tags, meta\]"):
        read(source)
    with pytest.raises(DataError, match=r"'meta' holds nested.*drop=\[tags, meta\]"):
        read(source, drop=["tags"])
    table = read(source, drop=["tags", "meta"])
    assert table.frame["x"].to_list() == [1, 2]
    assert table.frame.columns == ["x", "tags", "meta"]  # they can be named
    assert table.frame["tags"].null_count() == 2
    assert set(table.unusable) == {"tags", "meta"}
    with pytest.raises(DataError, match=r"'meta' holds nested.*cannot be left out"):
        read_expecting(source, ["meta"], drop=["tags", "meta"])


HEIGHTS = pd.DataFrame({"age": [3, 4, 5], "sex": ["f", "m", "f"]})
TALL = pd.Series(["no", "yes", "yes"], name="tall")


@pytest.mark.parametrize(
    ("features", "target", "names"),
    [
        (HEIGHTS, TALL, "tall"),
        (pl.from_pandas(HEIGHTS), pl.Series("tall", ["no", "yes", "yes"]), "tall"),
        (HEIGHTS, TALL.to_frame(), "tall"),
        (HEIGHTS, TALL.rename(None), "target"),
        (HEIGHTS, TALL.rename("age"), "target"),
        (HEIGHTS, {"a": [1, 2, 3], "b": [4, 5, 6]}, ["a", "b"]),
        (HEIGHTS.to_dict("records"), list(TALL), "target"),
        ([[3, "f"], [4, "m"], (5, "f")], list(TALL), "target"),
    ],
)
def test_a_pair_names_its_target(features, target, names):
    table = read((features, target))
    assert table.target == names
    assert table.frame.rows()[1][:2] == (4, "m")
    assert table.frame[names].to_numpy().tolist() == pd.DataFrame(target).to_numpy().squeeze().tolist()


def test_rows_of_pandas_objects_are_not_paired_in_another_order():
    with pytest.raises(DataError, match=r"same labels in another order \(row 1 is '0' in X and '2' in y\)"):
        read((HEIGHTS, TALL[::-1]))
    (finding,) = read((HEIGHTS, TALL.set_axis([7, 8, 9]))).findings
    assert finding.decided
    assert "y.loc[X.index]" in finding.action
    shuffled = [2, 0, 1]
    assert read((HEIGHTS.iloc[shuffled], TALL.iloc[shuffled])).frame["tall"].to_list() == ["yes", "no", "yes"]
    with pytest.raises(DataError, match=r"a list has rows of 1 to 2 values"):
        read(([[1, 2], [3]], [0, 1]))


def test_an_index_of_dates_is_a_column_and_others_are_named():
    days = pd.date_range("2024-03-01", periods=3)
    months = pd.period_range("2024-03", periods=3, freq="M", name="month")
    table = read(HEIGHTS.set_axis(days))
    assert (table.frame.columns, table.notes) == (
        ["date", "age", "sex"],
        ("data frame: its index of dates is the column 'date'",),
    )
    assert read(HEIGHTS.set_axis(months)).frame["month"].to_list()[1] == datetime(2024, 4, 1)
    assert read(HEIGHTS["age"].set_axis(days)).frame.columns == ["date", "age"]
    assert read((HEIGHTS.set_axis(days), TALL.set_axis(days))).frame.columns == ["date", "age", "sex", "tall"]
    (finding,) = read(HEIGHTS.set_axis(pd.Index(["a", "b", "c"], name="who"))).findings
    assert finding.decided
    assert "index (who) is left out" in finding.seen
    assert not read(HEIGHTS.iloc[[2, 0]]).findings
