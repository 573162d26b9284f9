"""Regression: answers against the truth, and residuals."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from handrail.evaluation.metrics import Predictions
from handrail.report.figures.style import (
    LINEAR,
    NETWORK,
    PLAIN,
    FigureView,
    axes_in,
    figure_view,
    number_format,
    picture,
    widen,
)
from handrail.report.wording import number

MOST_OUTPUTS = 6
_MOST_POINTS = 1000


def regression_plots(
    predictions: Predictions, targets: list[str], part: str, *, marked: bool = False
) -> list[FigureView]:
    """Two figures for each of the first six outputs."""
    assert predictions.values is not None
    views = []
    for place, target in enumerate(targets[:MOST_OUTPUTS]):
        truth = predictions.truth[:, place].astype(np.float64)
        answer = predictions.values[:, place].astype(np.float64)
        finite = np.isfinite(truth) & np.isfinite(answer)
        if finite.any():
            name = "" if len(targets) == 1 else f", {target}"
            views += _both(truth[finite], answer[finite], name, f"{part}-{place}", part, marked=marked)
    return views


def _both(
    truth: np.ndarray, answer: np.ndarray, name: str, key: str, part: str, *, marked: bool
) -> list[FigureView]:
    residual = answer - truth
    middle = float(np.median(residual))
    against = picture(
        f"against-{key}",
        lambda figure: _against(axes_in(figure, left=68), truth, answer),
        label=f"Answers against the truth for {len(truth):,} {part} rows",
        height=300,
    )
    deviation = f"standard deviation {number(float(residual.std()))}"
    residuals = picture(
        f"residuals-{key}",
        lambda figure: _histogram(axes_in(figure), residual, middle),
        label=f"Distribution of the residuals of {part} rows: median {number(middle)}, {deviation}",
        height=300,
    )
    shades = "The stronger the colour, the more rows. " if len(truth) > _MOST_POINTS else ""
    note = f"Answer − truth: median {number(middle)} (line), {deviation}.{_beyond(residual)}"
    dotted = f"{shades}Dotted: answer = truth."
    return [
        figure_view(f"Answer against truth{name}", against, note=dotted, marked=marked),
        figure_view(f"Residuals{name}", residuals, note=note, marked=marked),
    ]


def _against(axes: Axes, truth: np.ndarray, answer: np.ndarray) -> None:
    low, high = min(truth.min(), answer.min()), max(truth.max(), answer.max())
    ends = widen(low, high, 0.04)
    if len(truth) > _MOST_POINTS:
        _hexagons(axes, truth, answer, ends)
    else:
        axes.plot(truth, answer, "o", color=NETWORK, alpha=0.45, markersize=5)
    axes.plot(ends, ends, color=PLAIN, linewidth=1.2, dashes=(2, 3))
    axes.set(xlim=ends, ylim=ends, xlabel="truth", ylabel="answer")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(nbins=5))
        axis.set_major_formatter(number_format())


def _hexagons(axes: Axes, truth: np.ndarray, answer: np.ndarray, ends: tuple[float, float]) -> None:
    """Hexagons of one colour, so that the page can choose it; opacity grows with the log of the count."""
    hexagons = axes.hexbin(truth, answer, gridsize=34, extent=(*ends, *ends), mincnt=1, linewidths=0.0)
    counts = np.asarray(hexagons.get_array(), dtype=np.float64)
    hexagons.set_array(None)
    hexagons.set_facecolor(NETWORK)
    hexagons.set_edgecolor("none")
    opacity = 0.14 + 0.86 * np.log1p(counts) / np.log1p(counts.max())
    hexagons.set_alpha(np.round(opacity, 2))  # pyright: ignore[reportArgumentType]


def _histogram(axes: Axes, residual: np.ndarray, middle: float) -> None:
    bins = int(np.clip(np.sqrt(len(residual)), 8, 40))
    low, high = _frame(residual)
    counts, edges = np.histogram(residual, bins=bins, range=(low, high))
    axes.bar(edges[:-1], counts, width=np.diff(edges) * 0.92, align="edge", color=NETWORK, alpha=0.7)
    axes.axvline(0, color=PLAIN, linewidth=1.2, dashes=(2, 3))
    axes.axvline(middle, color=LINEAR, linewidth=1.4)
    axes.set(xlabel="answer − truth", ylabel="rows", xlim=(low, high))
    axes.grid(axis="x", visible=False)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5))
    axes.xaxis.set_major_formatter(number_format())


def _frame(residual: np.ndarray) -> tuple[float, float]:
    """The middle 99 % and a margin: a few huge residuals would squeeze the rest into one bar."""
    few = len(residual) <= 100
    low, high = (residual.min(), residual.max()) if few else np.quantile(residual, [0.005, 0.995])
    low, high = min(float(low), 0.0), max(float(high), 0.0)
    margin = 0.08 * ((high - low) or 1.0)
    return low - margin, high + margin


def _beyond(residual: np.ndarray) -> str:
    low, high = _frame(residual)
    outside = int(((residual < low) | (residual > high)).sum())
    return f" {outside:,} {'row lies' if outside == 1 else 'rows lie'} beyond the axis." if outside else ""
