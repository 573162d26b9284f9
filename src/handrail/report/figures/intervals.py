"""Dots with intervals: each metric of the network and the baselines, on its own scale."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from handrail.evaluation.metric_names import higher_is_better
from handrail.report.figures.figure import FigureView, figure_view
from handrail.report.figures.style import INK, LINEAR, NETWORK, PAPER, PLAIN, axes_in, number_format, picture
from handrail.report.wording import capitalise, metric_label, metric_value

Interval = Mapping[str, float | None]  # value, low, high
_FARTHEST = 2.5  # a baseline this many spans away is named at the edge, not drawn to scale
_WIDTH, _ROW = 320, 32


def colour_of(name: str) -> str:
    """The network's colour, the linear baseline's, or that of guessing."""
    return {"network": NETWORK, "linear": LINEAR}.get(name, PLAIN)


def interval_plots(
    parts: Mapping[str, Mapping[str, Mapping[str, Interval]]], *, baseline: str, marked: bool
) -> list[FigureView]:
    """One small figure per metric.

    Arguments:
        parts: part (validation, test) → who (network, linear, …) → metric → value, low and high.
        baseline: the baseline that the scale must show.
        marked: the test rows were opened before.
    """
    metrics = next(iter(parts.values()))["network"]
    views = []
    for metric in metrics:
        rows = _rows(parts, metric)
        if any(interval["value"] is not None for _, pairs in rows for _, interval in pairs):
            views.append(_plot(metric, rows, baseline, marked=marked and "test" in parts))
    return views


Row = tuple[str, list[tuple[str, Interval]]]


def _rows(parts: Mapping[str, Any], metric: str) -> list[Row]:
    who = list(next(iter(parts.values())))
    return [
        (name, [(part, parts[part][name][metric]) for part in parts if metric in parts[part].get(name, {})])
        for name in who
    ]


def _limits(rows: Sequence[Row], baseline: str) -> tuple[float, float]:
    """The span of the network and the best baseline, and of the others if they are near."""
    spans = {name: _span(pairs) for name, pairs in rows}
    near = [span for name, span in spans.items() if name in ("network", baseline) and span] or [
        span for span in spans.values() if span
    ]
    low, high = min(span[0] for span in near), max(span[1] for span in near)
    reach = _FARTHEST * ((high - low) or abs(high) or 1.0)
    for span in filter(None, spans.values()):
        if span[0] > low - reach and span[1] < high + reach:
            low, high = min(low, span[0]), max(high, span[1])
    margin = 0.06 * ((high - low) or abs(high) or 1.0)
    return low - margin, high + margin


def _span(pairs: Sequence[tuple[str, Interval]]) -> tuple[float, float] | None:
    values = [value for _, interval in pairs for value in interval.values() if value is not None]
    return (min(values), max(values)) if values else None


def _plot(metric: str, rows: Sequence[Row], baseline: str, *, marked: bool) -> FigureView:
    height = 36 + _ROW * len(rows)

    def draw(figure: Figure) -> None:
        left = max(70.0, 12 + 6.3 * max(len(name) for name, _ in rows))
        axes = axes_in(figure, left=left, bottom=28, right=16, top=8)
        limits = _limits(rows, baseline)
        axes.set_xlim(*limits)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_yticks(range(len(rows)), [name for name, _ in rows])
        axes.xaxis.set_major_locator(MaxNLocator(nbins=4, min_n_ticks=2))
        axes.xaxis.set_major_formatter(number_format())
        axes.grid(axis="y", visible=False)
        axes.spines["left"].set_visible(False)
        for place, (name, pairs) in enumerate(rows):
            colour = colour_of(name)
            axes.get_yticklabels()[place].set_color(INK if name == "network" else colour)
            offsets = np.linspace(-0.19, 0.19, len(pairs)) if len(pairs) > 1 else [0.0]
            for (part, interval), offset in zip(pairs, offsets, strict=True):
                _mark(axes, interval, place + offset, metric=metric, colour=colour, test=part == "test")

    better = "higher is better" if higher_is_better(metric) else "lower is better"
    title = metric_label(metric)
    values = "; ".join(
        f"{name} {metric_value(metric, pairs[-1][1]['value'])}" for name, pairs in rows if pairs
    )
    label = f"{title}, {better}: {values}"
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
