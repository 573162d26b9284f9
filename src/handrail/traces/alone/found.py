"""The part of a trained network that a trace follows, and how its numbers are shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float
from torch import Tensor, nn

from handrail.errors import DataError
from handrail.traces.given import Given

Part = TypeVar("Part", bound=nn.Module)


def found_in(given: Given, kind: type[Part], *, what: str) -> tuple[Part, Float[np.ndarray, " inputs"]]:
    """The first module of a kind, and the row as it reaches it.

    Arguments:
        what: was looked for, in words.

    Raises: `DataError` where the network has none, or no row reaches it.
    """
    parts = (module for module in given.model.modules() if isinstance(module, kind))
    part, reached = next(parts, None), []
    if part is None:
        found = type(given.model).__name__
        raise DataError(f"run: found a network of the kind {found}, expected one that has {what}.")
    hook = part.register_forward_pre_hook(lambda _, inputs: reached.append(inputs[0]))
    try:
        given.model(given.inputs)
    finally:
        hook.remove()
    if not reached:
        raise DataError(f"run: the network has {what}, but its answers do not come from there.")
    return part, as_numbers(reached[0][0]).ravel()


def as_numbers(values: Tensor) -> Float[np.ndarray, "..."]:
    """In double precision."""
    return values.detach().cpu().double().numpy()


def refuse_beside_run(**settings: Any) -> None:
    """Raises: `DataError` for settings of the example beside a run, which has its own."""
    if found := [name for name, value in settings.items() if value is not None]:
        raise DataError(f"{', '.join(found)}: a run has its own; leave out {found[0]}, or the run.")


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
