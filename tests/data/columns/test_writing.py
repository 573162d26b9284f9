"""Values are written as a column writes its own, and read again as what they are."""

from datetime import date, datetime
from typing import Any

import polars as pl
import pytest

from handrail.data.columns.reading import read_column
from handrail.data.columns.schema import infer_column
from handrail.data.columns.writing import write_like, yes_no_words

DAY = 86400.0
MARCH = 18706 * DAY  # 2021-03-20


@pytest.mark.parametrize(
    ("given", "values", "written"),
    [
        (["yes", "no", "Yes", "yes"], [1.0, 0.0], ["yes", "no"]),
        (["Y", "N", "N"], [1.0, 0.0], ["Y", "N"]),
        (["0", "1", "0"], [1.0, 0.0], ["1", "0"]),
        ([True, False, True], [1.0, 0.0], [True, False]),
        ([0, 1, 0], [1.0, 0.0], [1, 0]),
        (["1.50", "2.25", "2.25"], [1.75], ["1.75"]),
        (["15", "-2", "3", "3"], [1.75], ["2"]),
        ([1.5, 2.25, 2.25], [1.75], [1.75]),
        ([15, 2, 3, 3], [1.75], [2]),
        (["03/14/2021", "03/15/2021", "3/16/2021"], [MARCH], ["03/20/2021"]),
        (["14.03.2021", "15.03.2021"], [MARCH], ["20.03.2021"]),
        (["2021-03-14 10:00:00", "2021-03-15 11:30:00"], [MARCH + 60], ["2021-03-20 00:01:00"]),
        ([20210314, 20210414], [MARCH], [20210320]),
        ([date(2021, 3, 14), date(2021, 3, 15)], [MARCH], [date(2021, 3, 20)]),
        ([datetime(2021, 3, 14, 1), datetime(2021, 3, 15)], [MARCH], [datetime(2021, 3, 20)]),
        (["2021-Q1", "2021-Q2", "2021-Q3", "2021-Q4"] * 2, [MARCH - 78 * DAY], ["2021-Q1"]),
        (["Mar 14, 2021", "Mar 15, 2021", "Apr 2, 2021", "May 3, 2021"] * 2, [MARCH], ["Mar 20, 2021"]),
        (["red", "green", "red"], ["red"], ["red"]),
        (["True", "maybe", "True"], ["true", "maybe"], ["True", "maybe"]),
    ],
)
def test_values_take_the_form_of_their_column(
    given: list[Any], values: list[Any], written: list[Any]
) -> None:
    series, found = pl.Series("c", given), pl.Series("c", values)
    column = infer_column(series)
    if given[0] == 20210314:
        column = column.model_copy(update={"kind": "datetime", "date_format": "%Y%m%d"})
    result = write_like(found, column, series)
    assert result.to_list() == written
    assert result.dtype == series.dtype
    again, troubles = read_column(result, column)
    assert not troubles
    if result.dtype == pl.String and column.kind != "numeric":
        assert again.to_list() == values


def test_what_a_column_has_not_written_is_written_as_in_training() -> None:
    column = infer_column(pl.Series("paid", ["ja", "Yes", "no", "Yes"][1:]))
    assert column.words == ("no", "Yes")
    empty = pl.Series("paid", [None, None], dtype=pl.String)
    assert write_like(pl.Series("paid", [1.0, 0.0]), column, empty).to_list() == ["Yes", "no"]


def test_a_type_that_cannot_hold_a_value_gives_way() -> None:
    column = infer_column(pl.Series("n", [1, 2, 2]))
    small = pl.Series("n", [1, 2], dtype=pl.UInt8)
    assert write_like(pl.Series("n", [300.2]), column, small).to_list() == [300]
    words = pl.Series("w", ["a", "b", "a"])
    known = words.cast(pl.Enum(["a", "b"]))
    assert write_like(pl.Series("w", ["b"]), infer_column(words), known).dtype == known.dtype
    assert write_like(pl.Series("w", ["c"]), infer_column(words), known).to_list() == ["c"]


def test_words_of_yes_and_no_are_the_usual_ones() -> None:
    assert yes_no_words(pl.Series(["y", "Y", "Y", "n"])) == ("n", "Y")
    assert yes_no_words(pl.Series([True, False])) == (False, True)
    assert yes_no_words(pl.Series(["1", "0"])) == ()
    assert yes_no_words(pl.Series([1, 0])) == ()
