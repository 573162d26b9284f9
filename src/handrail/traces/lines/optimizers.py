"""Optimizers beside each other, from one place on one surface."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from handrail.components import Slot, component, find, resolve, settings
from handrail.components.arguments import Count
from handrail.components.pictures import Lines, Points
from handrail.errors import DataError
from handrail.traces.given import Given, refuse_given
from handrail.traces.lines.descents import DECAY_APART, DESCENTS, Settings
from handrail.traces.lines.network.passes import Array
from handrail.traces.lines.surfaces import SURFACES, Surface
from handrail.traces.steps import Steps, Value, steps_of
from handrail.traces.text import cell_text, number_text
from handrail.traces.trace import Trace

_FAR = 1e6  # beyond it no step will come back
_GRID = 121
_LEVELS = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9)  # of the heights in the picture
_NEAR = 0.05  # of a lowest place
_SYMBOLS = {
    **{"learning_rate": "η", "momentum": "α", "rho": "ρ", "delta": "δ"},
    **{"beta_1": "β₁", "beta_2": "β₂", "weight_decay": "λ"},
}
Place = Annotated[float, Field(ge=-_FAR, le=_FAR)]
Lined = dict[str, Value]
_REMARKS = (
    "000 prints momentum in two forms. 'accelerating' v ← α·v − g grows up to 1/(1 − α) times as fast as "
    "gradient descent; 'average' v ← α·v − (1 − α)·g stays as fast, so that it bears the larger η.",
    "000 prints Adam with δ inside the root, ŝ/√(r̂ + δ); the paper has it outside. delta_inside tells which.",
    "Nesterov as in torch: what is shown as θ is the place ahead, at which the gradient is taken.",
)


@component("trace")
def optimizers(
    given: Given | None,
    *,
    surface: Literal["ravine", "valley", "saddle", "plateau", "wall"] = "ravine",
    start: Annotated[list[Place], Field(min_length=2, max_length=2)] | None = None,
    optimizers: Annotated[Any, Slot("optimizer", many=True)] = None,
    steps: Count = 100,
    shown: Count = 3,
) -> Trace:
    """Optimizers by name, from the same place down the same surface J(θ₁, θ₂), with the state of each.

    Arguments:
        surface: a ravine with steep sides, a bent valley, a saddle, a plateau around a hollow, a steep wall.
        start: θ₁ and θ₂ to begin with; by default a place that shows what the surface is for.
        optimizers: as in a recipe; by default several, with learning rates that suit the surface.
        steps: of each; one that goes away without end stops before.
        shown: steps of each that are shown.

    Raises: `DataError` for optimizers that are named twice, or whose steps are not followed here.

    Source: Robbins & Monro 1951; Polyak 1964; Nesterov 1983; Duchi 2011; Zeiler 2012; Kingma & Ba 2015
    """
    refuse_given(given, "optimizers")
    known = SURFACES[surface]
    chosen = _resolved(known.optimizers) if optimizers is None else optimizers
    named = _named(chosen)
    begin = np.array(known.start if start is None else start, dtype=np.float64)
    taken = {label: _lines(known, begin, *each, steps) for label, each in named.items()}
    tables = [_step_table(label, *named[label], lines, shown) for label, lines in taken.items()]
    usual = start is None and optimizers is None
    paths = {label: _path(begin, lines) for label, lines in taken.items()}
    return Trace(
        "Optimizers",
        f"{known.formula} from {cell_text(begin)}",
        (*tables, _end_table(known, named, paths, steps, known.note if usual else "")),
        "Robbins & Monro 1951; Polyak 1964; Nesterov 1983; Duchi 2011; Zeiler 2012; Kingma & Ba 2015",
        (_drawn(known, paths), _heights(known, paths, steps)),
        _REMARKS,
    )


def _resolved(specs: Sequence[Mapping[str, Any]]) -> list[Any]:
    """With every setting written out."""
    return [resolve("optimizer", spec, "optimizers") for spec in specs]


def _named(chosen: Sequence[Any]) -> dict[str, tuple[str, Settings]]:
    """By what tells them apart. Raises: `DataError` for the same twice, and others than those known here."""
    if not chosen:
        raise DataError("optimizers: found none, expected one or more.")
    known = [_checked(spec) for spec in chosen]
    labels = [_label(name, on) for name, on in known]
    named: dict[str, tuple[str, Settings]] = {}
    for label, (name, on) in zip(labels, known, strict=True):
        whole = f"{label}, η {on['learning_rate']:g}" if labels.count(label) > 1 else label
        if whole in named:
            raise DataError(f"optimizers: found {whole} twice, expected each once.")
        named[whole] = (name, on)
    return named


def _checked(spec: Any) -> tuple[str, Settings]:
    name, on = next(iter(spec.items())) if isinstance(spec, dict) else (type(spec).__name__, {})
    if name not in DESCENTS:
        raise DataError(f"optimizers: found {name}, expected some of {', '.join(DESCENTS)}.")
    if name == "rprop" and on["smallest"] > on["largest"]:
        raise DataError(f"rprop: found smallest = {on['smallest']} above largest = {on['largest']}.")
    return name, on


def _label(name: str, on: Settings) -> str:
    """The name, with settings that are not the usual ones."""
    usual = settings(find("optimizer", name))
    changed = [
        f"{key} {_said(value)}"
        for key, value in on.items()
        if key != "learning_rate" and value != usual[key].default
    ]
    return ", ".join([name, *changed])


def _said(value: Any) -> str:
    return number_text(value) if isinstance(value, float) else str(value)


def _lines(surface: Surface, theta: Array, name: str, on: Settings, steps: int) -> list[Lined]:
    """A line for each step, up to places from which there is no return."""
    descent = DESCENTS[name]
    state = descent.state(on)
    decay = 0.0 if name in DECAY_APART else on.get("weight_decay", 0.0)
    lines: list[Lined] = []
    while len(lines) < steps and np.abs(theta).max() <= _FAR:
        g = surface.slope(theta) + decay * theta
        new = theta + descent.step(theta, g, state, on, len(lines) + 1)
        line: Lined = {"k": len(lines) + 1, "θ": theta, "J(θ)": float(surface.height(theta)), "g": g}
        lines.append({**line, **state, "θ new": new})
        theta = new
    return lines


def _path(begin: Array, lines: Sequence[Lined]) -> Array:
    return np.stack([begin, *(np.asarray(line["θ new"]) for line in lines)])


def _step_table(label: str, name: str, on: Settings, lines: Sequence[Lined], shown: int) -> Steps:
    numbers = [f"{_SYMBOLS[key]} = {_said(value)}" for key, value in on.items() if key in _SYMBOLS and value]
    decay = ["g = ∇J + λ·θ"] if on.get("weight_decay") and name not in DECAY_APART else []
    return steps_of(
        label,
        lines[:shown],
        answers=("J(θ)", "g", *DESCENTS[name].begin, "θ new"),
        carried=("θ",),
        formula="    ".join([*decay, DESCENTS[name].formula(on), ", ".join(numbers)]),
    )


def _end_table(
    surface: Surface,
    named: Mapping[str, tuple[str, Settings]],
    paths: Mapping[str, Array],
    steps: int,
    note: str,
) -> Steps:
    lines: list[Lined] = []
    for label, path in paths.items():
        gaps = path[:, None] - np.array(surface.minima)
        away = np.linalg.norm(gaps, axis=-1).min(axis=1)
        far = np.flatnonzero(away > _NEAR)
        reached = int(far[-1]) + 1 if len(far) else 0
        rate: float = named[label][1]["learning_rate"]
        line: Lined = {"optimizer": label, "η": rate, "θ in the end": path[-1]}
        line |= {"J(θ)": float(surface.height(path[-1])), "away": float(away[-1])}
        lines.append({**line, "there from": reached if reached < len(path) else None})
    at = " and ".join(cell_text(np.array(place)) for place in surface.minima)
    found = f"J is lowest at {at}, and 'away' the distance from there; 'there' is within {_NEAR:g} for good."
    return steps_of(
        f"After {steps} steps",
        lines,
        answers=("θ in the end", "J(θ)", "away", "there from"),
        note=" ".join(filter(None, (note, found))),
    )


def _drawn(surface: Surface, paths: Mapping[str, Array]) -> Points:
    """The paths over the lines of equal height, as far as the picture goes."""
    corners = np.array(surface.corners)
    begin = next(iter(paths.values()))[0]
    corners = np.stack([np.minimum(corners[0], begin - 0.5), np.maximum(corners[1], begin + 0.5)])
    across, up = np.linspace(corners[0], corners[1], _GRID).T
    heights = surface.height(np.stack(np.meshgrid(across, up), axis=-1))
    levels = np.quantile(heights, _LEVELS)
    seen = [path[((path >= corners[0]) & (path <= corners[1])).all(axis=1)] for path in paths.values()]
    return Points(
        "The paths over lines of equal J",
        np.concatenate(seen),
        np.repeat(np.arange(len(seen)), [len(path) for path in seen]),
        tuple(paths),
        marks=np.array(surface.minima),
        axes=("θ₁", "θ₂"),
        fields=heights[None] - levels[:, None, None],
        corners=corners,
    )


def _heights(surface: Surface, paths: Mapping[str, Array], steps: int) -> Lines:
    """J by step; nothing where a path is higher than its beginning."""
    curves: dict[str, Array] = {}
    for label, path in paths.items():
        heights = np.full(steps + 1, np.nan)
        heights[: len(path)] = surface.height(path)
        heights[heights > heights[0] + 1e-9] = np.nan
        curves[label] = heights
    return Lines("J by step", np.arange(steps + 1.0), curves, axes=("step", "J(θ)"))
