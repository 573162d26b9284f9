"""Maps of units, square or hexagonal, each beside its colour bar, as SVG."""

from collections.abc import Sequence
from dataclasses import replace

import matplotlib
import numpy as np
from jaxtyping import Float, Int
from matplotlib.colors import to_hex

from handrail.components.pictures import Cells
from handrail.report.figures.style import LINE, MUTED, SERIES, FigureView, Key, figure_view, variable
from handrail.report.figures.tiles import WIDTH, Frame, Layer, Line, Tile, cut, grid, text_line
from handrail.report.wording import number

_WIDE, _FEW_COLUMNS = 680, 2
_LEVELS, _BAR = 32, 0.06  # shades, and the height of the bar as a share of the map's width
_MOST_KEYS = 20
_LEFT = 0.34  # of the width of a matrix are the names of its rows
_EDGE = "stroke-width: 0.5"  # of the colour of a unit, so that no gap shows
_SIX = np.array([[0.0, -1.0], [0.5, -0.5], [0.5, 0.5], [0.0, 1.0], [-0.5, 0.5], [-0.5, -0.5]])
_FOUR = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])
Corners = Float[np.ndarray, "units corners 2"]


def cells_figure(shown: Cells, name: str, *, marked: bool) -> FigureView:
    """A figure of maps; see `named_picture`."""
    corners, aspect = _corners(*shown.values.shape[1:], hexagonal=shown.hexagonal)
    captions = shown.captions or ("",) * len(shown.values)
    tiles = [
        _name_sides(_tile(values.flatten(), corners, aspect, caption, groups=bool(shown.names)), shown.sides)
        for values, caption in zip(shown.values, captions, strict=True)
    ]
    columns = min(shown.columns, len(tiles))
    wide = columns > _FEW_COLUMNS
    drawn = grid(name, tiles, label=shown.title, columns=columns, width=_WIDE if wide else WIDTH, gap=12)
    there = np.unique(shown.values[shown.values >= 0]).astype(int).tolist() if shown.names else []
    keys = tuple(Key(shown.names[group], _colour(group), "dot") for group in there[:_MOST_KEYS])
    return replace(figure_view(shown.title, drawn, note=shown.note, keys=keys, marked=marked), wide=wide)


def _colour(group: int) -> str:
    return SERIES[group % len(SERIES)]


def _corners(height: int, width: int, *, hexagonal: bool) -> tuple[Corners, float]:
    """The corners of each unit as shares of the map's width, and the map's height as such a share."""
    rows, columns = np.divmod(np.arange(height * width), width)
    if not hexagonal:
        middles, shape, across, down = np.stack([columns, rows], axis=1) + 0.5, _FOUR, width, height
    else:
        side = 1 / 3**0.5  # of a hexagon that is 1 wide
        middles = np.stack([columns + 0.5 + 0.5 * (rows % 2), side * (1 + 1.5 * rows)], axis=1)
        shape = _SIX * [1, side]
        across, down = width + 0.5 * (height > 1), side * (0.5 + 1.5 * height)
    return (middles[:, None] + shape) / across, down / across


def _tile(
    values: Float[np.ndarray, " units"], corners: Corners, aspect: float, caption: str, *, groups: bool
) -> Tile:
    known, lines = np.isfinite(values), (Line(caption, strong=True),) if caption else ()
    if groups:
        codes = values.astype(np.int64)
        fills = {code: variable(_colour(code)) for code in np.unique(codes[codes >= 0]).tolist()}
        return Tile((_draw(corners, codes, fills),), aspect, lines)
    low, high = (float(values[known].min()), float(values[known].max())) if known.any() else (0.0, 0.0)
    shares = (np.where(known, values, low) - low) / ((high - low) or 1.0)
    codes = np.where(known, (shares * (_LEVELS - 1)).round(), -1).astype(np.int64)
    colours = matplotlib.colormaps["viridis"](np.linspace(0, 1, _LEVELS))
    fills = {level: to_hex(colour) for level, colour in enumerate(colours)}
    steps = np.arange(_LEVELS)
    bar = np.stack(
        [(steps[:, None] + [0, 1, 1, 0]) / _LEVELS, np.tile([0, 0, 1, 1], (_LEVELS, 1)) * _BAR], axis=2
    )
    layers = _draw(corners, codes, fills), _draw(bar + np.array([0, aspect + _BAR / 2]), steps, fills)
    scale = Line(f"{number(low)} to {number(high)}")
    return Tile(layers, aspect + 1.5 * _BAR, (*lines, scale))


def _name_sides(tile: Tile, names: Sequence[str]) -> Tile:
    """With the number and name of each row on its left, and the numbers of the columns above."""
    if not names:
        return tile
    share, top = 1 - _LEFT, (1 - _LEFT) / len(names)

    def shift(layer: Layer) -> Layer:
        return lambda frame: layer(
            replace(
                frame,
                x=frame.x + _LEFT * frame.width,
                y=frame.y + top * frame.width,
                width=share * frame.width,
            )
        )

    def write(frame: Frame) -> str:
        side, left = top * frame.width, _LEFT * frame.width
        size, style = min(11.0, 0.9 * side), f"fill: {variable(MUTED)}"
        texts = []
        for place, name in enumerate(names):
            row = cut(f"{place + 1} {name}", left - 8, size=size)
            middle = frame.y + side * (place + 1.5) + 0.35 * size
            texts.append(text_line(row, frame.x + 4, middle, style, size=size))
            number, across = str(place + 1), frame.x + left + side * (place + 0.5)
            x, y = across - 0.3 * size * len(number), frame.y + side - 0.3 * size
            texts.append(text_line(number, x, y, style, size=size))
        return "".join(texts)

    return replace(tile, layers=(*map(shift, tile.layers), write), aspect=top + share * tile.aspect)


def _draw(corners: Corners, codes: Int[np.ndarray, " units"], fills: dict[int, str]) -> Layer:
    """Units as a path for each colour; those of code −1 as outlines."""

    def draw(frame: Frame) -> str:
        places = corners * frame.width + [frame.x, frame.y]
        return "".join(
            f'<path d="{_outline(places[codes == code])}" style="fill: {fill}; stroke: {edge}; {_EDGE}"/>'
            for code, fill, edge in [
                (-1, "none", variable(LINE)),
                *((*pair, pair[1]) for pair in fills.items()),
            ]
            if (codes == code).any()
        )

    return draw


def _outline(places: Corners) -> str:
    """Closed polygons: the first corner, then lines to the others."""
    return "".join(f"M{_points(each)}z" for each in places.round(2).tolist())


def _points(corners: Sequence[Sequence[float]]) -> str:
    return "L".join(f"{x:g} {y:g}" for x, y in corners)
