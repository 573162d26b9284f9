"""Which words of a text file count as missing, and where: 'NA' may have been a class."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import polars as pl

from handrail.data.columns.column import Column
from handrail.data.columns.values import MISSING_SIGNS, MISSING_WORDS, empty_where
from handrail.tools.words import list_some, plural


class Words(NamedTuple):
    """The rows of a column where a word counts as missing, in order, and these words."""

    rows: np.ndarray
    words: pl.Series

    def count_in(self, rows: np.ndarray) -> Counter[str]:
        """How often each word stands in some rows of the table."""
        return Counter(self.words.filter(pl.Series(np.isin(self.rows, rows))).to_list())


WordsByColumn = Mapping[str, Words]


def usual_words(*, is_text: bool, given: Sequence[str] | None) -> tuple[str, ...]:
    """The usual words for missing that count as such among words: all in text, two signs in typed sources.

    Arguments:
        is_text: whether the format knows no types.
        given: `data.read.missing`; the empty list keeps every word.
    """
    if given is not None and not given:
        return ()
    return MISSING_WORDS if is_text else MISSING_SIGNS


def restore_words(
    frame: pl.DataFrame, words: WordsByColumn, missing: Sequence[str], *, among: Iterable[str]
) -> pl.DataFrame:
    """A table of text with the usual words for missing again where they were levels of the training rows.

    Arguments:
        words: where a word counts as missing, by column.
        missing: words that stay missing.
        among: the columns that may hold levels.
    """
    back = [word for word in MISSING_WORDS if word not in missing]
    restored = []
    for name in among:
        known = words.get(name)
        if known is None or frame.schema.get(name) != pl.String:
            continue
        levels = known.words.is_in(back)
        if levels.any():
            restored.append(frame[name].scatter(known.rows[levels.to_numpy()], known.words.filter(levels)))
    return frame.with_columns(restored) if restored else frame


def without_words(frame: pl.DataFrame, missing: Sequence[str], *, among: Iterable[str]) -> pl.DataFrame:
    """A typed table without the words that stood for missing among the levels of the training rows."""
    emptied = []
    for name in among:
        if frame.schema.get(name) == pl.String:
            gaps = frame[name].is_in(list(missing)).fill_null(value=False)
            if gaps.any():
                emptied.append(empty_where(frame[name], gaps.to_numpy()))
    return frame.with_columns(emptied) if emptied else frame


def may_hold_words(columns: Iterable[Column]) -> list[str]:
    """The columns of words; among numbers and dates such a word is missing anyway."""
    return [
        column.name
        for column in columns
        if column.kind == "text" or (column.kind == "category" and not column.numbers)
    ]


class Gaps(NamedTuple):
    """Rows without a value: how many, and the words that stand there."""

    rows: int
    words: Mapping[str, int]

    def __str__(self) -> str:
        """`'NA' in 101 rows, blank in 3`, or nothing where no word stands there."""
        if not self.words:
            return ""
        listed = [f"'{word}' in {plural(count, 'row')}" for word, count in Counter(self.words).most_common()]
        blank = self.rows - sum(self.words.values())
        return list_some([*listed, *([f"blank in {blank:,}"] if blank else [])])


@dataclass
class WordCollector:
    """Gathers words from the pieces of a file, each before and after its cleaning."""

    pieces: list[dict[str, Words]] = field(default_factory=list)
    starts: list[int] = field(default_factory=lambda: [0])

    def add(self, raw: pl.DataFrame, cleaned: pl.DataFrame) -> None:
        """The next rows, as they are written and without what counts as missing."""
        found = {}
        gone = np.array(cleaned.null_count().row(0)) > np.array(raw.null_count().row(0))
        for place in np.flatnonzero(gone).tolist():
            before = raw.to_series(place)
            words = _find(before, cleaned.to_series(place))
            if len(words.rows):
                found[before.name] = words
        self.pieces.append(found)
        self.starts.append(self.starts[-1] + raw.height)

    def by_column(self) -> WordsByColumn:
        """The words of all rows."""
        return join_words(self.pieces, self.starts)


def _find(before: pl.Series, after: pl.Series) -> Words:
    lost = (after.is_null() & before.is_not_null()).arg_true()
    words = before.gather(lost).str.strip_chars()
    kept = words != ""
    return Words(lost.filter(kept).to_numpy(), words.filter(kept))


def join_words(tables: Sequence[WordsByColumn], starts: Sequence[int]) -> WordsByColumn:
    """The words of tables below each other, which begin at some rows."""
    names = dict.fromkeys(name for table in tables for name in table)
    joined = {}
    for name in names:
        parts = [(start, table[name]) for start, table in zip(starts, tables, strict=False) if name in table]
        rows = np.concatenate([words.rows.astype(np.int64) + start for start, words in parts])
        joined[name] = Words(rows, pl.concat([words.words for _, words in parts]))
    return joined


def leave_out(words: WordsByColumn, rows: Sequence[int]) -> WordsByColumn:
    """The words of a table without some of its rows."""
    if not len(rows):
        return words
    gone = np.sort(np.asarray(rows, dtype=np.int64))
    left = {}
    for name, each in words.items():
        stays = ~np.isin(each.rows, gone)
        kept = each.rows[stays]
        left[name] = Words(kept - np.searchsorted(gone, kept), each.words.filter(pl.Series(stays)))
    return left


def count_gaps(parts: Iterable[tuple[pl.Series, np.ndarray, Words | None]]) -> Gaps:
    """The gaps of a column in some parts: its values, their rows in the table, and the words of the table."""
    rows, words = 0, Counter[str]()
    for values, places, known in parts:
        rows += values.null_count()
        if known is not None and values.null_count():
            words += known.count_in(places[values.is_null().to_numpy()])
    return Gaps(rows, dict(words))
