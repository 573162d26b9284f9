"""The header again, units and totals among the rows of a text file."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handrail.data.sources import read
from handrail.data.sources import records as records_module
from handrail.data.sources.delimited import read_delimited
from handrail.data.sources.layout.odd_rows import is_unit
from handrail.recipe.reading import ReadOptions

HEADER, ROWS = "size,age,price\n", "1.5,3,7\n2.5,4,8\n3.5,5,2\n4.5,6,1\n"


def parse(text, name="t.csv", **options):
    return read_delimited(text.encode(), name, options=ReadOptions(**options))


def names_of(table):
    return [finding.name for finding in table.findings]


# ---- units


@pytest.mark.parametrize(
    "units",
    ["°C,%,kg", "(m),(s),[-]", "[mm],[-],", "USD,years,", "m/s²,kg/m3,1/s", "deg C,,µg/m³", "1,%,t", "t,d,h"],
)
@pytest.mark.parametrize("rows", [ROWS, ROWS * 20])
def test_units_below_the_header_are_left_out_and_said(units, rows):
    table = parse(f"{HEADER}{units}\n{rows}")
    assert table.frame.row(0) == ("1.5", "3", "7")
    assert table.row_name(0) == "line 3"
    (finding,) = table.findings
    assert (finding.name, finding.decided) == ("units", True)
    assert all(f"'{unit}'" in finding.seen for unit in units.split(",") if unit)
    assert "--read rows=all" in finding.action
    kept = parse(f"{HEADER}{units}\n{rows}", rows="all")
    assert kept.frame.height == table.frame.height + 1
    assert not kept.findings


@pytest.mark.parametrize(
    "first", ["unknown,n.d.,n.d.", "low,,", "x1,x2,3", "A,,", ",,", "a long description of it,%,kg"]
)
def test_other_words_below_the_header_stay(first):
    table = parse(f"{HEADER}{first}\n{ROWS}")
    assert table.frame.height == 5
    assert "units" not in names_of(table)


def test_words_in_columns_of_words_are_no_units():
    assert parse("kind,place\nm,kg\ns,t\nm,kg\n").frame.height == 3
    assert parse("kind,size\nm,%\nm,2\ns,3\nm,4\n").frame.height == 4  # m is a value of its column


def test_units_stand_above_numbers_however_they_are_written():
    assert parse('a;b\nEUR;kg\n1.500,5;2\n-2,5;3\n"3";4\n').frame.height == 3
    assert parse("a;b\nEUR;%\n$1,500.00;20 %\n($2.50);3 %\n").frame.height == 2


@pytest.mark.parametrize("text", ["°C", "%", "kg", "m/s^2", "W/m²", "[mm]", "(-)", "mg/dl", "Mio. €", "1/s"])
def test_units(text):
    assert is_unit(text)


@pytest.mark.parametrize("text", ["red", "unknown", "n/a", "B", "price", "total", ""])
def test_words_that_are_no_units(text):
    assert not is_unit(text)


# ---- the header again


def test_the_header_among_the_rows_is_left_out_and_named_by_line():
    table = parse(HEADER + ROWS + HEADER + ROWS + " size, age ,price\n" + ROWS)
    assert table.frame.height == 12
    assert set(table.frame["size"]) == {"1.5", "2.5", "3.5", "4.5"}
    (finding,) = table.findings
    assert "lines 6 and 11 repeat the header" in finding.seen
    assert [table.row_name(i) for i in (3, 4, 8)] == ["line 5", "line 7", "line 12"]
    assert parse(HEADER + ROWS + HEADER + ROWS, rows="all").frame.height == 9


def test_files_with_units_pasted_one_below_the_other():
    part = HEADER + "m,yr,USD\n" + ROWS
    table = parse(part + part + part)
    assert table.frame.height == 12
    assert names_of(table) == ["repeated-header", "units"]
    assert "lines 2, 8 and 14" in table.findings[1].seen


def test_tables_of_words_have_their_header_once():
    table = parse("name,city\nanna,rome\nben,paris\nname,city\ncarl,oslo\n")
    assert table.frame.columns == ["name", "city"]
    assert table.frame.height == 3


def test_a_list_may_hold_its_name():
    assert parse("word\nhello\nword\nthere\n", header=True).frame.height == 3
    assert parse("a\n1\n2\na\n3\n", header=True).frame.height == 3


# ---- totals


def with_total(label, rows, total, header="kind,a,b"):
    return "\n".join([header, *rows, f"{label},{total}"]) + "\n"


BODY = [f"k{i % 3},{i}.25,{7 * i % 11}" for i in range(1, 13)]
SUMS = f"{sum(i + 0.25 for i in range(1, 13)):.2f},{sum(7 * i % 11 for i in range(1, 13))}"


@pytest.mark.parametrize(
    "label", ["Total", "TOTAL:", "Sum", "Summe", "Gesamt", "Σ", "Grand Total", "Total (all)", ""]
)
def test_sums_in_the_last_row_are_left_out_and_said(label):
    table = parse(with_total(label, BODY, SUMS))
    assert table.frame.height == 12
    (finding,) = table.findings
    assert (finding.level, finding.name, finding.decided) == ("warning", "totals", True)
    assert "line 14" in finding.seen
    assert "--read rows=all" in finding.action
    assert parse(with_total(label, BODY, SUMS), rows="all").frame.height == 13


def test_means_need_their_word():
    means = (
        f"{np.mean([i + 0.25 for i in range(1, 13)]):.1f},{np.mean([7 * i % 11 for i in range(1, 13)]):.2f}"
    )
    assert parse(with_total("Average", BODY, means)).frame.height == 12
    assert parse(with_total("", BODY, means)).frame.height == 13
    both = with_total("Total", BODY, SUMS) + f"Mean,{means}\n"
    table = parse(both)
    assert table.frame.height == 12
    assert "lines 14 and 15" in table.findings[0].seen


def test_a_word_in_a_column_of_numbers():
    table = parse("id,sales\n1,30\n2,50\n3,70\nTotal,150\n")
    assert table.frame["id"].to_list() == ["1", "2", "3"]


def test_a_total_that_is_none_is_a_warning():
    table = parse(with_total("Total", BODY, "3,4"))
    assert table.frame.height == 13
    assert "does not hold the sums" in table.findings[0].seen
    assert not table.findings[0].decided


@pytest.mark.parametrize(
    "rows",
    [
        ["Total,1,3", "Part,2,4", "Total,3,7", "Part,1,2"],
        [*BODY, "k1,3,4"],
        ["k,0,0"] * 8,
        [f"k,{i % 2},{i // 2 % 2}" for i in range(9)],
        [f"k,{i},{i * (i + 1) // 2}" for i in range(9)],  # cumulative
        ["a,1,2", "b,2,3", "c,3,5"],
        ["tv,1,0", "print,0,1", "web,0,0", "web,1,0", "media,0,0"],
        ["tv,1,0", "print,0,1", "web,0,0", "web,1,0", "all,1,1"],
    ],
)
def test_rows_that_are_no_totals_stay_without_a_word(rows):
    table = parse("\n".join(["kind,a,b", *rows]) + "\n", header=True)
    assert table.frame.height == len(rows)
    assert not table.findings


def test_one_column_has_no_total_without_a_word():
    assert parse("a\n1\n2\n3\n4\n10\n").frame.height == 5


@given(seed=st.integers(0, 2**32 - 1), decimals=st.integers(0, 3), rows=st.integers(4, 40))
@settings(max_examples=40)
def test_totals_are_found_and_nothing_else_is(seed, decimals, rows):
    rng = np.random.default_rng(seed)
    values = np.column_stack(
        [rng.uniform(1, 100, rows), rng.normal(50, 9, rows), rng.exponential(30, rows) + 1]
    )
    lines = ["a,b,c", *(",".join(f"{x:.{decimals}f}" for x in row) for row in values)]
    plain = parse("\n".join(lines) + "\n", decimal=".")
    assert plain.frame.height == rows
    assert not plain.findings
    rounded = np.round(values, decimals).sum(axis=0)
    total = ",".join(f"{x:.{decimals}f}" for x in rounded)
    table = parse("\n".join([*lines, total]) + "\n", decimal=".")
    assert table.frame.equals(plain.frame)
    assert names_of(table) == ["totals"]


def test_large_files_are_read_in_pieces_without_these_rows(monkeypatch):
    monkeypatch.setattr(records_module, "_PIECE", 1 << 10)
    monkeypatch.setattr(records_module, "_TALL", 10)
    rng = np.random.default_rng(0)
    body = [f"{x:.6f},{y:.6f}" for x, y in rng.normal(50, 9, (400, 2))]
    sums = pl.DataFrame([row.split(",") for row in body], orient="row").cast(pl.Float64).sum().row(0)
    lines = ["a,b", "kg,%", *body[:200], "a,b", *body[200:], ",".join(f"{x:.6f}" for x in sums)]
    table = parse("\n".join(lines) + "\n")
    assert table.frame.shape == (400, 2)
    assert table.frame.dtypes == [pl.Float64, pl.Float64]
    assert names_of(table) == ["repeated-header", "units", "totals"]
    assert table.row_name(399) == "line 403"


@pytest.mark.parametrize(
    ("name", "found", "first"),
    [("units", "units", 3), ("repeated_header", "repeated-header", 2), ("total2", "totals", 2)],
)
def test_the_cases(shared_cases, name, found, first):
    table = read(shared_cases / "tables" / f"{name}.csv")
    assert table.frame.height == 300
    assert names_of(table) == [found]
    assert table.row_name(0) == f"line {first}"
