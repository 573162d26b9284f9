"""What several checks ask about columns of numbers, from one sorting of each."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Int

from handrail.data.columns.schema import Schema
from handrail.data.columns.together import number_blocks, sorted_quantiles
from handrail.data.part import Part

NEARLY_ALWAYS = 0.99


@dataclass(frozen=True)
class Numbers:
    """Facts about columns of numbers, booleans and dates, in the order of `names`.

    Arguments:
        columns: by name.
        known: values that are not missing.
        least, most: of the values; infinite where there are none.
        quartiles: first, third, least and most, divided by the largest size, so that nothing overflows.
        zeros: how many there are.
        positive: the smallest value above zero.
        whole: whether all are whole.
        once: whether no value stands twice.
        steady: whether one value has nearly all rows.
    """

    names: tuple[str, ...]
    columns: dict[str, pl.Series]
    known: Int[np.ndarray, " columns"]
    least: Float[np.ndarray, " columns"]
    most: Float[np.ndarray, " columns"]
    quartiles: Float[np.ndarray, "4 columns"]
    zeros: Int[np.ndarray, " columns"]
    positive: Float[np.ndarray, " columns"]
    whole: Bool[np.ndarray, " columns"]
    once: Bool[np.ndarray, " columns"]
    steady: Bool[np.ndarray, " columns"]

    def which(self, mask: Bool[np.ndarray, " columns"], among: Sequence[str] | None = None) -> list[str]:
        """The names where a mask is true."""
        chosen = None if among is None else set(among)
        names = (self.names[place] for place in np.flatnonzero(mask))
        return [name for name in names if chosen is None or name in chosen]

    def values(self, name: str) -> Float[np.ndarray, " rows"]:
        """The values of a column, NaN where one is missing."""
        return self.columns[name].to_numpy()


def look_at_numbers(part: Part, schema: Schema) -> Numbers:
    """The facts about all columns of cells that are numbers."""
    cells = {column.name for column in schema.cells}
    columns = [
        column
        for column in part.features.get_columns()
        if column.dtype == pl.Float64 and column.name in cells
    ]
    width = len(columns)
    facts = {name: np.zeros(width) for name in ("known", "least", "most", "zeros", "positive")}
    masks = {name: np.zeros(width, dtype=bool) for name in ("whole", "once", "steady")}
    quartiles = np.zeros((4, width))
    for places, values in number_blocks(columns):
        for name, found in _facts_of(values).items():
            (quartiles.T if name == "quartiles" else (masks | facts)[name])[places] = found
    counts = {name: facts.pop(name).astype(np.int64) for name in ("known", "zeros")}
    return Numbers(
        names=tuple(column.name for column in columns),
        columns={column.name: column for column in columns},
        quartiles=quartiles,
        **counts,
        **facts,
        **masks,
    )


def _facts_of(values: Float[np.ndarray, "columns rows"]) -> dict[str, np.ndarray]:
    ordered = np.sort(values, axis=1)
    rows, width = ordered.shape[1], len(ordered)
    known = (~np.isnan(ordered)).sum(axis=1)
    every, last = np.arange(width), np.maximum(known - 1, 0)
    least = np.where(known > 0, ordered[:, 0], np.inf)
    most = np.where(known > 0, ordered[every, last], -np.inf)
    below, upto = (
        np.array([np.searchsorted(line[:size], 0.0, side) for line, size in zip(ordered, known, strict=True)])
        for side in ("left", "right")
    )
    size = np.where(known > 0, np.maximum(np.abs(least), np.abs(most)), 1.0)
    same = ordered[:, 1:] == ordered[:, :-1]
    run = int(np.ceil(NEARLY_ALWAYS * rows))
    return {
        "known": known,
        "least": least,
        "most": most,
        "quartiles": _quartiles(ordered, np.where(size > 0, size, 1.0)),
        "zeros": upto - below,
        "positive": np.where(upto < known, ordered[every, np.minimum(upto, last)], np.inf),
        "whole": (np.isnan(ordered) | (ordered == np.floor(ordered))).all(axis=1),
        "once": ~same.any(axis=1),
        "steady": (ordered[:, run - 1 :] == ordered[:, : rows - run + 1]).any(axis=1),
    }


def _quartiles(
    ordered: Float[np.ndarray, "columns rows"], size: Float[np.ndarray, " columns"]
) -> Float[np.ndarray, "columns 4"]:
    return np.array(sorted_quantiles(ordered / size[:, None], [0.25, 0.75, 0.0, 1.0])).T
