"""Pictures whose content is known."""

from typing import Annotated

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Int, Shaped, UInt8
from pydantic import Field

from handrail.components import component
from handrail.components.arguments import Fraction
from handrail.data.sources.toys.toy import Rows, Seed, Toy, classes_in_turn
from handrail.data.stores.store import place_column

SHAPES = ("circle", "square", "triangle", "cross")
AT_ONCE = 4096  # pictures drawn in one go
_GREATEST = 255


@component("toy")
def shapes(
    *,
    rows: Rows = 2000,
    side: Annotated[int, Field(ge=8, le=224)] = 16,
    noise: Fraction = 0.1,
    seed: Seed = 0,
) -> Toy:
    """A circle, square, triangle or cross on each picture, anywhere and of any size: which is it?

    Arguments:
        side: of a picture in pixels.
        noise: the standard deviation of Gaussian noise, where black is 0 and white 1.

    Source: Kulkarni et al. 2015 (generated shapes)
    """
    from handrail.data.stores.images import ImageStore  # with torch

    generator = np.random.default_rng(seed)
    chosen = classes_in_turn(rows, len(SHAPES), generator)
    radii = generator.uniform(0.2, 0.4, rows) * side
    centres = radii[:, None] + generator.uniform(0, 1, (rows, 2)) * (side - 1 - 2 * radii[:, None])
    pixels = np.empty((rows, side, side), dtype=np.uint8)
    for start in range(0, rows, AT_ONCE):
        these = slice(start, start + AT_ONCE)
        drawn = draw_shapes(chosen[these], centres[these], radii[these], side)
        pixels[these] = add_noise(drawn, noise, generator)
    store = ImageStore.of_array(pixels, "generated shapes")
    frame = pl.DataFrame([place_column("image", rows), pl.Series("shape", np.array(SHAPES)[chosen])])
    return Toy(frame, "shape", stores={"image": store})


def add_noise(
    brightness: Shaped[np.ndarray, "rows side side"], noise: float, generator: np.random.Generator
) -> UInt8[np.ndarray, "rows side side"]:
    """Grey pictures as bytes, from brightness between 0 and 1 and Gaussian noise of this deviation."""
    grey = brightness + noise * generator.standard_normal(brightness.shape, dtype=np.float32)
    return (grey.clip(0, 1) * _GREATEST).round().astype(np.uint8)


def draw_shapes(
    chosen: Int[np.ndarray, " rows"],
    centres: Float[np.ndarray, "rows 2"],
    radii: Float[np.ndarray, " rows"],
    side: int,
) -> Bool[np.ndarray, "rows side side"]:
    """Which pixels belong to the shape.

    Arguments:
        chosen: places in `SHAPES`.
        centres: x and y in pixels, counted from the middle of the first one.
    """
    steps = np.arange(side, dtype=np.float32)
    u = ((steps[None, None, :] - centres[:, 0, None, None]) / radii[:, None, None]).astype(np.float32)
    v = ((steps[None, :, None] - centres[:, 1, None, None]) / radii[:, None, None]).astype(np.float32)
    u, v = np.broadcast_arrays(np.abs(u), v)
    far, near = np.maximum(u, np.abs(v)), np.minimum(u, np.abs(v))
    each = [u**2 + v**2 <= 1, far <= 0.85, (v <= 0.8) & (v >= 2.2 * u - 1), (near <= 0.3) & (far <= 1)]
    return np.choose(chosen[:, None, None], each)
