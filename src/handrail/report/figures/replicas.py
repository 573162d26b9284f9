"""Figures of replicas: their learning curves, and their main metric beside the interval of what answers."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from handrail.report.figures.curves import (
    Curve,
    curve_names,
    epoch_axis,
    learning_rate,
    logarithmic_if_wide,
    points,
    slug,
)
from handrail.report.figures.figure import FigureView, Key, figure_view
from handrail.report.figures.style import (
    INK,
    LINEAR,
    MUTED,
    NETWORK,
    PAPER,
    axes_in,
    number_format,
    picture,
    thin,
)
from handrail.report.replicas import Replicas, Results, span
from handrail.report.wording import capitalise, metric_label, metric_value

_LINES = (("train", LINEAR), ("val", NETWORK))
_POINTS, _FEWEST = 900, 40  # points of all thin lines of a colour, and of one line
_WIDTH, _ROW, _LEFT, _RIGHT, _TOP, _BOTTOM = 340, 34, 78, 14, 8, 28  # pixels
_DOT, _HIGHEST = 9, 80  # pixels of a dot, and of a stack of dots, which move closer where there are many


def replica_curves(records: Sequence[dict[str, Any]], replicas: Replicas) -> list[FigureView]:
    """Like `learning_curves`: a thin line for each replica, a thick one for their mean."""
    views = [_curves(records, name, replicas) for name in curve_names(records)]
    rates = [points(_lines(records, member), "learning_rate") for member in replicas.members]
    rates = [curve for curve in rates if len(curve[0])]
    if len({value for curve in rates for value in curve[1].tolist()}) > 1:
        views.append(learning_rate(rates))
    return views


def _lines(records: Sequence[dict[str, Any]], member: Results) -> list[dict[str, Any]]:
    return [line for line in records if line.get("replica") == member["replica"]]


def mean_curve(curves: Sequence[Curve]) -> Curve:
    """The mean at each epoch that all curves have: later ones would be the mean of fewer, and jump."""
    shared = set.intersection(*(set(epochs.tolist()) for epochs, _ in curves)) if curves else set()
    epochs = np.array(sorted(shared))
    values = [values[np.isin(own, epochs)] for own, values in curves]
    return epochs, np.mean(values, axis=0) if values else epochs


def _curves(records: Sequence[dict[str, Any]], name: str, replicas: Replicas) -> FigureView:
    last = max(line["epoch"] for line in records)
    curves = {part: _by_soundness(records, f"{part}_{name}", replicas) for part, _ in _LINES}
    at_best = _at_best(records, f"val_{name}", replicas)

    def draw(figure: Figure) -> None:
        axes = axes_in(figure, left=52)
        few = max(_FEWEST, _POINTS // len(replicas.members))
        for part, colour in _LINES:
            sound, _ = curves[part]
            for curve in sound:
                axes.plot(*thin(*curve, most=few), color=colour, linewidth=0.8, alpha=0.5)
            axes.plot(*thin(*mean_curve(sound)), color=colour, linewidth=2.4)
        if name == "loss":
            values = [curve[1] for sound, _ in curves.values() for curve in sound]
            logarithmic_if_wide(axes, np.concatenate(values or [[]]))
        axes.plot(*at_best, "o", color=NETWORK, markersize=5)
        axes.autoscale_view()
        axes.autoscale(enable=False)  # failed replicas may have gone anywhere
        for _, failed in curves.values():
            for curve in failed:
                axes.plot(*thin(*curve, most=few), color=MUTED, linewidth=0.8)
        epoch_axis(axes, last)

    span_text = _span_text(name, at_best[1]) if len(at_best[1]) else ""
    label = f"Learning curves of {len(replicas.members)} replicas over {last} epochs"
    label += f", {span_text} at their best epochs" if span_text else ""
    titles = ("train", "validation")
    keys = [
        Key(f"{rows} rows", colour)
        for (part, colour), rows in zip(_LINES, titles, strict=True)
        if curves[part][0]
    ]
    keys += [Key("failed replicas", MUTED)] if any(failed for _, failed in curves.values()) else []
    return figure_view(
        f"{capitalise(metric_label(name))} by epoch",
        picture(f"curve-{slug(name)}", draw, label=label),
        note=_curve_note(replicas, span_text),
        keys=tuple(keys),
    )


def _by_soundness(
    records: Sequence[dict[str, Any]], key: str, replicas: Replicas
) -> tuple[list[Curve], list[Curve]]:
    """The curves of the replicas that finished, and of those that failed."""
    sound: list[Curve] = []
    failed: list[Curve] = []
    for member in replicas.members:
        curve = points(_lines(records, member), key)
        if len(curve[0]):
            (failed if member["failure"] else sound).append(curve)
    return sound, failed


def _at_best(records: Sequence[dict[str, Any]], key: str, replicas: Replicas) -> Curve:
    """Each replica's value at the epoch whose weights were kept."""
    curves = [(member["best_epoch"], points(_lines(records, member), key)) for member in replicas.sound]
    pairs = [(best, values[epochs == best][0]) for best, (epochs, values) in curves if best in epochs]
    table = np.array(pairs, dtype=np.float64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def _span_text(name: str, values: np.ndarray) -> str:
    low, high = (metric_value(name, float(value)) for value in (values.min(), values.max()))
    return low if low == high else f"{low} to {high}"


def _curve_note(replicas: Replicas, span_text: str) -> str:
    best = [member["best_epoch"] for member in replicas.sound]
    word = "Best epoch" if len(set(best)) == 1 else "Best epochs"
    value = f": {span_text} on validation rows" if span_text else ""
    epochs = [member["epochs"] for member in replicas.sound]
    mean = f" The mean ends at epoch {min(epochs)}, where the first replica stopped."
    return f"{word} {span(best)}{value}.{mean if min(epochs) < max(epochs) else ''}"


def replica_plot(
    results: Results, replicas: Replicas, metric: str, part: str, *, marked: bool = False
) -> list[FigureView]:
    """A row of dots for the replicas, a row for their ensemble and one for the best; nothing if undefined.

    Arguments:
        results: `validation.json` or `test.json`.
        marked: drawn from test rows that were opened before.
    """
    values, mean = replicas.values(metric), replicas.spread.get(metric, {}).get("mean")
    if not values or mean is None:
        return []
    interval, rows = results["metrics"][metric], _rows(replicas, metric)
    known = [*values, *(value for _, value, _ in rows), *(interval[end] for end in ("low", "high"))]
    limits = _limits([value for value in known if value is not None])
    dots = stack_dots(values, _DOT * (limits[1] - limits[0]) / (_WIDTH - _LEFT - _RIGHT))
    highest = max(height for _, height in dots)
    step = min(_DOT, _HIGHEST / max(highest, 1)) / _ROW
    top = 0.5 + step * highest

    def draw(figure: Figure) -> None:
        axes = axes_in(figure, left=_LEFT, bottom=_BOTTOM, right=_RIGHT, top=_TOP)
        axes.set_xlim(*limits)
        axes.set_ylim(len(rows) + 0.5, -top)
        _name_rows(axes, ["replicas", *(name for name, _, _ in rows)])
        if len(values) > 1:
            axes.plot([mean, mean], [0.4, -top], color=INK, linewidth=1.4)
        for value, height in dots:
            axes.plot([value], [-height * step], "o", color=NETWORK, markersize=7, alpha=0.75)
        for place, (_, value, answers) in enumerate(rows, start=1):
            _mark(axes, value, place, interval if answers else None)

    title = capitalise(metric_label(metric))
    digits = ", ".join(metric_value(metric, value) for value in sorted(values))
    others = "; ".join(f"{name} {metric_value(metric, value)}" for name, value, _ in rows)
    label = f"{title} of {len(replicas.sound)} replicas on {part} rows: {digits}; {others}"
    height = round(_TOP + _BOTTOM + _ROW * (len(rows) + 0.5 + top))
    svg = picture(f"replicas-{part}", draw, label=label, width=_WIDTH, height=height)
    mean_text = f"Vertical line: their mean, {metric_value(metric, mean)}. " if len(values) > 1 else ""
    note = f"{mean_text}Bar: the interval of {replicas.predictor}, which answers."
    return [figure_view(f"{title} of the replicas", svg, note=note, marked=marked, side=f"{part} rows")]


def _rows(replicas: Replicas, metric: str) -> list[tuple[str, float | None, bool]]:
    """Name, value, and whether it answers."""
    names = {"ensemble": "ensemble", "best": f"replica {replicas.best}"}
    return [
        (name, replicas.figures[key].get(metric), (key == "ensemble") == replicas.has_ensemble)
        for key, name in names.items()
        if key in replicas.figures
    ]


def _limits(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    margin = 0.06 * ((high - low) or abs(high) or 1.0)
    return low - margin, high + margin


def _name_rows(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=4, min_n_ticks=2))
    axes.xaxis.set_major_formatter(number_format())
    axes.grid(axis="y", visible=False)
    axes.spines["left"].set_visible(False)


def stack_dots(values: Sequence[float], width: float) -> list[tuple[float, int]]:
    """Sorted values, each with a height: no two dots nearer than `width` have the same one."""
    dots: list[tuple[float, int]] = []
    for value in sorted(values):
        taken = {height for other, height in dots if value - other < width}
        dots.append((value, next(height for height in range(len(dots) + 1) if height not in taken)))
    return dots


def _mark(axes: Axes, value: float | None, y: int, interval: Mapping[str, float | None] | None) -> None:
    if interval and interval["low"] is not None and interval["high"] is not None:
        axes.plot([interval["low"], interval["high"]], [y, y], color=NETWORK, linewidth=2)
    if value is not None:
        colour = NETWORK if interval else MUTED
        face = colour if interval else PAPER
        look: dict[str, Any] = {"markeredgecolor": colour, "markerfacecolor": face}
        axes.plot([value], [y], "D", markersize=7, markeredgewidth=1.8, **look)
