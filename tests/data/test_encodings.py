"""Bytes that are nearly text, and files that are no text at all."""

import gzip
import io
import json
import tarfile
import zipfile

import pytest

from handrail.data.sources import read
from handrail.errors import DataError
from handrail.recipe.reading import ReadOptions

TEXT = "name,size\nZoë,3\nJürgen,4\n"


@pytest.fixture
def file(tmp_path):
    def write(content, name="table.csv"):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a,b\n1,2\n3\0,4\n", r"line 3 holds a NUL byte \(byte 2 of the line\)"),
        (b"\0a,b\n1,2\n3,\0\n", r"line 1 holds a NUL byte \(byte 1 of the line; 2 in all, in lines 1, 3\)"),
        (
            "é,b\n1,2\n".encode() * 5 + b"\0" * 30,
            r"line 11 holds a NUL byte \(byte 1 of the line; 30 in all\)",
        ),
    ],
)
def test_nul_bytes_are_named_by_line(file, content, message):
    with pytest.raises(DataError, match=message):
        read(file(content))


@pytest.mark.parametrize("content", [bytes(64), bytes(range(256)) * 8, b"\x7fELF" + bytes(99)])
def test_binary_stays_what_it_is(file, content):
    with pytest.raises(DataError, match="is not text"):
        read(file(content))


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_two_bytes_a_letter_without_a_mark(file, encoding):
    table = read(file(TEXT.encode(encoding)))
    assert table.frame.rows() == [("Zoë", "3"), ("Jürgen", "4")]
    assert f"encoding {encoding}" in table.notes[0]


def test_a_guessed_encoding_is_said_with_an_example(file):
    (finding,) = read(file(TEXT.encode("cp1252"))).findings
    assert (finding.level, finding.decided) == ("note", True)
    assert "was read as cp1252: line 2 holds 'Zoë'" in finding.seen
    assert "--read encoding=" in finding.action
    (foreign,) = read(file("имя,x\nпривет,1\nмир,2\n".encode("cp1251"))).findings
    assert foreign.level == "warning"
    given = ReadOptions(encoding="cp1251")
    assert not read(file("имя,x\nпривет,1\nмир,2\n".encode("cp1251")), options=given).findings
    assert not read(file(TEXT.encode())).findings


def test_lines_in_another_encoding_are_named(file):
    content = TEXT.encode() + b"Z\xfcrich,5\n" + "Käse,6\n".encode()
    with pytest.raises(DataError, match=r"line 4 holds bytes that are not UTF-8 \(0xfc\).*encoding=cp1252"):
        read(file(content))
    assert read(file(content), options=ReadOptions(encoding="cp1252")).frame.height == 4


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.json", json.dumps([{"a": 1}, {"a": 2}])),
        ("t.jsonl", '{"a": 1}\n{"a": 2}\n'),
        ("t", json.dumps([{"a": 1}, {"a": 2}])),
        ("t.csv", "a\n1\n2\n"),
    ],
)
@pytest.mark.parametrize("encoding", [None, "utf-8"])
def test_byte_order_marks(file, name, content, encoding):
    path = file(b"\xef\xbb\xbf" + content.encode(), name)
    assert read(path, options=ReadOptions(encoding=encoding)).frame.columns == ["a"]


def archive(kind):
    buffer = io.BytesIO()
    if kind.startswith("tar"):
        with tarfile.open(fileobj=buffer, mode="w:gz" if kind == "tar.gz" else "w") as tar:
            tar.addfile(tarfile.TarInfo("a.csv"), io.BytesIO())
        return buffer.getvalue()
    names = {
        "xlsx": {"xl/workbook.xml": ""},
        "docx": {"word/document.xml": ""},
        "ods": {"mimetype": "application/vnd.oasis.opendocument.spreadsheet"},
    }
    with zipfile.ZipFile(buffer, "w") as packed:
        for name, text in names[kind].items():
            packed.writestr(name, text)
    return buffer.getvalue()


@pytest.mark.parametrize("suffix", [".csv", ".zip", ".bin"])
@pytest.mark.parametrize(("kind", "seen"), [("xlsx", "Excel workbook"), ("ods", "OpenDocument spreadsheet")])
def test_spreadsheets_are_named_whatever_their_ending(file, kind, seen, suffix):
    with pytest.raises(DataError, match=rf"seems to be {seen}.*as CSV"):
        read(file(archive(kind), f"t{suffix}"))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.tar", archive("tar"), r"tar archive. Unpack it"),
        ("t.csv", archive("tar"), r"tar archive. Unpack it"),
        ("t.tar.gz", archive("tar.gz"), r"tar archive. Unpack it"),
        ("t.tgz", archive("tar.gz"), r"tar archive. Unpack it"),
        ("t.csv", archive("tar.gz"), r"tar archive. Unpack it"),
        ("t.7z", b"7z\xbc\xaf\x27\x1c" + bytes(30), r"7-Zip archive. Unpack it"),
        ("t.rar", b"Rar!\x1a\x07\x01\0" + bytes(30), r"RAR archive. Unpack it"),
        ("t.rds", gzip.compress(b"X\n\0\0\0\x03" + bytes(50)), r"R data. Save its table as CSV"),
        ("t.RData", gzip.compress(b"RDX3\nX\n" + bytes(50)), r"R data"),
        ("t.h5", b"\x89HDF\r\n\x1a\n" + bytes(50), r"HDF5. Save its table"),
        ("t.dta", b"<stata_dta><header>" + bytes(50), r"Stata file. Save it"),
        ("t.sav", b"$FL2@(#) SPSS" + bytes(50), r"SPSS file. Save it"),
        ("t.sas7bdat", bytes(12) + b"\xc2\xea\x81\x60" + bytes(50), r"SAS file. Save it"),
        ("t.zip", archive("docx"), r"Word document"),
    ],
    ids=lambda value: "bytes" if isinstance(value, bytes) else None,  # an archive holds the time of its making
)
def test_archives_and_files_of_other_programs_are_named(file, name, content, message):
    with pytest.raises(DataError, match=message):
        read(file(content, name))


def test_the_case(shared_cases):
    with pytest.raises(DataError, match="line 42 holds a NUL byte"):
        read(shared_cases / "text" / "nul.csv")
