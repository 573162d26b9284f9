"""The pictures that models, rules and tasks hand over: one look for each form of `components.pictures`."""

from dataclasses import replace
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from handrail.components.pictures import Cells, Lines, Picture, Points, Tiles
from handrail.report.figures.cells import cells_figure
from handrail.report.figures.style import (
    INK,
    PLAIN,
    SERIES,
    FigureView,
    Key,
    axes_in,
    figure_view,
    number_format,
    picture,
    widen,
)
from handrail.report.figures.tiles import WIDTH, Line, Tile, grid, image

_MOST_POINTS, _FEW_POINTS = 1000, 30
_MOST_KEYS = 20
_WIDE, _FEW_COLUMNS = 680, 4


def named_picture(shown: Picture, name: str, *, marked: bool = False) -> FigureView:
    """A figure for the page.

    Arguments:
        name: unique among the pictures of the page.
        marked: drawn from test rows that were opened before.
    """
    match shown:
        case Points():
            return _points(shown, name, marked=marked)
        case Tiles():
            return _tiles(shown, name, marked=marked)
        case Lines():
            return _lines(shown, name, marked=marked)
        case Cells():
            return cells_figure(shown, name, marked=marked)


def _colour(group: int) -> str:
    return PLAIN if group < 0 else SERIES[group % len(SERIES)]


def _points(shown: Points, name: str, *, marked: bool) -> FigureView:
    places, groups = shown.places, shown.groups
    note = shown.note
    if len(places) > _MOST_POINTS:
        chosen = np.linspace(0, len(places) - 1, _MOST_POINTS).round().astype(int)
        places, groups = places[chosen], groups[chosen]
        note = f"{note} {_MOST_POINTS:,} of {len(shown.places):,} rows are shown.".strip()
    plot = picture(
        name,
        partial(_draw_points, shown, places, groups),
        label=f"{shown.title}: {len(places):,} points in {len(np.unique(groups))} groups",
        height=320,
    )
    there = [group for group in np.unique(groups).tolist() if group >= 0]
    keys = [
        Key(shown.names[group], _colour(group), "dot") for group in there[:20] if group < len(shown.names)
    ]
    keys += [Key("centre", INK, "diamond")] if shown.marks is not None else []
    return figure_view(shown.title, plot, note=note, keys=tuple(keys), marked=marked)


def _draw_points(shown: Points, places: np.ndarray, groups: np.ndarray, figure: Figure) -> None:
    axes, size = axes_in(figure, left=52), 4.5 if len(places) > _FEW_POINTS else 7.0
    for group in np.unique(groups).tolist():
        of = groups == group
        axes.plot(places[of, 0], places[of, 1], "o", color=_colour(group), alpha=0.6, markersize=size)
    if shown.marks is not None:
        axes.plot(shown.marks[:, 0], shown.marks[:, 1], "D", color=INK, markersize=6)
    if shown.fields is not None and shown.corners is not None:
        _draw_lines_between(axes, shown.fields, shown.corners)
    _finish(axes, shown.axes)


def _draw_lines_between(axes: Axes, fields: np.ndarray, corners: np.ndarray) -> None:
    up, across = fields.shape[1:]
    (left, below), (right, above) = corners.tolist()
    x, y = np.linspace(left, right, across), np.linspace(below, above, up)
    for field in fields:
        if field.min() < 0 < field.max():
            axes.contour(x, y, field, levels=[0.0], colors=[INK], linewidths=1.2)
    axes.set(xlim=(left, right), ylim=(below, above))


def _finish(axes: Axes, names: tuple[str, str]) -> None:
    axes.set(xlabel=names[0], ylabel=names[1])
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(nbins=5))
        axis.set_major_formatter(number_format())


def _lines(shown: Lines, name: str, *, marked: bool) -> FigureView:
    def draw(figure: Figure) -> None:
        axes = axes_in(figure, left=58)
        for place, values in enumerate(shown.curves.values()):
            axes.plot(shown.x, values, color=_colour(place))
        axes.set_xlim(*widen(float(np.min(shown.x)), float(np.max(shown.x)), 0.02))
        _finish(axes, shown.axes)
        if np.array_equal(shown.x, np.round(shown.x)):  # epochs and the like
            axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))

    plot = picture(name, draw, label=f"{shown.title}: {len(shown.curves)} curves")
    keys = tuple(Key(label, _colour(place)) for place, label in enumerate(shown.curves))
    return figure_view(shown.title, plot, note=shown.note, keys=keys, marked=marked)


def _tiles(shown: Tiles, name: str, *, marked: bool) -> FigureView:
    height, width = shown.pictures.shape[-2:]
    drawn = _to_bytes(shown.pictures, signed=shown.signed).reshape(len(shown.pictures), -1, height, width)
    captions = shown.captions or ("",) * len(drawn)
    tiles = [
        Tile((image(pixels),), height / width, (Line(text),) if text else ())
        for pixels, text in zip(drawn, captions, strict=True)
    ]
    columns = min(shown.columns, len(tiles))
    wide = columns > _FEW_COLUMNS
    size = _WIDE if wide else WIDTH
    plot = grid(name, tiles, label=shown.title, columns=columns, width=size, headings=shown.headings)
    return replace(figure_view(shown.title, plot, note=shown.note, marked=marked), wide=wide)


def _to_bytes(pictures: np.ndarray, *, signed: bool) -> np.ndarray:
    values = np.nan_to_num(pictures.astype(np.float64))
    low, high = float(values.min()), float(values.max())
    if signed:
        high = max(abs(low), abs(high))
        low = -high
    return ((values - low) / max(high - low, 1e-12) * 255).round().astype(np.uint8)
