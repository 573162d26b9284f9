"""The perceptron's table: a line for each row that it is shown."""

from typing import Annotated, Literal

import numpy as np
from jaxtyping import Float
from pydantic import Field

from handrail.components import component
from handrail.components.arguments import Count, Positive
from handrail.components.pictures import Points
from handrail.errors import DataError
from handrail.traces.given import Given, refuse_given
from handrail.traces.lines.truth_tables import TRUTH_TABLES, Numbers
from handrail.traces.steps import Steps, Value, steps_of
from handrail.traces.trace import Trace

_GRID = 101  # places on each side of the picture
_WEIGHTS: dict[str, Numbers] = {"or": [0, 1, 0], "and": [0, 0, 0], "xor": [0, 0, 0]}
_REMARK = (
    "A sum of exactly 0 is answered by {at_zero:g} here (at_zero): the lectures print ≥ in 002, which "
    "answers 1, and > in 003 and 004, which answers 0."
)


@component("trace")
def perceptron(
    given: Given | None,
    *,
    data: Literal["or", "and", "xor"] = "or",
    table: list[Numbers] | None = None,
    weights: Numbers | None = None,
    learning_rate: Positive = 1.0,
    at_zero: Annotated[int, Field(ge=0, le=1)] = 0,
    passes: Count = 10,
) -> Trace:
    """Rosenblatt's rule, a line for each row: y = 1 if z = w·x > 0, else 0; then w ← w + η·(t − y)·x.

    x₀ = 1 stands before the numbers of each row, so that w₀ is the bias. A pass without a change is the last.

    Arguments:
        data: a truth table, in the order in which the lectures print it.
        table: other rows, each its numbers with the target, 0 or 1, behind them.
        weights: w₀, w₁ … to begin with; by default those of the lectures, and 0 for other rows.
        learning_rate: η.
        at_zero: the answer to a sum of exactly 0.
        passes: over the rows, at most.

    Raises: `DataError` for rows of several lengths, targets that are neither 0 nor 1, and weights that do not
        fit the rows.

    Source: Rosenblatt 1958; the line in the plane: Minsky & Papert 1969
    """
    refuse_given(given, "perceptron")
    known = np.array(TRUTH_TABLES[data], dtype=np.float64) if table is None else _checked(table)
    start = _start(weights, _WEIGHTS[data] if table is None else None, known.shape[1])
    lines = _lines(known, start, learning_rate, at_zero, passes)
    shown = steps_of(
        "Row by row",
        lines,
        answers=("z", "y", "w new"),
        carried=("w",),
        formula=f"z = w·x    y = 1 if z > 0, else 0    w new = w + η·(t − y)·x, η = {learning_rate:g}",
        note=_ending(lines, len(known)),
    )
    pictures = [_drawn(known, lines)] if known.shape[1] == 3 else []
    subject = f"the truth table of {data.upper()}" if table is None else f"{len(known)} rows"
    return Trace(
        "Perceptron",
        subject,
        (shown, _boundaries(lines)),
        "Rosenblatt 1958",
        tuple(pictures),
        (_REMARK.format(at_zero=at_zero),),
    )


def _ending(lines: list[dict[str, Value]], rows: int) -> str:
    passes = len(lines) // rows
    if all(line["w new"] is None for line in lines[-rows:]):
        return f"Pass {passes} changes nothing: all rows are answered as they should be."
    return f"After {passes} passes there are still changes."


def _checked(table: list[Numbers]) -> Float[np.ndarray, "rows numbers"]:
    """The rows as one array. Raises: `DataError` for what is no table of numbers with a target."""
    if len({len(row) for row in table}) != 1 or len(table[0]) < 2:
        raise DataError("table: expected rows of one length, each of one number or more and a target.")
    known = np.array(table, dtype=np.float64)
    wrong = np.flatnonzero(~np.isin(known[:, -1], (0, 1)))
    if len(wrong):
        found = f"found {known[wrong[0], -1]:g} at the end of row {wrong[0] + 1}"
        raise DataError(f"table: {found}, expected the target there, 0 or 1.")
    return known


def _start(given: Numbers | None, usual: Numbers | None, count: int) -> Float[np.ndarray, " weights"]:
    """The first weights. Raises: `DataError` for another number of them than rows have numbers, and one."""
    weights = given or usual or [0.0] * count
    if len(weights) != count:
        raise DataError(
            f"weights: found {len(weights)}, expected {count}: w₀, and one for each number of a row."
        )
    return np.array(weights, dtype=np.float64)


def _lines(
    known: Float[np.ndarray, "rows numbers"],
    weights: Float[np.ndarray, " weights"],
    rate: float,
    at_zero: int,
    passes: int,
) -> list[dict[str, Value]]:
    """A line for each row that is shown, up to the end of a pass without a change."""
    lines: list[dict[str, Value]] = []
    for _ in range(passes):
        before = weights
        for row in known:
            x, target = np.array([1.0, *row[:-1]]), row[-1]
            total = float(weights @ x)
            answer = float(total > 0 or (total == 0 and at_zero))
            new = weights + rate * (target - answer) * x
            line: dict[str, Value] = {"x": x, "w": weights, "z": total, "y": answer, "t": float(target)}
            lines.append({**line, "w new": new if target != answer else None})
            weights = new
        if np.array_equal(before, weights):
            break
    return lines


def _boundaries(lines: list[dict[str, Value]]) -> Steps:
    """Where the line between the two answers lies, whenever it has moved."""
    moved = [lines[0]["w"], *(line["w new"] for line in lines if line["w new"] is not None)]
    found: list[dict[str, Value]] = []
    for weights in map(np.asarray, moved):
        length = float(np.linalg.norm(weights[1:]))
        normal = weights[1:] / length if length else None
        place = float(-weights[0] / length) if length else None
        found.append({"w": weights, "‖v‖": length, "normal": normal, "distance from 0": place})
    return steps_of(
        "The line between the answers",
        found,
        answers=("‖v‖", "normal", "distance from 0"),
        carried=("w",),
        formula="w₀ + v·x = 0 with v = (w₁, w₂ …): normal v/‖v‖, at the distance −w₀/‖v‖ from 0",
        note="Where all weights but w₀ are 0 there is no line: every row has the same answer.",
    )


def _drawn(known: Float[np.ndarray, "rows 3"], lines: list[dict[str, Value]]) -> Points:
    """The rows in the plane, and the line that the last weights draw."""
    weights = np.asarray(lines[-1]["w"] if lines[-1]["w new"] is None else lines[-1]["w new"])
    places, margin = known[:, :2], 0.5 * max(float(np.ptp(known[:, :2])), 1.0)
    corners = np.stack([places.min(axis=0) - margin, places.max(axis=0) + margin])
    across, up = np.linspace(corners[0], corners[1], _GRID).T
    field = weights[0] + weights[1] * across[None, :] + weights[2] * up[:, None]
    return Points(
        "The rows, and the line in the end",
        places,
        known[:, 2].astype(np.int64),
        ("target 0", "target 1"),
        axes=("x₁", "x₂"),
        fields=field[None],
        corners=corners,
    )
