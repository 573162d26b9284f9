"""Labelled series from files."""

from pathlib import Path

import numpy as np
import pytest

from handrail.data.sources.media import has_items
from handrail.data.sources.media.series_files import read_series_files
from handrail.data.stores.series import SeriesStore
from handrail.data.table import Table
from handrail.errors import DataError

HEADER = (
    "@problemName Toy\n@timeStamps false\n@univariate false\n@dimensions 2\n@equalLength true\n"
    "@classLabel true a b\n@data\n"
)


def series_of(table: Table) -> SeriesStore:
    store = table.stores["series"]
    assert isinstance(store, SeriesStore)
    return store


def test_real_data_sets_have_the_counts_of_their_description(shared_data: Path) -> None:
    known = {
        "GunPoint": (50, 150, 1, 150),
        "ItalyPowerDemand": (67, 1029, 1, 24),
        "BasicMotions": (40, 40, 6, 100),
    }
    for name, (train, test, channels, length) in known.items():
        if not (shared_data / "ucr" / name).is_dir():
            continue
        table = read_series_files(shared_data / "ucr" / name)
        assert table.parts is not None
        assert np.bincount(table.parts).tolist() == [train, 0, test]
        assert (table.target, table.frame["class"].null_count()) == ("class", 0)
        store = series_of(table)
        assert (store.channels, set(store.lengths)) == (channels, {length})
        assert np.isfinite(store.flat).all()


def test_every_way_to_name_a_data_set_gives_the_same(tmp_path: Path) -> None:
    for part, row in (("TRAIN", "1,2:3,4:a"), ("TEST", "5,6:7,8:b")):
        (tmp_path / f"Toy_{part}.ts").write_text(HEADER + row + "\n")
    (tmp_path / "Toy_TRAIN.txt").write_text("1 1 2\n")  # the same training rows in a poorer format
    whole = read_series_files(tmp_path)
    assert whole.parts is not None
    assert whole.parts.tolist() == [0, 2]
    assert whole.frame["class"].to_list() == ["a", "b"]
    assert whole.row_name(1) == "line 8 of Toy_TEST.ts"
    for name in ("Toy_TRAIN.ts", "Toy_TEST.ts"):
        again = read_series_files(tmp_path / name)
        assert again.frame.equals(whole.frame)
        assert (again.stores["series"].hashes == whole.stores["series"].hashes).all()
    alone = tmp_path / "alone"
    alone.mkdir()
    (alone / "Toy_TRAIN.ts").write_text(HEADER + "1,2:3,4:a\n")
    assert read_series_files(alone).parts is None


def test_ts_understands_gaps_comments_unequal_lengths_and_no_classes(tmp_path: Path) -> None:
    path = tmp_path / "toy.ts"
    path.write_text(
        "# said\n@problemName x\n@equalLength false\n@classLabel false\n@data\n1,?,3\n\n% not\n4,NaN\n"
    )
    table = read_series_files(path)
    assert table.frame.columns == ["series"]
    assert table.target is None
    values = series_of(table).values(np.arange(2), 3)
    np.testing.assert_array_equal(values[:, 0], [[1, np.nan, 3], [4, np.nan, 0]])


def test_ts_with_a_number_as_target(tmp_path: Path) -> None:
    path = tmp_path / "toy.ts"
    path.write_text("@problemName x\n@univariate true\n@targetLabel true\n@data\n1,2:0.5\n3,4:-1\n")
    table = read_series_files(path)
    assert (table.target, table.frame["value"].to_list()) == ("value", ["0.5", "-1"])


def test_all_mistakes_of_both_files_at_once(tmp_path: Path) -> None:
    rows = [
        "1,2:3,4:a",
        "1,2,3:4,5,6:a",
        "1,2:3,4:5,6:a",
        "1,x:3,4:b",
        "1,2:3,4,5:b",
        "1,2:3,inf:a",
        "1,2:3,4:c",
        "1,y:3,4:a",
    ]
    (tmp_path / "Toy_TRAIN.ts").write_text(HEADER + "\n".join(rows))
    (tmp_path / "Toy_TEST.ts").write_text(HEADER + "1,2:3,4")
    with pytest.raises(DataError) as caught:
        read_series_files(tmp_path)
    text = str(caught.value)
    assert "Toy_TRAIN.ts, line 9: found 3 values, expected 2 (the header says @equalLength true)" in text
    assert "Toy_TRAIN.ts, line 10: found 3 dimensions, expected 2" in text
    assert "Toy_TRAIN.ts, line 11: found 'x' as value 2 of dimension 1, expected a number" in text
    assert "Toy_TRAIN.ts, line 12: found dimensions of 2 to 3 values" in text
    assert "Toy_TRAIN.ts, line 13: found inf as value 2 of dimension 2" in text
    assert "Toy_TRAIN.ts: 2 more such lines" in text
    assert "Toy_TEST.ts, line 8: found the class '3,4', expected one of a, b" in text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("1,2,3:a\n", "line 1: found data before the line @data"),
        ("@problemName x\n", "has no line @data"),
        ("@timeStamps true\n@data\n1:a\n", "line 1: series with time stamps are not read"),
        ("@equalLenght true\n@data\n1:a\n", "'@equallenght' is not known. Did you mean 'equallength'"),
        ("@dimensions many\n@data\n1:a\n", "found 'many' after @dimensions"),
        ("@problemName x\n@data\n", "holds no series"),
        ("\x89PNG\r\n\x1a\n", "is not text"),
    ],
)
def test_a_header_that_cannot_be_followed(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "toy.ts"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(DataError, match=message.replace("(", r"\(")):
        read_series_files(path)


def test_arff_plain_and_relational(tmp_path: Path) -> None:
    plain = (
        "@relation 'x'\n@attribute a1 numeric\n@attribute 'a 2' REAL\n@attribute target {-1,1}\n"
        "@data\n1,?,'-1'\n3,4,1\n"
    )
    (tmp_path / "plain.arff").write_text(plain)
    table = read_series_files(tmp_path / "plain.arff")
    assert table.frame["class"].to_list() == ["-1", "1"]
    values = series_of(table).values(np.arange(2), 2)
    np.testing.assert_array_equal(values[:, 0], [[1, np.nan], [3, 4]])
    nested = (
        "@relation x\n@attribute r relational\n@attribute t1 numeric\n@attribute t2 numeric\n@end r\n"
        "@attribute c {u,v}\n@data\n"
    )
    (tmp_path / "nested.arff").write_text(nested + "'1,2\\n3,4',u\n\"5,6\\n7,8\",v\n")
    table = read_series_files(tmp_path / "nested.arff")
    values = series_of(table).values(np.arange(2), 2)
    np.testing.assert_array_equal(values, [[[1, 2], [3, 4]], [[5, 6], [7, 8]]])
    assert table.frame["class"].to_list() == ["u", "v"]


def test_arff_mistakes(tmp_path: Path) -> None:
    path = tmp_path / "x.arff"
    path.write_text(
        "@relation x\n@attribute a numeric\n@attribute b numeric\n@attribute c {u}\n@data\n"
        "1,u\n{0 1}\n1,z,u\n"
    )
    with pytest.raises(DataError) as caught:
        read_series_files(path)
    assert "line 6: found 1 values, expected 2" in str(caught.value)
    assert "line 7: found a sparse row" in str(caught.value)
    assert "line 8: found 'z' as value 2" in str(caught.value)
    path.write_text("@relation x\n@attribute colour {red}\n@attribute c {u}\n@data\nred,u\n")
    with pytest.raises(DataError, match="the attribute 'colour' is not numeric"):
        read_series_files(path)


@pytest.mark.parametrize("sign", ["\t", ",", "  "])
def test_plain_text_with_the_class_first(tmp_path: Path, sign: str) -> None:
    rows = [["1.0000000e+00", "0.5", "1.5", "2"], ["-1", "3", "NaN", "NaN"]]
    (tmp_path / "Toy_TRAIN.txt").write_text("\n".join(sign.join(row) for row in rows) + "\n")
    assert has_items([tmp_path / "Toy_TRAIN.txt"])
    table = read_series_files(tmp_path / "Toy_TRAIN.txt")
    assert table.frame["class"].to_list() == ["1", "-1"]
    assert series_of(table).lengths.tolist() == [3, 1], "gaps at the end: it is shorter"


def test_ragged_text_and_other_dimensions_in_the_test_file(tmp_path: Path) -> None:
    (tmp_path / "Toy_TRAIN.txt").write_text("1 2 3\n1 2\n")
    with pytest.raises(
        DataError, match=r"Toy_TRAIN.txt, line 2: found 1 values, expected 2 as in the first row"
    ):
        read_series_files(tmp_path)
    (tmp_path / "Toy_TRAIN.ts").write_text(HEADER + "1,2:3,4:a\n")
    (tmp_path / "Toy_TEST.ts").write_text("@univariate true\n@classLabel true a b\n@data\n1,2:a\n")
    with pytest.raises(DataError, match=r"Toy_TRAIN\.ts has 2, Toy_TEST\.ts has 1"):
        read_series_files(tmp_path)


def test_a_folder_with_nothing_or_with_several_data_sets(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no labelled series"):
        read_series_files(tmp_path)
    for name in ("A", "B"):
        (tmp_path / f"{name}_TRAIN.ts").write_text(HEADER)
    with pytest.raises(DataError, match=r"holds 2 data sets \(A, B\)"):
        read_series_files(tmp_path)
    with pytest.raises(DataError, match="there is no file"):
        read_series_files(tmp_path / "C_TRAIN.ts")
