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
from handrail.traces.alone.found import Shown, as_matrix, part_and_row
from handrail.traces.given import Given
from handrail.traces.reached import plain, refuse_with_run
from handrail.traces.steps import Steps, Value, steps_of
from handrail.traces.text import number_text
from handrail.traces.trace import Trace

Numbers = list[Finite]
Prototypes = Float[np.ndarray, "units numbers"]
_PROTOTYPES = [[0.0, 0.0], [2.0, 0.0], [4.0, 0.0], [6.0, 0.0]]
_ROWS = [[2.0, 2.0], [6.0, 1.0], [0.0, 2.0]]


@dataclass(frozen=True, eq=False)
class _Begun:
    """A map, the places of its units, and the rows that it is shown."""

    prototypes: Prototypes
    places: Float[np.ndarray, "units 2"]
    rows: Float[np.ndarray, "rows numbers"]
    subject: str


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
    if given is None:
        begun = _own(prototypes, points, height or 1, grid or "square")
    else:
        refuse_with_run({"prototypes": prototypes, "points": points, "height": height, "grid": grid})
        begun = _followed(given)
    count = len(begun.rows)
    falling = _Falling(learning_rate, final_rate, count), _radii(radius, final_radius, count)
    updates = _updates(begun, falling, bubble=neighbourhood == "bubble")
    tables = (_table(update, number, Shown(shown, numbers)) for number, update in enumerate(updates))
    pictures = (_drawn(begun.rows, updates[-1].moved),) if begun.rows.shape[1] == 2 else ()
    return Trace("Kohonen map", begun.subject, tuple(tables), "Kohonen 1982", pictures)


def _radii(first: float, last: float, rows: int) -> _Falling:
    """Raises: `DataError` for a last radius above the first."""
    if last > first:
        raise DataError(f"final_radius: found {last:g}, expected at most radius, {first:g}.")
    return _Falling(first, last / first, rows)


def _own(
    prototypes: list[Numbers] | None,
    points: list[Numbers] | None,
    height: int,
    grid: Literal["square", "hexagonal"],
) -> _Begun:
    """By the settings.

    Raises: `DataError` for prototypes that do not fill so many rows, and points of another length.
    """
    own = as_matrix(_PROTOTYPES if prototypes is None else prototypes, "prototypes")
    rows = as_matrix(_ROWS if points is None else points, "points")
    if len(own) % height or len(own) < 2:
        raise DataError(
            f"prototypes: found {len(own)}, expected a multiple of {height} (height), at least 2."
        )
    if rows.shape[1] != own.shape[1]:
        raise DataError(
            f"points: found {rows.shape[1]} numbers, expected {own.shape[1]}, as prototypes have."
        )
    places = plain(Grid(height, len(own) // height, grid).places)
    return _Begun(own, places, rows, f"{len(own)} units, {len(rows)} rows")


def _followed(given: Given) -> _Begun:
    """The map of a run, and its row."""
    model, row = part_and_row(given, KohonenMap, what="Kohonen map (model=kohonen)")
    return _Begun(plain(model.prototypes), plain(model.grid.places), row[None], given.subject)


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


def _updates(begun: _Begun, falling: tuple[_Falling, _Falling], *, bubble: bool) -> list[_Update]:
    """Row by row, each from where the last one left the prototypes."""
    prototypes, updates = begun.prototypes, []
    for number, x in enumerate(begun.rows):
        eta, sigma = (each.at(number) for each in falling)
        updates.append(_Update(x, prototypes, begun.places, eta, sigma, bubble))
        prototypes = updates[-1].moved
    return updates


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
