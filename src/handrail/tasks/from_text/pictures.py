"""Pictures of text to image: what was made beside what was true, and the tokens that it was made of."""

import numpy as np
from jaxtyping import Int, UInt8

from handrail.components.pictures import Cells, Tiles
from handrail.evaluation.outcomes.made.pictures import PictureOutcome

_SHOWN, _ACROSS, _MAPS = 12, 6, 4

Pixels = UInt8[np.ndarray, "shown channels height width"]
Shown = Int[np.ndarray, " shown"]


def shown_rows(outcome: PictureOutcome) -> Shown:
    """Some rows, from the likeliest true picture to the least likely."""
    order = np.argsort(outcome.errors(), kind="stable")
    return order[np.linspace(0, len(order) - 1, min(_SHOWN, len(order))).round().astype(np.int64)]


def true_and_made(truth: Pixels, made: Pixels, outcome: PictureOutcome, rows: Shown) -> Tiles:
    """The text of each row, its true picture, and what was made for it."""
    pairs = np.stack([truth, made], axis=1)
    shown = pairs.reshape(-1, *pairs.shape[2:]).astype(np.float64)
    captions = [(outcome.texts[row], outcome.told(row)) for row in rows]
    note = "From the likeliest true picture to the least likely. What was made is a single draw, at a "
    note += "temperature of 1."
    pictures = shown if shown.shape[1] == 3 else shown[:, 0]
    told = tuple(caption for pair in captions for caption in pair)
    return Tiles("Pictures made from texts", pictures, note, _ACROSS, told, ("true", "made") * (_ACROSS // 2))


def token_maps(maps: Int[np.ndarray, "shown high wide"], outcome: PictureOutcome, rows: Shown) -> Cells:
    """The tokens of some pictures that were made, by their numbers."""
    some = np.linspace(0, len(rows) - 1, min(_MAPS, len(rows))).round().astype(np.int64)
    note = "The number of the code at each place: what the network wrote, row by row from the top left."
    captions = tuple(outcome.texts[row] for row in rows[some])
    values = maps[some].astype(np.float64)
    return Cells("Tokens of pictures that were made", values, note, captions=captions)
