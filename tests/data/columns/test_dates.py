"""Dates as people write them are dates; what is open or impossible is named."""

import datetime as dt
from collections.abc import Callable, Sequence

import numpy as np
import polars as pl
import pytest

from handrail.data.columns.schema import Conventions, infer, infer_column, read_column, read_frame
from handrail.data.columns.values import as_seconds
from handrail.errors import DataError

DAYS = [
    dt.date(2019, 1, 1) + dt.timedelta(int(day)) for day in np.random.default_rng(1).integers(0, 1400, 90)
]
GERMAN = (
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
)
FRENCH = (
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
)
SPANISH = (
    "enero",
    "feb",
    "marzo",
    "abril",
    "mayo",
    "junio",
    "julio",
    "ago",
    "septiembre",
    "octubre",
    "nov",
    "diciembre",
)


def first_of_month(day: dt.date) -> dt.date:
    return day.replace(day=1)


def first_of_quarter(day: dt.date) -> dt.date:
    return dt.date(day.year, (day.month - 1) // 3 * 3 + 1, 1)


def monday(day: dt.date) -> dt.date:
    return day - dt.timedelta(day.weekday())


def itself(day: dt.date) -> dt.date:
    return day


def quarter(day: dt.date) -> int:
    return (day.month + 2) // 3


def ordinal(day: int) -> str:
    return f"{day}{'th' if 10 <= day <= 20 else {1: 'st', 2: 'nd', 3: 'rd'}.get(day % 10, 'th')}"


def seconds(days: Sequence[dt.date]) -> list[float]:
    return [(day - dt.date(1970, 1, 1)).days * 86400.0 for day in days]


@pytest.mark.parametrize(
    ("write", "meant"),
    [
        (lambda day: f"{day:%B %Y}", first_of_month),
        (lambda day: f"{day:%b %Y}".upper(), first_of_month),
        (lambda day: f"{day:%b-%y}", first_of_month),
        (lambda day: f"{day:%m/%Y}", first_of_month),
        (lambda day: f"{day:%Y/%m}", first_of_month),
        (lambda day: f"{day.year}Q{quarter(day)}", first_of_quarter),
        (lambda day: f"{day.year}-Q{quarter(day)}", first_of_quarter),
        (lambda day: f"Q{quarter(day)} {day.year}", first_of_quarter),
        (lambda day: f"{day:%G-W%V}", monday),
        (lambda day: f"{day:%G-W%V-%u}", itself),
        (lambda day: f"{day:%b %d, %Y}", itself),
        (lambda day: f"{day:%d %B %Y}", itself),
        (lambda day: f"{day:%d-%b-%y}", itself),
        (lambda day: f"{day:%a, %d %b %Y}", itself),
        (lambda day: f"{day:%B} {ordinal(day.day)}, {day.year}", itself),
        (lambda day: f"{ordinal(day.day)} {day:%b %Y}", itself),
        (lambda day: f"{day.day}. {GERMAN[day.month - 1]} {day.year}", itself),
        (lambda day: f"{day.day} {FRENCH[day.month - 1]} {day.year}", itself),
        (lambda day: f"{day.day} de {SPANISH[day.month - 1]} de {day.year}", itself),
        (lambda day: f"{day:%y-%m-%d}", itself),
        (lambda day: f"{day:%d-%m-%y}", itself),
        (lambda day: f"{day:%y/%m/%d}", itself),
        (lambda day: f"{day:%Y.%m.%d}", itself),
    ],
)
def test_forms_of_dates(write: Callable[[dt.date], str], meant: Callable[[dt.date], dt.date]) -> None:
    texts = pl.Series("when", [write(day) for day in DAYS])
    column = infer_column(texts)
    assert (column.kind, column.other_format) == ("datetime", None)
    read, troubles = read_column(texts, column)
    assert read.to_list() == seconds([meant(day) for day in DAYS])
    assert not troubles
    assert as_seconds(texts, None).to_list() == read.to_list()  # as a split by time reads them


@pytest.mark.parametrize(
    ("text", "clock"),
    [
        ("9:30 PM", "21:30:00"),
        ("12:05am", "00:05:00"),
        ("07:08:09.25", "07:08:09.250000"),
        ("10:00+02:00", "08:00:00"),
        ("10:00:00Z", "10:00:00"),
    ],
)
def test_times_of_day(text: str, clock: str) -> None:
    texts = pl.Series("when", [f"{day:%d %b %Y} {text}" for day in DAYS])
    read, troubles = read_column(texts, infer_column(texts))
    assert not troubles
    assert dt.datetime.fromtimestamp(read[3], dt.UTC).time() == dt.time.fromisoformat(clock)


def test_midnight_is_24_hours_and_25_are_none() -> None:
    texts = [f"{day:%d.%m.%Y}, 24:00" for day in DAYS]
    column = infer_column(pl.Series("when", texts))
    read, troubles = read_column(pl.Series("when", [*texts, "01.02.2020, 25:00"]), column)
    assert read[0] == seconds([DAYS[0] + dt.timedelta(1)])[0]
    assert [trouble.rows for trouble in troubles] == [(len(texts),)]


def test_mixed_formats_are_read_value_by_value_and_again_later() -> None:
    formats = ["%Y-%m-%d", "%d.%m.%Y", "%d %b %Y", "%B %d, %Y"]
    texts = pl.Series("when", [day.strftime(formats[place % 4]) for place, day in enumerate(DAYS)])
    column = infer_column(texts)
    assert len(column.more_formats) == 3
    for place in (slice(None), slice(1, 2), slice(2, 3)):  # by itself, a value is read as among the others
        read, troubles = read_column(texts[place], column)
        assert (read.to_list(), troubles) == (seconds(DAYS[place]), [])


@pytest.mark.parametrize(
    ("date_format", "bad"),
    [
        ("%Y-%m-%d", "2021-02-30"),
        ("%Y-%m-%d", "2021-1O-05"),
        ("%d.%m.%Y", "31.04.2022"),
        ("%d/%m/%Y", "31/02/2021"),
        ("%d.%m.%Y %H:%M", "31.04.2022 10:00"),
        ("%d %b %Y", "31 Feb 2021"),
    ],
)
def test_an_impossible_date_leaves_the_others_dates(date_format: str, bad: str) -> None:
    texts = [day.strftime(date_format) for day in DAYS]
    texts[7] = bad
    column = infer_column(pl.Series("when", texts))
    assert column.kind == "datetime"
    read, troubles = read_column(pl.Series("when", texts), column)
    assert [(trouble.rows, trouble.example) for trouble in troubles] == [((7,), bad)]
    assert read.null_count() == 1


def test_dates_of_nothing_are_missing() -> None:
    texts = [f"{day:%Y-%m-%d}" for day in DAYS[:60]] + ["0000-00-00"] * 30
    column = infer_column(pl.Series("when", texts))
    assert (column.kind, column.markers) == ("datetime", ("0000-00-00",))
    read, troubles = read_column(pl.Series("when", texts), column)
    assert (read.null_count(), troubles) == (30, [])


def ambiguous(rows: int = 60) -> list[str]:
    rng = np.random.default_rng(5)
    return [f"{a:02}/{b:02}/{y}" for a, b, y in rng.integers([1, 1, 2015], [13, 13, 2024], (rows, 3))]


def test_an_open_order_is_kept_with_its_twin_and_settled_by_the_user() -> None:
    texts = pl.Series("when", ambiguous())
    assert infer_column(texts).other_format == "%d/%m/%Y"
    for order, date_format in (("dmy", "%d/%m/%Y"), ("mdy", "%m/%d/%Y")):
        column = infer_column(texts, Conventions(order=order))
        assert (column.date_format, column.other_format) == (date_format, None)
    decisive = pl.Series("when", ["13/02/2024", *ambiguous()])
    assert infer_column(decisive, Conventions(order="mdy")).date_format == "%d/%m/%Y"


def test_another_column_lends_its_order() -> None:
    texts = ambiguous()
    frame = pl.DataFrame(
        {"a": texts, "b": ["25/12/2020", *texts[1:]], "c": [t.replace("/", "-") for t in texts]}
    )
    a, b, c = infer(frame).columns
    assert (a.date_format, b.date_format, c.date_format) == ("%d/%m/%Y", "%d/%m/%Y", "%m-%d-%Y")
    assert "'b'" in a.order_why
    assert not c.order_why


def test_rows_in_the_order_of_time_settle_day_and_month() -> None:
    days = [dt.date(2020 + place // 12, place % 12 + 1, 1 + place % 3) for place in range(40)]
    for date_format in ("%d/%m/%Y", "%m/%d/%Y"):
        column = infer_column(pl.Series([day.strftime(date_format) for day in days]))
        assert column.date_format == date_format
        assert column.other_format  # still said


def test_the_format_of_a_column_by_setting() -> None:
    frame = pl.DataFrame({"when": ["0124", "0224", "1224"] * 4, "x": [1.5, 2, 3] * 4})
    schema = infer(
        frame.with_columns(when=pl.Series(ambiguous(12))),
        conventions=Conventions(formats={"when": "%d/%m/%Y"}),
    )
    assert schema.columns[0].other_format is None
    with pytest.raises(
        DataError, match=r"data.dates.formats.wen: there is no such column. Did you mean 'when'"
    ):
        infer(frame, conventions=Conventions(formats={"wen": "%d"}))
    with pytest.raises(DataError, match="reads no training row, such as '0124'"):
        infer(frame, conventions=Conventions(formats={"when": "%d/%m/%Y"}))
    odd = frame.with_columns(when=pl.Series(["2024_02_03", "2024_03_04", "2024_05_01"] * 4))
    schema = infer(odd, conventions=Conventions(formats={"when": "%Y_%m_%d"}))
    assert read_frame(odd, schema)[0]["when"][0] == seconds([dt.date(2024, 2, 3)])[0]
    with pytest.raises(DataError, match=r"has no effect with data.columns.when: category"):
        infer(frame, kinds={"when": "category"}, conventions=Conventions(formats={"when": "%d/%m/%Y"}))


@pytest.mark.parametrize(
    "words",
    [
        ["10-12", "13-15", "16-18", "20-29"],
        ["2009-10", "2010-11", "2011-12", "2012-13"],
        ["1.2.3", "1.10.2", "2.0.1", "3.3.3"],
        ["May 12", "June 3", "May 20", "Jan 5"],
        ["April Jones", "May Smith", "June Brown", "Augustus 3"],
        ["1/2", "3/4", "10/12", "5/8"],
        ["12:30", "09:15", "10:00", "11:45"],
        ["Q1", "Q2", "Q3", "Q4"],
    ],
)
def test_what_is_no_date_stays_a_category(words: list[str]) -> None:
    assert infer_column(pl.Series(words * 10)).kind == "category"


def test_what_stands_for_missing_in_one_column() -> None:
    frame = pl.DataFrame({"a": ["0", "1.5", "2.5", "x", "0.0", "3"] * 6, "b": [0, 3, 4, 0, 7, 1] * 6})
    schema = infer(frame, conventions=Conventions(missing={"a": ("0", "x")}))
    read, troubles = read_frame(frame, schema)
    assert (read["a"].null_count(), read["b"].null_count(), troubles) == (18, 0, [])
    with pytest.raises(DataError, match=r"data.missing.c: there is no such column"):
        infer(frame, conventions=Conventions(missing={"c": ("0",)}))
