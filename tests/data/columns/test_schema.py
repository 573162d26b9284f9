"""What columns are, from text and from native types, and how later rows are read."""

import datetime as dt
import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from handrail.data.columns.schema import infer, infer_column, read_column, read_frame
from handrail.data.columns.values import as_booleans, as_labels, as_numbers, as_seconds
from handrail.data.sources.cells import clean_text, convert_types
from handrail.errors import DataError

DAY = dt.datetime(2024, 1, 5)


def column(values, name="x", dtype=None):
    return pl.Series(name, values, dtype=dtype, strict=False)


def kind(values, name="x", dtype=None):
    return infer_column(column(values, name, dtype)).kind


def as_text(frame: pl.DataFrame) -> pl.DataFrame:
    """A native table as a text file holds it."""

    def text(value):
        if value is None:
            return ""
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, dt.datetime):
            return value.isoformat(sep=" ")
        return str(value)

    return clean_text(
        pl.DataFrame({name: [text(v) for v in frame[name].to_list()] for name in frame.columns})
    )


finite = st.floats(allow_nan=False, allow_infinity=False, width=64)
moments = st.datetimes(dt.datetime(1700, 1, 1), dt.datetime(2200, 1, 1))
words = st.text("abcxyz", min_size=1, max_size=4)

CELLS = [
    finite,
    st.integers(-5, 5),
    st.integers(0, 1),
    st.booleans(),
    moments,
    words,
    st.integers(-(2**60), 2**60),
]
some_numbers = (
    st.none() | st.integers(-(2**60), 2**60) | finite.filter(lambda x: abs(x) < 1e15 or abs(x) > 1e20)
)


@st.composite
def native_tables(draw):
    rows = draw(st.integers(3, 40))
    columns = {}
    for index, values in enumerate(draw(st.lists(st.sampled_from(CELLS), min_size=1, max_size=5))):
        columns[f"c{index}"] = draw(st.lists(st.none() | values, min_size=rows, max_size=rows))
    return pl.DataFrame(columns)


@settings(max_examples=150, deadline=None)
@given(native_tables())
def test_a_table_is_understood_alike_in_native_and_in_text_form(table: pl.DataFrame) -> None:
    typed, text = convert_types(table, "table"), as_text(table)
    schemas = infer(typed), infer(text)
    assert [c.kind for c in schemas[0].columns] == [c.kind for c in schemas[1].columns]
    if schemas[0].used:
        (mine, first), (theirs, second) = (
            read_frame(f, s) for f, s in zip((typed, text), schemas, strict=True)
        )
        assert_frame_equal(mine, theirs, check_exact=True)
        # and a schema from one form reads the other
        assert_frame_equal(read_frame(text, schemas[0])[0], mine, check_exact=True)
        assert_frame_equal(read_frame(typed, schemas[1])[0], mine, check_exact=True)
        assert first == second == []


@settings(max_examples=100, deadline=None)
@given(st.lists(some_numbers, min_size=1, max_size=12))
def test_numbers_taken_as_categories_have_one_label_in_every_form(values: list) -> None:
    numbers = column([None if v is None else float(v) for v in values], dtype=pl.Float64)
    if numbers.null_count() == len(numbers):
        return
    texts = column([None if v is None else repr(float(v)) for v in values], dtype=pl.String)
    schemas = [infer(s.to_frame(), kinds={"x": "category"}) for s in (numbers, texts)]
    labels = [
        read_frame(s.to_frame(), schema)[0]["x"].to_list() for schema in schemas for s in (numbers, texts)
    ]
    assert labels[0] == labels[1] == labels[2] == labels[3]


def test_labels_of_whole_numbers() -> None:
    for values in ([3, 10], [3.0, 10.0], ["3", "10"], ["3.0", "10.0"], ["3", "1e1"]):
        assert as_labels(column(values)).to_list() == ["3", "10"]
    assert (
        as_labels(column([2**53 + 1])).to_list()
        == as_labels(column([str(2**53 + 1)])).to_list()
        == ["9007199254740993"]
    )
    assert (
        as_labels(column([1e16])).to_list()
        == as_labels(column(["1" + "0" * 16])).to_list()
        == ["1" + "0" * 16]
    )
    assert as_labels(column(["3.10", "3.1", "beta"])).to_list() == ["3.10", "3.1", "beta"]
    assert as_labels(column(["007", "12"])).to_list() == ["007", "12"]


def test_the_label_of_a_value_does_not_depend_on_the_rows_beside_it() -> None:
    schema = infer(pl.DataFrame({"version": ["3.10", "3.1", "beta", "beta"]}))
    alone, _ = read_frame(pl.DataFrame({"version": ["3.10"]}), schema)
    assert alone["version"].to_list() == ["3.10"]


def test_true_and_false_are_one_category_in_any_case() -> None:
    schema = infer(pl.DataFrame({"x": [True, False, None]}), kinds={"x": "category"})
    assert read_frame(pl.DataFrame({"x": ["True", "FALSE", "false"]}), schema)[0]["x"].to_list() == [
        "true",
        "false",
        "false",
    ]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1", "2.5", "-3", "+4", "1e5", ".5"], "numeric"),
        (["1_000", "2_000", "1_000"], "category"),
        (["02139", "10001", "02139"], "category"),
        (["1", "2", "3", "1_0"], "category"),
        (["a", "b", "a"], "category"),
        (pl.Series(["a", "b", "a"], dtype=pl.Categorical), "category"),
        (["yes", "No", "YES", None], "boolean"),
        (["t", "f", "t"], "boolean"),
        (["t", "n", "t"], "category"),
        (["true", "yes", "true"], "category"),
        (["yes", "y", "yes"], "category"),
        (["no", "n", "no"], "category"),
        (["1", "0", "1"], "boolean"),
        (["1.0", "0.0", None], "boolean"),
        ([True, False, None], "boolean"),
        (["5", "5.0", "5"], "constant"),
        (["a", "a", None], "constant"),
        ([None, None], "constant"),
        ([float("nan"), float("nan")], "constant"),
        ([2.0, float("nan"), 2.0], "constant"),
        ([DAY, DAY + dt.timedelta(1)], "datetime"),
        (["2024-01-05", "2024-02-05"], "datetime"),
        (["1.2.3", "2.1.3", "1.2.3"], "category"),
        (["12-34", "10-11", "12-34"], "category"),
        (["0000-00-00", "2024-01-01"], "category"),
        ([f"k{i}" for i in range(40)], "identifier"),
        ([f"some words {i}" for i in range(40)], "identifier"),
        ([f"some words that make a sentence {i}" for i in range(40)], "text"),
        ([str(2**70 + i * 10**9) for i in range(10)], "numeric"),
        (list(range(1, 41)), "identifier"),
        ([str(i) for i in range(1, 41)], "identifier"),
        ([(i * 37) % 1009 for i in range(40)], "numeric"),
        ([i + 0.5 for i in range(40)], "numeric"),
    ],
)  # fmt: skip
def test_kinds(values: list, expected: str) -> None:
    assert kind(values) == expected


def test_numbers_that_are_named_like_an_identifier() -> None:
    values = [(i * 37) % 1009 for i in range(40)]
    assert kind(values, "customer_id") == kind([str(v) for v in values], "customer_id") == "identifier"
    assert kind(values, "humid") == "numeric"


def test_odd_markers_among_numbers() -> None:
    numbers = [str(i * 1.5) for i in range(60)]
    understanding = infer_column(column([*numbers, "unknown", "n.b.", "unknown"]))
    assert (understanding.kind, understanding.markers) == ("numeric", ("n.b.", "unknown"))
    read, troubles = read_column(column(["unknown", "7", "oops", None]), understanding)
    assert read.to_list() == [None, 7.0, None, None]
    assert [(t.rows, t.example) for t in troubles] == [((2,), "oops")]
    assert kind([*numbers[:20], "unknown", "unknown"]) != "numeric"  # one in ten is no oddity
    assert kind([*numbers, "a", "b", "c", "d"]) != "numeric"


def test_trouble_rows_are_reported_exactly() -> None:
    schema = infer(
        pl.DataFrame(
            {"n": ["1", "2", "3"], "b": ["yes", "no", "no"], "d": ["2024-01-01", "2024-01-02", "2024-02-01"]}
        )
    )
    later = pl.DataFrame(
        {
            "d": ["2024-13-01", None, "2024-01-09", "x"],
            "b": ["no", "maybe", None, "2"],
            "n": ["1", "1_0", "two", None],
            "unknown": [1] * 4,
        }
    )
    frame, troubles = read_frame(later, schema)
    examples = {t.column: (t.rows, t.example) for t in troubles}
    assert examples == {"n": ((1, 2), "1_0"), "b": ((1, 3), "maybe"), "d": ((0, 3), "2024-13-01")}
    assert frame.columns == ["n", "b", "d"]
    assert frame["n"].to_list() == [1.0, None, None, None]
    assert "column 'n' (numeric): found '1_0'" in map(str, troubles)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.none() | finite | st.sampled_from([math.inf, -math.inf, math.nan]), min_size=1, max_size=20)
)
def test_infinite_values_are_trouble_of_their_own_and_nan_is_missing(values: list) -> None:
    schema = infer(pl.DataFrame({"x": [1.5, 2.5, 3.0]}))
    texts = [None if v is None or math.isnan(v) else repr(v) for v in values]
    for series in (column(values, dtype=pl.Float64), column(texts, dtype=pl.String)):
        frame, troubles = read_frame(series.to_frame(), schema)
        expected = [None if v is None or not math.isfinite(v) else v for v in values]
        assert frame["x"].to_list() == expected
        infinite = tuple(row for row, v in enumerate(values) if v is not None and math.isinf(v))
        assert [t.rows for t in troubles] == ([infinite] if infinite else [])


def test_infinite_and_unreadable_values_are_told_apart() -> None:
    schema = infer_column(column(["1.5", "2"]))
    _, troubles = read_column(column(["word", "inf", "1e999", "3"]), schema)
    assert [(t.rows, t.example) for t in troubles] == [((1, 2), "inf"), ((0,), "word")]


def test_zero_and_one_may_be_a_count_but_yes_and_no_may_not() -> None:
    for values in ([0, 1, 1], [0.0, 1.0, None], ["0", "1", "1.0"]):
        schema = infer(pl.DataFrame({"x": values}))
        for later in ([2, 0, 7], ["2", "0", "7.0"]):
            frame, troubles = read_frame(pl.DataFrame({"x": later}), schema)
            assert (frame["x"].to_list(), troubles) == ([2.0, 0.0, 7.0], [])
        assert read_frame(pl.DataFrame({"x": ["yes", "?!"]}), schema)[1][0].rows == (1,)
    for values in (["yes", "no"], [True, False]):
        schema = infer(pl.DataFrame({"x": values}))
        frame, troubles = read_frame(pl.DataFrame({"x": ["2", "1", "true", "N"]}), schema)
        assert frame["x"].to_list() == [None, 1.0, 1.0, 0.0]
        assert [t.rows for t in troubles] == [(0,)]
    strict = infer(pl.DataFrame({"x": [0, 1, 1]}), kinds={"x": "boolean"})
    assert read_frame(pl.DataFrame({"x": [2]}), strict)[1][0].rows == (0,)


@pytest.mark.parametrize(
    ("texts", "date_format", "first"),
    [
        (["2024-02-01", "2024-02-03"], "%Y-%m-%d", "2024-02-01"),
        (["2024-02-01 10:00:00", "2024-02-03 10:00:00"], "%Y-%m-%d %H:%M:%S", "2024-02-01T10:00:00"),
        (["2024-02-01 10:00:00", "2024-02-03 10:00:00.25"], "%Y-%m-%d %H:%M:%S%.f", "2024-02-01T10:00:00"),
        (
            ["2024-02-01T10:00:00.5Z", "2024-02-03T10:00:00Z"],
            "%Y-%m-%dT%H:%M:%S%.f%#z",
            "2024-02-01T10:00:00.5",
        ),
        (
            ["2024-02-01 10:00:00+02:00", "2024-02-03 10:00:00-05:00"],
            "%Y-%m-%d %H:%M:%S%.f%#z",
            "2024-02-01T08:00:00",
        ),
        (["2024/02/01", "2024/02/03"], "%Y/%m/%d", "2024-02-01"),
        (["2024-02", "2024-03"], "%Y-%m", "2024-02-01"),
        (["01.02.2024", "13.02.2024"], "%d.%m.%Y", "2024-02-01"),
        (["02/01/2024", "02/13/2024"], "%m/%d/%Y", "2024-02-01"),
        (["01/02/2024", "13/02/2024"], "%d/%m/%Y", "2024-02-01"),
        (["1/2/2024 9:30 PM", "1/13/2024 9:30 AM"], "%m/%d/%Y %I:%M %p", "2024-01-02T21:30"),
        (["01-02-2024", "13-02-2024"], "%d-%m-%Y", "2024-02-01"),
        (["02-01-2024", "02-13-2024"], "%m-%d-%Y", "2024-02-01"),
        (["02/01/24", "02/13/24"], "%m/%d/%y", "2024-02-01"),
        (["01.02.24", "13.02.24"], "%d.%m.%y", "2024-02-01"),
        (["1 Feb 2024", "3 Mar 2024"], "%d %b %Y", "2024-02-01"),
        (["1 February 2024", "3 March 2024"], "%d %B %Y", "2024-02-01"),
    ],
)  # fmt: skip
def test_dates(texts: list[str], date_format: str, first: str) -> None:
    schema = infer_column(column(texts))
    assert (schema.kind, schema.date_format) == ("datetime", date_format)
    seconds = read_column(column(texts), schema)[0]
    assert seconds[0] == dt.datetime.fromisoformat(first).replace(tzinfo=dt.UTC).timestamp()


def test_a_choice_between_day_and_month_is_said() -> None:
    assert "%d/%m/%Y would read them all too" in infer_column(column(["01/02/2024", "03/04/2024"])).why
    assert "would" not in infer_column(column(["01/02/2024", "03/14/2024"])).why
    late = infer_column(column(["01/02/2024", "03/04/2024"]))
    # Neither swapped nor in the year 24.
    assert read_column(column(["13/02/2024", "01/02/24"]), late)[1][0].rows == (0, 1)


@settings(max_examples=60, deadline=None)
@given(st.lists(moments, min_size=1, max_size=8))
def test_moments_keep_their_microseconds_in_every_form(values: list[dt.datetime]) -> None:
    exact = [(value - dt.datetime(1970, 1, 1)) / dt.timedelta(seconds=1) for value in values]
    for series in (
        column(values, dtype=pl.Datetime("us")),
        column([v.isoformat(sep=" ") for v in values]),
        column([v.isoformat() + "Z" for v in values]),
    ):
        assert np.allclose(as_seconds(series, None).to_numpy(), exact, rtol=0, atol=1e-6)


def test_dates_by_iso_are_read_whatever_their_variety() -> None:
    schema = infer_column(column(["2024-01-05", "2024-01-06"]))
    texts = ["2024-01-05T00:00:00", "2024-01-05 00:00:00.000", "2024-01-05T02:00:00+02:00", "05.01.2024"]
    read, troubles = read_column(column(texts), schema)
    assert read.to_list() == [1704412800.0] * 3 + [None]
    assert troubles[0].rows == (3,)
    native_schema = infer_column(column([DAY, DAY + dt.timedelta(1)]))
    assert read_column(column(["2024-01-05", "2024-01-06 12:00:00"]), native_schema)[0].to_list() == [
        1704412800.0,
        1704542400.0,
    ]
    assert read_column(column(["05.01.2024", "13.01.2024"]), native_schema)[0][0] == 1704412800.0


def test_what_cannot_be_a_moment_is_trouble() -> None:
    schema = infer_column(column([DAY, DAY + dt.timedelta(1)]))
    assert read_column(column([True, None]), schema)[1][0].rows == (0,)
    assert read_column(column([DAY]), infer_column(column([1.5, 2.5])))[1][0].rows == (0,)


def test_kinds_that_the_user_gives() -> None:
    frame = pl.DataFrame(
        {
            "code": [1, 2, 3],
            "id": [str(i) for i in range(3)],
            "when": [1704412800, 1704499200, 1704412800],
            "digits": ["20240105", "20240106", "20240107"],
            "mixed": ["1", "x", "y"],
        }
    )
    schema = infer(
        frame,
        kinds={
            "code": "category",
            "id": "numeric",
            "when": "datetime",
            "digits": "datetime",
            "mixed": "numeric",
        },
    )
    read, troubles = read_frame(frame, schema)
    assert read["code"].to_list() == ["1", "2", "3"]
    assert read["id"].to_list() == [0.0, 1.0, 2.0]
    assert read["when"].to_list() == [1704412800.0, 1704499200.0, 1704412800.0]
    assert read["digits"].to_list() == [1704412800.0, 1704499200.0, 1704585600.0]
    assert [(t.column, t.rows) for t in troubles] == [("mixed", (1, 2))]
    for given_kind in ("when", "digits"):
        text = frame.select(pl.all().cast(pl.String))
        again = infer(text, kinds={given_kind: "datetime"})
        assert read_frame(text, again)[0][given_kind].to_list() == read[given_kind].to_list()
        number = frame.select(pl.col(given_kind).cast(pl.Int64))
        again = infer(number, kinds={given_kind: "datetime"})
        assert read_frame(number, again)[0][given_kind].to_list() == read[given_kind].to_list()
    assert [c.name for c in infer(frame, kinds={"code": "constant"}).set_aside] == ["code"]


def test_mistakes_in_kinds_are_reported_at_once() -> None:
    frame = pl.DataFrame({"age": [1, 2], "city": ["a", "b"]})
    with pytest.raises(DataError) as caught:
        infer(frame, kinds={"aeg": "numeric", "city": "catgory"})
    assert len(caught.value.problems) == 2
    assert "Did you mean 'age'?" in str(caught.value)
    assert "Did you mean 'category'?" in str(caught.value)
    for wrong, words_said in (("numeric", "a number"), ("datetime", "a date"), ("boolean", "yes or no")):
        with pytest.raises(
            DataError, match=f"data.columns.city: found 'a', and no training row has {words_said}"
        ):
            infer(frame, kinds={"city": wrong})


def test_missing_columns_are_named_together() -> None:
    schema = infer(pl.DataFrame({"age": [1.5, 2], "size": [1.5, 2], "same": [1, 1]}))
    with pytest.raises(
        DataError, match=r"no columns 'age', 'size'; the network was trained with them. Did you mean 'Age'"
    ):
        read_frame(pl.DataFrame({"Age": [1]}), schema)
    assert read_frame(pl.DataFrame({"size": [1.0], "age": [2.0]}), schema)[0].columns == ["age", "size"]


@settings(max_examples=60, deadline=None)
@given(native_tables())
def test_a_schema_reads_any_rows_in_any_order(table: pl.DataFrame) -> None:
    schema = infer(as_text(table))
    if not schema.used:
        return
    rows = as_text(table).with_row_index("row")
    shuffled = rows.sample(fraction=1.0, shuffle=True, seed=3)
    first, second = read_frame(rows, schema)[0], read_frame(shuffled, schema)[0]
    assert_frame_equal(first[shuffled["row"].to_list()], second, check_exact=True)


def test_words_for_yes_and_no() -> None:
    texts = column(["Yes", "n", "TRUE", "f", "1", "0.0", "2", "on", None])
    assert as_booleans(texts).to_list() == [1, 0, 1, 0, 1, 0, None, None, None]
    assert as_booleans(column([True, False, None])).to_list() == [1, 0, None]


def test_what_is_a_number() -> None:
    texts = column(["1e5", "1_000", "7", "1,5", "0x10", "", "１", None])
    assert as_numbers(texts).to_list() == [1e5, None, 7.0, None, None, None, None, None]
