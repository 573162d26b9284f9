"""Figures of a search: parallel coordinates of all settings, and the metric against each setting."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter, NullLocator

from handrail.report import wording
from handrail.report.figures.intervals import colour_of
from handrail.report.figures.style import (
    INK,
    LINE,
    LINEAR,
    MUTED,
    NETWORK,
    PAPER,
    FigureView,
    Key,
    axes_in,
    figure_view,
    picture,
)
from handrail.report.wording import setting_value, short_names
from handrail.tools.words import plural

_MOST_LINES = 500
_MOST_AXES = 9
_MOST_WORDS = 14  # characters of a value beside an axis


@dataclass(frozen=True)
class Scale:
    """Where a setting's values lie on its axis, and the labels there."""

    name: str
    places: np.ndarray
    ticks: tuple[tuple[float, str], ...]
    logarithmic: bool = False
    numeric: bool = True


def parallel_coordinates(summary: Mapping[str, Any]) -> list[FigureView]:
    """A line per trial through all settings to its metric; no figure if only one setting varies."""
    rows = [row for row in summary["table"] if not row["failure"]][:_MOST_LINES]
    scales = _scales(summary, rows)[: _MOST_AXES - 1]
    if len(scales) < 2 or len(rows) < 2:
        return []
    axes_shown = [*scales, _metric_scale(summary, rows)]
    heights = np.array([_unit(scale, scale.places) for scale in axes_shown]).T

    def draw(figure: Figure) -> None:
        axes = axes_in(figure, left=54, right=62, bottom=30, top=14)
        for (colour, width, alpha), chosen in _looks(rows):
            # Lines of one look are one curve with gaps: drawn in a tenth of the time.
            gaps = np.full((len(chosen), 1), np.nan)
            across = np.tile([*range(len(axes_shown)), len(axes_shown)], len(chosen))
            up = np.hstack([heights[chosen], gaps]).ravel()
            axes.plot(across, up, color=colour, linewidth=width, alpha=alpha)
        for place, scale in enumerate(axes_shown):
            _upright(axes, place, scale, last=place == len(axes_shown) - 1)
        axes.set(xlim=(-0.02, len(axes_shown) - 0.98), ylim=(-0.04, 1.04))
        axes.xaxis.set_major_locator(FixedLocator(range(len(axes_shown))))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda tick, _: axes_shown[round(tick)].name))
        axes.yaxis.set_major_locator(NullLocator())
        axes.grid(visible=False)
        for spine in axes.spines.values():
            spine.set_visible(False)

    label = f"Parallel coordinates of {len(rows)} trials over {len(scales)} settings"
    label += f"; best is trial {summary['best']}"
    note = "Each line is a trial; the last axis is its metric on validation rows."
    cut = len(summary["space"]) - len(scales)
    note += f" {plural(cut, 'setting')} more not shown." if cut > 0 else ""
    svg = picture("search-parallel", draw, label=label, width=720, height=330)
    return [replace(figure_view("All settings together", svg, note=note, keys=_keys(summary)), wide=True)]


def slices(summary: Mapping[str, Any]) -> list[FigureView]:
    """For each setting, the metric of every trial against its value."""
    rows = [row for row in summary["table"] if not row["failure"]][:_MOST_LINES]
    return [_slice(summary, rows, scale, place) for place, scale in enumerate(_scales(summary, rows))]


def _slice(
    summary: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], scale: Scale, number: int
) -> FigureView:
    metric = summary["metric"]

    def draw(figure: Figure) -> None:
        axes = axes_in(figure, left=54)
        values = np.array([row["value"] for row in rows])
        for (colour, width, alpha), chosen in _looks(rows):
            size = 3 + 1.6 * width
            look: dict[str, Any] = {"markersize": size, "alpha": max(alpha, 0.55)}
            axes.plot(scale.places[chosen], values[chosen], "o", color=colour, **look)
        for name, baseline in summary["baselines"].items():
            colour = colour_of(name)
            axes.axhline(baseline["value"], color=colour, linewidth=1.2, dashes=(4, 3), zorder=0.5)
        if scale.logarithmic:
            axes.set_xscale("log")
        axes.xaxis.set_major_locator(FixedLocator([tick for tick, _ in scale.ticks]))
        texts = dict(scale.ticks)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda tick, _: texts.get(tick, "")))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_major_locator(MaxNLocator(nbins=6))
        axes.margins(x=0.08, y=0.08)
        axes.set(ylabel=wording.metric_label(metric))

    what = wording.metric_label(metric)
    label = f"{what} of {len(rows)} trials against {scale.name}"
    baselines = tuple(Key(f"{name} baseline", colour_of(name), "dashes") for name in summary["baselines"])
    return figure_view(scale.name, picture(f"search-slice-{number}", draw, label=label), keys=baselines)


def _looks(rows: Sequence[Mapping[str, Any]]) -> list[tuple[tuple[str, float, float], list[int]]]:
    """Colour, width and opacity with their rows: other trials, those within noise of the best, the best."""
    best = [place for place, row in enumerate(rows) if row["rank"] == 1]
    alike = [place for place, row in enumerate(rows) if row["within_noise"] and row["rank"] > 1]
    others = [place for place, row in enumerate(rows) if not row["within_noise"] and row["rank"] > 1]
    looks = [((MUTED, 0.8, 0.28), others), ((NETWORK, 1.3, 0.6), alike), ((LINEAR, 2.6, 1.0), best)]
    return [(look, chosen) for look, chosen in looks if chosen]


def _keys(summary: Mapping[str, Any]) -> tuple[Key, ...]:
    keys = [Key(f"best: trial {summary['best']}", LINEAR)]
    keys += [Key("within noise of the best", NETWORK)] if len(summary["within_noise"]) > 1 else []
    return (*keys, Key("others", MUTED))


def _scales(summary: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> list[Scale]:
    short = short_names(list(summary["space"]))
    scales = []
    for name, dimension in summary["space"].items():
        settings = [row["settings"][name] for row in rows]
        if len({setting_value(setting) for setting in settings}) > 1:
            scales.append(_scale(short[name], dimension, settings))
    return scales


def _scale(name: str, dimension: Mapping[str, Any], settings: Sequence[Any]) -> Scale:
    choices, numbers = "choices" in dimension, all(_is_number(setting) for setting in settings)
    if not numbers or (choices and 0 in settings and _wide(settings)):
        return _by_order(name, dimension, settings)
    places = np.array(settings, dtype=np.float64)
    logarithmic = dimension.get("log", False) or (choices and _wide(settings) and places.min() > 0)
    few = sorted(set(places.tolist()))
    marks = few if len(few) <= 5 else _marks(places, logarithmic=logarithmic)
    ticks = tuple((mark, setting_value(int(mark) if mark == int(mark) else mark)) for mark in marks)
    return Scale(name, places, ticks, logarithmic)


def _by_order(name: str, dimension: Mapping[str, Any], settings: Sequence[Any]) -> Scale:
    """Settings that are not numbers, or fit no scale (0, 0.0001, 0.1): evenly spaced, in their order."""
    texts = [setting_value(setting) for setting in settings]
    numbers = all(_is_number(setting) for setting in settings)
    order = sorted(dict.fromkeys(texts), key=float if numbers else texts.index)
    if "choices" in dimension and not numbers:
        choices = [setting_value(choice) for choice in dimension["choices"]]
        order = [text for text in choices if text in order] or order
    places = {text: float(place) for place, text in enumerate(order)}
    short = [text if len(text) <= _MOST_WORDS else f"{text[: _MOST_WORDS - 1]}…" for text in order]
    ticks = tuple((float(place), text) for place, text in enumerate(short))
    return Scale(name, np.array([places.get(text, 0.0) for text in texts]), ticks, numeric=False)


def _is_number(setting: Any) -> bool:
    return isinstance(setting, int | float) and not isinstance(setting, bool)


def _wide(settings: Sequence[Any]) -> bool:
    positive = [setting for setting in settings if setting > 0]
    return bool(positive) and max(positive) >= 30 * min(positive)


def _marks(places: np.ndarray, *, logarithmic: bool) -> list[float]:
    low, high = float(places.min()), float(places.max())
    if logarithmic:
        first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
        powers = [10.0**power for power in range(first, last + 1)]
        return powers if len(powers) > 1 else sorted({low, *powers, high})
    return [float(mark) for mark in MaxNLocator(nbins=4).tick_values(low, high) if low <= mark <= high]


def _metric_scale(summary: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Scale:
    metric = summary["metric"]
    places = np.array([row["value"] for row in rows])
    low, high = float(places.min()), float(places.max())
    marks = np.linspace(low, high, 5) if high > low else [low]
    ticks = tuple((float(mark), wording.metric_value(metric, mark)) for mark in marks)
    return Scale(wording.metric_label(metric), places, ticks)


def _unit(scale: Scale, values: np.ndarray) -> np.ndarray:
    edges = scale.places if scale.numeric else np.array([tick for tick, _ in scale.ticks])
    change = np.log if scale.logarithmic else np.asarray
    low, high = float(change(edges.min())), float(change(edges.max()))
    return (change(values) - low) / (high - low) if high > low else np.full(len(values), 0.5)


def _upright(axes: Axes, place: int, scale: Scale, *, last: bool) -> None:
    axes.plot([place, place], [0, 1], color=LINE, linewidth=1.2, zorder=0.6)
    heights = _unit(scale, np.array([tick for tick, _ in scale.ticks]))
    for height, (_, text) in zip(heights, scale.ticks, strict=True):
        x, side = (place + 0.03, "left") if last else (place - 0.03, "right")
        plate = {"facecolor": PAPER, "edgecolor": "none", "pad": 0.8, "alpha": 0.85}
        look: dict[str, Any] = {"ha": side, "va": "center", "fontsize": 10, "color": INK, "bbox": plate}
        axes.text(x, float(height), text, zorder=3, **look)
