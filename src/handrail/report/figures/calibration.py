"""The reliability diagram: do probabilities match frequencies?"""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from handrail.evaluation.calibration import Reliability, reliability
from handrail.evaluation.metrics import Predictions
from handrail.report.figures.style import NETWORK, PLAIN, FigureView, figure_view, picture

_Z = 1.96


def reliability_plot(
    predictions: Predictions, part: str, note: str = "", *, marked: bool = False
) -> FigureView:
    """Accuracy against confidence, with 95 % intervals, above a histogram of confidences."""
    bins = reliability(predictions)
    filled = bins.count > 0

    def draw(figure: Figure) -> None:
        upper = figure.add_axes((0.135, 0.36, 0.83, 0.6))
        lower = figure.add_axes((0.135, 0.13, 0.83, 0.17))
        upper.plot([0, 1], [0, 1], color=PLAIN, linewidth=1, dashes=(2, 3), zorder=0.5)
        low, high = wilson(bins.accuracy[filled], bins.count[filled])
        upper.vlines(bins.confidence[filled], low, high, color=NETWORK, linewidth=1.6, alpha=0.45)
        upper.plot(bins.confidence[filled], bins.accuracy[filled], "o", color=NETWORK, markersize=6.5)
        widths = np.diff(bins.edges)
        lower.bar(bins.edges[:-1] + widths / 2, bins.count, width=widths * 0.86, color=NETWORK, alpha=0.55)
        first = float(bins.edges[np.argmax(filled)])
        for axes in (upper, lower):
            axes.set_xlim(max(0.0, first - 0.03), 1.02)
            axes.xaxis.set_major_locator(MultipleLocator(0.1 if first > 0.4 else 0.2))
        upper.set_ylim(-0.02, 1.03)
        upper.set_xticklabels([])
        upper.set_ylabel("share right")
        lower.set_ylabel("decisions")
        lower.set_xlabel("confidence")
        lower.grid(axis="x", visible=False)
        lower.yaxis.set_major_locator(_two_ticks(int(bins.count.max(initial=1))))

    label = f"Reliability diagram on {part} rows: {_summary(bins)}"
    svg = picture(f"reliability-{part}", draw, label=label, height=300)
    text = f"On the dotted line, confidence equals accuracy. Bars: 95 % intervals. {note}".rstrip()
    return figure_view("Reliability", svg, note=text, marked=marked)


def _two_ticks(most: int) -> MultipleLocator:
    digits = 10 ** (len(str(most)) - 1)
    return MultipleLocator(max(1, most // digits * digits))


def _summary(bins: Reliability) -> str:
    filled = np.flatnonzero(bins.count > 0)
    if not len(filled):
        return "no decisions"
    most = filled[-1]
    confidence, right = f"{bins.confidence[most]:.2f}", f"{bins.accuracy[most]:.0%}"
    return f"{bins.count[most]:,} decisions at confidence {confidence} are right in {right}"


def wilson(share: np.ndarray, count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The 95 % interval of a share among `count` cases: (p + z²/2n ± z √(p(1−p)/n + z²/4n²)) / (1 + z²/n).

    Source: Wilson 1927
    """
    centre = share + _Z**2 / (2 * count)
    half = _Z * np.sqrt(share * (1 - share) / count + _Z**2 / (4 * count**2))
    scale = 1 + _Z**2 / count
    return (centre - half) / scale, (centre + half) / scale
