"""Grids of small pictures with captions, as SVG in the page's colours.

Pixels are embedded at no more than twice the resolution shown. Captions may hold text from data: it is
escaped here, cut to the width of its tile, and set in the page's fonts.
"""

import base64
import html
import io
import struct
import unicodedata
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from markupsafe import Markup
from matplotlib.image import imsave

from handrail.report.figures.style import LINE, MUTED, NETWORK, SERIES, variable

WIDTH = 340
_THUMBNAIL, _SERIES_HEIGHT = 64, 34  # pixels
GAP = 6  # pixels between tiles
# The width of a letter, plain and bold, as a share of the font size: a little more than usual.
_LETTER, _STRONG = 0.6, 0.7
# Images with longer sides become JPEG: a tenth of PNG's bytes without visible artefacts.
_PHOTO = 40


@dataclass(frozen=True)
class Frame:
    """Where a tile's picture lies, in CSS pixels; its `name` is unique on the page."""

    x: float
    y: float
    width: float
    height: float
    name: str


@dataclass(frozen=True)
class Line:
    """A line of a caption; `tail` is shown even if the text has to be cut."""

    text: str
    colour: str = MUTED
    strong: bool = False
    tail: str = ""


Layer = Callable[[Frame], str]


@dataclass(frozen=True)
class Tile:
    """Layers from bottom to top, and the lines of a caption; `aspect` is height / width."""

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
    gap: float = GAP,
    headings: Sequence[str] = (),
    apart: float = 0,
) -> str:
    """The tiles row by row.

    Arguments:
        name: unique among the pictures of the page.
        label: the alternative text for readers who cannot see the picture.
        headings: of the columns.
        apart: extra room behind the first column.
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
    """An SVG picture from its parts."""
    size = f'width="{width:g}" height="{height:g}" viewBox="0 0 {width:g} {height:g}"'
    head = f'<svg class="plot" role="img" aria-label="{html.escape(label)}" {size}>'
    return "\n".join([head, *body, "</svg>"])


def _tile(tile: Tile, frame: Frame) -> str:
    below = frame.y + frame.height
    places = enumerate(tile.lines)
    lines = [_line(line, frame.x, below + 12 + 14 * number, frame.width) for number, line in places]
    caption = " · ".join(f"{line.text} {line.tail}".rstrip() for line in tile.lines)
    title = f"<title>{escape_text(caption)}</title>" if caption else ""
    layers = "".join(layer(frame) for layer in tile.layers)
    return f"<g>{title}{layers}{edge_of(frame)}{''.join(lines)}</g>"


def edge_of(frame: Frame) -> str:
    """A thin line around a picture."""
    style = f"fill: none; stroke: {variable(LINE)}; stroke-width: 1"
    return rectangle(frame.x, frame.y, frame.width, frame.height, style)


def _line(line: Line, x: float, y: float, width: float) -> str:
    letter, weight = (_STRONG, "; font-weight: 600") if line.strong else (_LETTER, "")
    room = width - 11 * letter * (len(line.tail) + 1 if line.tail else 0)
    text = f"{cut(line.text, room, letter=letter)} {line.tail}".rstrip()
    return text_line(text, x, y, f"fill: {variable(line.colour)}{weight}")


def text_line(text: str, x: float, y: float, style: str, *, size: float = 11, more: str = "") -> str:
    """A line of text that begins at (x, y)."""
    look = f'style="font-size: {size:g}px; {style}"'
    return f'<text x="{x:.4g}" y="{y:.4g}"{more} {look}>{escape_text(text)}</text>'


def escape_text(text: str) -> str:
    """Text escaped for the page; control characters, which XML forbids, become a replacement sign."""
    signs = ("\ufffd" if unicodedata.category(letter) in ("Cc", "Cs") else letter for letter in text)
    return html.escape("".join(signs))


def cut(text: str, width: float, *, size: float = 11, letter: float = _LETTER) -> str:
    """As much of the text as fits, by an estimate of its width."""
    most, used = width / (size * letter), 0.0
    for place, sign in enumerate(text):
        used += 1.8 if unicodedata.east_asian_width(sign) in "WF" else 1
        if used > most:
            return text[: max(place - 1, 1)].rstrip() + "…"
    return text


def rectangle(x: float, y: float, width: float, height: float, style: str) -> str:
    return f'<rect x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" height="{height:.2f}" style="{style}"/>'


def image(pixels: np.ndarray) -> Layer:
    """A layer of pixels, uint8 `[channels, height, width]`; other than three channels as their grey mean."""
    assert pixels.dtype == np.uint8
    shown = pixels if len(pixels) == 3 else pixels.mean(axis=0, keepdims=True).round().astype(np.uint8)
    return lambda frame: _embed(shown, frame, _address)


def aspect(pixels: np.ndarray) -> float:
    """Height / width, limited to 1/2 … 2; longer images are squeezed."""
    return float(np.clip(pixels.shape[-2] / pixels.shape[-1], 0.5, 2))


def tint(amount: np.ndarray, colour: str, *, opacity: float = 1.0, paper: str | None = None) -> Layer:
    """A layer of a page colour, as strong as `amount` `[height, width]` from 0 to 1, on colour `paper`."""
    grey = (np.clip(amount, 0, 1) * 255).round().astype(np.uint8)[None]

    def draw(frame: Frame) -> str:
        name = f"{frame.name}-{colour.removeprefix('#')}"
        where = (frame.x, frame.y, frame.width, frame.height)
        look = f'maskUnits="userSpaceOnUse" style="mask-type: luminance" {_box_of(frame)}'
        mask = f'<mask id="{name}" {look}>{_embed(grey, frame, _exact)}</mask>'
        below = rectangle(*where, f"fill: {variable(paper)}") if paper else ""
        style = f"fill: {variable(colour)}; fill-opacity: {opacity:g}; mask: url(#{name})"
        return f"{below}{mask}{rectangle(*where, style)}"

    return draw


def _embed(pixels: np.ndarray, frame: Frame, address: Callable[[np.ndarray], str]) -> str:
    pixels = _reduce(pixels, frame)
    # Enlarged pictures show their pixels.
    look = ' style="image-rendering: pixelated"' if pixels.shape[2] * 1.4 < frame.width else ""
    return f'<image href="{address(pixels)}" {_box_of(frame)} preserveAspectRatio="none"{look}/>'


def _box_of(frame: Frame) -> str:
    return f'x="{frame.x:.2f}" y="{frame.y:.2f}" width="{frame.width:.2f}" height="{frame.height:.2f}"'


def _reduce(pixels: np.ndarray, frame: Frame) -> np.ndarray:
    """Means of blocks of pixels if there are more than two per CSS pixel."""
    channels, height, width = pixels.shape
    down, across = max(1, int(height // (2 * frame.height))), max(1, int(width // (2 * frame.width)))
    if down == across == 1:
        return pixels
    whole = pixels[:, : height // down * down, : width // across * across]
    blocks = whole.reshape(channels, height // down, down, width // across, across)
    return blocks.mean(axis=(2, 4)).round().astype(np.uint8)


def _address(pixels: np.ndarray) -> str:
    if min(pixels.shape[1:]) < _PHOTO:
        return _exact(pixels)
    file, colours = io.BytesIO(), np.broadcast_to(pixels, (3, *pixels.shape[1:]))
    imsave(file, np.ascontiguousarray(colours.transpose(1, 2, 0)), format="jpeg", pil_kwargs={"quality": 85})
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"


def _exact(pixels: np.ndarray) -> str:
    return f"data:image/png;base64,{base64.b64encode(png(pixels)).decode()}"


def png(pixels: np.ndarray) -> bytes:
    """A minimal PNG file of grey or RGB pixels, uint8 `[channels, height, width]`."""
    channels, height, width = pixels.shape
    lines = np.ascontiguousarray(pixels.transpose(1, 2, 0)).reshape(height, width * channels)
    # Filter 0 before each line.
    raw = np.concatenate([np.zeros((height, 1), np.uint8), lines], axis=1).tobytes()
    head = struct.pack(">IIBBBBB", width, height, 8, {1: 0, 3: 2}[channels], 0, 0, 0)
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(raw, 9)), (b"IEND", b"")]
    number = struct.Struct(">I").pack
    chunks = [number(len(data)) + kind + data + number(zlib.crc32(kind + data)) for kind, data in parts]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def magma(values: np.ndarray) -> np.ndarray:
    """Values `[..., height, width]` from 0 to 1 as colours `[..., 3, height, width]`, uint8."""
    colours = (matplotlib.colormaps["magma"](values)[..., :3] * 255).round().astype(np.uint8)
    return np.moveaxis(colours, -1, -3)


def thumbnail(item: np.ndarray, kind: str, *, name: str) -> Markup:
    """An image `[channels, height, width]`, a spectrogram `[mels, frames]`, or a series `[channels, length]`.

    Arguments:
        kind: image, audio, or series.
        name: unique among the pictures of the page.
    """
    if kind == "series":
        body, height = _polylines(item), _SERIES_HEIGHT
        label = "The series"
    else:
        pixels = _spectrogram(item) if kind == "audio" else item
        height = round(_THUMBNAIL * (0.62 if kind == "audio" else aspect(pixels)))
        frame = Frame(0, 0, _THUMBNAIL, height, name)
        body = [image(pixels)(frame), edge_of(Frame(0.5, 0.5, _THUMBNAIL - 1, height - 1, name))]
        label = "The spectrogram" if kind == "audio" else "The image"
    return Markup(svg(body, label=label, width=_THUMBNAIL, height=height))  # noqa: S704 - no text from data


def _spectrogram(item: np.ndarray) -> np.ndarray:
    low, high = float(item.min()), float(item.max())
    return magma((item[::-1] - low) / ((high - low) or 1.0))


def _polylines(item: np.ndarray) -> list[str]:
    known = np.isfinite(item)
    low, high = (float(item[known].min()), float(item[known].max())) if known.any() else (0.0, 1.0)
    lines = []
    for place, channel in enumerate(item[:4]):
        steps = np.flatnonzero(np.isfinite(channel))
        x = 1 + (_THUMBNAIL - 2) * steps / max(item.shape[1] - 1, 1)
        y = 2 + (_SERIES_HEIGHT - 4) * (1 - (channel[steps] - low) / ((high - low) or 1.0))
        points = " ".join(f"{across:.1f},{down:.1f}" for across, down in zip(x, y, strict=True))
        colour = NETWORK if len(item) == 1 else SERIES[place % len(SERIES)]
        style = f"fill: none; stroke: {variable(colour)}; stroke-width: 1.2"
        lines.append(f'<polyline points="{points}" style="{style}"/>')
    return lines
