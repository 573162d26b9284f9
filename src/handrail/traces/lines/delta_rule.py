"""The delta rule: a line for each row that a unit is shown."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from handrail.components import component
from handrail.components.arguments import Count, Finite, Positive
from handrail.components.pictures import Lines
from handrail.errors import DataError
from handrail.traces.given import Given, refuse_given
from handrail.traces.lines.network.passes import Array, logistic
from handrail.traces.lines.truth_tables import TRUTH_TABLES
from handrail.traces.steps import Steps, Value, steps_of
from handrail.traces.trace import Trace

Numbers = list[Finite]
_WORDS = {"heaviside": "1 if z > 0, else 0", "linear": "z", "sigmoid": "1/(1 + e⁻ᶻ)"}
_FAR = 1e9  # weights that have gone so far will not come back
_REMARKS = (
    "002 writes ŷ for the answer that is wanted and y for the unit's own, 003 the other way round; here they "
    "are t and y, as in 004.",
    "A heaviside unit takes Rosenblatt's steps, a linear one ADALINE's, which descend ½·(t − y)²; those of a "
    "sigmoid unit descend the cross-entropy. For its squared error, y(1 − y) would stand beside t − y (004).",
)
_AT_ZERO = (
    "A sum of exactly 0 is answered by {at_zero:g} (at_zero): 002 prints x ≥ 0 for 1, 003 and 004 z > 0."
)


@dataclass(frozen=True, eq=False)
class _Shown:
    """A row that a unit was shown, and what came of it."""

    x: Array
    w: Array
    z: float
    y: float
    t: float
    change: Array


@component("trace")
def delta_rule(
    given: Given | None,
    *,
    unit: Literal["heaviside", "linear", "sigmoid"] = "sigmoid",
    data: Literal["or", "and", "xor"] = "or",
    table: list[Numbers] | None = None,
    weights: Numbers | None = None,
    learning_rate: Positive = 0.25,
    at_zero: Annotated[int, Field(ge=0, le=1)] = 0,
    passes: Count = 10,
    shown: Count = 12,
) -> Trace:
    """Δw = α·(t − y)·x after each row, with y = f(w·x), for heaviside, linear and sigmoid units.

    x₀ = 1 stands before the numbers of each row, so that w₀ is the bias.

    Arguments:
        unit: whose steps are shown row by row; the passes of all three are shown side by side, of those that
            can give the targets.
        data: a truth table, in the order in which the lectures print it.
        table: other rows, each its numbers with the target behind them.
        weights: w₀, w₁ … to begin with; 0 by default.
        learning_rate: α.
        at_zero: a heaviside unit's answer to a sum of exactly 0.
        passes: over the rows.
        shown: lines of a table, at most; passes are then left out evenly.

    Raises: `DataError` for rows of several lengths, targets beyond 0 to 1 of units that reach no further, and
        weights that do not fit the rows.

    Source: Widrow & Hoff 1960
    """
    refuse_given(given, "delta_rule")
    known = _rows(TRUTH_TABLES[data] if table is None else table)
    start = _start(weights, known.shape[1])
    units = _units(unit, known[:, -1])
    taken = {
        name: _learned(known, start, answer, learning_rate, passes)
        for name, answer in _answers(at_zero).items()
        if name in units
    }
    tables = (
        _row_table(unit, taken[unit], learning_rate, shown),
        _pass_table(taken, len(known), passes, shown),
    )
    subject = f"the truth table of {data.upper()}" if table is None else f"{len(known)} rows"
    remarks = (*_REMARKS, _AT_ZERO.format(at_zero=at_zero))
    return Trace(
        "Delta rule", subject, tables, "Widrow & Hoff 1960", (_drawn(taken, len(known), passes),), remarks
    )


def _units(unit: str, targets: Array) -> tuple[str, ...]:
    """Those that can give the targets. Raises: `DataError` where the one that is asked for cannot."""
    units = tuple(_WORDS) if ((targets >= 0) & (targets <= 1)).all() else ("linear",)
    if unit not in units:
        raise DataError(f"table: found targets that a {unit} unit cannot give, expected them from 0 to 1.")
    return units


def _rows(table: Sequence[Sequence[float]]) -> Array:
    """Raises: `DataError` for what is no table of numbers with a target."""
    if len({len(row) for row in table}) != 1 or len(table[0]) < 2:
        raise DataError("table: expected rows of one length, each of one number or more and a target.")
    return np.array(table, dtype=np.float64)


def _start(weights: Numbers | None, count: int) -> Array:
    """Raises: `DataError` for another number of weights than rows have numbers, and one."""
    if weights is not None and len(weights) != count:
        raise DataError(
            f"weights: found {len(weights)}, expected {count}: w₀, and one for each number of a row."
        )
    return np.zeros(count) if weights is None else np.array(weights, np.float64)


def _answers(at_zero: int) -> dict[str, Callable[[float], float]]:
    return {
        "heaviside": lambda z: float(z > 0 or (z == 0 and at_zero)),
        "linear": lambda z: z,
        "sigmoid": lambda z: float(logistic(np.array(z))),
    }


def _learned(
    known: Array, weights: Array, answer: Callable[[float], float], rate: float, passes: int
) -> list[_Shown]:
    """All that is shown, up to weights that grow without end."""
    taken: list[_Shown] = []
    for row in np.tile(known, (passes, 1)):
        x, target = np.array([1.0, *row[:-1]]), float(row[-1])
        total = float(weights @ x)
        value = answer(total)
        change = rate * (target - value) * x
        taken.append(_Shown(x, weights, total, value, target, change))
        weights = weights + change
        if np.abs(weights).max() > _FAR:
            break
    return taken


def _row_table(unit: str, taken: Sequence[_Shown], rate: float, shown: int) -> Steps:
    lines: list[dict[str, Value]] = [
        {
            **{"x": each.x, "w": each.w, "z": each.z, "y": each.y, "t": each.t},
            **{"t − y": each.t - each.y, "w new": each.w + each.change},
        }
        for each in taken[:shown]
    ]
    left = len(taken) - len(lines)
    return steps_of(
        f"Row by row, a {unit} unit",
        lines,
        answers=("z", "y", "t − y", "w new"),
        carried=("w",),
        formula=f"z = w·x    y = {_WORDS[unit]}    w new = w + α·(t − y)·x, α = {rate:g}",
        note=f"{left} more rows are not shown (shown)." if left else "",
    )


def _errors(taken: Sequence[_Shown], rows: int, passes: int) -> list[float | None]:
    """Σ(t − y)² of each pass; None from where the weights have grown without end."""
    squares = [(each.t - each.y) ** 2 for each in taken]
    whole = len(taken) // rows
    sums: list[float | None] = [sum(squares[place * rows : (place + 1) * rows]) for place in range(whole)]
    return sums + [None] * (passes - whole)


def _pass_table(taken: Mapping[str, Sequence[_Shown]], rows: int, passes: int, shown: int) -> Steps:
    errors = {name: _errors(each, rows, passes) for name, each in taken.items()}
    places = np.unique(np.linspace(0, passes - 1, min(passes, shown)).round().astype(int)).tolist()
    lines: list[dict[str, Value]] = [
        {"pass": place + 1, **{name: sums[place] for name, sums in errors.items()}} for place in places
    ]
    notes = [
        "A heaviside unit rests once every row is answered. A linear one hovers where no weights answer all "
        "rows exactly. A sigmoid's answers come ever nearer where a line has all 0 on one side."
    ]
    if any(len(each) < rows * passes for each in taken.values()):
        longest = max(float(each.x @ each.x) for each in taken["linear"])
        limit = f"α = 2/‖x‖² = {2 / longest:.3g} of the longest row"
        notes.append(
            f"Where nothing stands, weights have grown beyond {_FAR:g}; a linear unit is safe below {limit}."
        )
    return steps_of(
        "Pass by pass",
        lines,
        answers=tuple(errors),
        formula="Σ(t − y)² over the rows of a pass, each before its own step",
        note=" ".join(notes),
    )


def _drawn(taken: Mapping[str, Sequence[_Shown]], rows: int, passes: int) -> Lines:
    return Lines(
        "The error of each pass",
        np.arange(1.0, passes + 1),
        {name: np.array(_errors(each, rows, passes), dtype=np.float64) for name, each in taken.items()},
        axes=("pass", "Σ(t − y)²"),
    )
