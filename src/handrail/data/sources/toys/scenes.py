"""Pictures of several shapes, with the class of each pixel or a box around each shape."""

from collections.abc import Iterator
from typing import Annotated

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Int, UInt8
from pydantic import Field

from handrail.components import component
from handrail.components.arguments import Rate
from handrail.data.sources.toys.pictures import AT_ONCE, SHAPES, add_noise, draw_shapes
from handrail.data.sources.toys.toy import Rows, Seed, Toy
from handrail.data.stores.store import place_column

Side = Annotated[int, Field(ge=24, le=224)]
Most = Annotated[int, Field(ge=1, le=8)]
_RADII, _GAP = (0.12, 0.22), 0.05  # least and greatest, and what is left between, in shares of the side
_TRIES = 5  # for each shape
_DARKEST = 0.5  # brightness of a shape
_NONE = -1  # in the place of a shape that is left out

Drawn = Bool[np.ndarray, "rows side side"]


@component("toy")
def shape_masks(
    *, rows: Rows = 2000, side: Side = 32, most: Most = 3, noise: Rate = 0.1, seed: Seed = 0
) -> Toy:
    """Circles, squares, triangles and crosses on a picture, and a mask that tells them apart.

    Values of the mask: 0 background, 1 circle, 2 square, 3 triangle, 4 cross. Shapes lie anywhere and touch
    none, so that of many some may find no room; each has a brightness between ½ and 1.

    Arguments:
        side: of a picture in pixels.
        most: shapes of a picture; their number is uniform from 1 on.
        noise: the standard deviation of Gaussian noise, where black is 0 and white 1.

    Source: Kulkarni et al. 2015 (generated shapes)
    """
    from handrail.data.stores.images import ImageStore  # with torch
    from handrail.data.stores.masks import MaskStore

    pixels, masks = (np.empty((rows, side, side), dtype=np.uint8) for _ in range(2))
    for these, grey, shapes in _scenes(rows, side, most, noise, seed):
        pixels[these] = grey
        masks[these] = sum((codes[:, None, None] + 1) * drawn for codes, drawn in shapes)
    stores = {
        "image": ImageStore.of_array(pixels, "generated shapes"),
        "mask": MaskStore.of_array(masks, "generated shapes"),
    }
    return Toy(pl.DataFrame([place_column(name, rows) for name in stores]), "mask", stores=stores)


@component("toy")
def shape_boxes(
    *, rows: Rows = 2000, side: Side = 48, most: Most = 3, noise: Rate = 0.1, seed: Seed = 0
) -> Toy:
    """Circles, squares, triangles and crosses on a picture, and a box around each, to the pixel.

    Shapes are drawn as those of `shape_masks`.

    Arguments:
        side: of a picture in pixels.
        most: shapes of a picture; their number is uniform from 1 on.
        noise: the standard deviation of Gaussian noise, where black is 0 and white 1.

    Source: Kulkarni et al. 2015 (generated shapes)
    """
    from handrail.data.stores.boxes import BoxStore
    from handrail.data.stores.images import ImageStore  # with torch

    pixels = np.empty((rows, side, side), dtype=np.uint8)
    corners: list[np.ndarray] = []
    labels: list[list[str]] = []
    for these, grey, shapes in _scenes(rows, side, most, noise, seed):
        pixels[these] = grey
        codes = np.stack([codes for codes, _ in shapes], axis=1)
        boxes = np.stack([_boxes_around(drawn) for _, drawn in shapes], axis=1)
        corners += [each[kept] for each, kept in zip(boxes, codes != _NONE, strict=True)]
        labels += [[SHAPES[code] for code in each if code != _NONE] for each in codes]
    images = ImageStore.of_array(pixels, "generated shapes")
    names = [images.name(row) for row in range(rows)]
    stores = {"image": images, "boxes": BoxStore(corners, labels, sizes=images.sizes, names=names)}
    return Toy(pl.DataFrame([place_column(name, rows) for name in stores]), "boxes", stores=stores)


def _scenes(
    rows: int, side: int, most: int, noise: float, seed: int
) -> Iterator[tuple[slice, UInt8[np.ndarray, "rows side side"], list[tuple[np.ndarray, Drawn]]]]:
    """Block by block: the rows, their pictures, and for each of `most` shapes its class and its pixels."""
    generator = np.random.default_rng(seed)
    for start in range(0, rows, AT_ONCE):
        count = min(AT_ONCE, rows - start)
        codes, centres, radii = _place(count, most, generator)
        centres = radii[..., None] * side + centres * (side - 1 - 2 * radii[..., None] * side)
        shapes = [
            (code, draw_shapes(code.clip(0), centre, radius * side, side) & (code != _NONE)[:, None, None])
            for code, centre, radius in zip(codes, centres, radii, strict=True)
        ]
        bright = generator.uniform(_DARKEST, 1, (most, count, 1, 1)).astype(np.float32)
        brightness = sum(level * drawn for level, (_, drawn) in zip(bright, shapes, strict=True))
        yield slice(start, start + count), add_noise(np.asarray(brightness), noise, generator), shapes


def _place(
    rows: int, most: int, generator: np.random.Generator
) -> tuple[Int[np.ndarray, "most rows"], Float[np.ndarray, "most rows 2"], Float[np.ndarray, "most rows"]]:
    """Of each shape the class, the centre (in shares of its room) and the radius (in shares of the side)."""
    wanted, tries = generator.integers(1, most + 1, rows), _TRIES * most
    radii = generator.uniform(*_RADII, (tries, rows))
    centres = generator.uniform(0, 1, (tries, rows, 2))
    codes = generator.integers(0, len(SHAPES), (tries, rows))
    stay = _apart(radii[..., None] + centres * (1 - 2 * radii[..., None]), radii, wanted)
    codes[~stay] = _NONE
    first = np.argsort(~stay, axis=0, kind="stable")[:most]
    codes, radii = (np.take_along_axis(each, first, axis=0) for each in (codes, radii))
    return codes, np.take_along_axis(centres, first[..., None], axis=0), radii


def _apart(
    centres: Float[np.ndarray, "tries rows 2"], radii: Float[np.ndarray, "tries rows"], wanted: np.ndarray
) -> Bool[np.ndarray, "tries rows"]:
    """Which shapes stay: those whose square touches that of no earlier one that stays, as many as wanted."""
    stay = np.zeros(radii.shape, dtype=bool)
    stay[0] = True
    for later in range(1, len(radii)):
        distance = np.abs(centres[:later] - centres[later]).max(axis=-1)
        free = distance > radii[:later] + radii[later] + _GAP
        stay[later] = (free | ~stay[:later]).all(axis=0) & (stay.sum(axis=0) < wanted)
    return stay


def _boxes_around(drawn: Drawn) -> Int[np.ndarray, "rows 4"]:
    """(xmin, ymin, xmax, ymax) of the pixels that are drawn; all of a picture without any."""
    first, last = [], []
    for line in (np.any(drawn, axis=1), np.any(drawn, axis=2)):  # across, then down
        first.append(line.argmax(axis=1))
        last.append(line.shape[1] - line[:, ::-1].argmax(axis=1))
    return np.stack([*first, *last], axis=1)
