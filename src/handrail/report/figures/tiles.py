"""Grids of small pictures with captions, as SVG in the page's colours.

Pixels are embedded as they are, at most twice as fine as they are shown. Captions may hold text from data: it
is escaped here, cut to the width of its tile, and set in the page's own fonts.
"""

import base64
import html
import io
import struct
import unicodedata
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.image import imsave

from handrail.report.figures.style import LINE, MUTED, variable

WIDTH = 340
# The width of a letter as a share of the size of the type: a little more than usual.
_LETTER, _STRONG = 0.6, 0.7
# From this side on, JPEG holds an image in a tenth of PNG's bytes, and its traces cannot be seen.
_PHOTO = 40


@dataclass(frozen=True)
class Frame:
    """Where a tile's picture lies, in pixels of the page; `name` is unlike that of any other."""

    x: float
    y: float
    width: float
    height: float
    name: str


@dataclass(frozen=True)
class Line:
    """A line of a caption; `tail` is shown even where the text has to be cut."""

    text: str
    colour: str = MUTED
    strong: bool = False
    tail: str = ""


Layer = Callable[[Frame], str]


@dataclass(frozen=True)
class Tile:
    """Layers from the lowest to the highest, and lines below; `aspect` is height : width."""

    layers: tuple[Layer, ...]
    aspect: float
    lines: tuple[Line, ...] = ()


def grid(
    name: str,
    tiles: Sequence[Tile],
    *,
    label: str,
    columns: int,
    width: int = WIDTH,
    gap: float = 6,
    headings: Sequence[str] = (),
    apart: float = 0,
) -> str:
    """The tiles row by row.

    Arguments:
        name: unlike those of the page's other pictures.
        label: what is to be seen, for those who cannot.
        headings: of the columns.
        apart: more room behind the first column.
    """
    side = (width - gap * (columns - 1) - apart) / columns
    places = [at * (side + gap) + (apart if at else 0) for at in range(columns)]
    y, body = (17.0 if headings else 0.0), []
    for text, left, right in zip(headings, places, [*places[1 : len(headings)], width], strict=False):
        body.append(text_line(cut(text, right - left), left, 11, f"fill: {variable(MUTED)}"))
    for start in range(0, len(tiles), columns):
        row = tiles[start : start + columns]
        height = max(tile.aspect for tile in row) * side
        for at, tile in enumerate(row, start):
            body.append(_tile(tile, Frame(places[at % columns], y, side, tile.aspect * side, f"{name}-{at}")))
        y += height + 14 * max(len(tile.lines) for tile in row) + gap + 2
    return svg(body, label=label, width=width, height=max(round(y - gap), 1))


def svg(body: Sequence[str], *, label: str, width: float, height: float) -> str:
    """A picture for the page from its parts."""
    size = f'width="{width:g}" height="{height:g}" viewBox="0 0 {width:g} {height:g}"'
    return (
        f'<svg class="plot" role="img" aria-label="{html.escape(label)}" {size}>\n'
        + "\n".join(body)
        + "\n</svg>"
    )


def _tile(tile: Tile, frame: Frame) -> str:
    below = frame.y + frame.height
    lines = [
        _line(line, frame.x, below + 12 + 14 * number, frame.width) for number, line in enumerate(tile.lines)
    ]
    told = " · ".join(f"{line.text} {line.tail}".rstrip() for line in tile.lines)
    title = f"<title>{escape_text(told)}</title>" if told else ""
    edge = rectangle(
        frame.x, frame.y, frame.width, frame.height, f"fill: none; stroke: {variable(LINE)}; stroke-width: 1"
    )
    return f"<g>{title}{''.join(layer(frame) for layer in tile.layers)}{edge}{''.join(lines)}</g>"


def _line(line: Line, x: float, y: float, width: float) -> str:
    letter, weight = (_STRONG, "; font-weight: 600") if line.strong else (_LETTER, "")
    room = width - 11 * letter * (len(line.tail) + 1 if line.tail else 0)
    return text_line(
        f"{cut(line.text, room, letter=letter)} {line.tail}".rstrip(),
        x,
        y,
        f"fill: {variable(line.colour)}{weight}",
    )


def text_line(text: str, x: float, y: float, style: str, *, size: float = 11, more: str = "") -> str:
    """A line of text whose first letter stands at (x, y)."""
    return (
        f'<text x="{x:.4g}" y="{y:.4g}"{more} style="font-size: {size:g}px; {style}">{escape_text(text)}</text>'
    )


def escape_text(text: str) -> str:
    """Text as a page may hold it: control characters, which XML forbids, as a sign of their own."""
    return html.escape(
        "".join("\ufffd" if unicodedata.category(letter) in ("Cc", "Cs") else letter for letter in text)
    )


def cut(text: str, width: float, *, size: float = 11, letter: float = _LETTER) -> str:
    """As much of the text as there is room for, by an estimate of its width."""
    most, used = width / (size * letter), 0.0
    for place, sign in enumerate(text):
        used += 1.8 if unicodedata.east_asian_width(sign) in "WF" else 1
        if used > most:
            return text[: max(place - 1, 1)].rstrip() + "…"
    return text


def rectangle(x: float, y: float, width: float, height: float, style: str) -> str:
    """A rectangle."""
    return f'<rect x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" height="{height:.2f}" style="{style}"/>'


def image(pixels: np.ndarray) -> Layer:
    """The picture itself: uint8 `[channels, height, width]`; of other than three channels the mean as grey."""
    assert pixels.dtype == np.uint8
    shown = pixels if len(pixels) == 3 else pixels.mean(axis=0, keepdims=True).round().astype(np.uint8)
    return lambda frame: _embed(shown, frame, _address)


def aspect(pixels: np.ndarray) -> float:
    """Height : width, between 1:2 and 2:1; what is longer is squeezed."""
    return float(np.clip(pixels.shape[-2] / pixels.shape[-1], 0.5, 2))


def tint(amount: np.ndarray, colour: str, *, opacity: float = 1.0, paper: str | None = None) -> Layer:
    """A colour of the page where `amount` `[height, width]` is 1, less of it where it is less.

    The colour comes through a mask of grey pixels, so that it follows light and dark. `paper`: the colour
    below.
    """
    grey = (np.clip(amount, 0, 1) * 255).round().astype(np.uint8)[None]

    def draw(frame: Frame) -> str:
        name = f"{frame.name}-{colour.removeprefix('#')}"
        where = (frame.x, frame.y, frame.width, frame.height)
        size = f'x="{frame.x:.2f}" y="{frame.y:.2f}" width="{frame.width:.2f}" height="{frame.height:.2f}"'
        mask = f'<mask id="{name}" maskUnits="userSpaceOnUse" style="mask-type: luminance" {size}>{_embed(grey, frame, _exact)}</mask>'
        below = rectangle(*where, f"fill: {variable(paper)}") if paper else ""
        style = f"fill: {variable(colour)}; fill-opacity: {opacity:g}; mask: url(#{name})"
        return f"{below}{mask}{rectangle(*where, style)}"

    return draw


def _embed(pixels: np.ndarray, frame: Frame, address: Callable[[np.ndarray], str]) -> str:
    pixels = _reduce(pixels, frame)
    # Single pixels are to be seen as such where the picture is enlarged.
    look = ' style="image-rendering: pixelated"' if pixels.shape[2] * 1.4 < frame.width else ""
    size = f'x="{frame.x:.2f}" y="{frame.y:.2f}" width="{frame.width:.2f}" height="{frame.height:.2f}"'
    return f'<image href="{address(pixels)}" {size} preserveAspectRatio="none"{look}/>'


def _reduce(pixels: np.ndarray, frame: Frame) -> np.ndarray:
    """Means of blocks of pixels where there are more than two for each pixel of the page."""
    channels, height, width = pixels.shape
    down, across = (
        max(1, int(size // (2 * shown))) for size, shown in ((height, frame.height), (width, frame.width))
    )
    if down == across == 1:
        return pixels
    whole = pixels[:, : height // down * down, : width // across * across]
    blocks = whole.reshape(channels, height // down, down, width // across, across)
    return blocks.mean(axis=(2, 4)).round().astype(np.uint8)


def _address(pixels: np.ndarray) -> str:
    """The picture as a `data:` address."""
    if min(pixels.shape[1:]) < _PHOTO:
        return _exact(pixels)
    file, colours = io.BytesIO(), np.broadcast_to(pixels, (3, *pixels.shape[1:]))
    imsave(file, np.ascontiguousarray(colours.transpose(1, 2, 0)), format="jpeg", pil_kwargs={"quality": 85})
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"


def _exact(pixels: np.ndarray) -> str:
    return f"data:image/png;base64,{base64.b64encode(png(pixels)).decode()}"


def png(pixels: np.ndarray) -> bytes:
    """A PNG file of grey or RGB pixels, uint8 `[channels, height, width]`, of no more bytes than needed."""
    channels, height, width = pixels.shape
    lines = np.ascontiguousarray(pixels.transpose(1, 2, 0)).reshape(height, width * channels)
    # Filter 0 before each line.
    raw = np.concatenate([np.zeros((height, 1), np.uint8), lines], axis=1).tobytes()
    head = struct.pack(">IIBBBBB", width, height, 8, {1: 0, 3: 2}[channels], 0, 0, 0)
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(raw, 9)), (b"IEND", b"")]
    chunks = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)
