"""Months with a point are months where numbers cannot look so, and numbers where they may."""

import numpy as np
import polars as pl
import pytest

from handrail.data.columns.column import Conventions
from handrail.data.columns.point_months import spell_months
from handrail.data.columns.schema import infer, infer_column, read_column
from handrail.data.split.draw import draw
from handrail.recipe.reading import Split

ROWS = 120
MONTHS = [(1 + (7 * place) % 12, 2012 + (5 * place) % 9) for place in range(ROWS)]
SECONDS = [float(np.datetime64(f"{year}-{month:02}-01", "s").astype(np.int64)) for month, year in MONTHS]


@pytest.mark.parametrize("form", ["{0:02}.{1}", "{0}.{1}", "{1}.{0:02}", "{1}.{0}"])
def test_months_with_a_point_are_months(form: str) -> None:
    texts = pl.Series("when", [form.format(*each) for each in MONTHS])
    column = infer_column(texts)
    assert column.kind == "datetime"
    read, troubles = read_column(texts, column)
    assert read.to_list() == SECONDS
    assert not troubles
    assert read_column(texts.head(1), column)[0].to_list() == SECONDS[:1]  # 10.2020 keeps its zero
    given = infer(texts.to_frame(), kinds={"when": "numeric"}).columns[0]
    assert read_column(texts, given)[0].to_list() == texts.cast(pl.Float64).to_list()


def test_words_beside_months_are_missing_and_many_columns_are_read_alike() -> None:
    texts = ["unknown", *(f"{month}.{year}" for month, year in MONTHS[1:])]
    column = infer_column(pl.Series("when", texts))
    assert (column.kind, column.date_format, column.markers) == ("datetime", "%m.%Y", ("unknown",))
    plain = {f"x{at}": ["1.5", "2.5", "2.5"] * 40 for at in range(70)}
    wide = pl.DataFrame({**plain, "m": texts[1:] + texts[1:2]})
    assert infer(wide).columns[-1].date_format == "%m.%Y"


@pytest.mark.parametrize(
    "texts",
    [
        [f"1.{1800 + 3 * place}" for place in range(ROWS)],  # euros in dollars: one month alone
        [f"{2000 + place}.{5 * (1 + place % 2):02}" for place in range(ROWS)],  # steps of 0.05
        [f"{1900 + place}.{place % 9 + 1}" for place in range(ROWS)],  # without .10, tenths
        [f"{1 + place % 12}.{1750 + place}" for place in range(ROWS)],
        [f"{place % 14}.{2000 + place % 30}" for place in range(ROWS)],
        ["04.2019", "05.2019"] * 3,
    ],
)
def test_what_may_be_numbers_stays_numbers(texts: list[str]) -> None:
    assert infer_column(pl.Series("rate", texts)).kind == "numeric"


def test_numbers_without_their_last_zeros_are_months_where_that_is_asked() -> None:
    numbers = pl.Series("when", [float(f"{month}.{year}") for month, year in MONTHS])
    assert infer_column(numbers).kind == "numeric"
    for schema in (
        infer(numbers.to_frame(), kinds={"when": "datetime"}),
        infer(numbers.to_frame(), conventions=Conventions(formats={"when": "%m.%Y"})),
    ):
        assert read_column(numbers, schema.columns[0])[0].to_list() == SECONDS
    assert spell_months(pl.Series([1e300, float("nan"), float("inf"), 4.5])) is None


def test_parts_are_cut_between_months() -> None:
    keys = pl.Series("when", [f"{place % 12 + 1}.{2010 + place // 12}" for place in range(ROWS)])
    order = np.random.default_rng(1).permutation(ROWS)
    parts = draw(Split(method="time", column="when"), ROWS, keys=keys[order.tolist()])
    assert order[parts == 2].min() > order[parts == 0].max()
