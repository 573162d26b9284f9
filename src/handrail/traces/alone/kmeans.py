"""k-means pass by pass: each point to its nearest centre, each centre to the mean of its points."""

import numpy as np
from jaxtyping import Float, Int

from handrail.components import component
from handrail.components.arguments import Count, Finite
from handrail.components.pictures import Points
from handrail.errors import DataError
from handrail.traces.alone.found import as_matrix
from handrail.traces.given import Given, refuse_given
from handrail.traces.steps import Steps, Value, steps_of
from handrail.traces.text import number_text
from handrail.traces.trace import Trace

Numbers = list[Finite]
Centres = Float[np.ndarray, "centres numbers"]
Known = Float[np.ndarray, "points numbers"]
_POINTS = [[0.0, 0.0], [0.0, 3.0], [3.0, 0.0], [6.0, 6.0], [6.0, 9.0], [9.0, 6.0]]
_EMPTY = (
    "In pass {} a centre has no point: it goes to the point that is farthest from its own centre. Elsewhere "
    "such centres may be dropped, or placed in another way."
)


@component("trace")
def kmeans(
    given: Given | None,
    *,
    points: list[Numbers] | None = None,
    centres: list[Numbers] | None = None,
    passes: Count = 10,
    shown: Count = 24,
) -> Trace:
    """Lloyd's rule: x belongs to the centre with the smallest ‖x − c‖²; then c ← the mean of its points.

    Neither half of a pass raises the inertia, the sum of ‖x − c‖² over all points. A pass that moves no
    centre is the last. A centre without points goes to the point that is farthest from its own centre.

    Arguments:
        points: x, each of as many numbers.
        centres: c to begin with; by default the first two points.
        passes: over the points, at most.
        shown: points of each pass that the first table shows.

    Raises: `DataError` for points of several lengths, centres of another length, and more centres than
        points.

    Source: Lloyd 1982; Steinhaus 1956
    """
    refuse_given(given, "kmeans")
    known = as_matrix(_POINTS if points is None else points, "points")
    start = known[:2] if centres is None else as_matrix(centres, "centres")
    _check(known, start)
    assigned, moves = _passes(known, start, passes, shown)
    end = np.asarray(moves[-1]["c new"])
    return Trace(
        "k-means",
        f"{len(known)} points, {len(start)} centres",
        (_assignment(assigned, len(known), shown), _centres(moves)),
        "Lloyd 1982",
        (_drawn(known, end),) if known.shape[1] == 2 else (),
        tuple(_EMPTY.format(line["pass"]) for line in moves if not np.asarray(line["points"]).all()),
    )


def _check(known: Known, start: Centres) -> None:
    """Raises: `DataError` for centres of another length than points, or more of them."""
    if start.shape[1] != known.shape[1]:
        raise DataError(
            f"centres: found {start.shape[1]} numbers, expected {known.shape[1]}, as points have."
        )
    if len(start) > len(known):
        raise DataError(f"centres: found {len(start)}, expected at most one for each of {len(known)} points.")


def _squares(known: Known, centres: Centres) -> Float[np.ndarray, "points centres"]:
    return np.square(known[:, None] - centres).sum(axis=2)


def _passes(
    known: Known, centres: Centres, passes: int, shown: int
) -> tuple[list[dict[str, Value]], list[dict[str, Value]]]:
    """A line for each point that is assigned, and for each pass that moves the centres."""
    assigned: list[dict[str, Value]] = []
    moves: list[dict[str, Value]] = []
    for number in range(1, passes + 1):
        squares = _squares(known, centres)
        nearest = squares.argmin(axis=1)
        for place in range(min(shown, len(known))):
            own: dict[str, Value] = {"‖x − c‖²": squares[place], "nearest": int(nearest[place]) + 1}
            assigned.append({"pass": number, "x": known[place], **own})
        new = _moved(known, centres, nearest, squares.min(axis=1))
        after = float(np.square(known - new[nearest]).sum())
        line: dict[str, Value] = {"pass": number, "c": centres, "points": _counts(nearest, len(centres))}
        moves.append(
            {**line, "inertia": float(squares.min(axis=1).sum()), "c new": new, "inertia after": after}
        )
        if np.array_equal(new, centres):
            break
        centres = new
    return assigned, moves


def _counts(nearest: Int[np.ndarray, " points"], centres: int) -> Float[np.ndarray, " centres"]:
    return np.bincount(nearest, minlength=centres).astype(np.float64)


def _moved(
    known: Known,
    centres: Centres,
    nearest: Int[np.ndarray, " points"],
    squares: Float[np.ndarray, " points"],
) -> Centres:
    """Each centre at the mean of its points; those that have none at the farthest points."""
    counts, new = _counts(nearest, len(centres)), centres.copy()
    for place in np.flatnonzero(counts):
        new[place] = known[nearest == place].mean(axis=0)
    empty = np.flatnonzero(counts == 0)
    new[empty] = known[np.argsort(-squares, kind="stable")[: len(empty)]]
    return new


def _assignment(lines: list[dict[str, Value]], points: int, shown: int) -> Steps:
    cut = f" The first {shown:,} of {points:,} points are shown." if points > shown else ""
    return steps_of(
        "Each point to its nearest centre",
        lines,
        answers=("‖x − c‖²", "nearest"),
        formula="nearest = the centre with the smallest ‖x − c‖²",
        note=f"The centres of each pass stand in the next table.{cut}",
    )


def _centres(lines: list[dict[str, Value]]) -> Steps:
    first, last = (
        number_text(float(np.asarray(line))) for line in (lines[0]["inertia"], lines[-1]["inertia after"])
    )
    still = np.array_equal(np.asarray(lines[-1]["c"]), np.asarray(lines[-1]["c new"]))
    ending = f"Pass {len(lines)} moves no centre." if still else f"Pass {len(lines)} still moves centres."
    return steps_of(
        "Each centre to the mean of its points",
        lines,
        answers=("points", "inertia", "c new", "inertia after"),
        carried=("c",),
        formula="c new = mean of its points    inertia = Σ ‖x − c‖², after: with c new",
        note=f"The inertia falls from {first} to {last} and never rises. {ending}",
    )


def _drawn(known: Float[np.ndarray, "points 2"], end: Centres) -> Points:
    nearest = _squares(known, end).argmin(axis=1)
    names = tuple(f"of centre {place + 1}" for place in range(len(end)))
    return Points("Points and centres in the end", known, nearest, names, marks=end, axes=("x₁", "x₂"))
