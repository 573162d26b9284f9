"""Many short columns as one long series, so that a table of 50,000 columns costs no call for each of them.

What is said of a value by itself (its number, its hash, its label) may be worked out for the values of many
columns at once. Tall columns are left alone: there a call costs nothing beside its values, and a copy would.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence

import numpy as np
import polars as pl
from jaxtyping import Float

MANY_COLUMNS = 64  # from here on it is worth it
_CELLS = 1 << 20  # in a series at once
TALL = 1 << 14  # rows from which a column stays alone


def join_columns(
    columns: Sequence[pl.Series], key: Callable[[int], Hashable] | None = None
) -> Iterator[tuple[list[int], pl.Series]]:
    """(places of columns, their values one below the other), column by column, for columns of one type.

    Arguments:
        columns: equally long columns.
        key: of the column at a place; only columns with equal keys are joined, and those without one (None)
            stay alone.
    """
    groups: dict[Hashable, list[int]] = {}
    rows = len(columns[0]) if columns else 0
    for place, column in enumerate(columns):
        own, kind = "" if key is None else key(place), repr(column.dtype)  # a type is slow to compare
        alone = rows >= TALL or own is None or kind.startswith(("Categorical", "Enum"))
        groups.setdefault(place if alone else (kind, own), []).append(place)
    for places in groups.values():
        size = max(1, _CELLS // max(rows, 1))
        for start in range(0, len(places), size):
            some = places[start : start + size]
            if len(some) == 1:
                yield some, columns[some[0]]
            else:
                yield some, pl.concat([columns[place] for place in some], rechunk=True)


def split_columns(long: pl.Series, names: Sequence[str]) -> list[pl.Series]:
    """The columns that a long series is made of, under their names."""
    rows = len(long) // len(names)
    return [long.slice(start * rows, rows).alias(name) for start, name in enumerate(names)]


def map_columns(
    frame: pl.DataFrame, kind: type[pl.DataType], function: Callable[[pl.Series], pl.Series]
) -> pl.DataFrame:
    """The frame with a function applied to its columns of a kind; it must look at each value by itself."""
    columns, known = frame.get_columns(), frame.columns
    chosen = [place for place, column in enumerate(columns) if isinstance(column.dtype, kind)]
    for places, long in join_columns([columns[place] for place in chosen]):
        names = [known[chosen[place]] for place in places]
        for place, column in zip(places, split_columns(function(long), names), strict=True):
            columns[chosen[place]] = column
    return pl.DataFrame(columns) if chosen else frame


def number_blocks(
    columns: Sequence[pl.Series],
) -> Iterator[tuple[list[int], Float[np.ndarray, "columns rows"]]]:
    """(places, values) of columns of `Float64`, a column a line, NaN where a value is missing."""
    for places, long in join_columns(columns):
        numbers = long.fill_null(float("nan")) if long.null_count() else long
        yield places, numbers.to_numpy().reshape(len(places), -1)


def sorted_quantiles(
    ordered: Float[np.ndarray, "columns rows"], shares: Sequence[float]
) -> Float[np.ndarray, "shares columns"]:
    """Of each column, quantiles of its values without NaN, linear between neighbours; NaN where it has none.

    Arguments:
        ordered: each column sorted, NaN last, as `numpy.sort` leaves it.
    """
    known = (~np.isnan(ordered)).sum(axis=1)
    found = []
    for share in shares:
        place = share * np.maximum(known - 1, 0)
        low = np.floor(place).astype(np.int64)
        ends = np.stack([low, np.minimum(low + 1, np.maximum(known - 1, 0))], axis=1)
        values = np.take_along_axis(ordered, ends, axis=1)
        found.append(values[:, 0] + (values[:, 1] - values[:, 0]) * (place - low))
    return np.stack(found)
