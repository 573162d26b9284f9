"""Passages: a text is cut into rows and nothing of it is lost."""

import gzip
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.data.sources.passages import (
    _passages,
    from_table,
    read_passages,
    read_text_file,
    read_text_files,
)
from handrail.data.table import Table
from handrail.errors import DataError
from handrail.recipe.reading import ReadOptions


def _joined(table: Table) -> str:
    return "".join(table.frame["text"])


@given(st.text(st.sampled_from("ab \n"), min_size=1, max_size=400), st.integers(1, 12))
def test_passages_join_to_the_text(part: str, times: int) -> None:
    text = part * times
    passages = list(_passages(text))
    assert "".join(passages) == text
    assert all(0 < len(passage) <= 1000 for passage in passages)
    assert all(len(passage) > 500 for passage in passages[:-1])


def test_a_passage_ends_at_a_line_end_else_behind_a_space_else_where_it_is_full() -> None:
    lines = "x" * 79 + "\n"
    assert all(passage.endswith("x\n") for passage in _passages(lines * 100))
    assert [len(passage) for passage in _passages("wordword " * 300)][:2] == [999, 999]
    assert [len(passage) for passage in _passages("x" * 2500)] == [1000, 1000, 500]


def test_tiny_shakespeare_comes_back_and_passages_are_named_by_their_lines(shared_data: Path) -> None:
    path = shared_data / "tinyshakespeare" / "input.txt"
    text = path.read_bytes().decode()
    table = read_text_file(path)
    assert _joined(table) == text
    assert table.target == "text"
    assert table.frame.schema == {"text": pl.String}
    for row in (0, 1, 700, len(table.frame) - 1):
        before = "".join(table.frame["text"][:row])
        assert table.row_name(row) == f"line {before.count(chr(10)) + 1}"


def test_line_ends_and_letters_are_kept(tmp_path: Path) -> None:
    text = "Zeile eins\r\nZwei: äöü\r\n\r\nEnde"
    (tmp_path / "a.txt").write_bytes(text.encode())
    (tmp_path / "b.txt").write_bytes(text.encode("cp1252"))
    (tmp_path / "c.txt.gz").write_bytes(gzip.compress(text.encode()))
    assert _joined(read_text_file(tmp_path / "a.txt")) == text
    assert _joined(read_text_file(tmp_path / "b.txt", encoding="cp1252")) == text
    assert _joined(read_text_file(tmp_path / "c.txt.gz")) == text


def test_several_files_follow_each_other_with_a_line_end_between(tmp_path: Path) -> None:
    (tmp_path / "1.txt").write_text("one")
    (tmp_path / "2.txt").write_text("two\n\nthree\n")
    table = read_text_files([tmp_path / "1.txt", tmp_path / "2.txt"])
    assert _joined(table) == "one\ntwo\n\nthree\n"
    assert [table.row_name(row) for row in (0, 1)] == ["line 1 of 1.txt", "line 1 of 2.txt"]
    assert (
        _joined(read_passages(tmp_path)) == _joined(read_passages(str(tmp_path / "*.txt"))) == _joined(table)
    )


def test_rows_of_a_table_end_with_a_line_end_and_missing_ones_are_left_out() -> None:
    frame = pl.DataFrame({"year": [1, 2, 3], "verse": ["roses are red", None, "violets\n"]})
    table = from_table(Table(frame, "poems"))
    assert table.frame["text"].to_list() == ["roses are red\n", "violets\n"]
    assert [table.row_name(row) for row in (0, 1)] == ["row 1", "row 3"]
    assert read_passages(frame, "verse").frame.equals(table.frame)
    assert read_passages(frame, 2).frame.equals(table.frame)


def test_a_text_file_is_a_table_where_a_column_of_it_is_named(tmp_path: Path) -> None:
    path = tmp_path / "verses.txt"
    path.write_text("year,verse\n1,roses are red\n2,violets are blue\n")
    assert _joined(read_passages(path, "verse")) == "roses are red\nviolets are blue\n"
    assert _joined(read_passages(path)) == path.read_text()


def test_what_cannot_be_read_as_text_is_said(tmp_path: Path) -> None:
    (tmp_path / "picture.txt").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(30))
    (tmp_path / "empty.txt").write_bytes(b"")
    two = Table(pl.DataFrame({"a": ["x"], "b": ["y"], "n": [1]}), "two")
    with pytest.raises(DataError, match=r"picture\.txt is not text: it seems to be PNG image"):
        read_passages(tmp_path / "picture.txt")
    with pytest.raises(DataError, match=r"empty\.txt is empty"):
        read_text_file(tmp_path / "empty.txt")
    with pytest.raises(DataError, match=r"Did you mean 'empty\.txt'"):
        read_passages(tmp_path / "emty.txt")
    with pytest.raises(DataError, match="'two' has 2 columns of text; expected one, or its name"):
        from_table(two)
    with pytest.raises(DataError, match="'two' has no column 'c'"):
        from_table(two, "c")
    with pytest.raises(DataError, match="column 'n': found Int64, expected text"):
        from_table(two, "n")
    with pytest.raises(DataError, match="all 2 texts are missing"):
        from_table(Table(pl.DataFrame({"a": [None, None]}, schema={"a": pl.String}), "none"))
    with pytest.raises(DataError, match="'delimiter' would have no effect on a text"):
        read_passages(tmp_path / "empty.txt", options=ReadOptions(delimiter=";"))
