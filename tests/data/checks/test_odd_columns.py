"""What columns show by their look: markers, numberings, spellings, orders of dates and of rows."""

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from handrail.data.columns.schema import infer_column
from handrail.data.encoders.tokenizers import suitable
from handrail.data.finding import Finding
from handrail.data.prepare import prepare
from handrail.recipe import Recipe

ROWS = 200


def found(table: Mapping[str, Any] | Path, /, target: Any = "y", **data: Any) -> dict[str, Finding]:
    """The findings about a table by their names."""
    if isinstance(table, Path):
        source: Any = str(table)
    else:
        rng = np.random.default_rng(4)
        source = pl.DataFrame({"x": rng.normal(size=ROWS), **table, "y": rng.choice(["a", "b"], ROWS)})
    recipe = Recipe.parse({"data": {"source": source, "target": target, **data}})
    return {finding.name: finding for finding in prepare(recipe.data).findings}


def draw(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize(
    ("usual", "marker", "word"),
    [
        (draw().integers(0, 5000, ROWS), 99_999_999, "99999999"),
        (draw().integers(0, 100, ROWS), -999, "-999"),
        (draw().normal(20, 3, ROWS).round(2), 999.9, "999.9"),
        (draw().integers(18, 80, ROWS), -1, "-1"),
        (draw().normal(size=ROWS), 1e20, "1e+20"),
    ],
)
def test_a_marker_is_named_as_it_stands(usual: np.ndarray, marker: float, word: str) -> None:
    values = usual.astype(float)
    values[::15] = marker
    finding = found({"v": values})["marker"]
    assert (finding.level, finding.column) == ("warning", "v")
    assert f"{word} in" in finding.seen
    assert f"data.read.missing=['{word}']" in finding.action
    assert "marker" not in found({"v": values}, missing={"v": [marker]})


@pytest.mark.parametrize(
    "values",
    [
        np.arange(ROWS) * 50,  # up to 9950
        draw().integers(0, 100, ROWS),  # 99 among 0 … 99
        draw().integers(-1, 2, ROWS),
        draw().integers(0, 2, ROWS) * 999,
        draw().lognormal(8, 2, ROWS),
        np.where(draw().random(ROWS) < 0.1, 99, draw().integers(1, 90, ROWS)),
    ],
)
def test_numbers_that_are_no_markers(values: np.ndarray) -> None:
    assert "marker" not in found({"v": values.astype(float)})


def test_hidden_zeros_are_found_and_real_ones_are_not() -> None:
    bmi = draw().normal(30, 5, ROWS).round(1)
    bmi[::25] = 0
    finding = found({"bmi": bmi})["hidden-zero"]
    assert (finding.level, finding.column) == ("warning", "bmi")
    assert "data.missing.bmi=[0]" in finding.action
    assert "hidden-zero" not in found({"bmi": bmi}, missing={"bmi": [0]})
    rng = draw(1)
    real = {
        "count": rng.poisson(3, ROWS),
        "price": np.where(rng.random(ROWS) < 0.05, 0, rng.lognormal(1, 1, ROWS)),
        "inflated": np.where(rng.random(ROWS) < 0.6, 0, rng.normal(50, 5, ROWS)),
        "flag": rng.integers(0, 2, ROWS),
        "scaled": rng.random(ROWS).round(2),
        "dose": rng.choice([0, 50, 100], ROWS),
    }
    assert "hidden-zero" not in found(real)


def test_numbers_without_order_look_like_identifiers() -> None:
    rng = draw(2)
    uniform = rng.choice(90_000_000, ROWS, replace=False)
    assert found({"nr": uniform})["looks-like-identifier"].action.startswith(
        "Nothing is changed; data.drop=[nr]"
    )
    assert "looks-like-identifier" in found({"patient": uniform})
    assert "looks-like-identifier" not in found({"patient": uniform}, columns={"patient": "numeric"})
    others = {
        "price": uniform,
        "people": (10 ** rng.normal(4, 1, ROWS)).astype(int),
        "square": (np.arange(ROWS) + 1000) ** 2,
        "stamp": rng.choice(np.arange(1_600_000_000, 1_690_000_000, 7), ROWS, replace=False),
        "income": rng.normal(50_000, 9_000, ROWS).astype(int),
        "round": rng.permutation(ROWS) * 1000,
    }
    assert "looks-like-identifier" not in found(others)
    related = {"mass": uniform, "size": uniform * 1.5 + rng.normal(0, 1e6, ROWS)}
    assert "looks-like-identifier" not in found(related)


def test_columns_set_aside_that_could_say_something_are_warnings() -> None:
    money = [f"${value:,.2f}" for value in draw().normal(90_000, 9_000, ROWS)]
    titles = [f"The {word} of {number}" for number, word in enumerate(["king", "rose"] * (ROWS // 2))]
    codes = [f"K{number * 7}-X" for number in range(ROWS)]
    findings = found({"money": money, "title": titles, "code": codes})
    if "numbers-set-aside" in findings:  # a reader may have made them numbers
        assert money[0] in findings["numbers-set-aside"].seen
        assert findings["numbers-set-aside"].level == "warning"
    assert "data.columns.title=text" in findings["text-set-aside"].action
    assert (findings["identifier"].level, findings["identifier"].column) == ("note", "code")


def test_spellings_are_folded_where_they_are_slips_and_named_where_they_may_not_be() -> None:
    city = ["New York"] * 90 + ["Boston"] * 100 + ["new  york", "NEW YORK"] * 5
    finding = found({"city": city})["spellings"]
    assert (finding.level, finding.decided) == ("note", True)
    assert "as 'New York'" in finding.seen
    assert "spellings" not in found({"city": city}, encoding={"fold_case": False})
    element = ["Co", "CO", "No", "NO"] * 50
    finding = found({"gas": element})["spellings"]
    assert "are kept apart" in finding.seen
    assert "data.encoding.fold_case=true" in finding.action
    both = found({"gas": ["red", "Red", "blue", "green"] * 50})["spellings"]
    assert both.level == "warning"


def test_folded_levels_are_one_level_in_new_rows_too() -> None:
    city = ["Paris"] * 100 + ["Rome"] * 90 + ["ROME"] * 10
    recipe = {"data": {"source": pl.DataFrame({"city": city, "y": ["a", "b"] * 100}), "target": "y"}}
    data = prepare(Recipe.parse(recipe).data)
    assert set(data.train.features["city"]) == {"Paris", "Rome"}


def test_yes_and_no_in_many_words_are_one_yes_and_one_no() -> None:
    smoker = ["Yes", "yes", "YES", "Y", "1", "TRUE", "No", "no"] * 25
    finding = found({"smoker": smoker})["spellings"]
    assert "'No' and 'no' as no" in finding.seen
    assert "spellings" not in found({"smoker": ["yes", "no"] * 100})


def test_numbers_and_dates_among_words_are_named() -> None:
    size = [
        str(place % 60) if place % 3 else ["small", "large", "huge", "tiny"][place % 4]
        for place in range(ROWS)
    ]
    assert "data.columns.size=numeric" in found({"size": size})["mixed"].action
    seen = [
        f"2020-01-{place % 28 + 1:02}" if place % 3 else ["never", "soon"][place % 2] for place in range(ROWS)
    ]
    assert "data.columns.seen=datetime" in found({"seen": seen})["mixed"].action
    assert "mixed" not in found({"size": [f"{place % 60} cm" for place in range(ROWS)]})


def test_the_order_of_day_and_month_is_said_until_it_is_set() -> None:
    rng = draw(3)
    texts = [f"{a:02}/{b:02}/{c}" for a, b, c in rng.integers([1, 1, 2015], [13, 13, 2024], (ROWS, 3))]
    finding = found({"when": texts})["date-order"]
    assert (finding.level, finding.decided) == ("warning", True)
    assert "data.dates.order=dmy" in finding.action
    assert "date-order" not in found({"when": texts}, dates={"order": "dmy"})
    assert "date-order" not in found({"when": texts}, dates={"formats": {"when": "%d/%m/%Y"}})
    lent = found({"when": texts, "end": ["31/01/2024", *texts[1:]]})
    assert lent["date-order"].level == "note"


def test_dates_for_no_date_and_numbers_that_are_dates() -> None:
    days = [f"{dt.date(2020, 1, 1) + dt.timedelta(int(day))}" for day in draw().integers(0, 900, ROWS)]
    days[::20] = ["9999-12-31"] * 10
    assert "data.missing.end=['9999-12-31']" in found({"end": days})["marker"].action
    months = [int(f"{2015 + place % 6}{place % 12 + 1:02}") for place in range(ROWS)]
    assert "data.columns.period=datetime" in found({"period": months})["digit-dates"].action
    assert "digit-dates" not in found({"period": months}, columns={"period": "datetime"})
    assert "digit-dates" not in found({"period": draw().integers(200_000, 203_000, ROWS)})
    born = [f"{day:02}-Mar-{year}" for day, year in draw().integers([1, 10], [29, 99], (ROWS, 2))]
    assert "years of two digits" in found({"born": born})["late-years"].seen


def test_rows_in_the_order_of_time() -> None:
    rng = draw(6)
    days = [f"{dt.date(2020, 1, 1) + dt.timedelta(day)}" for day in range(ROWS)]
    level = (np.cumsum(rng.normal(size=ROWS))).round(3)
    finding = found({"day": days, "level": level}, target="level")["time-order"]
    assert (finding.level, finding.decided) == ("warning", True)
    assert "data.split.method=time data.split.column=day" in finding.action
    assert found({"day": days})["time-order"].level == "note"  # the target does not hang on time
    assert "time-order" not in found({"day": rng.permutation(days)})
    split = {"method": "time", "column": "day"}
    assert "time-order" not in found({"day": days, "level": level}, target="level", split=split)


@pytest.mark.parametrize(
    ("name", "target", "finding"),
    [
        ("impossible_date", "count", "unreadable"),
        ("mixed_dates", "result", "date-formats"),
        ("slash2", "value", "date-order"),
        ("sentinel_nines", "y", "marker"),
        ("hidden_zero", "y", "hidden-zero"),
        ("random_id_named_nr", "kind", "looks-like-identifier"),
        ("random_id_no_header", 2, "looks-like-identifier"),
        ("sum_leak", "total", "sum"),
        ("missingness_leak", "y", "telling-gaps"),
        ("time_ordered", "level", "time-order"),
    ],
)
def test_cases(shared_cases: Path, name: str, target: str | int, finding: str) -> None:
    assert finding in found(shared_cases / "tables" / f"{name}.csv", target)


def test_text_without_spaces_is_text(shared_cases: Path) -> None:
    data = prepare(
        Recipe.parse({"data": {"source": str(shared_cases / "text/chinese.csv"), "target": "label"}}).data
    )
    assert [column.kind for column in data.schema.columns] == ["text"]
    thai = ["อาหารร้านนี้อร่อยมาก เราชอบ", "บริการแย่มาก เราไม่ชอบเลย"]
    column = infer_column(pl.Series([f"{thai[place % 2]}{place}" for place in range(ROWS)]))
    assert (column.kind, suitable(pl.Series(thai))) == ("text", "characters")
    assert (
        infer_column(pl.Series([f"王小{chr(0x4E00 + place)}" for place in range(ROWS)])).kind == "identifier"
    )
