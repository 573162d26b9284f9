"""Numbers as people write them are read by value, whatever the locale; what stays text is said."""

import csv
import io
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handrail.data.sources import read
from handrail.data.sources.delimited import read_delimited
from handrail.data.table import Table
from handrail.recipe.reading import Notation, ReadOptions

SIGNS = [(".", ""), (",", ""), (".", ","), (",", "."), (".", " "), (",", " "), (".", "'"), (",", "\u202f")]
UNITS = [
    ("", ""),
    ("$", ""),
    ("", " €"),
    ("€ ", ""),
    ("", "%"),
    ("", " %"),
    ("USD ", ""),
    ("", " CHF"),
    ("R$", ""),
]
MINUS = ["-{}", "\u2212{}", "({})", "{}-"]


def write_number(value: float, signs: tuple[str, str], unit: tuple[str, str], minus: str) -> str:
    """A number of two decimals in a notation."""
    decimal, thousands = signs
    whole, _, rest = f"{abs(value):,.2f}".partition(".")
    text = f"{unit[0]}{whole.replace(',', thousands)}{decimal}{rest}{unit[1]}"
    return minus.format(text) if value < 0 else text


def read_text(text: str, **options) -> pl.DataFrame:
    return read_delimited(text.encode(), "table.csv", options=ReadOptions(**options)).frame


def column_table(cells: list[str]) -> Table:
    text = "x;k\n" + "".join(f"{cell};a\n" for cell in cells)
    return read_delimited(text.encode(), "t.csv", options=ReadOptions())


def numbers_of(frame: pl.DataFrame, name: str) -> list[float | None]:
    return frame[name].cast(pl.Float64).to_list()


@given(
    values=st.lists(st.integers(-(10**9), 10**9).map(lambda cents: cents / 100), min_size=3, max_size=30),
    signs=st.sampled_from(SIGNS),
    unit=st.sampled_from(UNITS),
    minus=st.sampled_from(MINUS),
    delimiter=st.sampled_from(",;\t|"),
)
@settings(max_examples=150, deadline=None)
def test_what_was_written_in_any_notation_is_read_back(values, signs, unit, minus, delimiter):
    if minus == "{}-" and unit != ("", ""):
        minus = "-{}"
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=delimiter)
    writer.writerow(["amount", "kind"])
    cells = [write_number(value, signs, unit, minus) for value in values]
    writer.writerows([cell, "ab"[row % 2]] for row, cell in enumerate(cells))
    assert numbers_of(read_text(buffer.getvalue()), "amount") == values


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["4,469", "943", "12,001"], [4469, 943, 12001]),
        (["12,34,567", "3,456", "1,00,000"], [1234567, 3456, 100000]),
        (["1'234.50", "999.00"], [1234.5, 999]),
        (["1\u2019234", "999"], [1234, 999]),
        (["1\u00a0234", "5"], [1234, 5]),
        (["1.234.567", "1.234"], [1234567, 1234]),
        (["1.234", "5.678"], [1.234, 5.678]),
        (["0,125", "1,500"], [0.125, 1.5]),
        (["1,234", "5,5"], [1.234, 5.5]),
        (["1e3", "2,5"], [1000, 2.5]),
        (["$ 5", "$7", "$0"], [5, 7, 0]),
        (["-$5.00", "$-6.00", "($7.00)"], [-5, -6, -7]),
        (["5-", "7"], [-5, 7]),
        (["12 kr", "1 250 kr"], [12, 1250]),
    ],
)
def test_one_column(cells, values):
    assert numbers_of(column_table(cells).frame, "x") == values


@pytest.mark.parametrize(
    "cells",
    [
        ["1.2.3", "1.2.4", "2.0.1"],
        ["01.02.2023", "03.04.2023"],
        ["1,2", "3,4,5", "6"],
        ["012 345", "099 111"],
        ["LOT 123", "LOT 124"],
        ["12:30", "13:45"],
        ["10-12", "5-7"],
        ["A1", "B2"],
        ["1/2", "3/4"],
    ],
)
def test_what_is_no_number_stays(cells):
    table = read_delimited(
        ("x;k\n" + "".join(f"{c};a\n" for c in cells)).encode(), "t.csv", options=ReadOptions()
    )
    assert table.frame["x"].to_list() == cells
    assert not table.findings


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (["$5", "€7", "$8"], "amounts in '$' (2) and '€' (1)"),
        (["16%", "0.16", "20%"], "1 of 3 numbers stand without '%'"),
        (["1,234.5", "1.234,5"], "commas and points are used in several ways"),
    ],
)
def test_numbers_of_several_kinds_stay_and_are_said(cells, said):
    table = read_delimited(
        ("x;k\n" + "".join(f"{c};a\n" for c in cells)).encode(), "t.csv", options=ReadOptions()
    )
    assert table.frame["x"].to_list() == cells
    (finding,) = table.findings
    assert (finding.level, finding.decided) == ("warning", True)
    assert said in finding.seen


def test_other_columns_decide_what_a_sign_means():
    german = "n;p\n76.586;10,5\n943;11,25\n"
    assert numbers_of(read_text(german), "n") == [76586, 943]
    american = "n;p\n76,586;10.5\n943;11.25\n"
    assert numbers_of(read_text(american), "n") == [76586, 943]
    decimal = "n;p\n76,586;10,5\n43,943;11,25\n"
    assert numbers_of(read_text(decimal), "n") == [76.586, 43.943]


def test_where_nothing_decides_the_guess_is_a_warning_with_the_setting():
    text = "n;k\n76,586;a\n943;b\n"
    table = read_delimited(text.encode(), "t.csv", options=ReadOptions())
    (finding,) = table.findings
    assert finding.level == "warning"
    assert "data.read.decimal" in finding.action
    assert numbers_of(read_text(text, decimal=","), "n") == [76.586, 943]
    assert numbers_of(read_text(text, thousands=","), "n") == [76586, 943]
    own = {"n": Notation(decimal=",")}
    assert numbers_of(read_text(text, notations=own), "n") == [76.586, 943]


def test_a_column_is_judged_by_all_its_rows(monkeypatch):
    """Also where only a late piece of a large file shows the notation."""
    monkeypatch.setattr("handrail.data.sources.records._PIECE", 1 << 10)
    monkeypatch.setattr("handrail.data.sources.records._TALL", 1)
    rows = [f"{number}.125,{number / 10}" for number in range(1, 600)] + ['"1.234,5","1,234.75"'] * 3
    frame = read_text("a,b\n" + "\n".join(rows) + "\n")
    assert numbers_of(frame, "a")[-1] == 1234.5
    assert numbers_of(frame, "a")[0] == 1125
    assert numbers_of(frame, "b")[-1] == 1234.75


def test_files_agree_on_what_a_sign_means(tmp_path):
    (tmp_path / "1.csv").write_text("n;k\n76.586;a\n43.943;b\n")
    (tmp_path / "2.csv").write_text("n;k\n1.234.567;a\n2,5;b\n")
    table = read(str(tmp_path / "*.csv"))
    assert numbers_of(table.frame, "n") == [76586, 43943, 1234567, 2.5]


def test_texts_of_a_data_frame_are_read_alike():
    table = read(pl.DataFrame({"a": ["$1,234.50", "($5.00)"], "b": ["x", "y"]}))
    assert table.frame["a"].to_list() == ["1234.50", "-5.00"]
    assert "data.read.numbers=plain" in table.findings[0].action
    kept = read(pl.DataFrame({"a": ["$1,234.50", "($5.00)"]}), options=ReadOptions(numbers="plain"))
    assert kept.frame["a"].to_list() == ["$1,234.50", "($5.00)"]


def test_two_equal_signs_are_refused():
    with pytest.raises(ValueError, match="expected two signs"):
        ReadOptions(decimal=",", thousands=",")


@pytest.mark.parametrize("form", ["csv", "frame"])
def test_new_rows_are_read_as_the_training_rows_were(tmp_path: Path, form: str):
    """'1,234' alone could be either: the run knows."""
    import handrail

    lines = [f'"{row % 40},5",{row},{"yes" if row % 40 > 20 else "no"}' for row in range(120)]
    path = tmp_path / "t.csv"
    path.write_text("x,k,y\n" + "\n".join(lines) + "\n")
    source = path if form == "csv" else pl.read_csv(path)
    run = handrail.fit(source, "y", changes={"training.epochs": 1}, out=tmp_path / "run")
    new = tmp_path / "new.csv"
    new.write_text('x,k\n"1,234",3\n')
    assert run.read(new).frame["x"].to_list() == ["1.234"]
    assert run.read(pl.DataFrame({"x": ["1,234"], "k": [3]})).frame["x"].to_list() == ["1.234"]


@pytest.mark.parametrize(
    ("decimal", "thousands", "cells", "doubtful"),
    [
        (".", ",", ["10.000", "12.500"], True),
        (".", ",", ["10.000", "943"], True),
        (",", ".", ["10,000", "12,500"], True),
        (".", ",", ["10,000", "12,500"], False),
        (".", ",", ["10.000", "12.5"], False),
        (".", "", ["10.000", "12.500"], False),
    ],
)
def test_decimals_that_may_be_thousands_in_new_rows_are_said(decimal, thousands, cells, doubtful):
    """A column of '10,000' that goes on with '10.000' is read as it was, by 10, but not without a word."""
    known = Notation(decimal=decimal, thousands=thousands)
    text = "x;k\n" + "".join(f"{cell};a\n" for cell in cells)
    table = read_delimited(text.encode(), "new.csv", options=ReadOptions(notations={"x": known}))
    found = [finding for finding in table.findings if finding.name == "guessed-numbers"]
    assert bool(found) == doubtful
    if doubtful:
        other = f"data.read.notations.x={{decimal: '{thousands}', thousands: '{decimal}'}}"
        assert (found[0].level, found[0].column) == ("warning", "x")
        assert other in found[0].action
