"""The part of a trained network that a trace follows, and how its numbers are shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from jaxtyping import Float
from torch import nn

from handrail.errors import DataError
from handrail.traces.given import Given
from handrail.traces.reached import first_reached, plain

Part = TypeVar("Part", bound=nn.Module)


def part_and_row(given: Given, kind: type[Part], *, what: str) -> tuple[Part, Float[np.ndarray, " inputs"]]:
    """The first module of a kind, and the row as it reaches it. Raises: `DataError` as `first_reached`."""
    part, (inputs, *_) = first_reached(given, kind, what=what)
    return part, plain(inputs[0]).ravel()


def as_matrix(rows: Sequence[Sequence[float]], name: str) -> Float[np.ndarray, "rows columns"]:
    """Raises: `DataError` for rows of several lengths, and for none."""
    lengths = sorted({len(row) for row in rows})
    if len(lengths) != 1 or lengths[0] == 0:
        raise DataError(f"{name}: found rows of {lengths or 'no'} numbers, expected rows of one length.")
    return np.array(rows, dtype=np.float64)


@dataclass(frozen=True)
class Shown:
    """How much of a large network is shown: lines of a table, and numbers of a vector."""

    lines: int
    numbers: int

    def left_out(self, **units: int) -> str:
        """What is not shown of so many units of each kind, as sentences behind a note."""
        kinds = {name.replace("_", " "): count for name, count in units.items() if count > self.lines}
        parts = [f" The first {self.lines:,} of {count:,} {name} are shown." for name, count in kinds.items()]
        if max(units.values()) > self.numbers:
            parts.append(f" Of vectors the first {self.numbers} numbers are shown.")
        return "".join(parts)


def as_sheet(row: Float[np.ndarray, " numbers"]) -> Float[np.ndarray, "height width"]:
    """A row as a picture: the least oblong sheet that it fills."""
    height = next(sides for sides in range(int(len(row) ** 0.5), 0, -1) if len(row) % sides == 0)
    return row.reshape(height, -1)
