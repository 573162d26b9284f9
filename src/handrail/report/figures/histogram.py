"""How a figure is spread over the rows of a part."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from handrail.report.figures.figure import FigureView, figure_view
from handrail.report.figures.style import LINEAR, NETWORK, axes_in, picture
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
    """A histogram with its median; nothing where no value is defined.

    Arguments:
        axis: what is counted, with its unit.
        rows: what the rows are: images, windows.
        whole: whether values are counts, which have bars of their own where they are few.
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
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(round(value, 12))))

    label = f"{title}: {len(values):,} {rows}, median {number(middle)}"
    note = f"Line: the median, {number(middle)}; from {number(float(values.min()))} to {number(float(values.max()))}."
    return [figure_view(title, picture(name, draw, label=label), note=note, marked=marked)]


def _edges(values: np.ndarray, *, whole: bool) -> np.ndarray:
    low, high = float(values.min()), float(values.max())
    if whole and high - low < 40:
        return np.arange(low - 0.5, high + 1)
    bins = int(np.clip(np.sqrt(len(values)) * 1.5, 8, 40))
    margin = 0.0 if high > low else 0.5 * (abs(high) or 1.0)
    return np.linspace(low - margin, high + margin, bins + 1)
