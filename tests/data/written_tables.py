"""Tables with known values, written in the ways in which people and programs write them."""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Literal

from hypothesis import strategies as st

Cell = float | str | None
Kind = Literal["number", "date", "word"]

SIGNS = [(".", ""), (".", ","), (",", "."), (".", " "), (",", " "), (",", ""), (".", "'"), (",", "\u00a0")]
UNITS = [("", "")] * 4 + [("$", ""), ("", " €"), ("€ ", ""), ("", "%"), ("", " %"), ("", " CHF"), ("£", "")]
MINUS = ["-{}", "-{}", "\u2212{}", "({})"]
MONTHS = {
    "short": "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec",
    "long": "January February March April May June July August September October November December",
    "upper": "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC",
    "german": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "french": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "spanish": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
}
# `{b}` is the name of a month; the others are strftime's. By what a date that is read back holds.
DAYS = [
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%Y%m%d",
    "%d.%m.%Y",
    "%d {b} %Y",
    "%d-{b}-%Y",
    "{b} %d, %Y",
    "%d. {b} %Y",
    "%Y {b} %d",
]
ORDERED = {"dmy": ["%d/%m/%Y", "%d-%m-%Y"], "mdy": ["%m/%d/%Y", "%m-%d-%Y"], "ymd": ["%Y/%m/%d"]}
SHORT = {"dmy": ["%d/%m/%y", "%d-%m-%y"], "mdy": ["%m/%d/%y", "%m-%d-%y"], "ymd": ["%y/%m/%d", "%y-%m-%d"]}
PERIODS = ["{b} %Y", "%Y-%m", "%Y/%m", "%m/%Y", "{q}", "Q{q1} %Y", "%G-W%V", "%G-W%V-%u"]
TIMES = ["", "", "", " %H:%M", " %H:%M:%S", "T%H:%M:%S", " %I:%M %p", "T%H:%M:%SZ", " %H:%M:%S.%f"]
MIXED = ["%Y-%m-%d", "%d.%m.%Y", "%d {b} %Y", "{b} %d, %Y"]

USUAL = ["", "NA", "N/A", "n/a", "null", "NULL", "NaN", "None", "?", "-", "."]
OWN = ["-999", "99999999", "k.A.", "missing", "#N/V", "--", "n.d."]
PLAIN = ["red", "blue", "green", "north", "south", "oak tree", "two words", "O'Brien", "x-ray", "5 km away"]
AWKWARD = ["a, b", "c; d", 'say "hi"', "one\ntwo", "p | q", "it's 'so' then", "tab\there", '"', "ends with ,"]
FOREIGN = ["Zoë", "größer", "naïve", "señor", "Ærø"]
DECOYS: list[Callable[[Random], str]] = [
    lambda random: f"{random.randrange(1000, 99999):06d}",  # a code with leading zeros
    lambda random: f"{random.randrange(9)}.{random.randrange(9)}.{random.randrange(30)}",  # a version
    lambda random: f"{random.randrange(9)}-{random.randrange(10, 19)}",  # a range
    lambda random: f"555-{random.randrange(1000, 9999)}",  # a telephone
    lambda random: f"LOT {random.randrange(100, 999)}",
    lambda random: f"{random.randrange(1, 9)}/{random.randrange(2, 9)}",  # a fraction
    lambda random: f"{random.choice('ABC')}{random.randrange(10, 99)}",
    lambda random: f"{random.randrange(25, 99)}:{random.randrange(60):02d}",  # a length of time
    lambda random: f"{random.randrange(256)}.{random.randrange(256)}.{random.randrange(9)}.1",
]


@dataclass(frozen=True)
class WrittenColumn:
    """A column as it is written, and what it means."""

    name: str
    kind: Kind
    cells: list[str]
    values: list[Cell]
    style: str
    digits: int = 0
    unit: tuple[str, str] = ("", "")


@dataclass(frozen=True)
class WrittenTable:
    """A file, the settings that it needs, and the columns that should be read."""

    data: bytes
    settings: dict[str, Any]
    columns: list[WrittenColumn]
    how: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        styles = {column.name: f"{column.kind}: {column.style}" for column in self.columns}
        return f"settings: {self.settings}\nstyles: {styles}\nhow: {self.how}\nfile: {self.data[:1500]!r}"


def write_number(value: float, signs: tuple[str, str], unit: tuple[str, str], minus: str, digits: int) -> str:
    """A number with so many decimals in a notation."""
    decimal, thousands = signs
    whole, _, rest = f"{abs(value):,.{digits}f}".partition(".")
    text = whole.replace(",", thousands) + (decimal + rest if rest else "")
    text = f"{unit[0]}{text}{unit[1]}"
    return minus.format(text) if value < 0 else text


def number_column(draw: Any, name: str, rows: int, random: Random, signs: tuple[str, str]) -> WrittenColumn:
    """Numbers of one notation."""
    if draw(st.integers(0, 9)) == 0:
        return scientific_column(name, rows, random, signs)
    digits = draw(st.sampled_from([0, 0, 1, 2, 2, 3]))
    unit, minus = draw(st.sampled_from(UNITS)), draw(st.sampled_from(MINUS))
    largest = draw(st.sampled_from([10**2, 10**4, 10**6, 10**8]))
    least = draw(st.sampled_from([0, 0, -largest]))
    values = [round(random.uniform(least, largest), digits) for _ in range(rows)]
    cells = [write_number(value, signs, unit, minus, digits) for value in values]
    if digits > 1 and unit == ("", "") and minus != "({})" and draw(st.booleans()):
        cells = [cell.rstrip("0").rstrip(signs[0]) for cell in cells]  # as spreadsheets write them
    style = f"{signs} {unit} {minus} {digits} digits to {largest}"
    return WrittenColumn(name, "number", cells, [*values], style, digits, unit)


def scientific_column(name: str, rows: int, random: Random, signs: tuple[str, str]) -> WrittenColumn:
    """Numbers with a power of ten."""
    values = [float(f"{random.uniform(-9, 9):.3f}e{random.randrange(-9, 9)}") for _ in range(rows)]
    cells = [f"{value:.3e}".replace(".", signs[0]) for value in values]
    return WrittenColumn(name, "number", cells, [*values], f"{signs} scientific", 3)


def decisive_column(name: str, rows: int, random: Random, signs: tuple[str, str]) -> WrittenColumn:
    """Money whose every cell shows what both signs mean."""
    values = [random.randrange(10**5, 10**7) / 100 for _ in range(rows)]
    cells = [write_number(value, signs, ("", ""), "-{}", 2) for value in values]
    return WrittenColumn(name, "number", cells, [*values], f"{signs} decisive", 2)


def write_date(moment: datetime, style: str, names: str) -> str:
    """A moment in a style."""
    quarter = (moment.month + 2) // 3
    named = style.replace("{b}", MONTHS[names].split()[moment.month - 1])
    named = named.replace("{q}", f"%Y-Q{quarter}").replace("{q1}", str(quarter))
    text = moment.strftime(named)
    return text[:-3] if style.endswith(".%f") else text


def meant_by(moment: datetime, style: str) -> float:
    """The seconds since 1970 that a written date holds."""
    clock = moment.replace(microsecond=moment.microsecond // 1000 * 1000 if ".%f" in style else 0)
    if "%S" not in style:
        clock = clock.replace(second=0)
    if "%M" not in style:
        clock = clock.replace(hour=0, minute=0)
    if "{q" in style:
        clock = clock.replace(month=(clock.month - 1) // 3 * 3 + 1, day=1)
    elif "%V" in style:
        clock -= timedelta(days=0 if "%u" in style else clock.isoweekday() - 1)
    elif "%d" not in style:
        clock = clock.replace(day=1)
    return clock.timestamp()


def date_column(draw: Any, name: str, rows: int, random: Random, order: str) -> WrittenColumn:
    """Dates of one style, or of several that cannot be taken for each other."""
    names = draw(st.sampled_from(sorted(MONTHS)))
    family = draw(st.sampled_from(["days", "ordered", "short", "periods", "mixed"]))
    if family == "mixed":
        styles = draw(
            st.lists(st.sampled_from([*MIXED, ORDERED[order][0]]), min_size=2, max_size=3, unique=True)
        )
    else:
        pool = {"days": DAYS, "ordered": ORDERED[order], "short": SHORT[order], "periods": PERIODS}[family]
        time = draw(st.sampled_from(TIMES)) if family in ("days", "ordered") else ""
        styles = [draw(st.sampled_from(pool))]
        named = styles[0] == "%Y%m%d" or ("{b}" in styles[0] and time.startswith("T"))
        styles = [styles[0] + time * (not named)]
    start, span = datetime(1995, 1, 1, tzinfo=UTC), draw(st.sampled_from([400, 4000, 12000]))
    moments = [start + timedelta(days=random.uniform(0, span)) for _ in range(rows)]
    moments[:4] = [start + timedelta(days=random.choice((14, 20, 27))) for _ in range(4)]  # no month 13
    chosen = [styles[row % len(styles)] for row in range(rows)]
    cells = [write_date(moment, style, names) for moment, style in zip(moments, chosen, strict=True)]
    values = [meant_by(moment, style) for moment, style in zip(moments, chosen, strict=True)]
    return WrittenColumn(name, "date", cells, [*values], f"{styles} {names}")


def word_column(draw: Any, name: str, rows: int, random: Random, pool: Sequence[str]) -> WrittenColumn:
    """Words of a few levels, or texts that look like numbers and are none."""
    if draw(st.integers(0, 3)) == 0:
        decoy = draw(st.sampled_from(range(len(DECOYS))))
        cells = [DECOYS[decoy](random) for _ in range(rows)]
        return WrittenColumn(name, "word", cells, [*cells], f"decoy {decoy}")
    levels = draw(st.lists(st.sampled_from(pool), min_size=2, max_size=6, unique=True))
    cells = [levels[row % len(levels)] for row in range(rows)]
    random.shuffle(cells)
    return WrittenColumn(name, "word", cells, [*cells], "words")


def with_gaps(draw: Any, column: WrittenColumn, random: Random, own: Sequence[str]) -> WrittenColumn:
    """The column with some values missing, written as one marker or two."""
    share = draw(st.sampled_from([0, 0, 0.05, 0.15]))
    markers = draw(st.lists(st.sampled_from([*USUAL, *own]), min_size=1, max_size=2, unique=True))
    cells, values = list(column.cells), list(column.values)
    for row in range(4, len(cells)):
        if random.random() < share:
            cells[row], values[row] = random.choice(markers), None
    style = f"{column.style} missing {markers}" if None in values else column.style
    return replace(column, cells=cells, values=values, style=style)


def quote_rows(table: Sequence[Sequence[str]], delimiter: str, quoting: str, end: str) -> str:
    """Rows as delimited text."""
    if quoting == "none":
        return "".join(delimiter.join(row) + end for row in table)
    buffer = io.StringIO()
    quote = "'" if quoting == "single" else '"'
    how = csv.QUOTE_MINIMAL if quoting == "minimal" else csv.QUOTE_ALL
    csv.writer(buffer, delimiter=delimiter, quotechar=quote, quoting=how, lineterminator=end).writerows(table)
    return buffer.getvalue()


NAMES = ["amount", "when", "place", "size (cm)", "größe", "x1", "Unit Price", "note", "a.b", "rate"]
HARMLESS = "\t|"  # delimiters that no number and no word here holds


@st.composite
def written_tables(draw: Any, *, open_questions: bool = False) -> WrittenTable:
    """A table of three to six columns and a target, with all that may stand around it.

    Arguments:
        open_questions: whether nothing in the file or the settings need say what signs and orders mean.
    """
    random = Random(draw(st.integers(0, 2**32)))
    rows = draw(st.integers(24, 40))
    signs, order = draw(st.sampled_from(SIGNS)), draw(st.sampled_from(["dmy", "mdy", "ymd"]))
    quoting = draw(st.sampled_from(["minimal", "minimal", "all", "single", "none"]))
    delimiter = draw(st.sampled_from(HARMLESS if quoting == "none" else ",;\t|"))
    encoding = draw(st.sampled_from(["utf-8", "utf-8", "utf-8-sig", "cp1252", "utf-16", "latin-1"]))
    end = draw(st.sampled_from(["\n", "\n", "\r\n", "\r"]))
    settings: dict[str, Any] = {"data.split.method": "order"}
    pool = PLAIN + FOREIGN + ([] if quoting == "none" else AWKWARD)
    if end == "\r":
        pool = [word for word in pool if "\n" not in word]
    own = draw(st.lists(st.sampled_from(OWN), max_size=2, unique=True))
    if own:
        settings["data.read.missing"] = own

    columns = _columns(draw, rows, random, signs=signs, order=order, pool=pool)
    columns = [with_gaps(draw, column, random, own) for column in columns]
    dates = [column for column in columns if column.kind == "date"]
    for column in dates:
        if "%Y%m%d" in column.style:  # else a number
            settings["data.columns"] = settings.get("data.columns", {}) | {column.name: "datetime"}
    is_short = any("%y" in column.style for column in dates)
    if not open_questions and (is_short or (dates and draw(st.booleans()))):
        settings["data.dates.order"] = order
    if open_questions:
        pass
    elif signs != (".", "") and draw(st.booleans()):
        settings |= {"data.read.decimal": signs[0], "data.read.thousands": signs[1].replace("\u00a0", " ")}
    elif signs != (".", ""):
        columns.append(decisive_column("decisive", rows, random, signs))

    if encoding in ("cp1252", "latin-1"):
        columns = [_encodable(column, encoding) for column in columns]
        if encoding == "latin-1" or draw(st.booleans()):
            settings["data.read.encoding"] = encoding
    plain = [random.randrange(100) for _ in range(rows)]
    columns.append(WrittenColumn("n", "number", [str(value) for value in plain], [*plain], "plain 0 digits"))
    targets = ["up" if row % 3 else "down" for row in range(rows)]
    table = [[column.name for column in columns] + ["target"]]
    table += [list(row) for row in zip(*(column.cells for column in columns), targets, strict=True)]
    table, columns, how = _surround(draw, table, columns, signs, settings)
    if draw(st.integers(0, 7)) == 0:
        how["padded"] = True
        table = [[cell if "\n" in cell or '"' in cell else f"{cell} " for cell in row] for row in table]
    text = quote_rows(table, delimiter, quoting, end)
    text = _around(draw, text, end, settings, how)
    if how["above"] is None and draw(st.integers(0, 9)) == 0:
        how["above"], text = "sep", f"sep={delimiter}{end}{text}"
    elif draw(st.integers(0, 3)) == 0:
        settings["data.read.delimiter"] = delimiter
    how |= {"quoting": quoting, "encoding": encoding, "delimiter": delimiter}
    return WrittenTable(text.encode(encoding), settings, columns, how)


def _columns(
    draw: Any, rows: int, random: Random, *, signs: tuple[str, str], order: str, pool: Sequence[str]
) -> list[WrittenColumn]:
    kinds = draw(st.lists(st.sampled_from(["number", "date", "word"]), min_size=3, max_size=6))
    names = draw(st.permutations(NAMES))
    columns = []
    for kind, name in zip(kinds, names, strict=False):
        if kind == "number":
            columns.append(number_column(draw, name, rows, random, signs))
        elif kind == "date":
            columns.append(date_column(draw, name, rows, random, order))
        else:
            columns.append(word_column(draw, name, rows, random, pool))
    return columns


def _encodable(column: WrittenColumn, encoding: str) -> WrittenColumn:
    """The column in signs that the encoding has."""

    def plain(text: Any) -> Any:
        if not isinstance(text, str):
            return text
        text = text.replace("\u2212", "-")
        return text.replace("€", "$") if encoding == "latin-1" else text

    cells, values = [plain(cell) for cell in column.cells], [plain(value) for value in column.values]
    unit = plain(column.unit[0]), plain(column.unit[1])
    return replace(column, cells=cells, values=values, unit=unit)


def _surround(
    draw: Any,
    table: list[list[str]],
    columns: list[WrittenColumn],
    signs: tuple[str, str],
    settings: dict[str, Any],
) -> tuple[list[list[str]], list[WrittenColumn], dict[str, Any]]:
    """Rows that are no data, and names that stand twice."""
    how: dict[str, Any] = {}
    exact = [column.kind == "number" and "scientific" not in column.style for column in columns]
    numbers = [at for at, is_exact in enumerate(exact) if is_exact]
    extra = draw(st.sampled_from([None] * 6 + ["units", "header", "totals", "twice", "names"]))
    if extra == "units" and numbers:
        units = ["kg" if at in numbers else "" for at in range(len(table[0]))]
        table, how["units"] = [table[0], units, *table[1:]], True
    elif extra == "header":
        table, how["header again"] = [*table[:9], table[0], *table[9:]], True
    elif extra == "totals" and len(numbers) > 1:
        last = [""] * len(table[0])
        for at in numbers:
            total = sum(value for value in columns[at].values if isinstance(value, float | int))
            last[at] = write_number(total, signs, columns[at].unit, "-{}", columns[at].digits)
        words = [at for at, column in enumerate(columns) if column.kind == "word"]
        last[words[0] if words else -1] = "Total"
        table, how["totals"] = [*table, last], True
    elif extra == "twice":
        one, other = columns[:2]
        table[0][:2] = [one.name, one.name]
        columns = [one, replace(other, name=f"{one.name}.1"), *columns[2:]]
        kinds = settings.get("data.columns", {})
        if other.name in kinds:
            kinds[columns[1].name] = kinds.pop(other.name)
        how["twice"] = one.name
    elif extra == "names":
        settings |= {"data.read.header": False, "data.read.names": table[0]}
        table, how["names"] = table[1:], True
    return table, columns, how


def _around(draw: Any, text: str, end: str, settings: dict[str, Any], how: dict[str, Any]) -> str:
    """Lines above the table and between its rows."""
    above = draw(st.sampled_from([None] * 5 + ["skip", "header", "comment", "blank"]))
    title = f"Export, of station 7; all{end}by: us{end}"
    how["above"] = above
    if above == "skip":
        settings["data.read.skip"] = 2
        return title + text
    if above == "header" and "names" not in how:
        settings["data.read.header"] = 3
        return title + text
    if above == "comment" and not any(line.startswith("#") for line in text.splitlines()):
        settings["data.read.comment"] = "#"
        return f"# made, by; a program{end}#{end}{text}# the end{end}"
    if above == "blank":
        return end + text + end
    return text
