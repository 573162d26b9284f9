"""Gradient descent on a curve, by several learning rates side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from handrail.components import component
from handrail.components.arguments import Count, Finite, Positive
from handrail.components.pictures import Lines, Points
from handrail.errors import DataError
from handrail.traces.given import Given, refuse_given
from handrail.traces.lines.curves import CURVES, Curve, minima, polynomial
from handrail.traces.lines.network.passes import Array
from handrail.traces.steps import Steps, Value, steps_of
from handrail.traces.text import number_text
from handrail.traces.trace import Trace

_FAR = 1e6  # beyond it no step will come back
_FLAT = 1e-4  # a slope at which nothing moves any more that could be seen
_NEAR = 0.01
_WIDE = 10.0  # on either side, minima are looked for at least
_GRID = 201
Paths = Mapping[float, Array]


@component("trace")
def gradient_descent(
    given: Given | None,
    *,
    curve: Literal["bowl", "two_valleys", "dent"] = "two_valleys",
    coefficients: Annotated[list[Finite], Field(min_length=2)] | None = None,
    start: Annotated[float, Field(ge=-_FAR, le=_FAR)] | None = None,
    learning_rates: Annotated[list[Positive], Field(min_length=1)] | None = None,
    steps: Count = 40,
    shown: Count = 6,
) -> Trace:
    """Step by step x ← x − η·f′(x) down a curve in one variable, by several η side by side.

    Arguments:
        curve: a bowl, which has one minimum; two valleys, of which one is deeper; a bowl with a shallow dent.
        coefficients: c₀, c₁ … of another curve c₀ + c₁·x + c₂·x² + …
        start: the first x; by default one that shows what the curve is for, and 1 for another curve.
        learning_rates: η; by default such that show it, too.
        steps: at most; a path that grows without end stops before.
        shown: lines of each table, at most.

    Raises: `DataError` for a learning rate that is named twice.

    Source: Cauchy 1847
    """
    refuse_given(given, "gradient_descent")
    known = CURVES[curve] if coefficients is None else polynomial(coefficients)
    if start is not None or learning_rates is not None:
        known = replace(known, note="")
    rates = known.rates if learning_rates is None else tuple(learning_rates)
    names = [f"η = {rate:g}" for rate in rates]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"learning_rates: found {twice} twice, expected each once.")
    first = known.start if start is None else start
    paths = {rate: _path(known, first, rate, steps) for rate in rates}
    return Trace(
        "Gradient descent",
        f"{known.formula.split('    ')[0]} from x = {number_text(first)}",
        (*(_step_table(known, *each, shown) for each in paths.items()), _end_table(known, paths, steps)),
        "Cauchy 1847",
        (_drawn(known, paths), _heights(known, paths, steps)),
        ("002 prints α for the learning rate η, 000 prints ε.",),
    )


def _path(curve: Curve, x: float, rate: float, steps: int) -> Array:
    """The places that are come to, the first and the last included."""
    path = [x]
    while len(path) <= steps and abs(path[-1]) <= _FAR:
        path.append(float(path[-1] - rate * curve.slope(np.array(path[-1]))))
    return np.array(path)


def _step_table(curve: Curve, rate: float, path: Array, shown: int) -> Steps:
    lines: list[dict[str, Value]] = []
    for place, x in enumerate(path[:-1][:shown]):
        slope = float(curve.slope(x))
        lines.append(
            {
                **{"step": place + 1, "x": float(x), "f(x)": _finite(curve.height(x)), "f′(x)": slope},
                **{"−η·f′(x)": -rate * slope, "x new": float(path[place + 1])},
            }
        )
    left = len(path) - 1 - len(lines)
    return steps_of(
        f"η = {rate:g}",
        lines,
        answers=("f(x)", "f′(x)", "−η·f′(x)", "x new"),
        carried=("x",),
        formula=f"{curve.formula}    x new = x − η·f′(x)",
        note=f"{left} more steps are not shown (shown)." if left else "",
    )


def _end_table(curve: Curve, paths: Paths, steps: int) -> Steps:
    everywhere = np.concatenate(list(paths.values())).clip(-_FAR, _FAR)
    lowest = minima(curve, min(-_WIDE, float(everywhere.min())), max(_WIDE, float(everywhere.max())))
    lowest.sort(key=lambda x: float(curve.height(np.array(x))))
    lines: list[dict[str, Value]] = [
        {
            **{"η": rate, "steps": len(path) - 1, "x in the end": float(path[-1])},
            **{"f(x)": _finite(curve.height(path[-1])), "f′(x)": _finite(curve.slope(path[-1]))},
            "it": _verdict(curve, path, lowest),
        }
        for rate, path in paths.items()
    ]
    texts = [f"x = {number_text(x)}, f(x) = {_height_text(curve, x)}" for x in lowest]
    found = f"{'Minima' if len(texts) > 1 else 'Minimum'}: {'; '.join(texts) or 'none'}."
    return steps_of(
        f"After {steps} steps",
        lines,
        answers=("x in the end", "f(x)", "f′(x)", "it"),
        note=" ".join(filter(None, (curve.note, found))),
    )


def _height_text(curve: Curve, x: float) -> str:
    return number_text(round(float(curve.height(np.array(x))), 9))


def _finite(value: Array | float) -> float | None:
    """None for a number beyond all bounds."""
    return float(value) if np.isfinite(value) else None


def _verdict(curve: Curve, path: Array, lowest: Sequence[float]) -> str:
    """What has become of a path; the first of the minima is the lowest."""
    last = path[-1]
    if abs(last) > _FAR:
        return "goes away without end"
    strides = np.diff(path[-3:])
    if len(strides) == 2 and strides[0] * strides[1] < 0 and abs(strides[1]) > _NEAR:
        return "goes to and fro" + (", ever wider" if abs(strides[1]) > abs(strides[0]) * 1.001 else "")
    near = [place for place, x in enumerate(lowest) if abs(last - x) < _NEAR]
    if near:
        return "is in the lowest minimum" if near[0] == 0 else "is stuck in a higher minimum"
    return "rests at no minimum" if abs(curve.slope(last)) < _FLAT else "is still on its way"


def _drawn(curve: Curve, paths: Paths) -> Points:
    """The steps on the curve, as far as the start is from it all."""
    first = float(next(iter(paths.values()))[0])
    everywhere = np.concatenate(list(paths.values()))
    near = everywhere[np.abs(everywhere - first) <= 2 * _reach(curve, paths, first)]
    margin = 0.15 * max(float(np.ptp(near)), 1.0)
    across = np.linspace(near.min() - margin, near.max() + margin, _GRID)
    heights = curve.height(across)
    low, high = float(heights.min()), float(curve.height(near).max())
    room = 0.1 * max(high - low, 1e-6)
    up = np.linspace(low - room, high + room, _GRID)
    places, groups = _inside(curve, paths, (across[0], across[-1]))
    return Points(
        "The steps on the curve",
        places,
        groups,
        tuple(f"η = {rate:g}" for rate in paths),
        axes=("x", "f(x)"),
        fields=(up[:, None] - heights[None, :])[None],
        corners=np.array([[across[0], up[0]], [across[-1], up[-1]]]),
    )


def _reach(curve: Curve, paths: Paths, first: float) -> float:
    """How far from the start the paths go that end somewhere."""
    ends = [path for path in paths.values() if abs(path[-1]) <= _FAR]
    return max([1.0, *(float(np.abs(path - first).max()) for path in ends)])


def _inside(curve: Curve, paths: Paths, between: Sequence[float]) -> tuple[Array, np.ndarray]:
    places: list[Array] = []
    groups: list[int] = []
    for group, path in enumerate(paths.values()):
        seen = path[(path >= between[0]) & (path <= between[1])]
        places.append(np.stack([seen, curve.height(seen)], axis=1))
        groups += [group] * len(seen)
    return np.concatenate(places), np.array(groups)


def _heights(curve: Curve, paths: Paths, steps: int) -> Lines:
    """f by step; nothing where a path is higher than its beginning."""
    first = float(curve.height(np.array(next(iter(paths.values()))[0])))
    curves: dict[str, Array] = {}
    for rate, path in paths.items():
        heights = np.full(steps + 1, np.nan)
        heights[: len(path)] = curve.height(path)
        heights[heights > first + 1e-9] = np.nan
        curves[f"η = {rate:g}"] = heights
    return Lines("f(x) by step", np.arange(steps + 1.0), curves, axes=("step", "f(x)"))
