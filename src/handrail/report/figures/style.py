"""Pictures drawn by matplotlib and coloured by the page, so that they follow its light and dark mode.

Pictures are drawn in placeholder colours. In the SVG text each placeholder becomes the CSS variable of its
role, whose value the page sets. No text from data enters a picture: names stand in the page's legends and
captions, where they wrap, can be read aloud, and need none of matplotlib's fonts.
"""

import html
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import Formatter

from handrail.report.wording import number

INK, MUTED, LINE, PAPER = "#010101", "#010102", "#010103", "#010104"
NETWORK, LINEAR, PLAIN = "#010105", "#010106", "#010107"
SERIES = tuple(f"#0102{number:02d}" for number in range(10))
_MOST_DIGITS = 10  # of a number at an axis
_VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    LINE: "--line",
    PAPER: "--panel",
    NETWORK: "--network",
    LINEAR: "--linear",
    PLAIN: "--plain",
    **{colour: f"--series-{number}" for number, colour in enumerate(SERIES)},
}
_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.size": 11.0,
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 11.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 1.0,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.major.size": 0.0,
    "ytick.major.size": 0.0,
    "xtick.minor.size": 0.0,
    "ytick.minor.size": 0.0,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
    "lines.solid_joinstyle": "round",
    "lines.markeredgewidth": 0.0,
}


def variable(colour: str) -> str:
    """The CSS value of a placeholder colour."""
    return f"var({_VARIABLES[colour]})"


def picture(
    name: str, draw: Callable[[Figure], None], *, label: str, width: int = 340, height: int = 250
) -> str:
    """SVG of `width` × `height` CSS pixels for a page; the same drawing gives the same text.

    Arguments:
        name: unique among the pictures of the page; it keeps their identifiers apart.
        draw: draws on an empty figure of 72 pixels per inch.
        label: the alternative text for readers who cannot see the picture.
    """
    with matplotlib.rc_context():
        usual: Any = matplotlib.rcParamsDefault
        params: dict[Any, Any] = dict(matplotlib.rcParams)
        changed = {key: usual[key] for key, value in params.items() if key in usual and value != usual[key]}
        matplotlib.rcParams.update(changed | _SETTINGS)  # over any style of the user's own
        matplotlib.rcParams["svg.hashsalt"] = name
        figure = Figure(figsize=(width / 72, height / 72), dpi=72)
        figure.patch.set_visible(False)
        draw(figure)
        for axes in figure.axes:
            axes.patch.set_visible(False)
        text = io.StringIO()
        FigureCanvasSVG(figure).print_svg(text, metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return _for_page(text.getvalue(), name, label, width, height)


def _for_page(text: str, name: str, label: str, width: int, height: int) -> str:
    body = text[text.index(">", text.index("<svg")) + 1 :]
    body = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>|<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r"font-family: [^;]*; ?", "", body)
    body = re.sub(r' transform="rotate\(-0 [^)]*\)"', "", body)
    body = re.sub(r' (d|x|y|cx|cy)="([^"]*)"', _round_coordinates, body)
    body = _own_identifiers(body, name)
    body = re.sub(
        "#0[0-9a-f]{5}", lambda match: variable(match[0]) if match[0] in _VARIABLES else match[0], body
    )
    body = re.sub(r"<g>\s*</g>|<defs>\s*</defs>", "", re.sub(r"\n\s*", "\n", body))
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    return f'<svg class="plot" role="img" aria-label="{html.escape(label)}" {size}>{body.strip()}'


def _round_coordinates(match: re.Match[str]) -> str:
    """Coordinates to a hundredth of a pixel: half the size, no visible difference."""
    numbers = re.sub(
        r"-?\d+\.\d+", lambda digits: f"{float(digits[0]):.2f}".rstrip("0").rstrip("."), match[2]
    )
    return f' {match[1]}="{" ".join(numbers.split())}"'


def _own_identifiers(body: str, name: str) -> str:
    """Make identifiers in use unique on the page by the picture's name; drop the others."""
    used = set(re.findall(r'(?:url\(#|xlink:href="#)([^)"]+)', body))
    body = re.sub(
        r' id="([^"]*)"', lambda match: f' id="{name}-{match[1]}"' if match[1] in used else "", body
    )
    return re.sub(r'(url\(#|xlink:href="#)', rf"\g<1>{name}-", body).replace("xlink:href", "href")


class _NumberFormat(Formatter):
    """Writes the ticks of an axis as the page writes numbers, with more digits where two would be alike."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        return number(round(x, 12))

    def format_ticks(self, values: Sequence[float]) -> list[str]:
        ticks = [round(float(value), 12) for value in values]
        several = ([number(tick, digits=digits) for tick in ticks] for digits in range(4, _MOST_DIGITS))
        apart = (texts for texts in several if len(set(texts)) == len(set(ticks)))
        return next(apart, [number(tick, digits=_MOST_DIGITS) for tick in ticks])


def number_format() -> Formatter:
    """Writes the ticks of an axis as the page writes numbers."""
    return _NumberFormat()


def axes_in(
    figure: Figure, *, left: float = 46, bottom: float = 38, right: float = 12, top: float = 12
) -> Axes:
    """Axes with margins in pixels."""
    width, height = figure.get_figwidth() * 72, figure.get_figheight() * 72
    return figure.add_axes(
        (left / width, bottom / height, (width - left - right) / width, (height - bottom - top) / height)
    )


def widen(low: float, high: float, share: float = 0.06) -> tuple[float, float]:
    """Limits with a margin on both sides, also where they are equal."""
    margin = share * ((high - low) or abs(high) or 1.0)
    return low - margin, high + margin


def thin(x: np.ndarray, y: np.ndarray, most: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """At most `most` points of a curve, evenly spaced along its length, with both ends."""
    if len(x) <= most:
        return x, y
    steps = np.abs(np.diff(x)) / (np.ptp(x) or 1.0) + np.abs(np.diff(y)) / (np.ptp(y) or 1.0)
    length = np.concatenate([[0.0], np.cumsum(steps)])
    places = np.searchsorted(length, np.linspace(0.0, length[-1], most)).clip(0, len(x) - 1)
    places = np.union1d(places, [0, len(x) - 1])
    return x[places], y[places]


@dataclass(frozen=True)
class Key:
    """A line of the legend; `look` is line, dashes, dot or diamond."""

    label: str
    colour: str
    look: str = "line"
    value: str = ""

    @property
    def css(self) -> str:
        """The colour as the page knows it."""
        return variable(self.colour)


@dataclass(frozen=True)
class FigureView:
    """A figure for the template, which escapes all text but `svg`.

    Arguments:
        side: text beside the title.
        wide: takes the room of two figures side by side.
        tall: takes the room of two figures below each other.
    """

    title: str
    svg: Markup
    note: str = ""
    keys: tuple[Key, ...] = ()
    marked: bool = False
    side: str = ""
    wide: bool = False
    tall: bool = False


def figure_view(
    title: str, svg: str, *, note: str = "", keys: tuple[Key, ...] = (), marked: bool = False, side: str = ""
) -> FigureView:
    """A figure whose `svg` comes from `style.picture` or `tiles.svg`.

    Arguments:
        marked: drawn from test rows that were opened before.
    """
    safe = Markup(svg)  # noqa: S704 - our own drawing: text from data is escaped
    return FigureView(title, safe, note, keys, marked, side)
