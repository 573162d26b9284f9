"""Series over time: forecasts beside the truth and the baseline, and a sample of series."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from handrail.report.figures.style import (
    INK,
    LINE,
    MUTED,
    NETWORK,
    PLAIN,
    SERIES,
    FigureView,
    Key,
    axes_in,
    figure_view,
    number_format,
    picture,
    thin,
    variable,
    widen,
)
from handrail.report.figures.tiles import WIDTH, cut, text_line
from handrail.report.wording import number
from handrail.tools.words import plural

MOST_SERIES = 6
MOST_PANELS = 12
_MOST_HISTORY = 4  # horizons of history that are shown


def forecast_plots(
    history: np.ndarray,
    truth: np.ndarray,
    answer: np.ndarray,
    baseline: np.ndarray,
    names: Sequence[str],
    *,
    name: str = "forecast",
    kind: str = "forecast",
    marked: bool = False,
) -> list[FigureView]:
    """A figure for each of the first six series: history, truth, the network's and the baseline's forecast.

    Arguments:
        history: `[steps, series]` before the forecast; the end of a long one is shown.
        truth, answer, baseline: `[horizon, series]`.
        names: of the series.
        kind: `forecast` or `free run`.
    """
    return [
        _forecast(
            *(part[:, place].astype(np.float64) for part in (history, truth, answer, baseline)),
            title=f"{kind.capitalize()} of {names[place]}",
            name=f"{name}-{place}",
            marked=marked,
        )
        for place in range(min(truth.shape[1], MOST_SERIES))
    ]


def _forecast(
    history: np.ndarray,
    truth: np.ndarray,
    answer: np.ndarray,
    baseline: np.ndarray,
    *,
    title: str,
    name: str,
    marked: bool,
) -> FigureView:
    horizon = len(truth)
    history = history[-min(max(_MOST_HISTORY * horizon, 8), len(history)) :]
    before, ahead = np.arange(-len(history) + 1, 1), np.arange(1, horizon + 1)

    def draw(figure: Figure) -> None:
        axes = axes_in(figure, left=52)
        axes.axvspan(0, horizon, color=LINE, alpha=0.45, linewidth=0, zorder=0)
        marker = "o" if horizon == 1 else ""
        axes.plot(*thin(before, history), color=MUTED, linewidth=1.4)
        for values, colour, dashes, order in (
            (baseline, PLAIN, (2, 2), 2.0),
            (truth, INK, (None, None), 2.2),
            (answer, NETWORK, (None, None), 2.4),
        ):
            curve = thin(np.append(0, ahead), np.append(history[-1:], values))
            look: dict[str, Any] = {"linewidth": 2.0 if colour == NETWORK else 1.4, "markevery": [-1]}
            axes.plot(*curve, color=colour, dashes=dashes, marker=marker, zorder=order, **look)
        _time(axes)
        axes.set_xlim(before[0], horizon)

    own, other = (number(float(np.abs(values - truth).mean())) for values in (answer, baseline))
    label = f"Forecast of {plural(horizon, 'step')}: mean error {own}, of the baseline {other}"
    keys = (Key("truth", INK), *_error_keys(own, other))
    note = "Numbers: mean absolute error of this forecast. The shaded part lay in the future."
    svg = picture(name, draw, label=label)
    return figure_view(title, svg, keys=keys, note=note, marked=marked)


def _error_keys(network: str, baseline: str) -> tuple[Key, Key]:
    return Key("network", NETWORK, "line", network), Key("seasonal naive", PLAIN, "dashes", baseline)


def horizon_plot(
    network: np.ndarray, naive: np.ndarray, *, series: str, name: str = "horizon", marked: bool = False
) -> FigureView:
    """The mean absolute error `[horizon]` of each step ahead, over all windows of a part."""
    ahead = np.arange(1, len(network) + 1)

    def draw(figure: Figure) -> None:
        axes = axes_in(figure, left=52)
        axes.plot(ahead, naive, color=PLAIN, dashes=(2, 2), linewidth=1.4)
        axes.plot(ahead, network, color=NETWORK, linewidth=2.0)
        _time(axes)
        axes.set(xlabel="steps ahead", xlim=(1, len(ahead)), ylim=(0, None))

    means = number(float(network.mean())), number(float(naive.mean()))
    label = f"Mean absolute error by step ahead: the network's mean {means[0]}, the baseline's {means[1]}"
    note = "Mean absolute error over all windows of these rows; numbers: over all steps."
    svg = picture(name, draw, label=label)
    return figure_view(
        f"Error by step ahead, {series}", svg, keys=_error_keys(*means), note=note, marked=marked
    )


def _time(axes: Axes) -> None:
    axes.set_xlabel("steps from now")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6))
    axes.grid(axis="x", visible=False)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(number_format())


def series_plot(
    series: Sequence[np.ndarray], titles: Sequence[str] = (), *, name: str = "series", width: int = WIDTH
) -> FigureView:
    """A sample of series, each in its own panel, all on one scale, with a colour per channel.

    Arguments:
        series: `[channels, length]` each; lengths may differ; the first 12 are shown.
        titles: one per series, such as its class.
    """
    shown = [np.atleast_2d(values).astype(np.float64) for values in series[:MOST_PANELS]]
    columns = max(1, round(3 * width / WIDTH))
    rows = max(1, -(-len(shown) // columns))
    side, tall, head = (width - 10 * (columns - 1)) / columns, 74.0, 17.0
    height = round(rows * (tall + head) + 8 * (rows - 1))
    places = [
        (at % columns * (side + 10), at // columns * (tall + head + 8) + head) for at in range(len(shown))
    ]
    low, high = _extent(shown)

    def draw(figure: Figure) -> None:
        for channels, (left, top) in zip(shown, places, strict=True):
            axes = figure.add_axes((left / width, 1 - (top + tall) / height, side / width, tall / height))
            for place, channel in enumerate(channels):
                colour = NETWORK if len(channels) == 1 else SERIES[place % len(SERIES)]
                axes.plot(*thin(np.arange(channel.size), channel, 160), color=colour, linewidth=1.3)
            axes.set(ylim=(low, high), xticks=[], yticks=[])

    label = f"A sample of {plural(len(shown), 'series', 'series')} between {number(low)} and {number(high)}"
    svg = picture(name, draw, label=label, width=width, height=height)
    captions = [
        text_line(cut(text, side), left, top - 5, f"fill: {variable(MUTED)}")
        for text, (left, top) in zip(titles[:MOST_PANELS], places, strict=False)
    ]
    note = f"All panels reach from {number(low)} to {number(high)}; time runs to the right."
    svg = svg.removesuffix("</svg>") + "".join(captions) + "</svg>"
    return figure_view("Training series", svg, note=note)


def _extent(series: Sequence[np.ndarray]) -> tuple[float, float]:
    """The quantiles 0.001 and 0.999 of all values, with a margin."""
    values = np.concatenate([channels.ravel() for channels in series]) if series else np.zeros(1)
    values = values[np.isfinite(values)]
    low, high = (float(edge) for edge in np.quantile(values, [0.001, 0.999])) if len(values) else (0.0, 1.0)
    return widen(low, high)
