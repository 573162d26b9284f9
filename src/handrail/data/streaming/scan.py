"""Readings of a whole table: the few columns that the split needs, and one look at all rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from handrail.data.columns.schema import Schema, Trouble, read_column, read_frame
from handrail.data.dataset import Located, locate
from handrail.data.split.draw import TRAIN
from handrail.data.split.row_hashes import row_hashes
from handrail.data.streaming.parquet import ParquetRows

SAMPLE = 100_000  # rows of a part that statistics are made from
_MOST_CODES = 65_536  # different texts of a column that is held as codes
_MOST_WORDS = 100_000  # different texts of a column that are counted
_TOGETHER = 16  # blocks whose counts are added up at a time
_INTEGERS = {7: pl.Int8, 15: pl.Int16, 31: pl.Int32}

Counts = Mapping[str, pl.DataFrame]


def slim_columns(source: ParquetRows, names: Sequence[str], *, as_text: Sequence[str] = ()) -> pl.DataFrame:
    """Columns of all rows: texts as codes (`pl.Enum`), whole numbers in the fewest bits.

    Arguments:
        as_text: columns whose texts stay texts.
    """
    columns = {name: _SlimColumn(name, coded=name not in as_text) for name in dict.fromkeys(names)}
    for _, frame in source.blocks(list(columns)):
        for name, column in columns.items():
            column.add(frame[name])
    return pl.DataFrame([column.whole() for column in columns.values()])


class _SlimColumn:
    """One column, block by block."""

    def __init__(self, name: str, *, coded: bool) -> None:
        self.name, self.coded = name, coded
        self.levels: dict[str, int] = {}
        self.blocks: list[pl.Series] = []

    def add(self, values: pl.Series) -> None:
        if values.dtype == pl.String and self.coded:
            self._add_texts(values)
        else:
            self.blocks.append(_shrink(values))

    def _add_texts(self, values: pl.Series) -> None:
        for level in values.unique(maintain_order=True).drop_nulls().to_list():
            self.levels.setdefault(level, len(self.levels))
        names, codes = list(self.levels), range(len(self.levels))
        self.blocks.append(values.replace_strict(names, codes, return_dtype=pl.UInt32, default=None))
        if len(names) > _MOST_CODES:
            self.blocks = [
                block.replace_strict(codes, names, default=None, return_dtype=pl.String)
                for block in self.blocks
            ]
            self.coded = False

    def whole(self) -> pl.Series:
        frames = [block.to_frame() for block in self.blocks]
        whole = pl.concat(frames, how="vertical_relaxed", rechunk=True).to_series()
        if self.coded and self.levels:
            kind = pl.Enum(list(self.levels))
            words = pl.Series(list(self.levels), dtype=kind)
            whole = whole.replace_strict(range(len(words)), words, default=None, return_dtype=kind)
        return whole.alias(self.name)


def _shrink(values: pl.Series) -> pl.Series:
    if not values.dtype.is_integer() or not values.count():
        return values
    low, high = int(values.min()), int(values.max())  # pyright: ignore[reportArgumentType]
    fitting = (kind for bits, kind in _INTEGERS.items() if -(2**bits) <= low and high < 2**bits)
    return values.cast(next(fitting, values.dtype))


@dataclass(frozen=True)
class Scan:
    """What one look at all rows gives, by the code of a part.

    Arguments:
        hashes: of each row.
        content: likewise, by the columns that tell rows apart.
        samples: the sampled rows as they were read.
        counts: how often each word occurs in training rows, `value` and `count`, by column.
    """

    hashes: Mapping[int, np.ndarray]
    content: Mapping[int, np.ndarray]
    samples: Mapping[int, pl.DataFrame]
    counts: Counts


def sample_of(rows: np.ndarray, part: int, seed: int) -> np.ndarray:
    """Which of the rows of a part are looked at closely, in order: all of them, or a random sample."""
    if len(rows) <= SAMPLE:
        return rows
    return np.sort(rows[np.random.default_rng([seed, 23, part]).choice(len(rows), SAMPLE, replace=False)])


def scan(
    source: ParquetRows,
    rows: Mapping[int, np.ndarray],
    samples: Mapping[int, np.ndarray],
    *,
    counted: bool,
    content: Sequence[str],
) -> Scan:
    """Read everything once.

    Arguments:
        rows: of each part, by number and in order.
        samples: some of them.
        counted: whether words of training rows are counted.
        content: the columns that tell rows apart.
    """
    hashes = {part: np.empty(len(numbers), dtype=np.uint64) for part, numbers in rows.items()}
    whole = set(content) == set(source.columns)
    contents = hashes if whole else {part: np.empty_like(old) for part, old in hashes.items()}
    chosen: dict[int, list[pl.DataFrame]] = {part: [] for part in samples}
    counts = _WordCounts()
    for start, frame in source.blocks():
        for part, numbers in rows.items():
            low, high = np.searchsorted(numbers, (start, start + len(frame)))
            mine = frame[numbers[low:high] - start]
            hashes[part][low:high] = row_hashes(mine)
            if not whole:
                contents[part][low:high] = row_hashes(mine, content)
            if counted and part == TRAIN:
                counts.add(mine)
        for part, numbers in samples.items():
            low, high = np.searchsorted(numbers, (start, start + len(frame)))
            chosen[part].append(frame[numbers[low:high] - start])
    frames = {part: pl.concat(blocks, rechunk=True) for part, blocks in chosen.items()}
    return Scan(hashes, contents, frames, counts.totals())


class _WordCounts:
    """How often each text occurs in each column, while there are not too many of them."""

    def __init__(self) -> None:
        self.waiting: dict[str, list[pl.DataFrame]] = {}
        self.given_up: set[str] = set()

    def add(self, frame: pl.DataFrame) -> None:
        for column in frame.select(pl.selectors.string()):
            if column.name not in self.given_up:
                waiting = self.waiting.setdefault(column.name, [])
                waiting.append(column.alias("value").value_counts(name="count"))
                if len(waiting) > _TOGETHER:
                    self._add_up(column.name)

    def _add_up(self, name: str) -> None:
        total = pl.concat(self.waiting[name]).group_by("value").agg(pl.col("count").sum())
        self.waiting[name] = [total]
        if len(total) > _MOST_WORDS:
            del self.waiting[name]
            self.given_up.add(name)

    def totals(self) -> dict[str, pl.DataFrame]:
        for name in list(self.waiting):
            self._add_up(name)
        return {name: frames[0] for name, frames in self.waiting.items()}


def level_counts(counts: Counts, schema: Schema) -> dict[str, pl.DataFrame]:
    """The counts of words as counts of levels, `level` and `count`, by category column; missing is ''."""
    totals = {}
    for column in schema.of_kind("category"):
        if column.name in counts:
            frame = counts[column.name]
            levels = read_column(frame["value"].alias(column.name), column)[0].fill_null("").alias("level")
            totals[column.name] = frame.select(levels, "count").group_by("level").agg(pl.col("count").sum())
    return totals


def unreadable_rows(source: ParquetRows, rows: np.ndarray, schema: Schema) -> Located:
    """Values of these rows that the schema cannot read, each kind of trouble with the rows of the table."""
    first: dict[tuple[str, bool], Trouble] = {}
    places: dict[tuple[str, bool], list[int]] = {}
    for start, frame in source.blocks([column.name for column in schema.used]):
        low, high = np.searchsorted(rows, (start, start + len(frame)))
        mine = rows[low:high]
        for trouble, numbers in locate(read_frame(frame[mine - start], schema)[1], mine):
            key = (trouble.column, trouble.is_infinite)
            first.setdefault(key, trouble)
            places.setdefault(key, []).extend(numbers)
    return [(trouble, places[key]) for key, trouble in first.items()]
