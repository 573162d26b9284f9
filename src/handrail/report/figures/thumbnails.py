"""Thumbnails of single items, for tables."""

import numpy as np
from markupsafe import Markup

from handrail.report.figures.maps import magma
from handrail.report.figures.style import LINE, NETWORK, SERIES, variable
from handrail.report.figures.tiles import Frame, aspect, image, rectangle, svg

_WIDTH = 64
_SERIES_HEIGHT = 34


def thumbnail(item: np.ndarray, kind: str, *, name: str) -> Markup:
    """An image `[channels, height, width]`, a spectrogram `[mels, frames]`, or a series `[channels, length]`.

    Arguments:
        kind: image, audio, or series.
        name: unique among the pictures of the page.
    """
    if kind == "series":
        body, height = _lines(item), _SERIES_HEIGHT
        label = "The series"
    else:
        pixels = _spectrogram(item) if kind == "audio" else item
        height = round(_WIDTH * (0.62 if kind == "audio" else aspect(pixels)))
        frame = Frame(0, 0, _WIDTH, height, name)
        edge = rectangle(
            0.5, 0.5, _WIDTH - 1, height - 1, f"fill: none; stroke: {variable(LINE)}; stroke-width: 1"
        )
        body = [image(pixels)(frame), edge]
        label = "The spectrogram" if kind == "audio" else "The image"
    return Markup(svg(body, label=label, width=_WIDTH, height=height))  # noqa: S704 - no text from data


def _spectrogram(item: np.ndarray) -> np.ndarray:
    low, high = float(item.min()), float(item.max())
    return magma((item[::-1] - low) / ((high - low) or 1.0))


def _lines(item: np.ndarray) -> list[str]:
    known = np.isfinite(item)
    low, high = (float(item[known].min()), float(item[known].max())) if known.any() else (0.0, 1.0)
    lines = []
    for place, channel in enumerate(item[:4]):
        steps = np.flatnonzero(np.isfinite(channel))
        x = 1 + (_WIDTH - 2) * steps / max(item.shape[1] - 1, 1)
        y = 2 + (_SERIES_HEIGHT - 4) * (1 - (channel[steps] - low) / ((high - low) or 1.0))
        points = " ".join(f"{across:.1f},{down:.1f}" for across, down in zip(x, y, strict=True))
        colour = NETWORK if len(item) == 1 else SERIES[place % len(SERIES)]
        lines.append(
            f'<polyline points="{points}" style="fill: none; stroke: {variable(colour)}; stroke-width: 1.2"/>'
        )
    return lines
