"""A target that lists several labels a cell becomes a column of 0 and 1 for each label."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from jaxtyping import Bool

from handrail.data.columns.names import without
from handrail.data.columns.values import as_booleans
from handrail.data.finding import Finding
from handrail.data.targets.lists import find_lists, split_cell
from handrail.tools.words import list_some, plural


def separator_of(task: str, frame: pl.DataFrame, targets: Sequence[str]) -> str | None:
    """What separates the labels of the one target of a multi-label task; None where it is no list."""
    column = frame[targets[0]]
    if task != "multi-label" or len(targets) > 1 or column.dtype != pl.String:
        return None
    known = column.drop_nulls()
    lists = find_lists(known, surely=False) if as_booleans(known).null_count() else None
    return None if lists is None else lists.separator


def spread_labels(
    frames: Sequence[pl.DataFrame], target: str, separator: str
) -> tuple[list[pl.DataFrame], tuple[str, ...], Finding]:
    """The frames of training, validation and test rows with a column a label, the names of these columns, and
    what was made of the lists.

    The labels are those of training and validation rows; what stands in all of them is left out, for there
    is nothing to learn. A cell without labels, or an empty one, has none of them.
    """
    known = pl.concat([frame[target] for frame in frames[:2]])
    pieces = [split_cell(cell, separator) for cell in known.drop_nulls().unique().to_list()]
    labels = sorted({piece for cell in pieces for piece in cell})
    marks = _mark(known, separator, labels)
    constant = [label for label, rows in zip(labels, marks.T, strict=True) if rows.all()]
    labels = [label for label in labels if label not in constant]
    taken = {*frames[0].columns} - {target}
    names = tuple(f"{target}={label}" if label in taken else label for label in labels)
    spread = [_spread(frame, target, separator, dict(zip(labels, names, strict=True))) for frame in frames]
    return spread, names, _describe(target, separator, names, int((~marks.any(axis=1)).sum()), constant)


def _spread(frame: pl.DataFrame, target: str, separator: str, names: dict[str, str]) -> pl.DataFrame:
    marks = _mark(frame[target], separator, list(names)).astype(np.int64)
    columns = [pl.Series(name, marks[:, place]) for place, name in enumerate(names.values())]
    return without(frame, [target]).hstack(columns)


def _mark(column: pl.Series, separator: str, labels: Sequence[str]) -> Bool[np.ndarray, "rows labels"]:
    """Whether a cell lists a label."""
    places = {label: place for place, label in enumerate(labels)}
    filled = column.fill_null("")
    cells = filled.unique()
    table = np.zeros((len(cells), len(labels)), dtype=bool)
    for row, cell in enumerate(cells.to_list()):
        table[row, [places[label] for label in split_cell(cell, separator) if label in places]] = True
    rows = filled.replace_strict(cells, pl.Series(range(len(cells)), dtype=pl.Int64), return_dtype=pl.Int64)
    return table[rows.to_numpy()]


def _describe(
    target: str, separator: str, names: Sequence[str], empty: int, constant: Sequence[str]
) -> Finding:
    listed = list_some((f"'{name}'" for name in names), most=8)
    action = "A row has each label that its cell lists."
    if empty:
        action += f" {plural(empty, 'training or validation row')} without a label have none of them."
    if constant:
        action += f" {list_some(repr(label) for label in constant)} in every row: left out, nothing to learn."
    return Finding(
        level="note",
        name="label-lists",
        column=target,
        seen=f"Target '{target}': lists separated by '{separator}', taken as {plural(len(names), 'column')} "
        f"of 0 and 1: {listed}.",
        why="Labels that test rows alone have are neither learned nor measured.",
        action=f"{action} data.task=multi-class takes each combination as a class of its own.",
        decided=True,
    )
