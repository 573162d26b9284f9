"""A column as a series of symbols or numbers: which tokens suit it, its order, its gaps, what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from handrail.data.forecast.symbols import read_stream, suitable_tokens
from handrail.errors import DataError
from handrail.recipe.sections import DataRecipe

SKY = ["sunny", "rainy", "cloudy"]


def sky(rows: int = 60) -> list[str]:
    return [SKY[place] for place in np.random.default_rng(0).integers(0, 3, rows)]


def read(source: Any, target: Any = None, **settings: Any) -> Any:
    return read_stream(DataRecipe(source=source, target=target, task="next-token", **settings))


@pytest.mark.parametrize(
    ("values", "tokens"),
    [
        (sky(), "cells"),
        ([1, 2, 3] * 10, "cells"),
        ([f"{number / 7:.3f}" for number in range(60)], "bins"),
        (list(range(60)), "bins"),
        ([True, False] * 20, "cells"),
        ([f"a line of words, number {number}" for number in range(60)], None),
        (["1", "2", "three", "four"], None),
        ([None, None], None),
    ],
)
def test_tokens_suit_the_training_rows(values: list[Any], tokens: str | None) -> None:
    assert suitable_tokens(pl.Series("x", values)) == tokens


def test_rows_stand_in_the_order_of_their_dates() -> None:
    days = pl.date_range(pl.date(2024, 1, 1), pl.date(2024, 2, 29), eager=True)
    frame = pl.DataFrame({"day": days, "sky": sky()})
    table = read(frame.reverse(), "sky")
    assert table.frame.equals(frame[["sky"]])
    assert table.is_series
    assert table.row_name(0) == "row 60"
    assert not [each for each in table.findings if each.name == "no-dates"]
    dropped = read(frame.reverse(), "sky", drop=["day"])
    assert dropped.frame.equals(frame.reverse()[["sky"]])
    assert [each.name for each in dropped.findings] == ["tokens", "no-dates"]


def test_the_choice_of_tokens_is_said_and_what_was_asked_is_not() -> None:
    frame = pl.DataFrame({"x": [number * 0.37 for number in range(60)]})
    chosen, asked = read(frame), read(frame, text={"tokens": "bins"})
    assert chosen.frame["x"].equals(asked.frame["x"])
    assert "the bin of each number is a token (42 different values in 42 training rows)" in str(
        chosen.findings[0]
    )
    assert [each.name for each in asked.findings] == ["no-dates"]
    assert read(frame, text={"tokens": "cells"}).frame["x"].to_list()[:3] == ["0", "0.37", "0.74"]
    assert read(pl.DataFrame({"x": sky()}), text={"tokens": "characters"}).frame["text"][0].endswith("\n")


def test_a_gap_stays_a_step_and_is_said() -> None:
    numbers = [None if number % 10 == 3 else number / 3 for number in range(60)]
    table = read(pl.DataFrame({"x": numbers}))
    assert table.frame["x"].is_nan().sum() == 6
    gaps = next(each for each in table.findings if each.name == "gaps")
    assert "5 of 51 training and validation rows" in gaps.seen
    words = read(pl.DataFrame({"sky": [None, *sky(59)]}))
    assert words.frame["sky"][0] == ""
    odd = read(pl.DataFrame({"x": ["off", *(f"{number / 3:.3f}" for number in range(59))]}))
    assert "1 of them words where numbers are expected" in next(
        each.seen for each in odd.findings if each.name == "gaps"
    )
    marked = read(pl.DataFrame({"x": numbers}), missing={"x": [0]})
    assert marked.frame["x"].is_nan().sum() == 7


def test_what_the_test_rows_hold_does_not_choose_the_tokens() -> None:
    cells = sky()
    other = [*cells[:51], *(f"something else {number}" for number in range(9))]
    first, second = (read(pl.DataFrame({"sky": each})) for each in (cells, other))
    assert [str(each) for each in first.findings] == [str(each) for each in second.findings]
    assert first.frame["sky"][:51].equals(second.frame["sky"][:51])
    assert not np.isin(second.moments, first.moments).any()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"split": {"method": "random"}}, r"data\.split\.method: found random, .*cells of a series follow"),
        ({"sample": 0.5}, r"data\.sample: found 0\.5, .*none may be left out"),
        ({"duplicates": "drop"}, r"data\.duplicates: found drop"),
        ({"text": {"tokens": "bins"}}, r"found bins, but 100% of the training rows of .* are no numbers"),
        ({"missing": {"day": ["-"]}}, r"data\.missing\.day: has no effect on a series of 'sky'"),
        ({"drop": ["ski"]}, r"data\.drop: the table has no column 'ski'"),
        ({"target": ["sky", "day"]}, r"data\.target: found 2 columns; a language model reads one"),
    ],
)
def test_what_does_not_suit_a_series_is_refused(settings: dict[str, Any], message: str) -> None:
    frame = pl.DataFrame({"day": range(60), "sky": sky()})
    with pytest.raises(DataError, match=message):
        read(frame, **{"target": "sky", **settings})


def test_a_text_has_no_cells_and_a_constant_no_next_one(tmp_path: Path) -> None:
    (tmp_path / "play.txt").write_text("to be or not to be\n" * 200)
    with pytest.raises(DataError, match="found 'cells', but a text has no cells; name the column"):
        read(tmp_path / "play.txt", text={"tokens": "cells"})
    with pytest.raises(DataError, match="every value is 'sunny' in the training rows"):
        read(pl.DataFrame({"sky": ["sunny"] * 40}))
