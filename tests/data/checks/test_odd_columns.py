"""What columns show by their look: markers, numberings, spellings, orders of dates and of rows."""

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from handrail.data.columns.column import Conventions
from handrail.data.columns.schema import infer_column, read_column
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


def test_months_and_times_of_day_are_said_with_a_way_back() -> None:
    months = [f"{place % 12 + 1}.{2010 + place // 12}" for place in range(ROWS)]
    finding = found({"m": months})["date-look"]
    assert (finding.column, finding.decided) == ("m", True)
    assert "months" in finding.seen
    assert "data.columns.m=numeric" in finding.action
    assert "date-look" not in found({"m": months}, columns={"m": "datetime"})
    assert "data.columns.m=datetime" in found({"m": [float(each) for each in months]})["digit-dates"].action
    times = [f"{place % 24:02}:{place % 60:02}" for place in range(ROWS)]
    assert "data.columns.t=category" in found({"t": times})["date-look"].action


def test_lengths_of_time_are_said_once() -> None:
    findings = found({"length": [f"{place}:{place % 60:02}" for place in range(ROWS)]})
    finding = findings["lengths-of-time"]
    assert (finding.level, finding.decided) == ("warning", True)
    assert "set aside" in finding.seen
    assert "identifier" not in findings


@pytest.mark.parametrize(
    ("marker", "years"),
    [("1970-01-01", (1995, 2022)), ("1970-01-01", (1950, 2005)), ("1900-01-01", (1880, 2020))],
)
def test_days_that_programs_write_for_no_date(marker: str, years: tuple[int, int]) -> None:
    days = days_between(*years)
    assert "marker" not in found({"d": days})
    for share in (3, 2):
        marked = [marker if place % share == 0 else day for place, day in enumerate(days)]
        finding = found({"d": marked})["marker"]
        assert finding.level == "warning"
        assert f"data.missing.d=['{marker}']" in finding.action


def test_several_days_for_no_date() -> None:
    days = days_between(2000, 2020)
    days[::4], days[1::4] = ["1900-01-01"] * 50, ["9999-12-31"] * 50
    assert "'9999-12-31', '1900-01-01'" in found({"d": days})["marker"].action
    yearly = [f"{1950 + place % 60}-01-01" for place in range(ROWS)]
    assert "marker" not in found({"d": yearly})


def days_between(first: int, last: int) -> list[str]:
    days = draw(7).integers(0, (last - first) * 365, ROWS)
    return [f"{dt.date(first, 1, 1) + dt.timedelta(int(day))}" for day in days]


@pytest.mark.parametrize("every", [2, 30])
@pytest.mark.parametrize("form", ["%m/%d/%Y", "%m-%d-%y", "%m/%d/%Y %H:%M"])
def test_dates_of_two_orders_in_one_column(every: int, form: str) -> None:
    swapped = form.replace("%m", "%").replace("%d", "%m").replace("%-", "%d-").replace("%/", "%d/")
    days = [dt.datetime(2018, 1, 1) + dt.timedelta(days=int(day)) for day in draw(8).integers(0, 1000, ROWS)]
    days[:2] = [dt.datetime(2020, 12, 25), dt.datetime(2020, 12, 25)]
    texts = [day.strftime(swapped if place % every == 0 else form) for place, day in enumerate(days)]
    finding = found({"d": texts})["date-orders"]
    assert (finding.level, finding.decided) == ("warning", True)
    assert "only with the day first ('" in finding.seen
    assert "only with the month first ('" in finding.seen
    assert "in row" in finding.seen
    assert "data.dates.order=" in finding.action


def test_what_is_open_beside_dates_of_two_orders_is_of_the_order_that_is_asked() -> None:
    texts = pl.Series(["12/25/2020"] * 30 + ["25/12/2020"] * 20 + ["01/02/2020"])
    for order, month in (("auto", 1), ("mdy", 1), ("dmy", 2)):
        column = infer_column(texts, Conventions(order=order))
        seconds = read_column(texts, column)[0]
        assert np.datetime64(int(seconds[50]), "s").astype("datetime64[M]").astype(int) % 12 + 1 == month
        assert seconds[0] == seconds[30]


@pytest.mark.parametrize(
    ("least", "most"), [(1, 100_000), (1, 1_000_000), (200, 50_000), (20_000, 80_000), (150_000, 900_000)]
)
def test_amounts_do_not_look_like_identifiers(least: int, most: int) -> None:
    values = draw(3).choice(np.arange(least, most), ROWS, replace=False)
    assert "looks-like-identifier" not in found({"v": values})
    assert "looks-like-identifier" in found({"v": draw(3).choice(900_000, ROWS, replace=False) + 100_000})


def test_advice_can_be_pasted_whatever_a_column_is_called() -> None:
    name = "Unit price, net"
    rng = draw(2)
    numbers = rng.choice(90_000_000, ROWS, replace=False)
    action = found({f"{name} nr": numbers, "part nr": numbers[::-1]})["looks-like-identifier"].action
    assert f"""'data.drop=["{name} nr", part nr]'""" in action
    assert f"'data.columns.{name} nr=numeric' 'data.columns.part nr=numeric'" in action
    zeros = np.where(np.arange(ROWS) % 9 == 0, 0, rng.integers(1000, 1300, ROWS))
    assert "'data.missing.a b=[0]'" in found({"a b": zeros})["hidden-zero"].action
    texts = [f"{a:02}/{b:02}/{c}" for a, b, c in rng.integers([1, 1, 2015], [13, 13, 2024], (ROWS, 3))]
    assert "'data.dates.formats.a b=%d/%m/%Y'" in found({"a b": texts})["date-order"].action


@pytest.mark.parametrize(
    ("values", "level"),
    [
        ([2**53 + i % 50 for i in range(ROWS)], "warning"),
        ([str(2**53 + i % 50) for i in range(ROWS)], "warning"),
        ([-(10**16) - 1 - 64 * (i % 50) for i in range(ROWS)], "note"),
        ([2**53 - i % 50 for i in range(ROWS)], None),
        ([2**60 + 1024 * (i % 50) for i in range(ROWS)], None),
        ([(i % 50) * 1e18 + 0.5 for i in range(ROWS)], None),
    ],
)
def test_whole_numbers_that_lose_digits_are_named(values: list[Any], level: str | None) -> None:
    finding = found({"v": values}).get("lost-digits")
    assert (finding and finding.level) == level
    if finding is not None:
        assert "9,007,199,254,740,992" in finding.seen
        assert "data.columns.v=category" in finding.action
        assert "lost-digits" not in found({"v": values}, columns={"v": "category"})
