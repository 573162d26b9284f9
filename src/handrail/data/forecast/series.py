"""Several series in one table: whether some column tells them apart."""

import itertools
from collections.abc import Collection, Sequence

import polars as pl

from handrail.data.columns.values import as_numbers
from handrail.errors import DataError

_FEW = 0.05  # of the rows: an hour that comes twice, a row that was sent twice
_MOST_COLUMNS = 20
_ROWS_EACH = 3  # of a series, in the mean


def refuse_several_series(
    frame: pl.DataFrame, seconds: pl.Series, targets: Collection[str], source: str
) -> None:
    """Refuse a table that holds several series, below each other or mixed, at the same moments.

    They are told apart by one column of few values, or by two, with which no moment comes twice.

    Raises: `DataError` that names these columns, and where most rows share their moment with others.
    """
    rows, moments = len(seconds), seconds.n_unique()
    name = seconds.name
    if rows - moments <= max(2, _FEW * rows):
        return
    found = f"column '{name}' of '{source}' has {moments:,} different dates in {rows:,} rows"
    key = _key(frame, seconds, targets)
    if key:
        values = frame[list(key)].unique(maintain_order=True)
        shown = [" ".join(map(str, row)) for row in values.head(6).rows()]
        number, columns = len(values), " and ".join(f"'{each}'" for each in key)
        several = f"{', '.join(shown)}{' …' if number > len(shown) else ''}"
        raise DataError(
            f"{found}: {number:,} series stand in this table, told apart by {columns} ({several}), and a "
            "forecast is made of one. Give a table for each of them, or one with a column for each "
            f"({shown[0]}, {shown[1]} … beside one '{name}') and name these as targets. Several series in "
            "one table (data.forecast.series) cannot be learned from yet."
        )
    if moments <= rows // 2:
        raise DataError(
            f"{found}; expected one row for each moment. Keep one series, or put the others into columns of "
            "their own."
        )


def _key(frame: pl.DataFrame, seconds: pl.Series, targets: Collection[str]) -> Sequence[str]:
    """The column with which no moment comes twice, texts before numbers; else two; else nothing."""
    skip = {seconds.name, *targets}
    most = len(frame) / _ROWS_EACH
    few = {each: frame[each].n_unique() for each in frame.columns if each not in skip}
    usable = [each for each, count in few.items() if 2 <= count <= most and _may_name(frame[each])]
    usable.sort(key=lambda each: (frame[each].dtype.is_numeric(), few[each]))
    usable = usable[:_MOST_COLUMNS]
    singles = [(each,) for each in usable]
    pairs = [pair for pair in itertools.combinations(usable, 2) if not frame[pair[0]].dtype.is_numeric()]
    for key in [*singles, *pairs]:
        together = pl.DataFrame(
            [seconds.alias("0"), *(frame[each].alias(str(1 + n)) for n, each in enumerate(key))]
        )
        if together.n_unique() == len(frame):
            return key
    return ()


def _may_name(column: pl.Series) -> bool:
    """Words, codes or whole numbers; not what is measured."""
    if column.dtype.is_nested() or column.dtype.is_temporal():
        return False
    numbers = as_numbers(column).drop_nulls()
    return not len(numbers) or bool((numbers == numbers.floor()).all())


def describe_repeats(seconds: pl.Series) -> str:
    """How many rows share their moment with another one; empty where none does."""
    rows = int(seconds.is_duplicated().sum())
    return f"{rows:,} of {len(seconds):,} rows share their date with another" if rows else ""
