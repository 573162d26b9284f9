"""How many linear pieces rectified units make: folded by layer after layer, and side by side in one."""

from typing import Annotated

import numpy as np
from jaxtyping import Float
from pydantic import Field

from handrail.components import component
from handrail.components.arguments import Count
from handrail.components.pictures import Lines
from handrail.traces.given import Given, refuse_given
from handrail.traces.steps import Steps, Value, steps_of
from handrail.traces.trace import Trace

Places = Float[np.ndarray, " places"]
_FINER = 4  # places of a grid in the smallest piece
_SAME = 1e-6  # slopes that differ by less are one
_DRAWN = 3  # first layers that are drawn
_REMARK = (
    "These weights make 2ᴸ pieces; most others make far fewer. None make more than 3ᴸ, as each of the two "
    "units of a layer bends each piece once at most."
)


@component("trace")
def linear_pieces(
    given: Given | None,
    *,
    layers: Annotated[int, Field(ge=1, le=12)] = 5,
    place: Annotated[float, Field(ge=0, le=1)] = 0.3,
    shown: Count = 12,
) -> Trace:
    """L layers of two units fold the line from 0 to 1 into 2ᴸ pieces: y ← max(0, 2y) − max(0, 4y − 2).

    One layer of n units, y = Σ a_j·max(0, w_j·x + b_j), bends only where a unit begins to answer, at
    x = −b_j/w_j: it has n + 1 pieces at most.

    Arguments:
        layers: L.
        place: x, which is followed through the layers.
        shown: units of the single layer that the last table shows.

    Source: Montúfar et al. 2014; Telgarsky 2016
    """
    refuse_given(given, "linear_pieces")
    tables = (_followed(layers, place), _bent(layers), _counted(layers), _beside(2 * layers, shown))
    subject = f"{layers} layers of two units, and one layer of {2 * layers}"
    pictures = (_drawn_folds(min(layers, _DRAWN)), _drawn_both(layers))
    title = "Linear pieces of deep and of wide networks"
    return Trace(title, subject, tables, "Montúfar et al. 2014", pictures, (_REMARK,))


def _folded(y: Places) -> Places:
    """One layer of two units."""
    return np.maximum(2 * y, 0) - np.maximum(4 * y - 2, 0)


def _deep(x: Places, layers: int) -> Places:
    y = x
    for _ in range(layers):
        y = _folded(y)
    return y


def _units(count: int) -> tuple[Places, Places]:
    """b and a of units with w = 1 that make as many pieces as they can, up and down."""
    steps = np.arange(1, count + 1)
    a = (count + 1) * np.where(steps == 1, 1.0, 2.0) * np.where(steps % 2 == 1, 1.0, -1.0)
    return -steps / (count + 1), a


def _wide(x: Places, count: int) -> Places:
    b, a = _units(count)
    return np.maximum(x[:, None] + b, 0) @ a


def _knots(layers: int) -> list[Places]:
    """Where each layer bends the line anew: where 4y − 2 changes its sign."""
    x, found = np.array([0.0, 1.0]), []
    for _ in range(layers):
        z = 4 * _deep(x, len(found)) - 2
        crossed = np.flatnonzero(z[:-1] * z[1:] < 0)
        share = z[crossed] / (z[crossed] - z[crossed + 1])
        found.append(x[crossed] + share * (x[crossed + 1] - x[crossed]))
        x = np.sort(np.concatenate([x, found[-1]]))
    return found


def _pieces(x: Places, y: Places) -> int:
    """By the slopes between places of a grid, on which the knots lie."""
    slopes = np.diff(y) / np.diff(x)
    return 1 + int((np.abs(np.diff(slopes)) > _SAME).sum())


def _grid(pieces: int) -> Places:
    return np.linspace(0, 1, _FINER * pieces + 1)


def _followed(layers: int, place: float) -> Steps:
    lines: list[dict[str, Value]] = []
    y = place
    for layer in range(1, layers + 1):
        inputs = 2 * y, 4 * y - 2
        first, second = (max(0.0, z) for z in inputs)
        line: dict[str, Value] = {"layer": layer, "y": y, "z₁": inputs[0], "z₂": inputs[1]}
        y = first - second
        lines.append({**line, "h₁": first, "h₂": second, "y new": y})
    return steps_of(
        "One place through the layers",
        lines,
        answers=("z₁", "z₂", "h₁", "h₂", "y new"),
        carried=("y",),
        formula="z₁ = 2y    z₂ = 4y − 2    h = max(0, z)    y new = h₁ − h₂",
        note="Up to y = ½ the layer doubles y; from there on it runs back. So two places go on as one.",
    )


def _bent(layers: int) -> Steps:
    lines: list[dict[str, Value]] = [
        {"layer": number, "new knots": np.sort(new)}
        for number, new in enumerate(_knots(min(layers, _DRAWN)), start=1)
    ]
    return steps_of(
        "Where the first layers bend the line",
        lines,
        answers=("new knots",),
        formula="new knots: all x at which the input y of the layer is ½, so that z₂ changes its sign",
        note="In each piece that there is, one more.",
    )


def _counted(layers: int) -> Steps:
    lines: list[dict[str, Value]] = []
    knots = 0
    for number, new in enumerate(_knots(layers), start=1):
        knots += len(new)
        deep, wide = _grid(2**number), _grid(2 * number + 1)
        line: dict[str, Value] = {"L": number, "units": 2 * number, "knots": knots, "pieces": knots + 1}
        counted = {"on a grid": _pieces(deep, _deep(deep, number)), "2ᴸ": 2**number}
        beside = {"one layer": _pieces(wide, _wide(wide, 2 * number)), "needed": 2**number - 1}
        lines.append(line | counted | beside)
    return steps_of(
        "Pieces of L layers, and of one layer with as many units",
        lines,
        answers=("units", "knots", "pieces", "on a grid", "2ᴸ", "one layer", "needed"),
        formula="pieces = knots + 1    one layer: units + 1 at most    needed in one layer: 2ᴸ − 1 units",
        note="A layer bends every piece that there is once more; a unit beside others bends the line once.",
    )


def _beside(count: int, shown: int) -> Steps:
    b, a = _units(count)
    lines: list[dict[str, Value]] = [
        {"j": j + 1, "w": 1.0, "b": b[j], "a": a[j], "knot": -b[j]} for j in range(min(shown, count))
    ]
    cut = f" The first {shown} of {count} are shown." if count > shown else ""
    return steps_of(
        "Units of the single layer",
        lines,
        answers=("knot",),
        formula="y = Σ a·max(0, w·x + b)    knot = −b/w",
        note=f"Each unit bends the line once: {count} units, {count + 1} pieces.{cut}",
    )


def _drawn_folds(layers: int) -> Lines:
    x = _grid(2**layers)
    curves = {f"L = {number}": _deep(x, number) for number in range(1, layers + 1)}
    return Lines("The first layers", x, curves, axes=("x", "y"))


def _drawn_both(layers: int) -> Lines:
    x = np.union1d(_grid(2**layers), _grid(2 * layers + 1))
    curves = {f"L = {layers}": _deep(x, layers), f"one layer of {2 * layers}": _wide(x, 2 * layers)}
    return Lines("Deep and wide, of as many units", x, curves, axes=("x", "y"))
