"""Pictures of one figure whose size, angle and place are known."""

from itertools import product
from typing import Annotated

import numpy as np
import polars as pl
from jaxtyping import Float
from pydantic import Field

from handrail.components import component
from handrail.data.sources.toys.pictures import add_noise
from handrail.data.sources.toys.toy import Seed, Toy
from handrail.data.stores.store import place_column

_FINE = 3  # points a pixel, each way
_TURN, _REACH = 60.0, 0.45  # degrees to either side; of the side, from the middle of the figure to its end
_SIZES = (0.5, 0.8)  # of the reach
_AT_ONCE = 256  # pictures drawn in one go


@component("toy")
def sprites(
    *,
    levels: Annotated[int, Field(ge=2, le=10)] = 6,
    side: Annotated[int, Field(ge=12, le=32)] = 16,
    noise: Annotated[float, Field(ge=0, lt=1)] = 0.0,
    seed: Seed = 0,
) -> Toy:
    """An arrow in every size, at every angle and place of a grid: levels⁴ pictures, in random order.

    `size` is a share of the largest, `angle` in degrees from upright to the right (−60 to 60), `across` and
    `down` the place of its middle in pixels. Each pair of rows that differ in one of them alone is there.

    Arguments:
        levels: of each of the four.
        side: of a picture in pixels.
        noise: the standard deviation of Gaussian noise, where black is 0 and white 1.

    Source: Matthey et al. 2017 (dSprites); Kulkarni et al. 2015 (generated shapes)
    """
    from handrail.data.stores.images import ImageStore  # with torch

    generator = np.random.default_rng(seed)
    room = (side - 1) / 2 * (1 - _REACH * _SIZES[1] * 1.2)
    places = (side - 1) / 2 + np.linspace(-room, room, levels)
    axes = (np.linspace(*_SIZES, levels), np.linspace(-_TURN, _TURN, levels), places, places)
    grid = generator.permutation(np.array(list(product(*axes))))
    pixels = np.empty((len(grid), side, side), dtype=np.uint8)
    for start in range(0, len(grid), _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        pixels[some] = add_noise(_draw(grid[some], side), noise, generator)
    store = ImageStore.of_array(pixels, "generated arrows")
    names = ["size", "angle", "across", "down"]
    columns = {name: values.round(3) for name, values in zip(names, grid.T, strict=True)}
    frame = pl.DataFrame([place_column("image", len(grid)), *pl.DataFrame(columns)])
    return Toy(frame, names, stores={"image": store})


def _draw(grid: Float[np.ndarray, "rows 4"], side: int) -> Float[np.ndarray, "rows side side"]:
    """How much of each pixel is in the arrow, of nine points in it."""
    size, angle, across, down = (column[:, None, None].astype(np.float32) for column in grid.T)
    fine = ((np.arange(side * _FINE) + 0.5) / _FINE - 0.5).astype(np.float32)
    x, y = fine[None, None, :] - across, fine[None, :, None] - down
    reach, turn = size * _REACH * side, np.deg2rad(angle)
    beside = np.abs(x * np.cos(turn) + y * np.sin(turn)) / reach
    ahead = (x * np.sin(turn) - y * np.cos(turn)) / reach  # 1 at the tip, −1 at the end
    head = (ahead >= 0) & (ahead <= 1) & (beside <= 0.7 * (1 - ahead))
    shaft = (ahead < 0) & (ahead >= -1) & (beside <= 0.22)
    inside = (head | shaft).reshape(len(grid), side, _FINE, side, _FINE)
    return inside.mean(axis=(2, 4))
