"""Words among the numbers of a target: which they are, where they stand, and what leaves them out."""

from collections.abc import Callable

import polars as pl

from handrail.data.columns.values import as_numbers
from handrail.data.finding import set_list
from handrail.tools.words import list_some, plural

RowName = Callable[[int], str]
_MOST_WORDS = 8  # more are no words for missing


def describe_odd_words(series: pl.Series, row_name: RowName | None = None) -> str:
    """`'tbd' in 4 rows (the first is line 12), …`, and what can be done about them.

    Arguments:
        series: the target, with its gaps.
        row_name: what a person would call the row at a position of it.
    """
    odd = (as_numbers(series).is_null() & series.is_not_null()).arg_true()
    words = series.gather(odd).cast(pl.String).rename("word").to_frame().with_columns(row=odd)
    words = words.group_by("word").agg(pl.len(), pl.col("row").min())
    words = words.sort("len", "row", descending=[True, False])
    listed = (
        f"'{word}' in {plural(count, 'row')}{_where(row, count, row_name)}"
        for word, count, row in words.iter_rows()
    )
    advice = "mend these rows"
    if len(words) <= _MOST_WORDS:
        advice += f", or {set_list('data.read.missing', words['word'])} leaves them out"
    return f"{list_some(listed, most=3)}; {advice}."


def _where(row: int, count: int, row_name: RowName | None) -> str:
    if row_name is None:
        return ""
    return f" (the first is {row_name(row)})" if count > 1 else f" ({row_name(row)})"
