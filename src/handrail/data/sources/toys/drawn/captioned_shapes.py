"""Pictures of one shape with a caption each; what the test rows combine is combined in no other row."""

from itertools import product
from typing import Annotated

import numpy as np
import polars as pl
from jaxtyping import Float, Int, UInt8
from pydantic import Field

from handrail.components import component
from handrail.components.arguments import Fraction, Rate
from handrail.data.sources.toys.drawn.read_shapes import (
    CENTRES,
    COLOURS,
    FACTORS,
    PLACES,
    RADII,
    read_shapes,
)
from handrail.data.sources.toys.pictures import AT_ONCE, draw_shapes
from handrail.data.sources.toys.toy import Rows, Seed, Toy
from handrail.data.stores.store import place_column

_WORDS = {
    "small": ("small", "little", "tiny"),
    "large": ("large", "big", "huge"),
    "top left": ("at the top left", "in the top left corner", "in the upper left"),
    "top": ("at the top", "at the top in the middle", "above the middle"),
    "top right": ("at the top right", "in the top right corner", "in the upper right"),
    "left": ("on the left", "at the left side", "left of the middle"),
    "centre": ("in the middle", "in the centre", "at the centre"),
    "right": ("on the right", "at the right side", "right of the middle"),
    "bottom left": ("at the bottom left", "in the bottom left corner", "in the lower left"),
    "bottom": ("at the bottom", "at the bottom in the middle", "below the middle"),
    "bottom right": ("at the bottom right", "in the bottom right corner", "in the lower right"),
}
_FORMS = ("a {size} {colour} {shape} {place}", "there is a {size} {colour} {shape} {place}")
_SPREAD = 0.02  # of a centre about its place, at most, in shares of the side
_DIMMEST = 0.85  # brightness of a shape
_TEST = 2  # the code of the part

Combinations = Int[np.ndarray, "rows 4"]


@component("toy")
def captioned_shapes(
    *,
    rows: Rows = 5000,
    test_rows: Annotated[int, Field(ge=2, le=2000)] = 500,
    side: Annotated[int, Field(ge=24, le=48)] = 24,
    held_out: Fraction = 0.25,
    noise: Rate = 0.02,
    seed: Seed = 0,
) -> Toy:
    """A picture of one shape, made from what it shows: “a small red circle at the top left”.

    Six colours, four shapes, two sizes and nine places make 432 combinations. A share of them is in no row
    for training and validation, and the test rows are drawn from exactly these, so that nobody has seen them.
    Sizes and places vary a little, brightness too, and a size or a place has several wordings.

    Arguments:
        rows, test_rows: how many rows are for training and validation, and how many for the test.
        side: of a picture in pixels.
        held_out: the share of combinations that the test rows are drawn from.
        noise: the standard deviation of Gaussian noise, where black is 0 and white 1.

    Source: Ramesh et al. 2021 (combinations that no caption had); Kulkarni et al. 2015 (generated shapes)
    """
    from handrail.data.stores.images import ImageStore  # with torch

    known, unseen = _divide(held_out, np.random.default_rng(seed))
    # Each part by itself, so that the number of test rows changes no other row.
    drawn = [
        _draw_rows(some, count, side, noise, np.random.default_rng([seed, part]))
        for part, (some, count) in enumerate(((known, rows), (unseen, test_rows)))
    ]
    table = pl.concat([frame for frame, _ in drawn])
    pixels = np.concatenate([pictures for _, pictures in drawn])
    store = ImageStore.of_array(pixels, "generated captioned shapes", reader=read_shapes)
    frame = table.with_columns(place_column("picture", len(table)))
    parts = np.repeat(np.array([0, _TEST]), [rows, test_rows])
    note = f"{len(unseen)} of {len(known) + len(unseen)} combinations are in the test rows alone"
    return Toy(frame, "picture", stores={"picture": store}, parts=parts, notes=(note,))


def _divide(held_out: float, generator: np.random.Generator) -> tuple[Combinations, Combinations]:
    """All combinations, as places in the lists of `FACTORS`: those to learn from, and those for the test."""
    every = np.array(list(product(*(range(len(levels)) for levels in FACTORS.values()))))
    order = generator.permutation(len(every))
    count = min(max(1, round(held_out * len(every))), len(every) - 1)
    return every[order[count:]], every[order[:count]]


def _draw_rows(
    known: Combinations, count: int, side: int, noise: float, generator: np.random.Generator
) -> tuple[pl.DataFrame, UInt8[np.ndarray, "rows 3 side side"]]:
    """Captions with what they say, and pictures, of combinations that are drawn from these."""
    chosen = known[generator.integers(0, len(known), count)]
    names = {name: np.array(levels)[chosen[:, place]] for place, (name, levels) in enumerate(FACTORS.items())}
    captions = [_caption(row, generator) for row in zip(*names.values(), strict=True)]
    blocks = [chosen[at : at + AT_ONCE] for at in range(0, count, AT_ONCE)]
    pixels = np.concatenate([_draw(block, side, noise, generator) for block in blocks])
    return pl.DataFrame({"caption": captions, **names}), pixels


def _caption(factors: tuple[str, ...], generator: np.random.Generator) -> str:
    colour, shape, size, place = factors
    form, *words = (
        str(options[generator.integers(len(options))]) for options in (_FORMS, _WORDS[size], _WORDS[place])
    )
    return form.format(size=words[0], colour=colour, shape=shape, place=words[1])


def _draw(
    chosen: Combinations, side: int, noise: float, generator: np.random.Generator
) -> UInt8[np.ndarray, "rows 3 side side"]:
    colours, shapes, sizes, places = chosen.T
    count = len(chosen)
    least, most = np.array(RADII)[sizes].T
    radii = generator.uniform(least, most)
    middles = np.array([CENTRES[name] for name in PLACES])[places]
    centres = middles + generator.uniform(-_SPREAD, _SPREAD, (count, 2))
    drawn = draw_shapes(shapes, centres * (side - 1), radii * side, side)
    bright = generator.uniform(_DIMMEST, 1, (count, 1)) * np.array(list(COLOURS.values()))[colours]
    values: Float[np.ndarray, "rows 3 side side"] = drawn[:, None] * bright[..., None, None]
    values = values + noise * generator.standard_normal(values.shape)
    return (values.clip(0, 1) * 255).round().astype(np.uint8)
