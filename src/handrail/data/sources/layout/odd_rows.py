"""Rows of a text file that are not data: the header again, and units below the names.

Both stand where files come together or are made for readers. They are told from the text as it stands, so
that numbers may be written in any way.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import polars as pl

from handrail.data.finding import Finding
from handrail.data.sources.cells import clean_text
from handrail.tools.words import list_some

KEEP_ROWS = "--read rows=all (data.read.rows: all)"
_SAMPLE = 500  # rows below the first one
_NUMBERS = 0.95  # of the values of a column of numbers
_LONGEST_UNIT = 16
# Loose on purpose: a sign or a currency, digits with any marks between them, percent or a currency.
NUMBER = r"^[(+\-−–$€£¥₹\s]*[.,]?\d[\d.,'’\s]*(?:[eE][+-]?\d+)?[\s%‰$€£¥₹)\-]*(?:[A-Z]{3})?$"
_NUMBER = re.compile(NUMBER)
_NO_UNIT = re.compile(r"n\W?[adk]\W?", re.IGNORECASE)  # n/a, n.d.: not available, no data
_SYMBOL = re.compile(r"[°%‰$€£¥₹Ωµμ²³⁻]|^[(\[{].{0,14}[)\]}]$")
_UNIT = re.compile(
    r"m|cm|mm|km|nm|um|in|ft|yd|mi|kg|g|mg|t|lb|lbs|oz|s|sec|secs|ms|us|ns|min|mins|h|hr|hrs|hour|d|hours|"
    r"day|days|week|weeks|month|months|year|years|yr|yrs|second|seconds|minute|minutes|hz|khz|mhz|ghz|w|"
    r"kw|mw|gw|wh|kwh|mwh|j|kj|mj|cal|kcal|ev|v|mv|kv|a|ma|ohm|f|c|k|degc|degf|deg|degree|degrees|"
    r"celsius|fahrenheit|kelvin|rad|pa|hpa|kpa|mpa|bar|mbar|psi|atm|mmhg|n|kn|nm|l|ml|dl|cl|ha|acre|"
    r"acres|mol|mmol|umol|ppm|ppb|db|lx|lm|cd|usd|eur|gbp|chf|jpy|cny|inr|aud|cad|sek|nok|dkk|pln|czk|"
    r"huf|rub|brl|euro|euros|dollars|percent|pct|count|counts|pcs|pieces|byte|bytes|kb|mb|gb|bit|bits|"
    r"rpm|mph|kmh|kph|knots|px|pixel|pixels|m2|m3|cm2|cm3|km2|meter|meters|metre|metres|gram|grams|"
    r"liter|litre|liters|litres|watt|watts|volt|volts|ampere|unitless|dimensionless"
)


class RowSifter:
    """Takes the rows of a table, a piece at a time, and gives back those that are data, as often as asked.

    Arguments:
        header: the cells of the header as they stand there; None without a header.
        markers: of missing values, beside the usual ones.
        active: whether anything is left out at all.
    """

    def __init__(
        self, header: Sequence[str | None] | None, markers: Iterable[str] = (), *, active: bool = True
    ) -> None:
        cells = None if header is None or not active else pl.Series(header, dtype=pl.String)
        self.header = None if cells is None else tuple(clean_text(cells, markers).to_list())
        self._begin()

    def _begin(self) -> None:
        self.units: tuple[str | None, ...] | None = None
        self.second_names: tuple[str | None, ...] | None = None
        self.repeats: list[int] = []
        self.more_units: list[int] = []
        self._seen = 0

    def sift(self, pieces: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        """All pieces of a table, from its first row on, without the rows that are no data."""
        self._begin()
        for piece in pieces:
            yield self._sift_piece(piece)

    def _sift_piece(self, piece: pl.DataFrame) -> pl.DataFrame:
        start, self._seen = self._seen, self._seen + piece.height
        if self.header is None or not piece.height:
            return piece
        repeats = self._find_repeats(piece)
        if start == 0:
            self._look_at_first(piece[: _SAMPLE + 1], repeats)
        units = _equal_rows(piece, self.units) if self.units else np.array([], np.int64)
        self.repeats += (repeats + start).tolist()
        self.more_units += (units + start).tolist()
        if not len(repeats) and not len(units):
            return piece
        keep = np.ones(piece.height, bool)
        keep[repeats] = keep[units] = False
        return piece.filter(pl.Series(keep))

    @property
    def left_out(self) -> list[int]:
        """The rows that are no data, counted from 0 below the header."""
        return [*self.repeats, *self.more_units]

    def findings(self, lines: np.ndarray, source: str) -> list[Finding]:
        """What was left out, or may not be data.

        Arguments:
            lines: the line of the file on which each row begins, those left out included.
        """
        found = []
        if self.repeats:
            found.append(_repeated(_lines(self.repeats, lines), len(self.repeats), source))
        if self.units:
            found.append(_units(self.units, _lines(self.more_units, lines), len(self.more_units), source))
        if self.second_names:
            found.append(_second_names(self.second_names, int(lines[0]), source))
        return found

    def _find_repeats(self, piece: pl.DataFrame) -> np.ndarray:
        header = self.header or ()
        first = piece[:_SAMPLE, 0]
        if len(header) == 1 and not are_numbers(first.filter(first != header[0])):
            return np.array([], np.int64)  # a word of a list
        return _equal_rows(piece, header)

    def _look_at_first(self, rows: pl.DataFrame, repeats: np.ndarray) -> None:
        first = rows.row(0)
        if 0 in repeats or not any(first) or any(_is_number(cell) for cell in first if cell and cell != "1"):
            return
        keep = np.ones(rows.height, bool)
        keep[[*_equal_rows(rows, first), *(i for i in repeats if i < rows.height)]] = False
        below = rows.filter(pl.Series(keep))
        numeric = [i for i in range(rows.width) if are_numbers(below[:, i])]
        above = [first[i] for i in numeric if first[i]]
        if not above:
            return
        others = [i for i, cell in enumerate(first) if cell and i not in set(numeric)]
        if any((below[:, i] == first[i]).any() for i in others):
            return  # a value, as others below it
        units = [cell for cell in above if is_unit(cell) or cell == "1"]
        # Single letters may be labels: A, B, C.
        plain = any(len(cell) > 1 or _SYMBOL.search(cell) for cell in units)
        sure = 2 * len(units) >= len(above) if plain else len(units) == len(above) > 1
        if sure and all(len(cell) <= _LONGEST_UNIT for cell in first if cell):
            self.units = first
        elif len(above) == len(numeric) > 1 and len(set(above)) == len(above):
            self.second_names = first


def _equal_rows(piece: pl.DataFrame, cells: Sequence[str | None]) -> np.ndarray:
    """The places of the rows that hold just these cells."""
    filled = [place for place, cell in enumerate(cells) if cell is not None]
    if not filled:
        return np.array([], np.int64)
    rows = (piece[:, filled[0]] == cells[filled[0]]).arg_true()
    for place, cell in enumerate(cells):
        if not len(rows):
            break
        column = piece[:, place].gather(rows)
        rows = rows.filter(column.is_null() if cell is None else (column == cell).fill_null(value=False))
    return rows.to_numpy().astype(np.int64)


def are_numbers(column: pl.Series) -> bool:
    """Whether what a column of text holds looks like numbers, at least two."""
    values = column.drop_nulls()
    return len(values) > 1 and float(values.str.contains(NUMBER).sum()) >= _NUMBERS * len(values)


def _is_number(cell: str) -> bool:
    return _NUMBER.match(cell) is not None


def is_unit(cell: str) -> bool:
    """Whether a text is a unit: °C, %, kg, m/s², (m), [-]."""
    if _NO_UNIT.fullmatch(cell):
        return False
    if _SYMBOL.search(cell):
        return len(cell) <= _LONGEST_UNIT
    parts = [part for part in re.split(r"[\s/*·^.()\[\]]+|\b-?\d+\b", cell.lower()) if part]
    return bool(parts) and all(
        _UNIT.fullmatch(part) or _UNIT.fullmatch(part.rstrip("-0123456789")) for part in parts
    )


def _lines(rows: Sequence[int], lines: np.ndarray) -> str:
    """`line 5`, `lines 5, 9 and 12`."""
    named = list_some((f"{lines[row]:,}" for row in rows), most=8, last=" and ")
    return f"line{'s' if len(rows) > 1 else ''} {named}"


def _repeated(where: str, count: int, source: str) -> Finding:
    return Finding(
        level="warning",
        name="repeated-header",
        seen=f"{source}: {where} {'repeat' if count > 1 else 'repeats'} the header and "
        f"{'were' if count > 1 else 'was'} left out.",
        why="Names are no values; files may have been put one below the other.",
        action=f"{KEEP_ROWS} keeps {'them as rows' if count > 1 else 'it as a row'}.",
        decided=True,
    )


def _units(units: Sequence[str | None], where: str, count: int, source: str) -> Finding:
    shown = list_some((f"'{cell}'" for cell in units if cell), most=8)
    return Finding(
        level="note",
        name="units",
        seen=f"{source}: {where} {'hold' if count > 1 else 'holds'} units ({shown}) above columns of numbers "
        f"and {'were' if count > 1 else 'was'} left out.",
        why="Units are no values.",
        action=f"{KEEP_ROWS} keeps {'them as rows' if count > 1 else 'it as a row'}.",
        decided=True,
    )


def _second_names(cells: Sequence[str | None], line: int, source: str) -> Finding:
    shown = list_some((f"'{cell}'" for cell in cells if cell), most=8)
    return Finding(
        level="warning",
        name="second-header",
        seen=f"{source}: line {line} holds words ({shown}) above columns of numbers; it was read as a row.",
        why="It may be the header, or belong to it.",
        action=f"--read header={line} (data.read.header: {line}) takes the names from that line; "
        f"correct the file if it is no row.",
    )
