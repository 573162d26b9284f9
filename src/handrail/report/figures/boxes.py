"""Object detection: true boxes, predicted boxes, and where they agree."""

from collections.abc import Sequence

import numpy as np

from handrail.report.figures.style import SERIES, FigureView, Key, figure_view, variable
from handrail.report.figures.tiles import WIDTH, Frame, Layer, Tile, aspect, grid, image, rectangle, text_line
from handrail.tools.words import plural

MOST_IMAGES = 4
_LEAST_OVERLAP = 0.5
Truth = tuple[np.ndarray, np.ndarray]
Prediction = tuple[np.ndarray, np.ndarray, np.ndarray]


def box_grid(
    images: Sequence[np.ndarray],
    truths: Sequence[Truth],
    answers: Sequence[Prediction],
    classes: Sequence[str],
    *,
    name: str = "boxes",
    width: int = WIDTH,
    marked: bool = False,
) -> FigureView:
    """Each image twice: with its true and with its predicted boxes; boxes without a partner are dashed.

    Arguments:
        images: uint8 `[channels, height, width]` each; the first 4 are shown.
        truths: boxes `[objects, 4]` (left, top, right, bottom, in pixels) and class codes `[objects]`.
        answers: boxes, class codes and scores of each image.
        classes: names by code, without the background.
    """
    tiles, right, wrong, missed = [], 0, 0, 0
    for pixels, truth, answer in zip(images[:MOST_IMAGES], truths, answers, strict=False):
        hits = partners(truth, answer)
        matched = np.isin(np.arange(len(truth[0])), hits[hits >= 0])
        right += int((hits >= 0).sum())
        wrong += int((hits < 0).sum())
        missed += int((~matched).sum())
        tiles += [
            Tile((image(pixels), _box_layer(pixels, *truth, matched, None)), aspect(pixels)),
            Tile((image(pixels), _box_layer(pixels, *answer[:2], hits >= 0, answer[2])), aspect(pixels)),
        ]
    label = f"Boxes in {plural(len(tiles) // 2, 'image')}: the truth on the left, the answers on the right"
    svg = grid(name, tiles, label=label, columns=2, width=width, headings=("truth", "found"))
    keys = tuple(Key(text, _colour(code)) for code, text in enumerate(classes))
    note = f"{right:,} right, {missed:,} missed, {wrong:,} found that are not there (dashed); "
    note += "right: the overlap is at least half."
    return figure_view("Objects", svg, keys=keys, note=note, marked=marked)


def _colour(code: int) -> str:
    return SERIES[int(code) % len(SERIES)]


def partners(truth: Truth, answer: Prediction) -> np.ndarray:
    """For each predicted box the true box of its class with the largest overlap, or −1.

    The highest scores choose first; each true box is chosen once.

    Source: Everingham 2010 (the rule of the PASCAL challenge, with an overlap of one half)
    """
    partner = np.full(len(answer[0]), -1)
    free = np.ones(len(truth[0]), dtype=bool)
    for row in np.argsort(-answer[2], kind="stable"):
        overlap = overlaps(answer[0][row], truth[0]) * (truth[1] == answer[1][row]) * free
        if len(overlap) and overlap.max() >= _LEAST_OVERLAP:
            partner[row] = overlap.argmax()
            free[partner[row]] = False
    return partner


def overlaps(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of a box with each of the others."""
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    shared = np.clip(sides, 0, None).prod(axis=1)
    total = (box[2:] - box[:2]).prod() + (others[:, 2:] - others[:, :2]).prod(axis=1) - shared
    return np.divide(shared, total, out=np.zeros(len(others)), where=total > 0)


def _box_layer(
    pixels: np.ndarray, boxes: np.ndarray, codes: np.ndarray, matched: np.ndarray, scores: np.ndarray | None
) -> Layer:
    height, width = pixels.shape[-2:]

    def draw(frame: Frame) -> str:
        scale = np.array([frame.width / width, frame.height / height] * 2)
        low = np.array([frame.x, frame.y] * 2)
        high = np.array([frame.x + frame.width, frame.y + frame.height] * 2)
        places = np.clip(boxes.reshape(-1, 4) * scale + low, low, high)
        colours = [_colour(code) for code in codes]
        parts = [_box(*box) for box in zip(places, colours, matched, strict=True)]
        if scores is not None:
            parts += [_score(*box) for box in zip(places, scores, colours, strict=True)]
        return "".join(parts)

    return draw


def _box(place: np.ndarray, colour: str, hit: np.bool_) -> str:
    """A line in the class's colour on a wider light one, so that it is visible on any picture."""
    left, top, right, bottom = place
    dashes = "" if hit else "; stroke-dasharray: 3 2.5"
    sides = (left, top, right - left, bottom - top)
    halo = "fill: none; stroke: var(--panel); stroke-opacity: 0.75; stroke-width: 3"
    line = f"fill: none; stroke: {variable(colour)}; stroke-width: 1.6{dashes}"
    return rectangle(*sides, halo) + rectangle(*sides, line)


def _score(place: np.ndarray, score: float, colour: str) -> str:
    left, top, right, bottom = place
    if right - left < 26 or bottom - top < 16:
        return ""
    plate = rectangle(left, top, 19, 10, f"fill: {variable(colour)}")
    digits = f"{score:.2f}"[1:] if score < 1 else "1.0"
    return plate + text_line(digits, left + 2.5, top + 8, "fill: var(--panel); font-weight: 600", size=8.5)
