"""Attention maps: a square of weights for each head."""

from collections.abc import Sequence

import numpy as np

from handrail.report.figures.style import MUTED, NETWORK, PAPER, FigureView, figure_view, variable
from handrail.report.figures.tiles import WIDTH, Frame, cut, edge_of, svg, text_line, tint
from handrail.tools.words import plural

MOST_HEADS = 8
MOST_TOKENS = 32
_GAP = 12.0
_ALONE = 20.0


def attention_plot(
    weights: np.ndarray,
    tokens: Sequence[str] = (),
    *,
    title: str = "Attention",
    name: str = "attention",
    width: int = WIDTH,
    columns: int | None = None,
) -> FigureView:
    """A square per head: a row is the token that attends, a column the token attended to.

    Arguments:
        weights: `[heads, tokens, tokens]`, rows that sum to 1; the first 8 heads and 32 tokens are shown.
        tokens: their text, if shown; spaces and line ends become signs.
        columns: heads side by side; by default two, more on a wide picture.
    """
    shown = weights[:MOST_HEADS, :MOST_TOKENS, :MOST_TOKENS]
    words = [_visible(token) for token in tokens[:MOST_TOKENS]]
    heads = len(shown)
    columns = columns or (1 if heads == 1 else max(2, round(2 * width / WIDTH)))
    margin = min(64.0, 10 + 6.5 * max(map(len, words))) if words else 1.0
    side = (width - margin - _GAP * (columns - 1) - 1) / columns
    body = []
    for at, head in enumerate(shown):
        left, top = margin + at % columns * (side + _GAP), margin + at // columns * (side + _ALONE)
        frame = Frame(left, top, side, side, f"{name}-{at}")
        body.append(_head(frame, head))
        body += _down(frame, words, margin) if at % columns == 0 else []
        body += _across(frame, words, margin) if at < columns else []
        body.append(text_line(f"head {at + 1}", left, top + side + 12, f"fill: {variable(MUTED)}", size=10))
    height = round(margin + -(-heads // columns) * (side + _ALONE))
    label = f"Attention of {plural(heads, 'head')} among {plural(shown.shape[1], 'token')}"
    note = "A row is the token that attends, a column the token attended to; "
    note += "full colour is the strongest weight of the head."
    cut_off = len(tokens) > MOST_TOKENS
    side_text = (
        f"the first {MOST_TOKENS} of {len(tokens)} tokens" if cut_off else plural(shown.shape[1], "token")
    )
    return figure_view(title, svg(body, label=label, width=width, height=height), note=note, side=side_text)


def _head(frame: Frame, head: np.ndarray) -> str:
    peak = float(head.max(initial=0)) or 1.0
    return tint(head / peak, NETWORK, paper=PAPER)(frame) + edge_of(frame)


def _visible(token: str) -> str:
    return token.replace(" ", "␣").replace("\n", "↵").replace("\t", "⇥")


def _type_size(step: float) -> float:
    return float(np.clip(step * 0.9, 4, 10.5))


def _down(frame: Frame, words: Sequence[str], margin: float) -> list[str]:
    step = frame.height / max(len(words), 1)
    size = _type_size(step)
    style = f"fill: {variable(MUTED)}; text-anchor: end"
    lines = []
    for at, word in enumerate(words):
        y = frame.y + (at + 0.5) * step + 0.35 * size
        lines.append(text_line(cut(word, margin - 5, size=size), frame.x - 5, y, style, size=size))
    return lines


def _across(frame: Frame, words: Sequence[str], margin: float) -> list[str]:
    step = frame.width / max(len(words), 1)
    size = _type_size(step)
    style = f"fill: {variable(MUTED)}"
    lines = []
    for at, word in enumerate(words):
        x, y = frame.x + (at + 0.5) * step + 0.35 * size, frame.y - 5
        rotation = f' transform="rotate(-90 {x:.4g} {y:.4g})"'
        lines.append(text_line(cut(word, margin - 5, size=size), x, y, style, size=size, more=rotation))
    return lines
