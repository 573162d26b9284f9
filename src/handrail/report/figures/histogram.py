"""Histograms of a value over the rows of a part."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from handrail.report.figures.style import (
    LINEAR,
    NETWORK,
    FigureView,
    axes_in,
    figure_view,
    number_format,
    picture,
)
from handrail.report.wording import number


def histogram_plot(
    values: np.ndarray,
    *,
    title: str,
    axis: str,
    rows: str,
    name: str,
    whole: bool = False,
    marked: bool = False,
) -> list[FigureView]:
    """A histogram with its median; no figure if no value is defined.

    Arguments:
        axis: the quantity with its unit.
        rows: what the rows are called: images, windows.
        whole: values are counts: one bar for each if there are few.
    """
    values = values[np.isfinite(values)]
    if not len(values):
        return []
    middle = float(np.median(values))
    edges = _edges(values, whole=whole)

    def draw(figure: Figure) -> None:
        axes = axes_in(figure)
        counts, _ = np.histogram(values, bins=edges)
        axes.bar(edges[:-1], counts, width=np.diff(edges) * 0.92, align="edge", color=NETWORK, alpha=0.7)
        axes.axvline(middle, color=LINEAR, linewidth=1.4)
        axes.set(xlabel=axis, ylabel=rows)
        axes.grid(axis="x", visible=False)
        axes.yaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=whole))
        axes.xaxis.set_major_formatter(number_format())

    label = f"{title}: {len(values):,} {rows}, median {number(middle)}"
    low, high = number(float(values.min())), number(float(values.max()))
    note = f"Line: the median, {number(middle)}; from {low} to {high}."
    return [figure_view(title, picture(name, draw, label=label), note=note, marked=marked)]


def _edges(values: np.ndarray, *, whole: bool) -> np.ndarray:
    low, high = float(values.min()), float(values.max())
    if whole and high - low < 40:
        return np.arange(low - 0.5, high + 1)
    bins = int(np.clip(np.sqrt(len(values)) * 1.5, 8, 40))
    margin = 0.0 if high > low else 0.5 * (abs(high) or 1.0)
    return np.linspace(low - margin, high + margin, bins + 1)
