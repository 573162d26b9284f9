"""A column of paths as pictures."""

from pathlib import Path

import polars as pl
import pytest
from PIL import Image

from handrail.data.sources.media import holds_paths, path_column_store
from handrail.data.stores.images import ImageStore
from handrail.errors import DataError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    for place in range(3):
        Image.new("L", (4, 4), 50 * place).save(tmp_path / "in" / f"{place}.png")
    return tmp_path


def test_paths_become_places(folder: Path) -> None:
    column = pl.Series("photo", ["in/2.png", None, str(folder / "in" / "0.png"), "in\\1.png", " in/2.png"])
    places, store = path_column_store(column, folder, row_name=str)
    assert isinstance(store, ImageStore)
    assert places.name == "photo"
    assert places.to_list() == [0, None, 1, 2, 3]
    assert store.pixels((4, 4), 1)[places.drop_nulls().to_list(), 0, 0, 0].tolist() == [100, 0, 50, 100]


def test_a_picture_that_is_named_twice_is_decoded_once(folder: Path) -> None:
    places, store = path_column_store(pl.Series("photo", ["in/1.png"] * 5), folder, row_name=str)
    assert places.to_list() == [0] * 5
    assert len(store) == 1


@pytest.mark.parametrize("values", [["a.png", "b"], [None, None], ["3.5", "4.5"]])
def test_other_columns_are_left_alone(values: list) -> None:
    assert not holds_paths(pl.Series("x", values, dtype=pl.String))
    assert not holds_paths(pl.Series("x", [1, 2]))


def test_missing_files_are_named_with_their_rows(folder: Path) -> None:
    column = pl.Series("photo", ["in/0.png", "in/7.png", "in/1.png", "https://a.org/b.jpg"])
    with pytest.raises(DataError) as caught:
        path_column_store(column, folder, row_name=lambda row: f"line {row + 2}")
    first, second = caught.value.problems
    assert first == "column 'photo', line 3: there is no picture in/7.png."
    assert second.startswith(
        "column 'photo', line 5: there is no picture https://a.org/b.jpg. Pictures at addresses are not read"
    )
    assert f"Relative paths begin at {folder}" in second
