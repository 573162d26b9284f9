"""Quotes other than double ones around the values of a column, and apostrophes that are none."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handrail.data.sources import read
from handrail.data.sources.delimited import read_delimited
from handrail.recipe.reading import ReadOptions

APOSTROPHES = ["it's", "'tis so", "O'Brien", "the boys'", "plain"]


def parse(text, name="t.csv", **options):
    return read_delimited(text.encode(), name, options=ReadOptions(**options))


@pytest.mark.parametrize(("left", "right"), [("'", "'"), ("“", "”"), ("„", "“"), ("«", "»"), ("`", "`")])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_quotes_around_a_column_are_taken_off_and_said(left, right, delimiter):
    lines = ["id,kind,x", *(f"{i},{left}{'red' if i % 2 else 'blue'}{right},{i}" for i in range(6))]
    text = "\n".join(lines).replace(",", delimiter) + "\n"
    table = parse(text)
    assert set(table.frame["kind"]) == {"red", "blue"}
    (finding,) = table.findings
    assert (finding.name, finding.decided) == ("quotes", True)
    assert "'kind'" in finding.seen
    assert "--read quote=" in finding.action
    kept = parse(text, quote="")
    assert kept.frame["kind"][0] == f"{left}blue{right}"
    assert not kept.findings


def test_numbers_names_and_missing_values_in_quotes():
    table = parse("'a';'b';'c'\n'1,5';'x';'NA'\n'2,5';'y';''\n'';'z';'it''s'\n")
    assert table.frame.columns == ["a", "b", "c"]
    assert table.frame["a"].to_list() == ["1.5", "2.5", None]
    assert table.frame["c"].to_list() == [None, None, "it's"]


def test_names_alone_in_quotes():
    assert parse("'a','b'\n1,2\n3,4\n").frame.columns == ["a", "b"]


def test_delimiters_and_line_breaks_within_single_quotes():
    lines = "".join(f"{i},'one, two','{'a' if i % 2 else 'b, c'}'\n" for i in range(6))
    table = parse("id,text,kind\n" + lines)
    assert table.frame.row(0) == ("0", "one, two", "b, c")
    assert [finding.name for finding in table.findings] == ["quotes"]
    tabs = parse("id\ttext\n" + "".join(f"{i}\t'one\ntwo'\n" for i in range(4)), "t.tsv")
    assert tabs.frame["text"].to_list() == ["one\ntwo"] * 4


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_apostrophes_stay(delimiter):
    text = "\n".join(["id,text", *(f"{i},{word}" for i, word in enumerate(APOSTROPHES * 3))]) + "\n"
    table = parse(text.replace(",", delimiter))
    assert table.frame["text"].to_list() == APOSTROPHES * 3
    assert not table.findings


def test_a_quoted_column_beside_apostrophes():
    lines = (f"{i},'k{i % 2}',{word}" for i, word in enumerate(APOSTROPHES * 3))
    table = parse("\n".join(["id,kind,text", *lines]) + "\n")
    assert table.frame["text"].to_list() == APOSTROPHES * 3
    assert set(table.frame["kind"]) == {"k0", "k1"}


@pytest.mark.parametrize(
    "values",
    [["'a' or 'b'", "'c' or 'd'", "'e' and 'f'"], ["'a'", "b'", "c", "d"], ["'a' said", "'b' too", "c"]],
)
def test_quotes_that_are_no_quoting_stay(values):
    text = "\n".join(["id,text", *(f"{i},{value}" for i, value in enumerate(values))]) + "\n"
    assert parse(text).frame["text"].to_list() == values


def test_double_quotes_around_single_ones_and_the_other_way_round():
    table = parse('id,text\n1,"\'a\' said ""x"""\n2,"b"\n3,"it\'s, yes"\n')
    assert table.frame["text"].to_list() == ["'a' said \"x\"", "b", "it's, yes"]
    single = parse("id,text\n1,'say \"x\"'\n2,'b'\n3,'c'\n")
    assert single.frame["text"].to_list() == ['say "x"', "b", "c"]


words = st.text(st.sampled_from("a é'x,;"), max_size=5).map(lambda text: f"w{text}z")


@given(st.lists(st.tuples(words, words), min_size=4, max_size=8))
@settings(max_examples=30)
def test_texts_written_in_single_quotes_come_back(rows):
    quoted = [",".join("'" + cell.replace("'", "''") + "'" for cell in row) for row in rows]
    table = parse("\n".join(["'one','two'", *quoted]) + "\n", header=True, delimiter=",")
    assert table.frame.rows() == [tuple(row) for row in rows]
    assert table.frame.columns == ["one", "two"]


def test_the_case(shared_cases):
    table = read(shared_cases / "tables" / "single_quotes.csv")
    assert set(table.frame["column_3"]) == {"-1", "1"}
    assert "column_3" in table.findings[0].seen
