"""Hashes of rows by what stands in them."""

import datetime as dt
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handrail.data.split.row_hashes import row_hashes

cells = st.none() | st.integers(-(2**62), 2**62) | st.floats(allow_nan=False, allow_infinity=False)
words = st.sampled_from(["a", "b c", "ä", None])


GOLDEN = [13193874464162533722, 17128629009103194026, 13644167531894080039]


def test_golden_values() -> None:
    """A ledger is read for years: the hashes may never change."""
    frame = pl.DataFrame(
        {
            "n": [7.0, -0.5, None],
            "word": ["blue", "Zürich", None],
            "day": [dt.datetime(2024, 1, 5), dt.datetime(2024, 1, 5, 10, 0, 0, 250000), None],
            "yes": [True, False, None],
            "id": [2**60 + 1, 3, None],
        }
    )
    assert row_hashes(frame).tolist() == GOLDEN


def test_another_process_finds_the_same() -> None:
    frame = "pl.DataFrame({'a': [1.5], 'b': ['x']})"
    imports = "import polars as pl; from handrail.data.split.row_hashes import row_hashes"
    code = f"{imports}; print(row_hashes({frame})[0])"

    def run(seed: str) -> int:
        command = [sys.executable, "-c", code]
        return int(
            subprocess.run(
                command, env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
            ).stdout
        )

    assert {run("1"), run("2")} == {int(row_hashes(pl.DataFrame({"b": ["x"], "a": [1.5]}))[0])}


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(cells, words, st.integers(0, 3)), min_size=1, max_size=20), st.randoms())
def test_order_of_rows_and_columns_does_not_matter(rows: list, random) -> None:
    frame = pl.DataFrame(
        {
            "x": pl.Series([None if r[0] is None else float(r[0]) for r in rows], dtype=pl.Float64),
            "w": pl.Series([r[1] for r in rows], dtype=pl.String),
            "k": [r[2] for r in rows],
        }
    )
    hashes = row_hashes(frame)
    order = list(range(len(rows)))
    random.shuffle(order)
    assert np.array_equal(row_hashes(frame[order]), hashes[order])
    assert np.array_equal(row_hashes(frame.select("k", "w", "x")), hashes)
    assert np.array_equal(row_hashes(frame.with_columns(more=1), ["w", "x", "k"]), hashes)


@settings(max_examples=150, deadline=None)
@given(cells, cells)
def test_numbers_count_by_value_in_every_form(first, second) -> None:
    def forms(value):
        if value is None:
            return [pl.Series([None], dtype=kind) for kind in (pl.Float64, pl.Int64, pl.String)] + [
                pl.Series([float("nan")])
            ]
        columns = [
            pl.Series([str(value)]),
            pl.Series([value], dtype=pl.Int64 if isinstance(value, int) else pl.Float64),
        ]
        if float(value) == value and abs(value) < 2**53:
            columns += [pl.Series([float(value)]), pl.Series([repr(float(value))])]
        return columns

    def distinct(value):
        return {int(row_hashes(series.alias("x").to_frame())[0]) for series in forms(value)}

    assert len(distinct(first)) == 1
    assert (distinct(first) == distinct(second)) == (first == second)


@pytest.mark.parametrize(
    "forms",
    [
        [["7", "8"], [7, 8], [7.0, 8.0], ["7.0", "8e0"], ["+7", "8."]],
        [["true", "False"], [True, False], [1, 0], ["1", "0"], ["TRUE", "0.0"]],
        [
            ["2024-01-05", "2024-01-06"],
            [dt.datetime(2024, 1, 5), dt.datetime(2024, 1, 6)],
            [dt.date(2024, 1, 5), dt.date(2024, 1, 6)],
            ["2024-01-05 00:00:00", "2024-01-06T00:00:00"],
            ["2024-01-05T00:00:00Z", "2024-01-06 00:00"],
        ],
        [
            ["2024-01-05 10:00:00.25", "2024-01-05"],
            [dt.datetime(2024, 1, 5, 10, 0, 0, 250000), dt.datetime(2024, 1, 5)],
        ],
        [["a", "b"], pl.Series(["a", "b"], dtype=pl.Categorical)],
        [[0.0, 1.5], [-0.0, 1.5], ["-0", "1.50"]],
    ],
    ids=["numbers", "booleans", "dates", "moments", "words", "zeros"],
)
def test_forms_of_the_same_rows(forms: list) -> None:
    hashes = [row_hashes(pl.DataFrame({"x": values, "y": [1, 2]})) for values in forms]
    assert all(np.array_equal(other, hashes[0]) for other in hashes)


def test_values_that_look_alike_but_are_not() -> None:
    numbers = ["7", "07", "007", "0", "1704412800", "9007199254740993", "9007199254740992"]
    values = [*numbers, "7a", "a7", "", "2024-01-05", "2024-05-01", "2024-01-05x", "true", "yes", None]
    assert len(set(row_hashes(pl.DataFrame({"x": values})).tolist())) == len(values)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from("abcd"), min_size=4, max_size=4), st.integers(0, 3), st.sampled_from("efg"))
def test_a_changed_cell_changes_the_hash(row: list[str], place: int, other: str) -> None:
    frame = pl.DataFrame({name: [value] for name, value in zip("wxyz", row, strict=True)})
    assert row_hashes(frame)[0] != row_hashes(frame.with_columns(pl.lit(other).alias("wxyz"[place])))[0]


def test_values_belong_to_their_columns() -> None:
    swapped = row_hashes(pl.DataFrame({"a": [1, 2], "b": [2, 1]}))
    assert swapped[0] != swapped[1]
    assert row_hashes(pl.DataFrame({"a": [1]}))[0] != row_hashes(pl.DataFrame({"b": [1]}))[0]


def test_no_collisions_and_even_bits_among_many_rows() -> None:
    numbers = np.arange(200_000)
    hashes = row_hashes(pl.DataFrame({"x": numbers % 500, "y": numbers // 500}))
    assert len(np.unique(hashes)) == len(hashes)
    bits = np.unpackbits(hashes.view(np.uint8)).reshape(len(hashes), 64).mean(axis=0)
    assert np.all(np.abs(bits - 0.5) < 0.01)
