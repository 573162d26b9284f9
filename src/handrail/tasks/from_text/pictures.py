"""Pictures of text to image: what was made beside what was true, and the tokens that it was made of."""

import numpy as np
from jaxtyping import Int, UInt8
from torch import Tensor

from handrail.components.pictures import Cells, Tiles
from handrail.evaluation.outcomes.made_pictures import PictureOutcome

_SHOWN, _MAPS = 12, 4

Pixels = UInt8[Tensor, "rows channels height width"]


def true_and_made(truth: Pixels, made: Pixels, outcome: PictureOutcome) -> Tiles:
    """Some rows, from the likeliest to the least likely picture: their text, the truth, and what was made."""
    order = np.argsort(outcome.errors(), kind="stable")
    rows = order[np.linspace(0, len(order) - 1, min(_SHOWN, len(order))).round().astype(np.int64)]
    pairs = np.stack([truth.numpy()[rows], made.numpy()[rows]], axis=1)
    shown = pairs.reshape(-1, *pairs.shape[2:]).astype(np.float64)
    captions = tuple(
        caption for row in rows for caption in (outcome.texts[row], outcome.describe(row, truth=False))
    )
    note = "From the likeliest picture to the least likely. Made are single draws, at a temperature of 1."
    headings = ("true picture", "picture made from its text") * 2
    pictures = shown if shown.shape[1] == 3 else shown[:, 0]
    return Tiles("Pictures made from texts", pictures, note, 4, captions, headings)


def token_maps(maps: Int[Tensor, "rows high wide"], outcome: PictureOutcome) -> Cells:
    """The tokens of some pictures that were made, by their numbers."""
    rows = np.linspace(0, len(maps) - 1, min(_MAPS, len(maps))).round().astype(np.int64)
    note = "The number of the code at each place: what the network wrote, row by row from the top left."
    captions = tuple(outcome.texts[row] for row in rows)
    return Cells(
        "Tokens of pictures that were made", maps.numpy()[rows].astype(np.float64), note, captions=captions
    )
