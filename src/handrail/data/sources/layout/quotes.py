"""Quotes that stand around every value of a column, and are no part of it: 'red', “red”.

Double quotes are taken off by the parser. Others may be apostrophes; so they count only where they stand
around most values of a column, and at no end of the others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from handrail.data.finding import Finding
from handrail.data.sources.dialect import Dialect
from handrail.data.sources.records import Records
from handrail.tools.words import list_some

_PAIRS = (("'", "'"), ("“", "”"), ("„", "“"), ("„", "”"), ("«", "»"), ("»", "«"), ("‘", "’"), ("`", "`"))
_OPENING = frozenset(left for left, _ in _PAIRS)
_FEWEST, _LOOKED_AT, _SHARE = 2, 20, 0.5  # values; rows; of the values that are quoted


@dataclass(frozen=True)
class Quotes:
    """The pair of quotes around the values of columns, by their place, and the pair around all names."""

    columns: Mapping[int, tuple[str, str]] = field(default_factory=dict)
    names: tuple[str, str] | None = None

    def take_off(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The columns without these quotes; a value without them stays as it is."""
        if not self.columns:
            return frame
        columns = frame.get_columns()
        for place, pair in self.columns.items():
            columns[place] = _take_off(columns[place], pair)
        return pl.DataFrame(columns)

    def take_off_row(self, row: Sequence[str | None]) -> list[str | None]:
        """A row, such as a header, without these quotes."""
        if not self.columns and not self.names:
            return list(row)
        return [_bare(cell, self.columns.get(place, self.names)) for place, cell in enumerate(row)]

    def findings(self, names: Sequence[str], source: str) -> list[Finding]:
        """What was taken off, of which columns."""
        if not self.columns:
            return []
        signs = list_some(
            (f"{left}…{right}" for left, right in dict.fromkeys(self.columns.values())), last=" and "
        )
        columns = list_some(f"'{names[place]}'" for place in self.columns)
        return [
            _finding(f"{source}: the values of {columns} stand in quotes ({signs}), which were taken off.")
        ]


def _finding(seen: str) -> Finding:
    return Finding(
        level="note",
        name="quotes",
        seen=seen,
        why="Quotes around every value are a way of writing, not a part of it.",
        action="--read quote= (data.read.quote: '') keeps all quotes as they are.",
        decided=True,
    )


def quote_findings(dialect: Dialect, source: str) -> list[Finding]:
    """That fields stand in single quotes, where the parser found so by itself."""
    if dialect.quote != "'":
        return []
    return [_finding(f"{source}: fields stand in single quotes ('…'), which were taken off.")]


def find_quotes(rows: Sequence[Sequence[str]], found: Records) -> Quotes:
    """The columns of text whose values stand in a pair of quotes other than the parser's.

    Arguments:
        rows: the first rows, stripped; only columns that are quoted there are looked at.
        found: all records; of a large table the first piece counts.
    """
    if len(rows) < _FEWEST or not any(cell[:1] in _OPENING for row in rows[:_LOOKED_AT] for cell in row):
        return Quotes()
    body = rows[1:_LOOKED_AT] if len(rows) > _FEWEST else rows
    places = [i for i in range(len(rows[0])) if any(row[i][:1] in _OPENING for row in body if i < len(row))]
    frame = next(found.pieces(int(len(found.lines) > _FEWEST)))
    pairs = {i: _pair_of(frame[:, i]) for i in places}
    columns = {i: pair for i, pair in pairs.items() if pair is not None}
    around = [pair for pair in _PAIRS if all(_bare(cell, pair) != cell for cell in rows[0])]
    return Quotes(columns, around[0] if around else next(iter(columns.values()), None))


def _pair_of(column: pl.Series) -> tuple[str, str] | None:
    values = column.str.strip_chars()
    values = values.filter(values.str.len_bytes() > 0)
    if len(values) < _FEWEST:
        return None
    sample = values.head(_LOOKED_AT).to_list()
    likely = [pair for pair in _PAIRS if any(_bare(value, pair) != value for value in sample)]
    return next((pair for pair in likely if _are_quoted(values, pair)), None)


def _are_quoted(values: pl.Series, pair: tuple[str, str]) -> bool:
    """Whether most values are quoted, and the others neither begin nor end with such a sign."""
    quoted = values.str.contains(_form(pair))
    if float(quoted.mean() or 0) < _SHARE:  # pyright: ignore[reportArgumentType]
        return False
    others = values.filter(~quoted)
    return not (others.str.starts_with(pair[0]) | others.str.ends_with(pair[1])).any()


def _form(pair: tuple[str, str]) -> str:
    """A text in quotes: within them doubled, or before a letter, as in 'it's'; then it is an apostrophe."""
    left, right = pair
    if left != right:
        return rf"^{left}[^{left}{right}]*{right}$"
    return rf"^{left}(?:[^{right}]|{right}{right}|{right}\p{{L}})*{right}$"


def _take_off(column: pl.Series, pair: tuple[str, str]) -> pl.Series:
    left, right = pair
    values = column.str.strip_chars()
    inner = values.str.slice(1, values.str.len_chars() - 2)
    inner = inner.str.replace_all(right * 2, right, literal=True) if left == right else inner
    bare = pl.when(values.str.contains(_form(pair))).then(inner).otherwise(column)
    return pl.select(bare).to_series().alias(column.name)


def _bare(cell: str | None, pair: tuple[str, str] | None) -> str | None:
    text = (cell or "").strip()
    if pair is None or len(text) < 2 or not text.startswith(pair[0]) or not text.endswith(pair[1]):
        return cell
    return text[1:-1]
