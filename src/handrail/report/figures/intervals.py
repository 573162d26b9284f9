"""Dots with intervals: the metrics of network and baselines, and the main metric of replicas."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from handrail.evaluation.metric_names import higher_is_better
from handrail.report.figures.style import (
    INK,
    LINEAR,
    MUTED,
    NETWORK,
    PAPER,
    PLAIN,
    FigureView,
    axes_in,
    figure_view,
    number_format,
    picture,
    widen,
)
from handrail.report.replicas import Replicas, Results
from handrail.report.wording import capitalise, metric_label, metric_value

Interval = Mapping[str, Any]  # value, low, high, and the reason where there is no interval
_FARTHEST = 2.5  # a baseline this many spans away is named at the edge, not drawn to scale
_WIDTH, _ROW = 320, 32
_REPLICA_WIDTH, _REPLICA_ROW, _LEFT, _RIGHT, _TOP, _BOTTOM = 340, 34, 78, 14, 8, 28  # pixels
_DOT, _HIGHEST = 9, 80  # pixels of a dot, and of a stack of dots, which move closer where there are many


def colour_of(name: str) -> str:
    """The network's colour, the linear baseline's, or that of guessing."""
    return {"network": NETWORK, "linear": LINEAR}.get(name, PLAIN)


def interval_plots(
    parts: Mapping[str, Mapping[str, Mapping[str, Interval]]],
    *,
    baseline: str,
    marked: bool,
    positive: str | None = None,
) -> list[FigureView]:
    """One small figure per metric.

    Arguments:
        parts: part (validation, test) → who (network, linear, …) → metric → value, low and high.
        baseline: the baseline that the scale must show.
        marked: the test rows were opened before.
        positive: the class that F1 and the like are about, where there are two.
    """
    metrics = next(iter(parts.values()))["network"]
    views = []
    for metric in metrics:
        rows = _rows(parts, metric)
        if any(interval["value"] is not None for _, pairs in rows for _, interval in pairs):
            label = metric_label(metric, positive)
            views.append(_plot(metric, rows, baseline, title=label, marked=marked and "test" in parts))
    return views


Row = tuple[str, list[tuple[str, Interval]]]


def _rows(parts: Mapping[str, Any], metric: str) -> list[Row]:
    """Of the network, and of the baselines for which this metric is defined."""
    who = list(next(iter(parts.values())))
    rows = [
        (name, [(part, parts[part][name][metric]) for part in parts if metric in parts[part].get(name, {})])
        for name in who
    ]
    return [
        (name, pairs)
        for name, pairs in rows
        if name == "network" or any(each["value"] is not None for _, each in pairs)
    ]


def _limits(rows: Sequence[Row], baseline: str) -> tuple[float, float]:
    """The span of the network and the best baseline's value, and the other spans as far as they are near."""
    spans = {name: span for name, pairs in rows if (span := _span(pairs))}
    points = [each["value"] for name, pairs in rows if name == baseline for _, each in pairs]
    near = [*spans.get("network", ()), *(value for value in points if value is not None)]
    near = near or [end for span in spans.values() for end in span]
    low, high = min(near), max(near)
    reach = _FARTHEST * ((high - low) or abs(high) or 1.0)
    least, most = low - reach, high + reach
    for name, (start, end) in spans.items():
        if name == baseline or (start > least and end < most):
            low, high = min(low, max(start, least)), max(high, min(end, most))
    return widen(low, high)


def _span(pairs: Sequence[tuple[str, Interval]]) -> tuple[float, float] | None:
    ends = [interval[end] for _, interval in pairs for end in ("value", "low", "high")]
    values = [value for value in ends if value is not None]
    return (min(values), max(values)) if values else None


def _plot(metric: str, rows: Sequence[Row], baseline: str, *, title: str, marked: bool) -> FigureView:
    height = 36 + _ROW * len(rows)

    def draw(figure: Figure) -> None:
        left = max(70.0, 12 + 6.3 * max(len(name) for name, _ in rows))
        axes = axes_in(figure, left=left, bottom=28, right=16, top=8)
        limits = _limits(rows, baseline)
        axes.set_xlim(*limits)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        _name_rows(axes, [name for name, _ in rows])
        for place, (name, pairs) in enumerate(rows):
            colour = colour_of(name)
            axes.get_yticklabels()[place].set_color(INK if name == "network" else colour)
            offsets = np.linspace(-0.19, 0.19, len(pairs)) if len(pairs) > 1 else [0.0]
            for (part, interval), offset in zip(pairs, offsets, strict=True):
                _mark(axes, interval, place + offset, metric=metric, colour=colour, test=part == "test")

    better = "higher is better" if higher_is_better(metric) else "lower is better"
    values = "; ".join(
        f"{name} {metric_value(metric, pairs[-1][1]['value'])}" for name, pairs in rows if pairs
    )
    label = f"{metric_label(metric)}, {better}: {values}"
    svg = picture(f"dots-{metric.replace('_', '-')}", draw, label=label, width=_WIDTH, height=height)
    return figure_view(capitalise(title), svg, side=better, marked=marked)


def _mark(axes: Axes, interval: Interval, y: float, *, metric: str, colour: str, test: bool) -> None:
    value, low, high = interval["value"], interval["low"], interval["high"]
    if value is None:
        return
    left, right = axes.get_xlim()
    if not left <= value <= right:
        edge, align, text = (left, "left", "‹ {}") if value < left else (right, "right", "{} ›")
        text = text.format(metric_value(metric, value))
        axes.text(edge, y, text, ha=align, va="center_baseline", color=colour, fontsize=10)
        return
    if low is not None and high is not None:
        axes.plot([low, high], [y, y], color=colour, linewidth=2, clip_on=True)
    shape, size, face = ("D", 6, colour) if test else ("o", 7, PAPER)
    look: dict[str, Any] = {"markeredgecolor": colour, "markerfacecolor": face}
    axes.plot([value], [y], shape, color=colour, markersize=size, markeredgewidth=1.8, **look)


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
    interval, rows = results["metrics"][metric], _replica_rows(replicas, metric)
    known = [*values, *(value for _, value, _ in rows), *(interval[end] for end in ("low", "high"))]
    known = [value for value in known if value is not None]
    limits = widen(min(known), max(known))
    dots = stack_dots(values, _DOT * (limits[1] - limits[0]) / (_REPLICA_WIDTH - _LEFT - _RIGHT))
    highest = max(height for _, height in dots)
    step = min(_DOT, _HIGHEST / max(highest, 1)) / _REPLICA_ROW
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
            _replica_mark(axes, value, place, interval if answers else None)

    title = capitalise(metric_label(metric))
    digits = ", ".join(metric_value(metric, value) for value in sorted(values))
    others = "; ".join(f"{name} {metric_value(metric, value)}" for name, value, _ in rows)
    label = f"{title} of {len(replicas.sound)} replicas on {part} rows: {digits}; {others}"
    height = round(_TOP + _BOTTOM + _REPLICA_ROW * (len(rows) + 0.5 + top))
    svg = picture(f"replicas-{part}", draw, label=label, width=_REPLICA_WIDTH, height=height)
    mean_text = f"Vertical line: their mean, {metric_value(metric, mean)}. " if len(values) > 1 else ""
    note = f"{mean_text}Bar: the interval of {replicas.predictor}, which answers."
    return [figure_view(f"{title} of the replicas", svg, note=note, marked=marked, side=f"{part} rows")]


def _replica_rows(replicas: Replicas, metric: str) -> list[tuple[str, float | None, bool]]:
    names = {"ensemble": "ensemble", "best": f"replica {replicas.best}"}
    return [
        (name, replicas.figures[key].get(metric), (key == "ensemble") == replicas.has_ensemble)
        for key, name in names.items()
        if key in replicas.figures
    ]


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


def _replica_mark(
    axes: Axes, value: float | None, y: int, interval: Mapping[str, float | None] | None
) -> None:
    if interval and interval["low"] is not None and interval["high"] is not None:
        axes.plot([interval["low"], interval["high"]], [y, y], color=NETWORK, linewidth=2)
    if value is not None:
        colour = NETWORK if interval else MUTED
        face = colour if interval else PAPER
        look: dict[str, Any] = {"markeredgecolor": colour, "markerfacecolor": face}
        axes.plot([value], [y], "D", markersize=7, markeredgewidth=1.8, **look)
