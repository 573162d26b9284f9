"""What a trace is made of: tables whose lines are the steps of an algorithm."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from handrail.components.pictures import Picture

Value = bool | int | float | str | np.ndarray | None


@dataclass(frozen=True, eq=False)
class Column:
    """What is worked out in each step.

    Arguments:
        name: in the symbols of the formula.
        values: a number, a vector or a matrix a step; None where there is nothing to work out.
        answer: whether it is worked out from what stands before it, and so is left blank on a worksheet for a
            class.
        carried: whether it is taken over from the line before, so that its first value alone is given there.
    """

    name: str
    values: tuple[Value, ...]
    answer: bool = False
    carried: bool = False

    def stacked(self) -> np.ndarray:
        """The values `[steps, ...]`. Raises: `ValueError` where they are of several shapes, or missing."""
        return np.stack([np.asarray(value) for value in self.values])


@dataclass(frozen=True, eq=False)
class Steps:
    """A table with a line for each step.

    Arguments:
        formula: by which the answers follow from the other columns.
        note: what is to be seen in it.
    """

    title: str
    columns: tuple[Column, ...]
    formula: str = ""
    note: str = ""

    def __len__(self) -> int:
        return len(self.columns[0].values) if self.columns else 0

    def __getitem__(self, name: str) -> np.ndarray:
        """The values of a column. Raises: `KeyError` for one that there is not."""
        return {column.name: column for column in self.columns}[name].stacked()

    @property
    def frame(self) -> pl.DataFrame:
        """The table, with vectors and matrices as lists."""
        return pl.DataFrame(
            {column.name: [to_plain(value) for value in column.values] for column in self.columns}
        )


@dataclass(frozen=True, eq=False)
class TraceData:
    """An algorithm step by step.

    Arguments:
        title: of the algorithm.
        subject: whose numbers these are: the lecture's example, or a run's network and row.
        steps: tables, in the order in which they are worked out.
        pictures: of the same numbers.
        remarks: what differs from print, and what the numbers show.
        source: of the algorithm.
    """

    title: str
    subject: str
    steps: tuple[Steps, ...]
    source: str
    pictures: tuple[Picture, ...] = ()
    remarks: tuple[str, ...] = ()


def steps_of(
    title: str,
    lines: Sequence[Mapping[str, Value]],
    *,
    answers: Sequence[str] = (),
    carried: Sequence[str] = (),
    formula: str = "",
    note: str = "",
) -> Steps:
    """A table of lines that name their values; what a line does not name is left empty."""
    names = dict.fromkeys(name for line in lines for name in line)
    columns = (
        Column(name, tuple(line.get(name) for line in lines), name in answers, name in carried)
        for name in names
    )
    return Steps(title, tuple(columns), formula, note)


def to_plain(value: Value) -> Any:
    """A number, or numbers in lists."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    return value.item() if isinstance(value, np.generic) else value
