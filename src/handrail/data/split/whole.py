"""Truth tables, which cannot be divided in a sensible way: each part is the whole table."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from handrail.data.columns.values import YES_NO, as_numbers
from handrail.data.finding import Finding
from handrail.data.split.draw import FEWEST_ROWS
from handrail.data.table import EACH, Table
from handrail.recipe.reading import Split
from handrail.recipe.sections import DataRecipe
from handrail.tools.words import list_some

_MOST_INPUTS = 4
_PAIRS = ({0.0, 1.0}, {-1.0, 1.0})


def keep_whole(recipe: DataRecipe, table: Table, targets: Sequence[str]) -> Table:
    """A truth table with all its rows in each part, and a finding that says so; any other as it is.

    What the recipe says goes first: settings of `data.split`, `data.sample`, a source for another part.
    """
    asked = recipe.split != Split() or recipe.sample is not None
    if asked or recipe.validation is not None or recipe.test is not None:
        return table
    inputs = [name for name in table.frame.columns if name not in targets and name not in recipe.drop]
    if table.parts is not None or table.stores or not is_truth_table(table.frame, inputs, targets):
        return table
    rows = table.frame.height
    findings = (*table.findings, _describe(rows, inputs))
    return replace(table, parts=np.full(rows, EACH, dtype=np.uint8), findings=findings)


def is_truth_table(frame: pl.DataFrame, inputs: Sequence[str], targets: Sequence[str]) -> bool:
    """Whether the rows are each combination of two values of the inputs exactly once, 2ⁿ rows, n ≤ 4.

    Targets have at most two values, too, and nothing is missing. Two rows of one input are a truth table
    only where the values are 0 and 1, −1 and 1, or such words as false and true.
    """
    rows = frame.height
    if not 0 < len(inputs) <= _MOST_INPUTS or rows != 2 ** len(inputs):
        return False
    known = [frame[name] for name in (*inputs, *targets)]
    known = [column.fill_nan(None) if column.dtype.is_float() else column for column in known]
    if any(column.null_count() or column.dtype.is_nested() for column in known):
        return False
    if any(column.n_unique() != 2 for column in known[: len(inputs)]) or frame[inputs].n_unique() != rows:
        return False
    return all(column.n_unique() <= 2 for column in known[len(inputs) :]) and (
        len(inputs) > 1 or _is_yes_or_no(known[0])
    )


def _is_yes_or_no(column: pl.Series) -> bool:
    """Whether the two values of a column are a pair that says yes and no."""
    if set(as_numbers(column).to_list()) in _PAIRS:
        return True
    words = set(column.cast(pl.String).str.to_lowercase())
    return any(words == set(pair) for yes, no in YES_NO for pair in zip(yes, no, strict=True))


def _describe(rows: int, inputs: Sequence[str]) -> Finding:
    action = "data.split.method=random divides them as it does other tables."
    if rows < FEWEST_ROWS:
        action = "data.validation and data.test name tables of their own for these parts."
    names = list_some((f"'{name}'" for name in inputs), last=" and ")
    return Finding(
        level="note",
        name="truth-table",
        seen=f"The {rows} rows are the whole truth table of {names}, and training, validation and test rows "
        "are each all of them: the figures say whether the table has been learned, not whether what was "
        "learned generalises.",
        why="No row can be held out without leaving out what is to be learned.",
        action=action,
        decided=True,
    )
