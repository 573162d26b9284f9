"""Many columns at once give what each of them gives by itself."""

import time

import numpy as np
import polars as pl
import pytest
import torch

from handrail.data.checks.columns.numbers import look_at_numbers
from handrail.data.checks.columns.values import _may_have_outliers, outlying
from handrail.data.columns.schema import Column, Schema, infer, infer_column, read_column, read_frame
from handrail.data.columns.together import sorted_quantiles
from handrail.data.part import Part
from handrail.data.sources.cells import check_distinct, clean_text
from handrail.data.split.row_hashes import row_hashes
from handrail.data.table import Table


@pytest.fixture(scope="module")
def frame() -> pl.DataFrame:
    """Two hundred columns of all sorts, thirty rows."""
    rng = np.random.default_rng(3)
    kinds = [
        lambda: [f"{value:.2f}" for value in rng.normal(size=30)],
        lambda: [str(value) for value in rng.integers(0, 2, 30)],
        lambda: [str(value) for value in rng.permutation(30)],
        lambda: ["1.5", "oops", *map(str, range(28))],
        lambda: [f"0{value}" for value in range(30)],
        lambda: ["7"] * 30,
        lambda: [None, "inf", *map(str, range(28))],
        lambda: [str(np.datetime64("2020-01-01") + int(day)) for day in rng.integers(0, 99, 30)],
        lambda: [["yes", "no"][value] for value in rng.integers(0, 2, 30)],
        lambda: rng.normal(size=30).tolist(),
        lambda: rng.integers(0, 9, 30).tolist(),
        lambda: [True, False] * 15,
    ]
    return pl.DataFrame([pl.Series(f"c{i}", kinds[i % len(kinds)]()) for i in range(200)])


def test_columns_are_inferred_as_alone(frame: pl.DataFrame) -> None:
    assert infer(frame) == Schema(columns=tuple(infer_column(column) for column in frame))


def test_columns_are_read_as_alone(frame: pl.DataFrame) -> None:
    schema = infer(frame)
    features, troubles = read_frame(frame, schema)
    alone = [read_column(frame[column.name], column) for column in schema.used]
    assert features.equals(pl.DataFrame([column for column, _ in alone]))
    assert troubles == [trouble for _, some in alone for trouble in some]
    assert troubles


def test_hashes_are_the_sum_over_columns_alone(frame: pl.DataFrame) -> None:
    few = [frame.select(names) for names in (frame.columns[:1], frame.columns[::-1])]
    assert (row_hashes(few[1]) == row_hashes(frame)).all()
    assert len(set(row_hashes(frame).tolist())) == 30
    # As every version has written it into ledgers.
    known = pl.DataFrame({"a": ["1", "x", None], "b": [0.5, 2.0, None]})
    wide = known.with_columns(pl.Series(f"z{i}", ["1", "2", "3"]) for i in range(70))
    assert row_hashes(wide, ["a", "b"]).tolist() == row_hashes(known).tolist()


def test_text_is_cleaned_as_alone(frame: pl.DataFrame) -> None:
    padded = frame.with_columns(pl.col(pl.String) + " ")
    assert clean_text(padded).equals(pl.DataFrame([clean_text(column) for column in padded]))


def test_quantiles_and_outliers_are_those_of_numpy() -> None:
    values = np.random.default_rng(0).normal(size=(50, 40))
    values[::3, :5] = np.nan
    values[7, 9], values[12] = 1e6, 3.0
    quantiles = sorted_quantiles(np.sort(values, axis=1), [0.25, 0.75])
    np.testing.assert_allclose(quantiles, np.nanquantile(values, [0.25, 0.75], axis=1), rtol=1e-12)
    frame = pl.DataFrame(values.T, schema=[f"c{place}" for place in range(50)]).fill_nan(None)
    rows = np.arange(len(frame))
    part = Part("train", frame, frame, torch.zeros(len(frame)), rows, Table(frame, source="t"))
    numbers = look_at_numbers(
        part, Schema(columns=tuple(Column(name=n, kind="numeric") for n in frame.columns))
    )
    near = {int(name[1:]) for name in _may_have_outliers(numbers, frame.columns)}
    np.testing.assert_array_equal(numbers.known, (~np.isnan(values)).sum(axis=1))
    np.testing.assert_allclose(numbers.least, np.nanmin(values, axis=1))
    assert numbers.which(~numbers.once) == ["c12"]
    far = [place for place, row in enumerate(values) if len(outlying(row))]
    assert 7 in far
    assert set(far) <= near <= {*far, 12}


def test_wide_tables_take_no_step_for_each_pair_of_columns() -> None:
    names = [f"c{i}" for i in range(50_000)]
    start = time.process_time()
    check_distinct(names, "t.csv")
    frame = pl.DataFrame(
        [pl.Series(name, ["1.5", "2.5", "x2"[place % 2]]) for place, name in enumerate(names)]
    )
    row_hashes(frame)
    infer(frame.select(names[1::2]))
    assert time.process_time() - start < 10  # 90 s column by column
