"""Lines that are not the table, and the settings that are proposed where a file cannot be read."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handrail.data.sources import read
from handrail.data.sources.delimited import read_delimited
from handrail.errors import DataError
from handrail.recipe.dotted import parse_setting
from handrail.recipe.reading import ReadOptions

HEADER, ROWS = "size,age,price\n", "1.5,3,7\n2.5,4,8\n3.5,5,9\n4.5,6,1\n"


def parse(text, name="t.csv", **options):
    return read_delimited(text.encode(), name, options=ReadOptions(**options))


def proposed(message):
    """The settings that a message proposes, as the command line takes them."""
    return dict(parse_setting(text, flag="--read") for text in re.findall(r"--read (\S+=\S+)", message))


@pytest.mark.parametrize("title", ["Report\n", "Report\n\n", "Station: 7, Berlin\nof July\n\n", "a\nb\nc\n"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_lines_before_the_table_are_skipped_and_the_message_says_how(title, delimiter):
    text = title + (HEADER + ROWS).replace(",", delimiter)
    with pytest.raises(DataError, match=r"do(es)? not look like the table: --read skip=") as caught:
        parse(text)
    count = title.count("\n")
    assert proposed(str(caught.value)) == {"skip": count}
    for options in ({"skip": count}, {"header": count + 1}):
        table = parse(text, **options)
        assert table.frame.columns == ["size", "age", "price"]
        assert table.frame.row(0) == ("1.5", "3", "7")
        assert table.row_name(0) == f"line {count + 2}"
        assert "left out" in table.notes[0]


@pytest.mark.parametrize("sign", ["#", "%", "//", ";", "--"])
def test_comments_are_left_out_and_the_message_says_how(sign):
    text = f"{sign} of July\n{HEADER}1.5,3,7\n  {sign} checked, twice, today, by me\n2.5,4,8\n3.5,5,9\n"
    with pytest.raises(DataError, match="look like comments") as caught:
        parse(text)
    assert proposed(str(caught.value)) == {"comment": sign}
    table = parse(text, comment=sign)
    assert table.frame.rows() == [("1.5", "3", "7"), ("2.5", "4", "8"), ("3.5", "5", "9")]
    assert [table.row_name(i) for i in range(3)] == ["line 3", "line 5", "line 6"]
    assert f"2 lines that begin with {sign} left out" in table.notes[0]


def test_comments_and_a_title_need_both_settings():
    text = f"Report\n{HEADER}1.5,3,7\n# checked\n2.5,4,8\n3.5,5,9\n"
    with pytest.raises(DataError, match="Both are needed") as caught:
        parse(text)
    settings = proposed(str(caught.value))
    assert settings == {"skip": 1, "comment": "#"}
    assert parse(text, **settings).frame.height == 3


@pytest.mark.parametrize(
    "text",
    [
        HEADER + ROWS + "1,2\n" + ROWS,
        HEADER + ROWS + "1,2\n",
        HEADER + ROWS + "Source: a book\n",
        HEADER + "#1,2,3\n#2,3,4\n" + ROWS + "1\n",
        "a,b,c\n1,2\n3,4\n",
    ],
)
def test_nothing_is_proposed_that_would_lose_rows_or_does_not_help(text):
    with pytest.raises(DataError, match="Correct that line") as caught:
        parse(text)
    assert "--read" not in str(caught.value)


@pytest.mark.parametrize("above", ["Report of July,,\n", "Report,,\n,,\n", ",,\n"])
def test_a_title_that_is_padded_to_the_width_of_the_table_is_not_taken_for_the_header(above):
    text = above + HEADER + ROWS
    with pytest.raises(DataError, match=r"above the table, and line \d the names of the 3 columns") as caught:
        parse(text)
    skip = re.search(r"skip=(\d+)", str(caught.value))
    assert skip
    assert parse(text, skip=int(skip[1])).frame.columns == ["size", "age", "price"]
    assert parse(text, header=1).frame.height == 4 + above.count("\n")


@pytest.mark.parametrize("text", [",a,b\n0,1,2\n1,2,3\n", ",score\n0,1\n1,5\n", "a,\n1,2\n3,4\n"])
def test_names_that_are_lacking_are_no_title(text):
    assert parse(text).row_name(0) == "line 2"


def test_words_above_numbers_below_the_header_are_a_warning():
    table = parse("Station,seven,July\n" + HEADER + ROWS)
    (finding,) = table.findings
    assert "line 2 holds words ('size', 'age', 'price')" in finding.seen
    assert "--read header=2" in finding.action


@pytest.mark.parametrize(("first", "setting"), [("# a b c\n", {"comment": "#"}), ("Report\n\n", {"skip": 1})])
def test_a_table_is_not_taken_for_one_column_because_of_its_first_line(first, setting):
    text = first + ROWS.replace(",", " ")
    with pytest.raises(DataError, match="fit no delimiter") as caught:
        parse(text, "t.txt")
    assert proposed(str(caught.value)).items() >= setting.items()
    assert parse(text, "t.txt", **setting).frame.shape == (4, 3)
    assert parse(text, "t.txt", header=False).frame.shape == (5, 1)


@pytest.mark.parametrize(
    "text", ["anna\nben, jr\ncarl\n", "word\none two\nthree\nfour five six\n", "1\n2\n3\n"]
)
def test_lists_stay_one_column(text):
    assert parse(text, "list.txt").frame.width == 1


def test_what_stands_in_quotes_is_no_comment():
    table = parse('a,b\n# it"s\n1,"x\n# in the text"\n2,y\n# end\n', comment="#")
    assert table.frame.rows() == [("1", "x\n# in the text"), ("2", "y")]
    inches = parse('size,b\n5",1\n# 7" and more\n6",2\n', comment="#")
    assert inches.frame.rows() == [('5"', "1"), ('6"', "2")]


def test_a_header_may_be_a_comment():
    table = parse("# a b\n# more\n1 2\n3 4\n", "t.txt", comment="#", header=1)
    assert table.frame.columns == ["a", "b"]
    assert table.frame.height == 2


def test_the_line_that_names_the_delimiter():
    table = parse("sep=;\r\na;b\r\n1,5;x\r\n2,5;y\r\n")
    assert table.frame.columns == ["a", "b"]
    assert table.row_name(0) == "line 3"
    assert "sep=;" in table.notes[0]
    assert parse("sep=|\na,b|c\n1,2|3\n").frame.columns == ["a,b", "c"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"skip": 100}, r"has 5 lines, and 100 are to be left out"),
        ({"header": 9}, r"has 5 lines, and 8 are to be left out"),
        ({"header": 3}, r"line 3 is blank"),
        ({"comment": "1"}, r"has a header but no rows"),
    ],
)
def test_settings_that_leave_no_table_are_refused(options, message):
    text = "a,b\n1,2\n\n1,4\n1,6\n"
    with pytest.raises(DataError, match=message):
        parse(text, **options)


def test_other_formats_have_no_lines_to_skip(tmp_path):
    (tmp_path / "t.json").write_text('[{"a": 1}]')
    for options in (ReadOptions(skip=1), ReadOptions(comment="#"), ReadOptions(rows="all")):
        with pytest.raises(DataError, match=r"would have no effect on t\.json"):
            read(tmp_path / "t.json", options=options)


@given(
    title=st.lists(st.sampled_from(["Report", "", "of July: all", "2024"]), max_size=4),
    places=st.lists(st.integers(0, 6), max_size=3),
    sign=st.sampled_from(["#", "%%", "//"]),
    count=st.integers(2, 6),
)
@settings(max_examples=40)
def test_any_title_and_comments_leave_the_same_table(title, places, sign, count):
    rows = [f"{i}.5,word{i},{i * i}" for i in range(count)]
    lines = ["a,b,c", *rows]
    for place in places:
        lines.insert(min(place, len(lines)), f"{sign} a note, with, commas")
    text = "\n".join([*title, *lines]) + "\n"
    table = parse(text, skip=len(title), comment=sign)
    assert table.frame.rows() == [tuple(row.split(",")) for row in rows]
    whole = text.split("\n")
    for i, row in enumerate(rows):
        assert whole[int(table.row_name(i).removeprefix("line ")) - 1] == row


@pytest.mark.parametrize(("name", "settings"), [("title", {"skip": 2}), ("comment", {"comment": "#"})])
def test_the_cases(shared_cases, name, settings):
    path = shared_cases / "tables" / f"{name}.csv"
    with pytest.raises(DataError) as caught:
        read(path)
    assert proposed(str(caught.value)).items() >= settings.items()
    table = read(path, options=ReadOptions(**settings))
    assert table.frame.shape == (300, 3)
    assert table.row_name(0) == "line 4"
