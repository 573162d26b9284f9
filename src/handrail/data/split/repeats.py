"""Rows that repeat others: which columns count for it, and leaving such rows out.

A running number makes every row differ from every other, and would hide that rows were copied.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from handrail.data.columns.schema import IDENTIFIER_NAME, infer_column
from handrail.data.columns.values import as_numbers
from handrail.data.split.drawn import Drawn, RawRows
from handrail.data.split.row_hashes import row_hashes
from handrail.errors import DataError
from handrail.recipe.sections import DataRecipe

_FEWEST_ROWS = 20  # below, different values are no sign of numbering
_DENSE = 3  # a numbering of the rows reaches at most so many times their number


@dataclass(frozen=True)
class Content:
    """Hashes of training, validation and test rows by the columns that count, and the other columns."""

    hashes: tuple[np.ndarray, ...]
    ignored: tuple[str, ...] = ()


def columns_that_count(
    known: pl.DataFrame, recipe: DataRecipe, targets: Sequence[str], *, rows: int, stored: Collection[str]
) -> list[str]:
    """All columns but those that the recipe drops, and those that only name or number the rows.

    Where nothing but targets would be left, all columns count.

    Arguments:
        known: training rows.
        rows: of the whole table.
        stored: columns of items, such as pictures, which are never numbers of rows.
    """
    free = {*targets, *stored, *recipe.columns}
    counted = [
        column.name
        for column in known
        if column.name not in recipe.drop and (column.name in free or not _numbers_rows(column, rows))
    ]
    return counted if set(counted) - set(targets) else known.columns


def _numbers_rows(column: pl.Series, rows: int) -> bool:
    """Whether each value stands once, and is a whole number of the size of a numbering or a single word."""
    if not (column.dtype.is_numeric() or column.dtype == pl.String) or len(column) < _FEWEST_ROWS:
        return False
    if column.null_count():
        return False
    numbers = as_numbers(column)
    are_numbers = not numbers.null_count()
    if are_numbers and numbers[0] % 1:  # the first value tells it of most columns
        return False
    if column.n_unique() < len(column):
        return False
    if not are_numbers:
        return infer_column(column).kind == "identifier" and not column.str.contains(r"\S\s+\S").any()
    span = float(numbers.max() - numbers.min())  # pyright: ignore[reportOperatorIssue, reportArgumentType]
    dense = span < _DENSE * max(rows, len(column)) or IDENTIFIER_NAME.search(column.name) is not None
    return dense and bool((numbers == numbers.floor()).all())


def content_hashes(part: RawRows, columns: Sequence[str]) -> np.ndarray:
    """A hash of each row by the columns that count."""
    return row_hashes(part.frame, columns, stores=part.table.stores)


def drop_repeats(drawn: Drawn, train: np.ndarray, validation: np.ndarray, test: np.ndarray) -> Drawn:
    """Without validation rows that repeat training rows and test rows that repeat either, by their hashes.

    Raises: `DataError` when a part would have no rows left.
    """
    kept = {
        "validation": np.flatnonzero(~np.isin(validation, train)),
        "test": np.flatnonzero(~np.isin(test, np.concatenate([train, validation]))),
    }
    for name, places in kept.items():
        if not len(places):
            raise DataError(
                f"data.duplicates=drop leaves no {name} rows: all {len(getattr(drawn, name).rows):,} repeat "
                "rows of the parts before them. Remove the copies from the source, keep copies in one part "
                "(data.split.method=group), or use data.duplicates=keep."
            )
    picked = {name: getattr(drawn, name).pick(places) for name, places in kept.items()}
    return replace(drawn, **picked)
