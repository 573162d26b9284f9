"""Names that stand twice in a header: the columns are numbered, and equal ones named."""

import re

import pandas as pd
import pytest

import handrail
from handrail.data.sources import read, read_expecting
from handrail.data.sources.delimited import read_delimited
from handrail.data.sources.duplicates import number_names
from handrail.errors import DataError
from handrail.recipe.reading import ReadOptions


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a", "b"], ["a", "b"]),
        (["a", "b", "a"], ["a", "b", "a.1"]),
        (["a", "a", "a"], ["a", "a.1", "a.2"]),
        (["a", "a.1", "a", "a"], ["a", "a.1", "a.2", "a.3"]),
        (["a", "a", "a.1"], ["a", "a.2", "a.1"]),
        (["a", "b", "a", "b"], ["a", "b", "a.1", "b.1"]),
    ],
)
def test_numbers_are_distinct_from_all_names(names, expected):
    assert number_names(names) == expected


def test_equal_names_of_a_text_file():
    text = b"a,b,a,b,\n1,2,1,3,\n2,2,2,4,x\n"
    table = read_delimited(text, "t.csv", options=ReadOptions())
    assert table.frame.columns == ["a", "b", "a.1", "b.1", "column_5"]
    (finding,) = table.findings
    assert (finding.level, finding.decided) == ("warning", True)
    assert "'a' (2 columns, now 'a' and 'a.1'), 'b' (2 columns, now 'b' and 'b.1')" in finding.seen
    assert "Equal in all rows: 'a' and 'a.1'." in finding.seen
    assert "data.drop=[a.1]" in finding.action
    named = read_delimited(text, "t.csv", options=ReadOptions(names=list("vwxyz")))
    assert named.frame.columns == list("vwxyz")
    assert not named.findings


def test_names_of_a_query(tmp_path):
    import sqlite3

    with sqlite3.connect(tmp_path / "t.db") as database:
        database.execute("create table t (a int, b int)")
        database.execute("insert into t values (1, 2)")
    database.close()
    table = read(tmp_path / "t.db", options=ReadOptions(query="select a, b, a from t"))
    assert table.frame.columns == ["a", "b", "a.1"]
    assert table.findings[0].name == "duplicate-names"


def test_a_file_with_the_same_names_is_predicted(tmp_path):
    rows = "".join(f"{i % 7},{i % 5},{i * 3 % 11},{'yes' if i % 7 > 3 else 'no'}\n" for i in range(60))
    path = tmp_path / "t.csv"
    path.write_text("x,z,x,y\n" + rows)
    run = handrail.fit(path, "y", changes={"training.epochs": 2}, out=tmp_path / "run", progress="none")
    answers = run.predict(path)
    assert len(answers.frame) == 60
    assert any("names columns twice" in warning for warning in answers.warnings)
    assert read_expecting(path, ["x", "z", "x.1"]).frame.columns == ["x", "z", "x.1", "y"]


def test_a_frame_with_equal_names_is_fitted_with_a_warning(tmp_path):
    rows = [(i % 7, i % 5, i * 3 % 11, ["list"], i % 7 > 3) for i in range(60)]
    frame = pd.DataFrame(rows, columns=["x", "z", "x", "nested", "y"])
    changes = {"training.epochs": 2, "data.drop": ["nested"]}
    run = handrail.fit(frame, "y", changes=changes, out=tmp_path / "run", progress="none")
    assert any("names columns twice: 'x'" in finding["seen"] for finding in run.summary["findings"])
    assert len(run.predict(frame).frame) == 60


def test_a_copy_of_the_target_is_refused_together_with_where_it_comes_from(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("x,y,y\n" + "".join(f"{i % 7},{i % 3},{i % 3}\n" for i in range(60)))
    with pytest.raises(DataError, match=r"(?s)names columns twice: 'y'.*data\.drop=\[y\.1\]") as caught:
        handrail.fit(path, "y", out=tmp_path / "run", progress="none")
    assert re.search(r"'y\.1'.*copy of the target", str(caught.value))


def test_the_case(shared_cases):
    table = read(shared_cases / "tables" / "duplicate_header.csv")
    assert table.frame.columns == ["age", "score", "priors", "score.1"]
    assert "Equal in all rows: 'score' and 'score.1'." in table.findings[0].seen
