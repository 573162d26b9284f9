"""Truth tables: each part is the whole table, and a finding says so."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import handrail
from handrail.checking import check
from handrail.data.prepare import prepare, reopen
from handrail.data.split.whole import is_truth_table
from handrail.errors import DataError, SealError
from handrail.recipe import compose

XOR = "a,b,y\n0,0,0\n0,1,1\n1,0,1\n1,1,0\n"
TABLES = {  # name: text, target
    "as numbers": (XOR, ["y"]),
    "in another order": ("y,a,b\n0,1,1\n1,0,1\n0,0,0\n1,1,0\n", ["y"]),
    "true and false": ("a,b,y\nfalse,false,no\nfalse,true,yes\ntrue,false,yes\ntrue,true,no\n", ["y"]),
    "minus one": ("a,b,y\n-1,-1,-1\n-1,1,1\n1,-1,1\n1,1,-1\n", ["y"]),
    "words": ("size,hue,y\nlarge,red,1\nlarge,blue,0\nsmall,red,0\nsmall,blue,0\n", ["y"]),
    "half adder": ("a,b,sum,carry\n0,0,0,0\n0,1,1,0\n1,0,1,0\n1,1,0,1\n", ["sum", "carry"]),
    "not": ("a,y\nyes,no\nno,yes\n", ["y"]),
}
OTHERS = {
    "a row twice": "a,b,y\n0,0,0\n0,1,1\n1,0,1\n1,0,0\n",
    "a row more": XOR + "1,1,0\n",
    "a row less": XOR.removesuffix("1,1,0\n"),
    "a gap": "a,b,y\n0,0,0\n0,,1\n1,0,1\n1,1,0\n",
    "no target": "a,b,y\n0,0,0\n0,1,\n1,0,1\n1,1,0\n",
    "three values": "a,b,y\n0,0,0\n0,1,1\n1,2,1\n1,1,0\n",
    "a target of measured values": "a,b,y\n0,0,0.5\n0,1,1.5\n1,0,1\n1,1,0\n",
    "two measured rows": "height,y\n170,1\n182,0\n",
    "a number of each row": "id,a,b,y\n1,0,0,0\n2,0,1,1\n3,1,0,1\n4,1,1,0\n",
}


def write(folder: Path, text: str) -> Path:
    path = folder / "table.csv"
    path.write_text(text)
    return path


@pytest.mark.parametrize(("text", "target"), TABLES.values(), ids=TABLES)
def test_a_whole_truth_table_is_each_part(tmp_path: Path, text: str, target: list[str]) -> None:
    recipe = compose(write(tmp_path, text), target).data
    data = prepare(recipe)
    rows = len(text.splitlines()) - 1
    assert (len(data.train), len(data.validation), data.sealed.rows) == (rows, rows, rows)
    assert data.train.raw.equals(data.validation.raw)
    assert [finding.name for finding in data.findings] == ["truth-table"]
    assert data.findings[0].decided
    assert data.findings[0].level == "note"
    parts = reopen(recipe, data.schema, data.task, expected=data.fingerprint)
    assert all(part.rows.tolist() == list(range(rows)) for part in parts)
    assert parts[2].table.row_name(int(parts[2].rows[-1])) == f"line {rows + 1}"


@pytest.mark.parametrize("text", OTHERS.values(), ids=OTHERS)
def test_any_other_small_table_is_refused_as_before(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError, match="expected at least 10"):
        prepare(compose(write(tmp_path, text), "y").data)


def test_what_is_dropped_is_no_input(tmp_path: Path) -> None:
    path = write(tmp_path, OTHERS["a number of each row"])
    assert len(prepare(compose(path, "y", changes={"data.drop": ["id"]}).data).train) == 4


@pytest.mark.parametrize(
    "changes", [{"data.split.method": "random"}, {"data.split.test": 0.25}, {"data.split.seed": 3}]
)
def test_what_is_asked_of_the_division_goes_first(changes: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="expected at least 10"):
        prepare(compose("toy:xor", changes=changes).data)
    divided = prepare(compose("toy:parity,inputs=4", changes=changes).data)
    assert len(divided.train) + len(divided.validation) + divided.sealed.rows == 16
    assert "truth-table" not in [finding.name for finding in divided.findings]


def test_a_sample_is_no_whole_table() -> None:
    with pytest.raises(DataError, match="expected at least 10"):
        prepare(compose("toy:xor", changes={"data.sample": 2}).data)


def test_sources_of_other_parts_go_first(tmp_path: Path) -> None:
    path = str(write(tmp_path, XOR))
    data = prepare(compose(path, "y", changes={"data.validation": path, "data.test": path}).data)
    names = [finding.name for finding in data.findings]
    assert "duplicates" in names  # repeats that nobody decided are told
    assert "truth-table" not in names


@pytest.mark.parametrize(("inputs", "whole"), [(2, True), (3, True), (4, True), (5, False), (8, False)])
def test_up_to_four_inputs(inputs: int, whole: bool) -> None:
    data = prepare(compose(f"toy:parity,inputs={inputs}").data)
    assert (len(data.train) == 2**inputs) == whole
    total = len(data.train) + len(data.validation) + data.sealed.rows
    assert total == 2**inputs * (3 if whole else 1)


def test_the_finding_names_a_setting_that_works() -> None:
    small, large = (prepare(compose(f"toy:parity,inputs={inputs}").data).findings[0] for inputs in (3, 4))
    assert "data.validation and data.test name" in small.action
    assert "data.split.method=random" in large.action
    assert "not whether what was learned generalises" in small.seen
    given = {f"data.{part}": "toy:parity" for part in ("validation", "test")}
    assert len(prepare(compose("toy:parity", changes=given).data).train) == 8


def test_check_finds_nothing_else() -> None:
    for name in ("not", "and", "or", "xor", "nand", "nor", "xnor", "parity", "majority"):
        assert [finding.name for finding in check(f"toy:{name}").findings] == ["truth-table"], name


def test_a_missing_number_is_no_second_value() -> None:
    frame = pl.DataFrame({"a": [0.0, 0.0, np.nan, np.nan], "b": [0, 1, 0, 1], "y": [0, 1, 1, 0]})
    assert not is_truth_table(frame, ["a", "b"], ["y"])


def test_a_fit_learns_it_and_the_seal_opens(tmp_path: Path) -> None:
    run = handrail.fit("toy:xor", changes={"training.epochs": 60}, out=tmp_path / "run")
    summary = run.summary
    assert [finding["name"] for finding in summary["findings"]] == ["truth-table", "still-improving"]
    accuracy = summary["metrics"]["accuracy"]
    assert (accuracy["value"], accuracy["low"], accuracy["high"]) == (1.0, None, None)
    assert accuracy["reason"] == "the rows are all that there can be"
    assert summary["comparison"]["verdict"] == "better"
    assert summary["comparison"]["difference"] == {"value": 0.5, "low": None, "high": None}
    assert pl.read_parquet(tmp_path / "run/split.parquet")["part"].to_list() == ["each"] * 4
    rows = pl.read_parquet(tmp_path / "run/predictions/validation.parquet")
    assert rows["row"].to_list() == [1, 2, 3, 4]
    assert run.predict("toy:xor").frame["prediction"].to_list() == [0, 1, 1, 0]
    tested = run.test(refit=True)
    assert (tested["rows"], tested["opening"], tested["again"]) == (4, 1, False)
    assert tested["metrics"]["accuracy"]["value"] == 1.0
    assert "chance" not in (tmp_path / "run/report.html").read_text().split("What was asked")[0]


@pytest.mark.pictures
def test_a_whole_table_is_measured_as_often_as_one_likes_and_never_marked(tmp_path: Path) -> None:
    runs = [
        handrail.fit(write(tmp_path, XOR), "y", changes={"training.epochs": 2}, out=tmp_path / name)
        for name in ("one", "two")
    ]
    for run in (*runs, runs[0]):
        tested = run.test()
        assert (tested["again"], tested["shared"]) == (False, [])
        assert "nothing was sealed, and nothing is unseen" in str(run).replace("\n    ", " ")
        page = run.report().read_text()
        assert "Nothing to seal" in page
        assert "likely to flatter" not in page
        assert "honest estimate" not in page


def test_the_same_rows_as_a_test_part_of_their_own_have_been_opened_by_it(tmp_path: Path) -> None:
    whole = write(tmp_path, XOR)
    handrail.fit(whole, "y", changes={"training.epochs": 2}, out=tmp_path / "whole").test()
    (tmp_path / "many.csv").write_text("a,b,y\n" + "0,1,1\n1,1,0\n0,0,0\n1,0,1\n0,1,0\n" * 8)
    changes = {"training.epochs": 2, "data.test": str(whole)}
    run = handrail.fit(tmp_path / "many.csv", "y", changes=changes, out=tmp_path / "divided")
    with pytest.raises(SealError, match="These 4 test rows have been opened once before"):
        run.test()
    assert run.test(again=True)["again"]
