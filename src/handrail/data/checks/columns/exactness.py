"""Whole numbers with more digits than a network sees."""

import polars as pl

from handrail.data.checks.columns.numbers import Numbers
from handrail.data.columns.schema import Schema
from handrail.data.finding import Finding
from handrail.data.part import Part
from handrail.tools.words import plural

EXACT = 2**53  # up to here every whole number is one of 64 bits with a point
_WHOLE = r"^[+-]?\d+$"


def check_exactness(part: Part, schema: Schema, numbers: Numbers) -> list[Finding]:
    """For each column of whole numbers of which some change as they become inputs, what is lost.

    It is a warning where different values become equal.

    Arguments:
        part: training rows, as they were read.
        numbers: facts about its columns.
    """
    large = (numbers.most > EXACT) | (numbers.least < -EXACT)
    numeric = [column.name for column in schema.of_kind("numeric")]
    found = []
    for name in numbers.which(large, among=numeric):
        changed = _changed(part.raw[name])
        if changed:
            found.append(_finding(name, changed))
    return found


def _changed(column: pl.Series) -> list[int]:
    """The whole numbers that no number of 64 bits with a point is equal to."""
    if column.dtype == pl.String:
        texts = column.drop_nulls()
        texts = texts.filter(texts.str.contains(_WHOLE))
        size = texts.cast(pl.Float64).abs()
        texts = texts.filter((size >= EXACT) & size.is_finite())
        values = [int(text) for text in texts.to_list()]
    elif column.dtype.is_integer():
        known = column.drop_nulls()
        values = known.filter(known.cast(pl.Float64).abs() >= EXACT).to_list()
    else:
        return []
    return [value for value in values if int(float(value)) != value]


def _finding(name: str, changed: list[int]) -> Finding:
    first, count = changed[0], len(changed)
    merged = len(set(changed)) - len({float(value) for value in changed})
    equal = f", and {plural(merged, 'value')} can't be told from another" if merged else ""
    return Finding(
        level="warning" if merged else "note",
        name="lost-digits",
        column=name,
        seen=f"column '{name}': {plural(count, 'training value')} beyond {EXACT:,} "
        f"{'loses its' if count == 1 else 'lose their'} last digits: {first} becomes "
        f"{int(float(first))}{equal}.",
        why="A network sees about 16 digits; that is enough for sizes, but not for codes.",
        action=f"data.columns.{name}=category keeps all digits; data.drop=[{name}] leaves the column out.",
    )
