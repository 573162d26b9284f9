"""Updates of a Kohonen map: who wins a row, who lies near the winner, and where they move."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from jaxtyping import Float

from handrail.components import component
from handrail.components.arguments import Count, Finite, Positive, Share
from handrail.components.pictures import Points
from handrail.errors import DataError
from handrail.layers.grids import Grid
from handrail.models.kohonen import KohonenMap
from handrail.traces.alone.found import Shown, as_matrix, as_numbers, found_in, refuse_beside_run
from handrail.traces.given import Given
from handrail.traces.steps import Steps, Value, steps_of
from handrail.traces.text import number_text
from handrail.traces.trace import Trace

Numbers = list[Finite]
Prototypes = Float[np.ndarray, "units numbers"]
_PROTOTYPES = [[0.0, 0.0], [2.0, 0.0], [4.0, 0.0], [6.0, 0.0]]
_ROWS = [[2.0, 2.0], [6.0, 1.0], [0.0, 2.0]]


@dataclass(frozen=True)
class _Falling:
    """What falls by equal factors, row by row, to a share of itself."""

    first: float
    share: float
    rows: int

    def at(self, row: int) -> float:
        return self.first * self.share ** (row / max(1, self.rows - 1))


@component("trace")
def kohonen(
    given: Given | None,
    *,
    prototypes: list[Numbers] | None = None,
    points: list[Numbers] | None = None,
    height: Count | None = None,
    grid: Literal["square", "hexagonal"] | None = None,
    neighbourhood: Literal["gaussian", "bubble"] = "gaussian",
    radius: Positive = 2.0,
    final_radius: Positive = 0.5,
    learning_rate: Share = 0.5,
    final_rate: Share = 0.25,
    shown: Count = 12,
    numbers: Count = 4,
) -> Trace:
    """The winner b has the smallest ‖x − m_k‖²; then m_k ← m_k + η·h·(x − m_k), with h = exp(−d²/2σ²).

    d is the distance of unit k from the winner on the map. From the first row to the last, η and σ fall by
    equal factors. Follows the map of a run: one update by its row.

    Arguments:
        prototypes: m, unit by unit, those of a row of the map after the other.
        points: x, in the order in which they come.
        height: rows of the map; by default 1, a chain.
        grid: square or hexagonal; by default square.
        neighbourhood: gaussian, or bubble: h is 1 up to d = σ, and 0 beyond.
        radius: σ for the first row.
        final_radius: σ for the last.
        learning_rate: η for the first row.
        final_rate: η for the last, as a share of that for the first.
        shown: units of a table, those nearest to the winner on the map.
        numbers: those of a prototype that are shown.

    Raises: `DataError` for prototypes that do not fill the map, points of another length, a final radius
        above the first, and a run without a Kohonen map.

    Source: Kohonen 1982
    """
    if final_radius > radius:
        raise DataError(f"final_radius: found {final_radius:g}, expected at most radius, {radius:g}.")
    if given is None:
        moved = as_matrix(_PROTOTYPES if prototypes is None else prototypes, "prototypes")
        units, seen = _map(len(moved), 1 if height is None else height, grid), _seen(points, moved.shape[1])
        subject = f"{len(moved)} units, {len(seen)} rows"
    else:
        refuse_beside_run(prototypes=prototypes, points=points, height=height, grid=grid)
        part, row = found_in(given, KohonenMap, what="a Kohonen map (model=kohonen)")
        moved, seen, units, subject = as_numbers(part.prototypes), row[None], part.grid, given.subject
    sigma = _Falling(radius, final_radius / radius, len(seen))
    eta = _Falling(learning_rate, final_rate, len(seen))
    places, tables = as_numbers(units.places), []
    for number, x in enumerate(seen):
        update = _Update(x, moved, places, eta.at(number), sigma.at(number), neighbourhood == "bubble")
        tables.append(_table(update, number, Shown(shown, numbers)))
        moved = update.moved
    pictures = [_drawn(seen, moved)] if moved.shape[1] == 2 else []
    return Trace("Kohonen map", subject, tuple(tables), "Kohonen 1982", tuple(pictures))


def _map(units: int, height: int, grid: Literal["square", "hexagonal"] | None) -> Grid:
    """Raises: `DataError` for units that do not fill so many rows."""
    if units % height or units < 2:
        raise DataError(f"prototypes: found {units}, expected a multiple of {height} (height), at least 2.")
    return Grid(height, units // height, grid or "square")


def _seen(points: list[Numbers] | None, numbers: int) -> Float[np.ndarray, "rows numbers"]:
    """Raises: `DataError` for points of another length than prototypes have."""
    seen = as_matrix(_ROWS if points is None else points, "points")
    if seen.shape[1] != numbers:
        raise DataError(f"points: found {seen.shape[1]} numbers, expected {numbers}, as prototypes have.")
    return seen


@dataclass(frozen=True, eq=False)
class _Update:
    """One row, and what it does to the map."""

    x: Float[np.ndarray, " numbers"]
    prototypes: Prototypes
    places: Float[np.ndarray, "units 2"]
    eta: float
    sigma: float
    bubble: bool

    @cached_property
    def squares(self) -> Float[np.ndarray, " units"]:
        return np.square(self.x - self.prototypes).sum(axis=1)

    @cached_property
    def winner(self) -> int:
        return int(self.squares.argmin())

    @cached_property
    def distances(self) -> Float[np.ndarray, " units"]:
        """From the winner on the map."""
        return np.sqrt(np.square(self.places - self.places[self.winner]).sum(axis=1))

    @cached_property
    def near(self) -> Float[np.ndarray, " units"]:
        if self.bubble:
            return (self.distances <= self.sigma).astype(np.float64)
        return np.exp(-np.square(self.distances / self.sigma) / 2)

    @cached_property
    def moved(self) -> Prototypes:
        return self.prototypes + self.eta * self.near[:, None] * (self.x - self.prototypes)


def _table(update: _Update, number: int, shown: Shown) -> Steps:
    """A line for each unit; prototypes after the first row are worked out before it."""
    chosen = np.sort(np.argsort(update.distances, kind="stable")[: shown.lines])
    lines: list[dict[str, Value]] = [
        {
            "unit": int(k) + 1,
            "place": update.places[k],
            "m": update.prototypes[k, : shown.numbers],
            "‖x − m‖²": update.squares[k],
            "wins": bool(k == update.winner),
            "d": update.distances[k],
            "h": update.near[k],
            "m new": update.moved[k, : shown.numbers],
        }
        for k in chosen
    ]
    carried = ("m",) if number else ()
    h = "1 if d ≤ σ, else 0" if update.bubble else "exp(−d²/2σ²)"
    words = f"η = {number_text(update.eta)}, σ = {number_text(update.sigma)}"
    return steps_of(
        f"Row {number + 1}: x = {_text(update.x, shown.numbers)}",
        lines,
        answers=("‖x − m‖²", "wins", "d", "h", "m new", *carried),
        formula=f"h = {h}    m new = m + η·h·(x − m)    {words}",
        note=_note(update, shown),
    )


def _note(update: _Update, shown: Shown) -> str:
    parts = [f"Unit {update.winner + 1} is nearest to the row and wins; the others move by their h."]
    if len(update.squares) > shown.lines:
        parts.append(
            f"Of {len(update.squares):,} units the {shown.lines} nearest to it on the map are shown."
        )
    if len(update.x) > shown.numbers:
        parts.append(f"Of {len(update.x):,} numbers of a prototype the first {shown.numbers} are shown.")
    return " ".join(parts)


def _text(x: Float[np.ndarray, " numbers"], shown: int) -> str:
    numbers = [number_text(value) for value in x[:shown].tolist()] + ["…"] * (len(x) > shown)
    return f"({', '.join(numbers)})"


def _drawn(rows: Float[np.ndarray, "rows 2"], prototypes: Float[np.ndarray, "units 2"]) -> Points:
    """The rows, and the prototypes in the end."""
    groups = np.zeros(len(rows), dtype=np.int64)
    return Points(
        "The rows, and the prototypes in the end", rows, groups, ("row",), marks=prototypes, axes=("x₁", "x₂")
    )
