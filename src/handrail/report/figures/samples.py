"""Images as the network gets them: a sample, augmented versions of some, the most confident mistakes."""

from collections.abc import Sequence

import numpy as np

from handrail.report.figures.style import INK, FigureView, figure_view
from handrail.report.figures.tiles import GAP, WIDTH, Line, Tile, aspect, cut, grid, image
from handrail.tools.words import plural

MOST_SAMPLES = 36
MOST_MISTAKES = 16
_MOST_AUGMENTED = 5


def sample_grid(
    images: np.ndarray,
    titles: Sequence[str] = (),
    *,
    name: str = "samples",
    width: int = WIDTH,
    shape: Sequence[int] | None = None,
) -> FigureView:
    """Some images, each with its class.

    Arguments:
        images: uint8 `[n, channels, height, width]`; the first 36 are shown.
        titles: one per image, or none.
        shape: channels, height and width as the network gets them, if larger than here.
    """
    size = _size(shape or images.shape[1:])
    shown = images[:MOST_SAMPLES]
    lines = [(Line(text),) for text in titles[:MOST_SAMPLES]] or [()] * len(shown)
    tiles = [Tile((image(pixels),), aspect(pixels), line) for pixels, line in zip(shown, lines, strict=True)]
    label = f"A sample of {plural(len(shown), 'image')}, {size}"
    columns = _with_room_for(titles, _columns_for(images, width), width)
    svg = grid(name, tiles, label=label, columns=columns, width=width)
    return figure_view("Training images", svg, note=f"{size}.")


def augmentation_grid(
    originals: np.ndarray, augmented: np.ndarray, *, note: str = "", name: str = "augmented"
) -> FigureView:
    """Images, each beside augmented versions of it as the network sees them.

    Arguments:
        originals: uint8 `[n, channels, height, width]`; the first 5 are shown.
        augmented: uint8 `[n, times, channels, height, width]`.
    """
    times = augmented.shape[1]
    tiles = [
        Tile((image(pixels),), aspect(pixels))
        for original, changed in zip(originals[:_MOST_AUGMENTED], augmented[:_MOST_AUGMENTED], strict=True)
        for pixels in (original, *changed)
    ]
    label = f"Each row an image, and {plural(times, 'augmented version')} of it"
    headings = ("original", "augmented")
    svg = grid(name, tiles, label=label, columns=times + 1, headings=headings, apart=8)
    return figure_view("Augmented training images", svg, note=note)


def mistakes_grid(
    images: np.ndarray,
    truths: Sequence[str],
    answers: Sequence[str],
    confidences: Sequence[float],
    *,
    name: str = "mistakes",
    width: int = WIDTH,
    marked: bool = False,
) -> FigureView:
    """Misclassified images, the most confident mistake first.

    Arguments:
        images: uint8 `[n, channels, height, width]`; rows whose answer is the truth are left out.
        confidences: the probability of each answer.
        marked: drawn from test rows that were opened before.
    """
    wrong = [row for row in range(len(images)) if truths[row] != answers[row]]
    wrong.sort(key=lambda row: -confidences[row])
    shown = wrong[:MOST_MISTAKES]
    short = max((len(answers[row]) for row in shown), default=0) <= 4
    captions = [_caption(truths[row], answers[row], f"{confidences[row]:.0%}", short=short) for row in shown]
    tiles = [
        Tile((image(images[row]),), aspect(images[row]), caption)
        for row, caption in zip(shown, captions, strict=True)
    ]
    label = f"The {len(tiles)} most confident of {plural(len(wrong), 'mistake')}"
    svg = grid(name, tiles, label=label, columns=_columns_for(images, width, widest=4), width=width, gap=8)
    note = "In bold the answer, with its probability; then the truth." if tiles else "There are none."
    side = plural(len(wrong), "mistake")
    return figure_view("Most confident mistakes", svg, note=note, marked=marked, side=side)


def _caption(truth: str, answer: str, sure: str, *, short: bool) -> tuple[Line, ...]:
    """Answer, confidence, truth, each in a line; the confidence joins short names."""
    if short:
        return (Line(answer, INK, strong=True, tail=sure), Line(f"is {truth}"))
    return (Line(answer, INK, strong=True), Line(f"{sure} sure"), Line(f"is {truth}"))


def _columns_for(images: np.ndarray, width: int, *, widest: int = 6) -> int:
    """How many images stand side by side: more if they are small or the picture is wide."""
    side = images.shape[-1]
    most = widest if side <= 40 else min(widest, 4)
    return max(1, round(most * width / WIDTH))


def _with_room_for(titles: Sequence[str], columns: int, width: int) -> int:
    """As many columns, or fewer where titles are then written out; down to half of them."""
    fitting = (fewer for fewer in range(columns, columns // 2, -1) if _fit(titles, width / fewer - GAP))
    return next(fitting, columns)


def _fit(titles: Sequence[str], room: float) -> bool:
    return all(cut(title, room) == title for title in titles)


def _size(shape: Sequence[int]) -> str:
    channels, height, width = shape
    colours = {1: "grey", 3: "colour"}.get(channels, f"{channels} channels")
    return f"{width} × {height} pixels, {colours}"
