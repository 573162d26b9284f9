"""Figures cut from a report, as files of their own: SVG that brings the page's colours and legend along."""

import html
import re
from dataclasses import dataclass
from importlib import resources

_FIGURE = re.compile(r'<figure class="figure.*?</figure>', re.DOTALL)
_KEY = re.compile(r'<span class="key \w+" style="--key: (.*?)".*?</span>(.*?)</li>', re.DOTALL)
_TAG = re.compile(r"<[^>]*>")
_SIZE = re.compile(r'width="([\d.]+)" height="([\d.]+)" viewBox="[^"]*"')
_SECTIONS = ("inside", "learning", "answers", "metrics")  # where to look, the most telling first
_LINE = 18  # pixels that a line of the legend takes


@dataclass(frozen=True)
class ReportFigure:
    """A figure of a report: its title, and the text of an SVG file."""

    title: str
    svg: str


def main_figure(page: str, *, most_bytes: int) -> ReportFigure:
    """The first figure of the most telling section that has one of at most so many bytes.

    Raises: `ValueError` for a page without any.
    """
    for name in _SECTIONS:
        section = re.search(rf'<section id="{name}">.*?</section>', page, re.DOTALL)
        for match in _FIGURE.finditer(section[0] if section else ""):
            if "<svg" not in match[0]:
                continue
            figure = _cut(match[0])
            if len(figure.svg.encode()) <= most_bytes:
                return figure
    raise ValueError(f"the report has no figure of at most {most_bytes:,} bytes.")


def _cut(figure: str) -> ReportFigure:
    title = re.search(r'<span class="figure-title">(.*?)</span>', figure)
    body = re.search(r"<svg .*?</svg>", figure, re.DOTALL)
    assert title is not None
    assert body is not None
    return ReportFigure(html.unescape(title[1]), _stand_alone(body[0], _KEY.findall(figure)))


def _stand_alone(svg: str, keys: list[tuple[str, str]]) -> str:
    """The SVG with everything that the page would give it: colours for both modes, paper, and the legend."""
    size = _SIZE.search(svg)
    assert size is not None
    width, height = float(size[1]), float(size[2])
    full = height + _LINE * len(keys) + (8 if keys else 0)
    svg = svg.replace(size[0], f'width="{width:g}" height="{full:g}" viewBox="0 0 {width:g} {full:g}"', 1)
    legend = "".join(
        f'<rect x="14" y="{height + _LINE * place + 2:g}" width="12" height="5" style="fill: {colour}"/>'
        f'<text x="32" y="{height + _LINE * place + 9:g}" style="font-size: 11px; fill: var(--muted)">'
        f"{_TAG.sub('', label)}</text>"
        for place, (colour, label) in enumerate(keys)
    )
    head, _, rest = svg.partition(">")
    paper = '<rect width="100%" height="100%" rx="8" style="fill: var(--panel)"/>'
    head = head.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    return f"{head}><style>{_style()}</style>{paper}{rest.removesuffix('</svg>')}{legend}</svg>\n"


def _style() -> str:
    """The variables of the page's style sheet, by day and by night, and how text looks in pictures."""
    sheet = resources.files("handrail.report").joinpath("report.css").read_text(encoding="utf-8")
    light, dark = re.findall(r":root \{(.*?)\}", sheet, re.DOTALL)[:2]
    dark = f"@media (prefers-color-scheme: dark) {{ :root {{{dark}}} }}"
    sans = "svg { font-family: var(--sans); stroke-linejoin: round; }"
    return re.sub(r"\s+", " ", f":root {{{light}}} {dark} {sans}")
