"""Rows by the values of columns: groups, and those of several columns at once."""

import itertools
from collections.abc import Sequence

import numpy as np
import polars as pl
from jaxtyping import Int

from handrail.data.columns.values import as_labels
from handrail.errors import DataError, did_you_mean
from handrail.tools.words import list_some

_MOST = 12  # values of a column of numbers that are groups by themselves
_PARTS = 4  # into which others are divided
_ABSENT = "missing"


class Grouping:
    """The groups of one column, or of several at once.

    Arguments:
        name: of the columns.
        names: of the groups.
        codes: of each row, the place of its group; −1 for rows in none.
    """

    def __init__(self, name: str, names: Sequence[str], codes: Int[np.ndarray, " rows"]) -> None:
        self.name, self.names, self.codes = name, tuple(names), codes

    @property
    def sizes(self) -> Int[np.ndarray, " groups"]:
        """The rows of each group."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.names))

    def with_at_least(self, fewest: int) -> tuple["Grouping", list[str]]:
        """The groups of so many rows or more, and what there is to say of the others."""
        kept = np.flatnonzero(self.sizes >= fewest)
        places = np.full(len(self.names) + 1, -1)
        places[kept] = np.arange(len(kept))
        left = [
            f"{self.names[place]} ({self.sizes[place]})"
            for place in range(len(self.names))
            if place not in kept
        ]
        told = (
            f"{self.name}: left out for fewer than {fewest} rows: {list_some(left, most=8)}." if left else ""
        )
        codes = places[self.codes]
        return Grouping(self.name, [self.names[place] for place in kept], codes), [told] if told else []


def groupings(frame: pl.DataFrame, columns: Sequence[str]) -> list[Grouping]:
    """The groups of each column, and of all at once where there are several.

    Numbers of more than twelve different values are divided at their quartiles.

    Raises: `DataError` without columns, and for one that there is not.
    """
    if not columns:
        known = list_some(frame.columns, most=12)
        raise DataError(f"columns: found none, expected columns whose values are groups of rows: {known}.")
    for name in columns:
        if name not in frame.columns:
            raise DataError(f"columns: there is no column '{name}'.{did_you_mean(name, frame.columns)}")
    alone = [_of_column(frame[name]) for name in dict.fromkeys(columns)]
    return alone if len(alone) == 1 else [*alone, _together(alone)]


def _of_column(values: pl.Series) -> Grouping:
    if values.dtype.is_numeric() and values.n_unique() > _MOST:
        return _by_quartiles(values)
    labels = as_labels(values).fill_null(_ABSENT)
    names = labels.unique().sort().to_list()
    codes = labels.replace_strict(names, list(range(len(names))), return_dtype=pl.Int64).to_numpy()
    return Grouping(values.name, names, codes)


def _by_quartiles(values: pl.Series) -> Grouping:
    numbers = values.cast(pl.Float64).to_numpy()
    known = np.isfinite(numbers)
    edges = np.unique(np.quantile(numbers[known], np.linspace(0, 1, _PARTS + 1)))
    codes = np.where(known, np.searchsorted(edges[1:-1], numbers, side="right"), len(edges) - 1)
    names = [f"{low:g} to {high:g}" for low, high in itertools.pairwise(edges)]
    return Grouping(values.name, [*names, _ABSENT] if not known.all() else names, codes)


def _together(several: Sequence[Grouping]) -> Grouping:
    """The groups of all columns at once that there are."""
    pairs, codes = np.unique(np.stack([each.codes for each in several], axis=1), axis=0, return_inverse=True)
    names = [
        ", ".join(each.names[code] for each, code in zip(several, pair, strict=True))
        for pair in pairs.tolist()
    ]
    return Grouping(" × ".join(each.name for each in several), names, codes.reshape(-1))
