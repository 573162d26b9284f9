"""Values for every pixel: masks over images, spectrograms, filters of the first layer."""

from collections.abc import Sequence

import numpy as np

from handrail.objectives.maps import IGNORED
from handrail.report.figures.style import NETWORK, SERIES, FigureView, Key, figure_view
from handrail.report.figures.tiles import WIDTH, Layer, Line, Tile, aspect, grid, image, magma, tint
from handrail.tools.words import list_some, plural

MOST_MASKS = 4
MOST_SPECTROGRAMS = 18
MOST_FILTERS = 64
_OPACITY = 0.62
_RIGHT, _MISSED, _WRONG = NETWORK, SERIES[5], SERIES[7]


def mask_grid(
    images: np.ndarray,
    truths: np.ndarray,
    answers: np.ndarray,
    classes: Sequence[str] = (),
    *,
    name: str = "masks",
    width: int = WIDTH,
    marked: bool = False,
) -> FigureView:
    """Each image, its true mask and the answer; with two classes, the answer shows hits, misses and errors.

    Arguments:
        images: uint8 `[n, channels, height, width]`; the first 4 are shown.
        truths, answers: class codes `[n, height, width]`; 0 is the background. Pixels whose truth is
            `IGNORED` do not count and bear no colour.
        classes: names of the codes, the background's first; needed if there are more than two.
    """
    counted = truths != IGNORED
    largest = max(int((truths * counted).max(initial=0)), int(answers.max(initial=0)))
    two = largest <= 1 and len(classes) <= 2
    answers = answers * counted
    tiles = []
    shown = (images[:MOST_MASKS], truths[:MOST_MASKS], answers[:MOST_MASKS])
    for pixels, truth, answer in zip(*shown, strict=True):
        over = [(), _class_layers(truth), _comparison_layers(truth, answer) if two else _class_layers(answer)]
        tiles += [Tile((image(pixels), *layers), aspect(pixels)) for layers in over]
    label = f"Masks of {plural(len(tiles) // 3, 'image')}: the image, the truth, the answer"
    svg = grid(name, tiles, label=label, columns=3, width=width, headings=("image", "truth", "answer"))
    if two:
        looks = (("found", _RIGHT), ("missed", _MISSED), ("found where it is not", _WRONG))
    else:
        looks = tuple((text, _class_colour(code)) for code, text in enumerate(classes) if code)
    keys = tuple(Key(text, colour, "dot") for text, colour in looks)
    note = _agreement(truths, answers, classes if not two else classes[1:])
    return figure_view("Masks", svg, keys=keys, marked=marked, note=note)


def _class_colour(code: int) -> str:
    return SERIES[(code - 1) % len(SERIES)]


def _class_layers(mask: np.ndarray) -> tuple[Layer, ...]:
    codes = [int(code) for code in np.unique(mask) if code not in (0, IGNORED)]
    return tuple(tint(mask == code, _class_colour(code), opacity=_OPACITY) for code in codes)


def _comparison_layers(truth: np.ndarray, answer: np.ndarray) -> tuple[Layer, ...]:
    true, on = truth == 1, answer.astype(bool)
    pairs = ((true & on, _RIGHT), (true & ~on, _MISSED), (~true & on, _WRONG))
    return tuple(tint(where, colour, opacity=_OPACITY) for where, colour in pairs)


def _agreement(truths: np.ndarray, answers: np.ndarray, classes: Sequence[str]) -> str:
    counted = truths != IGNORED
    right = float((truths == answers)[counted].mean()) if counted.any() else float("nan")
    names = list_some((f"“{name}”" for name in classes), most=6, last=" and ")
    what = f" of {names}" if classes else ""
    return f"{right:.1%} of these pixels are right. The masks{what} lie over the image."


def spectrogram_grid(
    spectrograms: np.ndarray, titles: Sequence[str] = (), *, name: str = "spectrograms", width: int = WIDTH
) -> FigureView:
    """Spectrograms of sounds: bright is loud.

    Arguments:
        spectrograms: logarithm of power `[n, mels, frames]`, the lowest pitch first; the first 18 are shown.
    """
    shown = spectrograms[:MOST_SPECTROGRAMS]
    low, high = (float(edge) for edge in np.quantile(shown, [0.02, 0.998])) if shown.size else (0.0, 1.0)
    scaled = np.clip((shown - low) / ((high - low) or 1.0), 0, 1)[:, ::-1]  # low pitches below
    colours = magma(scaled)
    lines = [(Line(text),) for text in titles[:MOST_SPECTROGRAMS]] or [()] * len(shown)
    tiles = [Tile((image(pixels),), 0.62, line) for pixels, line in zip(colours, lines, strict=True)]
    columns = max(1, round(3 * width / WIDTH))
    label = f"Spectrograms of {plural(len(tiles), 'sound')}"
    svg = grid(name, tiles, label=label, columns=columns, width=width)
    return figure_view("Spectrograms", svg, note="Time runs to the right, pitch upwards; bright is loud.")


def filters_grid(weights: np.ndarray, *, name: str = "filters", width: int = WIDTH) -> FigureView:
    """The filters of the first layer as pictures.

    Arguments:
        weights: `[filters, channels, height, width]`; the first 64 are shown. Three channels are shown as
            colours, the mean of others as grey.
    """
    shown = weights[:MOST_FILTERS]
    shown = shown if weights.shape[1] == 3 else shown.mean(axis=1, keepdims=True)
    strongest = np.abs(shown).max(axis=(1, 2, 3), keepdims=True)
    pixels = ((shown / np.where(strongest > 0, strongest, 1) + 1) * 127.5).round().astype(np.uint8)
    tiles = [Tile((image(channels),), aspect(channels)) for channels in pixels]
    columns = max(1, round((8 if len(tiles) > 12 else 6) * width / WIDTH))
    label = f"The weights of {plural(len(tiles), 'filter')} of the first layer"
    note = "Middle grey is a weight of 0, lighter is positive, darker negative; "
    note += "each filter is scaled by its strongest weight."
    svg = grid(name, tiles, label=label, columns=columns, width=width, gap=5)
    side = f"{plural(len(weights), 'filter')}, {weights.shape[2]} × {weights.shape[3]}"
    return figure_view("Filters of the first layer", svg, note=note, side=side)
