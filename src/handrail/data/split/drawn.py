"""The rows of the three parts, as they were read, and what is known of the division."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import polars as pl

from handrail.data.missing_words import Gaps
from handrail.data.split.draw import TEST, TRAIN, VALIDATION
from handrail.data.split.row_hashes import row_hashes
from handrail.data.table import Table

_STRETCHES = 64


@dataclass(frozen=True)
class RawRows:
    """Rows of one part as they were read.

    Arguments:
        rows: their places in the table.
        table: what is known of it; its frame is empty, for the rows stand in those of the parts.
        total: how many rows it had.
        unlabelled: of training rows those without a target, which a model below the network can learn from.
    """

    name: str
    frame: pl.DataFrame
    rows: np.ndarray
    table: Table
    total: int
    unlabelled: "RawRows | None" = None

    @cached_property
    def hashes(self) -> np.ndarray:
        """Of each row, by content."""
        return row_hashes(self.frame, stores=self.table.stores)

    def pick(self, places: np.ndarray) -> "RawRows":
        """The rows at some places."""
        return replace(self, frame=rows_at(self.frame, places), rows=self.rows[places])


def rows_at(frame: pl.DataFrame, places: np.ndarray) -> pl.DataFrame:
    """Rows of a frame; where they are a few stretches, nothing is copied: windows have a column a step."""
    breaks = np.flatnonzero(np.diff(places) != 1) + 1
    if not len(places) or len(breaks) > _STRETCHES:
        return frame[places]
    pieces = np.split(places, breaks)
    return pl.concat([frame.slice(int(piece[0]), len(piece)) for piece in pieces], rechunk=False)


@dataclass(frozen=True)
class Drawn:
    """The three parts, without rows that have no target or repeat what they may not.

    Arguments:
        missing: how many rows have no target, but for the sealed part: what a fit says must not depend on it.
        gaps: in how many of these rows each target is missing, and the words that stand there.
        notes: what is to be said about the division.
        label, factors: of rows that are learned without a target, the columns that help to judge.
    """

    table: Table
    targets: tuple[str, ...]
    train: RawRows
    validation: RawRows
    test: RawRows
    parts: np.ndarray
    missing: int
    season: int = 0
    notes: tuple[str, ...] = ()
    gaps: Mapping[str, Gaps] = field(default_factory=dict)
    label: str | None = None
    factors: tuple[str, ...] = ()

    @property
    def by_code(self) -> dict[int, RawRows]:
        """The rows by the code of their part."""
        return {TRAIN: self.train, VALIDATION: self.validation, TEST: self.test}
