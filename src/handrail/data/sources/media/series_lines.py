"""What the readers of series files share: a row, its numbers, and the list of what is wrong."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from jaxtyping import Float

from handrail.data.columns.values import as_labels
from handrail.errors import DataError

_SHOWN = 5
_MISSING = frozenset(("?", "", "nan", "na"))
_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Row:
    """One series `[channels, length]` with its class, and the line that it stands in."""

    line: int
    values: Float[np.ndarray, "channels length"]
    label: str | None


@dataclass
class Mistakes:
    """What is wrong with a file, line by line."""

    source: str
    found: list[str] = field(default_factory=list)

    def add(self, line: int, problem: str) -> None:
        """Note a problem."""
        self.found.append(f"{self.source}, line {line}: {problem}.")

    def raise_if_any(self) -> None:
        """Raises: `DataError` with the first five and how many more there are."""
        if self.found:
            more = len(self.found) - _SHOWN
            raise DataError(
                [*self.found[:_SHOWN], *([f"{self.source}: {more:,} more such lines."] if more > 0 else [])]
            )


def numbers(cells: Sequence[str], line: int, mistakes: Mistakes, *, where: str = "") -> np.ndarray | None:
    """Cells as float64, `?` as not a number; nothing, and a mistake, where there are words or infinite
    numbers.
    """
    try:
        values = np.array(cells, dtype=np.float64)
    except ValueError:
        values = _with_gaps(cells, line, mistakes, where)
    if values is not None and (np.abs(values) > _LARGEST).any():
        place = int((np.abs(values) > _LARGEST).argmax())
        mistakes.add(
            line,
            f"found {cells[place].strip()} as value {place + 1}{where}, expected a finite number, at most "
            "3.4e38",
        )
        return None
    return values


def _with_gaps(cells: Sequence[str], line: int, mistakes: Mistakes, where: str) -> np.ndarray | None:
    values = np.full(len(cells), np.nan)
    for place, cell in enumerate(cells):
        if cell.strip().lower() in _MISSING:
            continue
        try:
            values[place] = float(cell)
        except ValueError:
            mistakes.add(
                line,
                f"found '{cell.strip()[:40]}' as value {place + 1}{where}, expected a number, or ? where it "
                "is missing",
            )
            return None
    return values


def without_trailing_gaps(
    values: Float[np.ndarray, "channels length"],
) -> Float[np.ndarray, "channels shorter"]:
    """Cut after the last value that is there, at least one value long."""
    known = np.flatnonzero(~np.isnan(values).all(axis=0))
    return values[:, : known[-1] + 1 if len(known) else 1]


def class_name(cell: str, *, of_numbers: bool) -> str | None:
    """The class as it is written, without quotes; `of_numbers`: '1.0000000e+00' is '1'."""
    text = cell.strip().strip("'\"").strip()
    if text.lower() in ("?", ""):
        return None
    return as_labels(pl.Series([text]), numbers=True)[0] if of_numbers else text
