"""One look at all rows: their hashes, a random sample of each part, how often each word occurs in training
rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from handrail.data.columns.schema import Schema, Trouble, read_column, read_frame
from handrail.data.split.draw import TRAIN
from handrail.data.split.row_hashes import row_hashes
from handrail.data.streaming.parquet import ParquetRows

SAMPLE = 100_000  # rows of a part that statistics are made from
_MOST_LEVELS = 100_000
_TOGETHER = 16  # blocks whose counts are added up at a time

Counts = Mapping[str, pl.DataFrame]


@dataclass(frozen=True)
class Gathered:
    """By the code of a part: a hash for each of its rows, the sampled rows as they were read; and of training
    rows the counts of words, `value` and `count`, of each column that holds some.
    """

    hashes: Mapping[int, np.ndarray]
    samples: Mapping[int, pl.DataFrame]
    counts: Counts


def sample_of(rows: np.ndarray, part: int, seed: int) -> np.ndarray:
    """Which of the rows of a part are looked at closely, in order: all of them, or a random sample."""
    if len(rows) <= SAMPLE:
        return rows
    return np.sort(rows[np.random.default_rng([seed, 23, part]).choice(len(rows), SAMPLE, replace=False)])


def gather(
    source: ParquetRows, rows: Mapping[int, np.ndarray], samples: Mapping[int, np.ndarray], *, counted: bool
) -> Gathered:
    """Read everything once.

    Arguments:
        rows: of each part, by number and in order.
        samples: some of them.
        counted: whether words of training rows are counted.
    """
    hashes = {part: np.empty(len(places), dtype=np.uint64) for part, places in rows.items()}
    chosen: dict[int, list[pl.DataFrame]] = {part: [] for part in samples}
    counts = _WordCounts()
    for start, frame in source.blocks():
        for part, places in rows.items():
            low, high = np.searchsorted(places, (start, start + len(frame)))
            mine = frame[places[low:high] - start]
            hashes[part][low:high] = row_hashes(mine)
            if counted and part == TRAIN:
                counts.add(mine)
        for part, places in samples.items():
            low, high = np.searchsorted(places, (start, start + len(frame)))
            chosen[part].append(frame[places[low:high] - start])
    return Gathered(
        hashes, {part: pl.concat(frames, rechunk=True) for part, frames in chosen.items()}, counts.found()
    )


class _WordCounts:
    """How often each text occurs in each column, while there are not too many of them."""

    def __init__(self) -> None:
        self.waiting: dict[str, list[pl.DataFrame]] = {}
        self.given_up: set[str] = set()

    def add(self, frame: pl.DataFrame) -> None:
        for column in frame.select(pl.selectors.string()):
            if column.name not in self.given_up:
                found = self.waiting.setdefault(column.name, [])
                found.append(column.alias("value").value_counts(name="count"))
                if len(found) > _TOGETHER:
                    self._add_up(column.name)

    def _add_up(self, name: str) -> None:
        total = pl.concat(self.waiting[name]).group_by("value").agg(pl.col("count").sum())
        self.waiting[name] = [total]
        if len(total) > _MOST_LEVELS:
            del self.waiting[name]
            self.given_up.add(name)

    def found(self) -> dict[str, pl.DataFrame]:
        for name in list(self.waiting):
            self._add_up(name)
        return {name: frames[0] for name, frames in self.waiting.items()}


def level_counts(counts: Counts, schema: Schema) -> dict[str, pl.DataFrame]:
    """The counts of words as counts of levels, `level` and `count`, of the columns that are categories;
    missing is ''.
    """
    found = {}
    for column in schema.of_kind("category"):
        if column.name in counts:
            frame = counts[column.name]
            levels = read_column(frame["value"].alias(column.name), column)[0].fill_null("").alias("level")
            found[column.name] = frame.select(levels, "count").group_by("level").agg(pl.col("count").sum())
    return found


def unreadable_rows(source: ParquetRows, rows: np.ndarray, schema: Schema) -> list[tuple[Trouble, list[int]]]:
    """Values of these rows that cannot be read as the schema has them, each kind of trouble with the rows of
    the table.
    """
    first: dict[tuple[str, bool], Trouble] = {}
    places: dict[tuple[str, bool], list[int]] = {}
    for start, frame in source.blocks([column.name for column in schema.used]):
        low, high = np.searchsorted(rows, (start, start + len(frame)))
        mine = rows[low:high]
        for trouble in read_frame(frame[mine - start], schema)[1]:
            key = (trouble.column, trouble.is_infinite)
            first.setdefault(key, trouble)
            places.setdefault(key, []).extend(int(mine[row]) for row in trouble.rows)
    return [(trouble, places[key]) for key, trouble in first.items()]
