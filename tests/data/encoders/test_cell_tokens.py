"""Tokens that are whole cells: symbols, and bins of numbers at quantiles."""

import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.data.encoders.cells import MISSING, Bins, Cells
from handrail.data.encoders.codes import FIRST, UNKNOWN
from handrail.data.encoders.text import SymbolEncoder
from handrail.data.encoders.tokenizers import Tokenizer
from handrail.recipe.sections import Text


def test_each_different_cell_is_a_token_the_commonest_first() -> None:
    cells = Cells.fit(["snow  storm", "sun", "sun", "rain", "snow storm", "sun", ""], 10)
    assert cells.tokens == ("sun", "snow storm", MISSING, "rain")
    codes, lengths = cells.ragged(["sun", " snow storm ", "hail", ""])
    assert codes.tolist() == [FIRST, FIRST + 1, UNKNOWN, FIRST + 2]
    assert lengths.tolist() == [1, 1, 1, 1]
    assert Cells.fit(["a", "b", "b", "c", "c", "c"], 2).tokens == ("c", "b")


@given(st.lists(st.floats(-1e6, 1e6), min_size=12, max_size=80, unique=True), st.integers(2, 12))
def test_bins_are_those_of_numpy(numbers: list[float], bins: int) -> None:
    found = Bins.fit([repr(number) for number in numbers], bins)
    edges = np.quantile(numbers, np.arange(1, bins) / bins)
    np.testing.assert_array_equal(found.edges, edges)
    codes = found.ragged([repr(number) for number in numbers]).codes
    assert codes.tolist() == (FIRST + np.digitize(numbers, edges)).tolist()


@given(st.lists(st.integers(0, 4) | st.floats(-1e6, 1e6), min_size=2, max_size=80), st.integers(2, 12))
def test_every_bin_has_a_number_and_numbers_that_differ_have_two(numbers: list[float], bins: int) -> None:
    found = Bins.fit([repr(number) for number in numbers], bins)
    codes = found.ragged([repr(number) for number in numbers]).codes
    assert set(codes.tolist()) == set(range(FIRST, FIRST + len(found.tokens)))
    assert min(2, len(set(numbers))) <= len(set(found.tokens)) == len(found.tokens) <= bins


def test_a_number_that_comes_again_and_again_has_a_bin_of_its_own() -> None:
    assert Bins.fit(["0"] * 95 + ["1.5", "2", "3", "4", "5"], 10).tokens == ("below 1.5", "1.5 or more")
    tokens = Bins.fit(["1", *["5"] * 16, "6", "7", "8", "9"], 6).tokens
    assert tokens == ("below 5", "5 to 5.67", "5.67 or more")
    assert Bins.fit(["1", "2", "inf", "-inf", "3", "4"], 3).tokens == ("below 2", "2 to 3", "3 or more")


def test_bins_read_like_ranges_and_a_gap_is_a_token_where_training_had_one() -> None:
    numbers = [str(number / 4) for number in range(40)]
    assert Bins.fit(numbers, 4).tokens == ("below 2.44", "2.44 to 4.88", "4.88 to 7.31", "7.31 or more")
    with_gap = Bins.fit([*numbers, ""], 2)
    assert with_gap.tokens == ("below 4.88", "4.88 or more", MISSING)
    assert with_gap.ragged(["", "NaN", "4.88 or more", "-1e9", "inf", "much"]).codes.tolist() == [
        FIRST + 2, FIRST + 2, FIRST + 1, FIRST, FIRST + 1, UNKNOWN,
    ]  # fmt: skip
    assert Bins.fit(numbers, 2).ragged([""]).codes.tolist() == [UNKNOWN]
    assert Bins.fit(["5", "5"], 3).tokens == ("any number",)
    assert Bins.fit(["0"] * 9 + ["7"], 4).tokens == ("below 7", "7 or more")
    assert Bins.fit(["100000"] * 5 + ["100001"] * 5, 2).tokens == ("below 100000.5", "100000.5 or more")


@pytest.mark.parametrize(
    ("cells", "text", "pieces"),
    [
        (["sun", "rain"], "sun rain\tsun", ["sun", "rain", "sun"]),
        (["sun", "snow storm"], "snow storm, sun", ["snow storm", "sun"]),
        (["sun", "snow storm"], "snow  storm", ["snow storm"]),
        (["sun", "snow storm"], "snow storm\nsun\n", ["snow storm", "sun"]),
        (["sun, mild", "rain"], "sun, mild\nrain", ["sun, mild", "rain"]),
        (["sun, mild", "rain"], "sun, mild", ["sun, mild"]),
    ],
)
def test_a_written_series_comes_apart_into_its_cells(cells: list[str], text: str, pieces: list[str]) -> None:
    model = Cells(cells)
    assert model.pieces(text) == pieces
    codes = model.ragged(pieces).codes
    assert model.ragged(model.pieces(model.decode(codes))).codes.tolist() == codes.tolist()


@pytest.mark.parametrize("kind", ["cells", "bins"])
def test_tokenizers_of_cells_come_back_from_facts(kind: str) -> None:
    column = pl.Series("x", ["1", "2.5", None, "4", "4"])
    tokenizer = Tokenizer.fit(column, Text(bins=3), kind)  # pyright: ignore[reportArgumentType]
    again = Tokenizer.from_facts(json.loads(json.dumps(tokenizer.facts())))
    assert again.encode(column) == tokenizer.encode(column)
    assert again.decode(range(2, tokenizer.vocabulary)) == tokenizer.decode(range(2, tokenizer.vocabulary))
    assert again.begin("4 2.5") == [each for row in tokenizer.encode(["4", "2.5"]) for each in row]
    assert len(again.begin(" ")) == 1


def test_windows_of_short_series_are_short() -> None:
    for rows, length in ((50, 4), (1500, 10), (100_000, 64)):
        column = pl.Series("x", np.arange(rows, dtype=np.float64))
        encoder = SymbolEncoder.fit(column, None, Text())
        assert (encoder.length, encoder.tokenizer.kind, encoder.tokenizer.vocabulary) == (length, "bins", 12)
    assert SymbolEncoder.fit(pl.Series("x", ["a", "b"] * 9), None, Text(length=7)).length == 7
