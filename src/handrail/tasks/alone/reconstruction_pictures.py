"""Rows beside what became of them, and the map of their codes."""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from handrail.components.pictures import Lines, Picture, Points, Tiles
from handrail.data.part import Part
from handrail.shapes import ImageShape, InputShape, SeriesShape, VolumeShape
from handrail.tasks.alone.codes import codes_of
from handrail.tasks.alone.points import as_pictures, is_pictured, label_codes, main_plane

_SHOWN, _SERIES = 6, 3
_ACROSS = 6  # tiles
_HEADINGS = ("row", "network", "PCA")  # as many as there are columns
_NOTE = "From the row with the smallest error to that with the largest."


def shown_rows(errors: Float[np.ndarray, " rows"]) -> Int[np.ndarray, " shown"]:
    """Rows spread evenly from the smallest to the largest error."""
    order = np.argsort(errors, kind="stable")
    return order[np.linspace(0, len(order) - 1, min(_SHOWN, len(order))).round().astype(np.int64)]


def reconstruction_pictures(beside: Float[Tensor, "rows columns width"], shape: InputShape) -> list[Picture]:
    """Rows, their reconstructions and, where there is a third column, those of the main components.

    Arguments:
        beside: in encoded units.
    """
    if isinstance(shape, SeriesShape):
        return _series(beside, shape)
    if isinstance(shape, VolumeShape):
        middle = beside.unflatten(2, tuple(shape))[:, :, :, shape.depth // 2]
        shape, beside = ImageShape(shape.channels, shape.height, shape.width), middle.flatten(2)
    if not is_pictured(shape):
        return []
    squares = (
        "" if isinstance(shape, ImageShape) else " Each square is a number, in the order of the columns."
    )
    pixels = as_pictures(beside.flatten(0, 1), shape)
    title, headings = "Rows beside their reconstructions", _HEADINGS[: beside.shape[1]]
    headings *= min(len(beside), _ACROSS // len(headings))
    return [Tiles(title, pixels, note=_NOTE + squares, columns=len(headings), headings=headings)]


def _series(beside: Float[Tensor, "rows columns width"], shape: SeriesShape) -> list[Picture]:
    """The first channel of an easy, a middling and a hard series."""
    values = beside.unflatten(2, tuple(shape))[:, :, 0].double().numpy()
    places = np.linspace(0, len(values) - 1, min(_SERIES, len(values))).round().astype(np.int64)
    words = ("smallest", "middle", "largest")
    return [
        Lines(
            f"A series beside its reconstruction: the {word} error",
            np.arange(shape.length, dtype=np.float64),
            dict(zip(_HEADINGS, values[place], strict=False)),
            "The first channel, in encoded units.",
            ("step", "value"),
        )
        for place, word in zip(places, words, strict=False)
    ]


@torch.inference_mode()
def code_map(
    network: nn.Module, points: Float[Tensor, "rows width"], part: Part, label: str | None
) -> Points:
    """The codes in the plane, coloured by the label where there is one; larger codes by their main plane."""
    codes = codes_of(network, points).float()
    axes, note = ("code 1", "code 2"), "The codes themselves."
    if codes.shape[1] > 2:
        axes = ("first main component", "second main component")
        note = f"The {codes.shape[1]:,} numbers of the code in the plane of their two main components."
    places = main_plane(codes)[0] if codes.shape[1] > 2 else _in_plane(codes)
    groups, names = label_codes(part, label)
    if groups is None:
        groups = np.zeros(len(codes), dtype=np.int64)
    else:
        note += " Coloured by the label, which no rule has seen."
    return Points("The codes of the rows", places, groups, names, note, None, axes)


def _in_plane(codes: Float[Tensor, "rows code"]) -> Float[np.ndarray, "rows 2"]:
    return torch.nn.functional.pad(codes, (0, 2 - codes.shape[1])).numpy()
