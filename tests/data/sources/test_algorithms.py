"""Generated series of bits: what is asked follows from what is read."""

import itertools

import numpy as np
import pytest

from handrail.data.sources.toys import read_toy
from handrail.data.stores.bits import BitStore
from handrail.data.stores.series import SeriesStore
from handrail.data.table import Table
from handrail.errors import DataError
from handrail.recipe.reading import ReadOptions

NAMES = ("copy", "repeat_copy", "associative_recall", "priority_sort")


def series_of(table: Table, column: str) -> SeriesStore:
    store = table.stores[column]
    assert isinstance(store, SeriesStore)
    return store


def rows_of(name: str, **values: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """What is read, and the answer alone, of each row."""
    text = "".join(f",{key}={value}" for key, value in {"rows": 30, "test_rows": 10, **values}.items())
    table = read_toy(f"toy:{name}{text}", ReadOptions())
    given, asked = series_of(table, "given"), series_of(table, "answer")
    pairs = []
    for place in range(40):
        answer = asked.item(place)
        there = ~np.isnan(answer).any(axis=0)
        assert not given.item(place)[:, there].any()  # nothing comes in while it is asked
        assert np.isnan(answer[:, ~there]).all()
        pairs.append((given.item(place)[:, ~there], answer[:, there]))
    return pairs


def test_copy() -> None:
    """Graves, Wayne & Danihelka 2014, section 4.1."""
    for given, answer in rows_of("copy", bits=5):
        np.testing.assert_array_equal(given[:5, :-1], answer)
        assert given[5].tolist() == [0] * answer.shape[1] + [1]


def test_repeat_copy() -> None:
    """Graves, Wayne & Danihelka 2014, section 4.2: the number of repeats has mean 0 and variance 1."""
    for given, answer in rows_of("repeat_copy", bits=5, most=4):
        repeats = round(given[6, -1] * np.sqrt(15 / 12) + 2.5)
        np.testing.assert_array_equal(np.tile(given[:5, :-1], repeats), answer[:5, :-1])
        assert answer[5].tolist() == [0] * (answer.shape[1] - 1) + [1]


def test_associative_recall() -> None:
    """Graves, Wayne & Danihelka 2014, section 4.3: the item that comes after the one that is asked about."""
    for given, answer in rows_of("associative_recall", bits=4, width=2):
        starts = np.flatnonzero(given[4])
        items = [given[:4, start + 1 : start + 3] for start in starts]
        question = np.flatnonzero(given[5])
        asked = given[:4, question[0] + 1 : question[1]]
        followers = [new for old, new in itertools.pairwise(items) if np.array_equal(old, asked)]
        assert any(np.array_equal(answer, each) for each in followers)


def test_priority_sort() -> None:
    """Graves, Wayne & Danihelka 2014, section 4.5: the largest numbers come first."""
    for given, answer in rows_of("priority_sort", bits=5):
        order = np.argsort(-given[6, :-1])[: answer.shape[1]]
        np.testing.assert_array_equal(given[:5, order], answer)
        assert answer.shape[1] == max(1, int(0.8 * (given.shape[1] - 1)))


@pytest.mark.parametrize("name", NAMES)
def test_test_rows_are_the_longer_ones_and_a_note_says_so(name: str) -> None:
    table = read_toy(f"toy:{name},rows=40,test_rows=20", ReadOptions())
    lengths = series_of(table, "given").lengths
    assert table.parts is not None
    assert table.parts.tolist() == [0] * 40 + [2] * 20
    if name != "repeat_copy":  # whose length also hangs on the repeats
        assert lengths[:40].max() < lengths[40:].min()
    assert any("the test rows have" in note and "training" in note for note in table.notes)
    assert series_of(table, "answer").longest == lengths.max()


@pytest.mark.parametrize("name", NAMES)
def test_a_shortest_length_above_the_longest_is_refused(name: str) -> None:
    with pytest.raises(DataError, match="found test_shortest=9 above test_longest=8; expected it at most"):
        read_toy(f"toy:{name},test_shortest=9,test_longest=8", ReadOptions())


def test_targets_other_than_bits_are_refused() -> None:
    with pytest.raises(DataError, match=r"the second holds 0\.5; expected 0 and 1"):
        BitStore.of_arrays([np.array([[0.0, 1.0]]), np.array([[0.5, np.nan]])], ["the first", "the second"])


def test_more_numbers_than_fit_into_memory_are_refused():
    with pytest.raises(DataError, match=r"rows have .* numbers already; expected 50,000,000 at most"):
        read_toy("toy:repeat_copy,rows=5000,longest=500,shortest=500,most=24,bits=14", ReadOptions())
