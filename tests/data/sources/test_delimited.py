"""Delimited text: what is found out about a file, and what is refused."""

import csv
import io

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.data.sources import read
from handrail.data.sources.delimited import read_delimited
from handrail.data.sources.dialect import Dialect, records
from handrail.data.sources.records import IrregularError, RaggedError, find_odd, find_records
from handrail.data.split.row_hashes import row_hashes
from handrail.errors import DataError
from handrail.recipe.reading import ReadOptions


@pytest.fixture
def file(tmp_path):
    def write(content, name="table.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def rows(path, **options):
    return read(path, options=ReadOptions(**options)).frame.rows()


def test_adult_has_no_header_and_spaces_after_commas(shared_data):
    table = read(shared_data / "adult-census" / "adult-train.csv")
    assert table.frame.shape == (32561, 15)
    assert table.frame.columns[:2] == ["column_1", "column_2"]
    assert table.frame["column_2"][0] == "State-gov"
    # The number of ' ?' that grep counts in that column.
    assert table.frame["column_2"].null_count() == 1836
    assert set(table.frame["column_15"]) == {"<=50K", ">50K"}
    assert "no header" in table.notes[0]
    assert "spaces after delimiters removed" in table.notes[0]
    assert (table.row_name(0), table.first_row) == ("line 1", 1)


def test_spaces_between_tabs_are_within_values():
    """Also where each row has equally many, so that white space would fit as well."""

    def read_columns(text: str) -> list[str]:
        return read_delimited(text.encode(), "t.csv", options=ReadOptions()).frame.columns

    names = "full name\tage\n" + "John Smith\t30\nAnn Miller\t40\n" * 3
    assert read_columns(names) == ["full name", "age"]
    rates = "unit price\trate\tn\n" + "2,5\t5,1 %\t3\n" * 3
    assert read_columns(rates) == ["unit price", "rate", "n"]


def test_a_comma_in_single_quotes_divides_nothing():
    """Also where each row has one, so that the rows would be even without the quotes."""
    text = "sep=,\n" + "'1,200.50','a','x'\n'3,400.75','b','y'\n'5,600.25','a','x'\n" * 3
    options = ReadOptions(header=False, names=["n", "k", "t"])
    frame = read_delimited(text.encode(), "t.csv", options=options).frame
    assert frame.row(0) == ("1200.50", "a", "x")


def test_white_space_columns_with_tabs_and_quotes(shared_data):
    table = read(shared_data / "auto-mpg" / "auto-mpg.data")
    assert table.frame.shape == (398, 9)
    assert table.frame.columns[0] == "mpg"
    assert table.frame.columns[-1] == "car_name"
    assert table.frame.row(0)[-1] == "chevrolet chevelle malibu"
    assert table.frame["horsepower"].null_count() == 6


@pytest.mark.parametrize(
    ("name", "shape", "header"),
    [
        ("titanic/train.csv", (891, 12), True),
        ("california-housing/housing.csv", (20640, 10), True),
        ("wine-quality/winequality-red.csv", (1599, 12), False),
        ("wine-quality/winequality-white.csv", (4898, 12), False),
        ("time-series/airline-passengers.csv", (144, 2), True),
        ("time-series/pollution.csv", (43824, 13), True),
        ("ett/ETTh1.csv", (17420, 8), True),
        ("names/names.txt", (32033, 1), False),
        ("sms-spam/SMSSpamCollection", (5574, 2), False),
    ],
)
def test_real_files_are_laid_out_as_they_are(shared_data, name, shape, header):
    table = read(shared_data / name)
    assert table.frame.shape == shape
    assert set(table.frame.dtypes) == {pl.String}
    assert (table.frame.columns[0] != "column_1") == header
    assert table.first_row == 1 + header


def test_titanic_agrees_with_the_csv_module(shared_data):
    path = shared_data / "titanic" / "train.csv"
    text = io.StringIO(path.read_text(encoding="utf-8"), newline="")
    expected = [tuple(value.strip() or None for value in row) for row in csv.reader(text)][1:]
    assert read(path).frame.rows() == expected


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_delimiter_and_line_ends(file, delimiter, newline):
    lines = ["age{0}job{0}income", "31{0}nurse{0}12.5", "45{0}{0}8"]
    table = read(file(newline.join(line.format(delimiter) for line in lines) + newline))
    assert table.frame.columns == ["age", "job", "income"]
    assert table.frame.rows() == [("31", "nurse", "12.5"), ("45", None, "8")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252", "utf-32"])
def test_encoding_is_found(file, encoding):
    table = read(file("name,size\nZoë,3\nJürgen €,4\n".encode(encoding)))
    assert table.frame.rows() == [("Zoë", "3"), ("Jürgen €", "4")]


def test_given_encoding(file):
    path = file("name,size\nпривет,3\n".encode("cp1251"))
    assert rows(path, encoding="cp1251") == [("привет", "3")]
    with pytest.raises(DataError, match=r"'cp9999' is unknown"):
        read(path, options=ReadOptions(encoding="cp9999"))
    with pytest.raises(DataError, match=r"is not ascii text: line 2"):
        read(path, options=ReadOptions(encoding="ascii"))


@pytest.mark.parametrize(
    "marker", ["", "?", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "n/a", "-", "."]
)
def test_missing_markers(file, marker):
    assert rows(file(f"a,b\n1, {marker} \n2,3\n")) == [("1", None), ("2", "3")]


def test_given_missing_markers_add_to_the_usual_ones(file):
    path = file("a,b\n1,-999\n?,3\n")
    assert rows(path, missing=["-999"]) == [("1", None), (None, "3")]


def test_quotes_with_delimiters_newlines_and_lines_counted(file):
    table = read(file('id,text\n1,"a, b"\n2,"two\nlines"\n\n3,"say ""hi"""\n'))
    assert table.frame["text"].to_list() == ["a, b", "two\nlines", 'say "hi"']
    assert [table.row_name(i) for i in range(3)] == ["line 2", "line 3", "line 6"]


def test_quotes_after_a_space(file):
    assert rows(file('id, text\n1, "a, b"\n2, c\n')) == [("1", "a, b"), ("2", "c")]


def test_stray_quotes_are_plain_text(file):
    table = read(file('kind\tnote\nx\t"never closed\ny\t5" pipe\nz\tplain"\n', "notes.tsv"))
    assert table.frame["note"].to_list() == ['"never closed', '5" pipe', 'plain"']
    assert "quotes are plain text" in table.notes[0]


def test_decimal_comma(file):
    table = read(file("size;label;count\n3,14;a,b;1\n-2,5;c,d;2\n;e;3\n1.234,5;f;4\n"))
    assert table.frame["size"].to_list() == ["3.14", "-2.5", None, "1234.5"]
    assert table.frame["label"].to_list() == ["a,b", "c,d", "e", "f"]
    assert "'size' ('3,14' is 3.14)" in table.findings[0].seen


def test_decimal_comma_can_be_refused_or_demanded(file):
    path = file("size;count\n3,14;1\n2,50;2\n")
    assert rows(path, decimal=".") == [("3,14", "1"), ("2,50", "2")]
    quoted = file('size,count\n"3,14",1\n"2,50",2\n', "quoted.csv")
    assert rows(quoted) == rows(quoted, decimal=",") == [("3.14", "1"), ("2.50", "2")]
    assert rows(quoted, decimal=".") == rows(quoted, numbers="plain") == [("3,14", "1"), ("2,50", "2")]


def test_thousands_are_not_decimals(file):
    path = file("size;count\n1,234,567;1\n2,500,000;2\n")
    assert rows(path) == [("1234567", "1"), ("2500000", "2")]


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("name,city\nAnn,Rome\nBob,Oslo\n", True),
        ("red,small\nblue,large\nred,large\nblue,small\n", False),
        ("1,2\n3,4\n", False),
        ("x,2020\n1,a\n2,b\n", True),
        ("?,2\n3,4\n", False),
        ("a\n1\n2\n", True),
        ("name name,x\nAnn,Rome\n", True),
        ("a,a\nb,c\n", False),
    ],
)
def test_header_or_none(file, text, header):
    assert (read(file(text)).first_row == 2) == header


def test_names_replace_a_header_or_stand_for_one(file):
    headed, bare = file("a,b\n1,2\n"), file("1,2\n", "bare.csv")
    for path in (headed, bare):
        table = read(path, options=ReadOptions(names=["left", "right"]))
        assert table.frame.to_dicts() == [{"left": "1", "right": "2"}]
    with pytest.raises(DataError, match=r"bare.csv: 3 names are given for 2 columns"):
        read(bare, options=ReadOptions(names=["x", "y", "z"]))


def test_given_header_overrides(file):
    path = file("1,2\n3,4\n")
    assert read(path, options=ReadOptions(header=True)).frame.columns == ["1", "2"]
    assert read(file("a,b\n3,4\n", "b.csv"), options=ReadOptions(header=False)).frame.height == 2


def test_a_blank_row_is_no_row_but_a_pair_of_quotes_is(file):
    table = read(file('size\n1\n\n""\n3\n\n'))
    assert table.frame["size"].to_list() == ["1", None, "3"]
    assert [table.row_name(i) for i in range(3)] == ["line 2", "line 4", "line 5"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b,c\n1,2,3\n4,5\n", r"line 3 has 2 fields; expected 3, as in line 1"),
        ("a,b,c\n1,2,3\n4,5,6,7\n", r"line 3 has 4 fields; expected 3"),
        ('a,b,c\n1,"x\ny",3\n4,5\n', r"line 4 has 2 fields; expected 3"),
        ("a,b,c\n1,2,3\n" * 1 + "4,5,6\n" * 900 + "7,8\n", r"line 903 has 2 fields"),
        ('a,b,c\n1,2,3\n4,"5\n', r"quote \(\"\) opened in the record at line 3 is never closed"),
        ("a,b\n", r"has a header but no rows"),
        ("\n \n", r"holds only white space"),
        (b"", r"is empty \(0 bytes\)"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), r"seems to be PNG image"),
        (b"PAR1" + bytes(50), r"seems to be Parquet.*Rename it"),
        (b"\x1f\x8b\x08" + bytes(50), r"seems to be gzip.*\.gz"),
        (b"PK\x03\x04" + bytes(50), r"seems to be zip"),
        (b"a,b\n1,\0\n", r"line 2 holds a NUL byte \(byte 3 of the line\)"),
        (bytes(range(1, 32)) * 20, r"is not text"),
    ],
)
def test_what_is_no_table_is_refused_clearly(file, content, message):
    path = file(content)
    with pytest.raises(DataError, match=message) as caught:
        read(path)
    assert "table.csv" in str(caught.value)


fields = st.text(st.sampled_from('ab1 ,;"\n'), max_size=4)


@given(
    st.integers(1, 4).flatmap(
        lambda width: st.lists(st.lists(fields, min_size=width, max_size=width), min_size=1)
    )
)
def test_quick_parsing_agrees_with_the_csv_module(table):
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(table)
    expected = [fields for _, fields in records(buffer.getvalue(), Dialect(","))]
    if expected:
        _, rows = parse(buffer.getvalue())
        stripped = [tuple(value.strip() for value in row) for row in rows]
        assert stripped == [tuple(value.strip() for value in row) for row in expected]


def parse(text):
    """(lines, fields) of all records."""
    found = find_records(text.encode(), Dialect(","))
    try:
        pieces = list(found.pieces())
    except IrregularError:
        pieces = list(find_odd(text.encode(), Dialect(",")).pieces())
    return found.lines.tolist(), pl.concat(pieces).fill_null("").rows()


def test_files_of_several_blocks_are_counted_as_one(monkeypatch):
    text = 'a,b\n1,"x,\ny"\n2,"p""q"\n\n3,z\n'
    whole = parse(text)
    monkeypatch.setattr("handrail.data.sources.records._TALL", 1)
    assert whole[0] == [1, 2, 4, 6]
    for size in range(1, len(text) + 1):
        for name in ("_BLOCK", "_PIECE"):
            monkeypatch.setattr(f"handrail.data.sources.records.{name}", size)
        assert parse(text) == whole
    for size in range(1, 8):
        monkeypatch.setattr("handrail.data.sources.records._BLOCK", size)
        with pytest.raises(RaggedError) as found:
            parse("a,b\n1,2\n3\n4,5\n")
        assert (found.value.line, found.value.fields) == (3, 1)


LONG = (
    "code,x,y,stamp,z,w\n"
    "0012.50000000000,0.123456789012345678,-1.5e-300,1234567890123456,1.234567890123456,p\n"
    "0013.50000000000,NA,1.250000000000,1234567890123457,0,q\n"
    "0014.50000000000, .000000000000001 ,+3.5E+200000,1234567890123458,3e-05,r\n"
)


def test_a_file_of_several_pieces_holds_the_values_of_one(monkeypatch, file):
    path = file(LONG)
    whole = read(path)
    monkeypatch.setattr("handrail.data.sources.records._PIECE", 130)
    monkeypatch.setattr("handrail.data.sources.records._TALL", 2)
    pieces = read(path)
    kinds = {name: str(kind) for name, kind in pieces.frame.schema.items()}
    assert kinds == dict.fromkeys(pieces.frame.columns, "String") | {"x": "Float64"}
    assert row_hashes(pieces.frame).tolist() == row_hashes(whole.frame).tolist()
    assert pieces.frame["x"].to_list() == [0.123456789012345678, None, 1e-15]
    assert "decimals held as numbers in 1 column" in pieces.notes[0]
    assert "decimals" not in whole.notes[0]
    assert [pieces.row_name(row) for row in range(3)] == ["line 2", "line 3", "line 4"]


def test_large_and_small_files_together(monkeypatch, file):
    paths = [
        file("x,y\n" + f"0.1234567890123,{'1.50' if small else '1.2345678901234'}\n" * rows, name)
        for small, rows, name in ((False, 9, "large.csv"), (True, 2, "small.csv"))
    ]
    monkeypatch.setattr("handrail.data.sources.records._PIECE", 100)
    monkeypatch.setattr("handrail.data.sources.records._TALL", 4)
    table = read([str(path) for path in paths])
    assert table.frame["x"].to_list() == ["0.1234567890123"] * 11
    assert table.frame["y"].to_list() == ["1.2345678901234"] * 9 + ["1.50"] * 2
    assert table.row_name(10) == "line 3 of small.csv"


def test_a_tab_within_quotes_does_not_make_columns_by_white_space(tmp_path) -> None:
    """A name of two words and a value of two words stand evenly by white space, too."""
    path = tmp_path / "table.csv"
    path.write_text('when\tplace\tsize (cm)\tx\n21/01/95\t"tab\there"\tc; d\t3.5\n', encoding="utf-8")
    table = read(path)
    assert table.frame.columns == ["when", "place", "size (cm)", "x"]
    assert table.frame.row(0)[1] == "tab\there"
