"""Dots and intervals: each metric of the network beside the baselines', on its own scale."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from handrail.evaluation.metric_names import higher_is_better
from handrail.report.figures.figure import FigureView, figure_view
from handrail.report.figures.style import INK, LINEAR, NETWORK, PAPER, PLAIN, axes_in, picture
from handrail.report.wording import capitalise, metric_label, metric_value, number

Found = Mapping[str, float | None]
_FARTHEST = 2.5  # a baseline this many spans away from the rest is named at the edge, not drawn to scale
_WIDTH, _ROW = 320, 32


def colour_of(name: str) -> str:
    """The network's colour, the linear baseline's, or that of guessing."""
    return {"network": NETWORK, "linear": LINEAR}.get(name, PLAIN)


def interval_plots(
    parts: Mapping[str, Mapping[str, Mapping[str, Found]]], *, baseline: str, marked: bool
) -> list[FigureView]:
    """One small figure a metric.

    Arguments:
        parts: part (validation, test) → who (network, linear, …) → metric → value, low and high.
        baseline: the baseline that the scale must show.
        marked: whether the test figures come from rows that were opened before.
    """
    metrics = next(iter(parts.values()))["network"]
    views = []
    for metric in metrics:
        rows = _rows(parts, metric)
        if any(part[1]["value"] is not None for _, found in rows for part in found):
            views.append(_plot(metric, rows, baseline, marked=marked and "test" in parts))
    return views


Row = tuple[str, list[tuple[str, Found]]]


def _rows(parts: Mapping[str, Any], metric: str) -> list[Row]:
    who = list(next(iter(parts.values())))
    return [
        (name, [(part, parts[part][name][metric]) for part in parts if metric in parts[part].get(name, {})])
        for name in who
    ]


def _limits(rows: Sequence[Row], baseline: str) -> tuple[float, float]:
    """The span of the network and its baseline, and of the others where they are near."""
    spans = {name: _span(found) for name, found in rows}
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


def _span(found: Sequence[tuple[str, Found]]) -> tuple[float, float] | None:
    values = [value for _, one in found for value in one.values() if value is not None]
    return (min(values), max(values)) if values else None


def _plot(metric: str, rows: Sequence[Row], baseline: str, *, marked: bool) -> FigureView:
    height = 36 + _ROW * len(rows)

    def draw(figure: Figure) -> None:
        axes = axes_in(
            figure, left=max(70.0, 12 + 6.3 * max(len(name) for name, _ in rows)), bottom=28, right=16, top=8
        )
        limits = _limits(rows, baseline)
        axes.set_xlim(*limits)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_yticks(range(len(rows)), [name for name, _ in rows])
        axes.xaxis.set_major_locator(MaxNLocator(nbins=4, min_n_ticks=2))
        axes.xaxis.set_major_formatter(FuncFormatter(_tick))
        axes.grid(axis="y", visible=False)
        axes.spines["left"].set_visible(False)
        for place, (name, found) in enumerate(rows):
            axes.get_yticklabels()[place].set_color(INK if name == "network" else colour_of(name))
            for (part, one), offset in zip(
                found, np.linspace(-0.19, 0.19, len(found)) if len(found) > 1 else [0.0], strict=True
            ):
                _mark(axes, one, place + offset, metric=metric, colour=colour_of(name), test=part == "test")

    better = "higher is better" if higher_is_better(metric) else "lower is better"
    title = metric_label(metric)
    told = "; ".join(f"{name} {metric_value(metric, found[-1][1]['value'])}" for name, found in rows if found)
    svg = picture(
        f"dots-{metric.replace('_', '-')}",
        draw,
        label=f"{title}, {better}: {told}",
        width=_WIDTH,
        height=height,
    )
    return figure_view(capitalise(title), svg, side=better, marked=marked)


def _tick(value: float, _: int | None = None) -> str:
    return number(round(value, 12))


def _mark(axes: Axes, found: Found, y: float, *, metric: str, colour: str, test: bool) -> None:
    value, low, high = found["value"], found["low"], found["high"]
    if value is None:
        return
    left, right = axes.get_xlim()
    if not left <= value <= right:
        edge, align, text = (left, "left", "‹ {}") if value < left else (right, "right", "{} ›")
        axes.text(
            edge,
            y,
            text.format(metric_value(metric, value)),
            ha=align,
            va="center_baseline",
            color=colour,
            fontsize=10,
        )
        return
    if low is not None and high is not None:
        axes.plot([low, high], [y, y], color=colour, linewidth=2, clip_on=True)
    look: dict[str, Any] = {"markerfacecolor": colour} if test else {"markerfacecolor": PAPER}
    axes.plot(
        [value],
        [y],
        "D" if test else "o",
        color=colour,
        markersize=6 if test else 7,
        markeredgewidth=1.8,
        markeredgecolor=colour,
        **look,
    )
