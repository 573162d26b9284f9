"""Curves in one variable with their slopes, for a descent that can be drawn."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from handrail.traces.lines.network.passes import Array
from handrail.traces.text import number_text

_PLACES = 20_001
_HALVES = 60
_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True, eq=False)
class Curve:
    """A curve, and where and how to go down it.

    Arguments:
        formula: of f and f′.
        height: f.
        slope: f′.
        start: where to begin.
        rates: η that show what there is to see.
        note: what that is, from that start by these rates.
    """

    formula: str
    height: Callable[[Array], Array]
    slope: Callable[[Array], Array]
    start: float
    rates: tuple[float, ...]
    note: str = ""


def _dented(x: Array) -> Array:
    return np.exp(-2 * (x - 4) ** 2)


CURVES: Mapping[str, Curve] = {
    "bowl": Curve(
        "f(x) = x²    f′(x) = 2x",
        lambda x: x**2,
        lambda x: 2 * x,
        -2.0,
        (0.05, 0.4, 0.9, 1.05),
        "Each step multiplies x by 1 − 2η: slowly down, quickly, to and fro, and ever wider above η = 1.",
    ),
    "two_valleys": Curve(
        "f(x) = x⁴/10 − x² + x/2    f′(x) = 2x³/5 − 2x + ½",
        lambda x: x**4 / 10 - x**2 + x / 2,
        lambda x: 0.4 * x**3 - 2 * x + 0.5,
        3.5,
        (0.05, 0.35, 0.5),
        "Small steps end in the valley in which they began; larger ones get over into the deeper one; too "
        "large ones find no rest in it.",
    ),
    "dent": Curve(
        "f(x) = x²/20 − ½·e^(−2(x − 4)²)    f′(x) = x/10 + 2(x − 4)·e^(−2(x − 4)²)",
        lambda x: x**2 / 20 - 0.5 * _dented(x),
        lambda x: x / 10 + 2 * (x - 4) * _dented(x),
        6.0,
        (0.5, 2.5),
        "Small steps are caught by the shallow minimum near 4; larger ones pass over it.",
    ),
}


def polynomial(coefficients: Sequence[float]) -> Curve:
    """c₀ + c₁·x + c₂·x² + …"""
    height = np.polynomial.Polynomial(coefficients)
    slope = height.deriv()
    texts = [f"f{mark}(x) = {_terms(each.coef.tolist())}" for mark, each in (("", height), ("′", slope))]
    return Curve("    ".join(texts), height, slope, 1.0, (0.01, 0.1))


def _terms(coefficients: Sequence[float]) -> str:
    text = ""
    for power, number in enumerate(coefficients):
        if number != 0:
            sign = (" − " if number < 0 else " + ") if text else ("−" if number < 0 else "")
            size = "" if power and abs(number) == 1 else number_text(abs(number))
            exponent = str(power).translate(_RAISED) if power > 1 else ""
            text += f"{sign}{size}{'x' if power else ''}{exponent}"
    return text or "0"


def minima(curve: Curve, left: float, right: float) -> list[float]:
    """Where the slope turns from down to up."""
    grid = np.linspace(left, right, _PLACES)
    slopes = curve.slope(grid)
    return [
        _turn(curve, *grid[place : place + 2])
        for place in np.flatnonzero((slopes[:-1] < 0) & (slopes[1:] >= 0))
    ]


def _turn(curve: Curve, left: float, right: float) -> float:
    """Found by halves, to nine places."""
    for _ in range(_HALVES):
        middle = (left + right) / 2
        left, right = (middle, right) if curve.slope(np.array(middle)) < 0 else (left, middle)
    return round(right, 9)
