"""Small pictures of bars, whose law is known and is not one of pairs."""

from typing import Annotated

import numpy as np
import polars as pl
from jaxtyping import UInt8
from pydantic import Field

from handrail.components import component
from handrail.components.arguments import Rate
from handrail.data.sources.toys.toy import Rows, Seed, Toy
from handrail.data.stores.store import place_column


@component("toy")
def bars(
    *, rows: Rows = 4000, side: Annotated[int, Field(ge=2, le=64)] = 6, noise: Rate = 0.1, seed: Seed = 0
) -> Toy:
    """Bars and stripes: whole lines are on, either rows or columns of the picture; no target.

    Which of the two is drawn first, then each line with a chance of one half.

    Arguments:
        rows: pictures.
        side: of a picture in pixels.
        noise: the chance of each pixel to be turned from black to white, or the other way.

    Source: MacKay 2003
    """
    from handrail.data.stores.images import ImageStore  # with torch

    store = ImageStore.of_array(draw_bars(rows, side=side, noise=noise, seed=seed), "generated bars")
    return Toy(pl.DataFrame([place_column("image", rows)]), [], stores={"image": store})


def draw_bars(rows: int, *, side: int, noise: float, seed: int) -> UInt8[np.ndarray, "rows side side"]:
    """The pictures, 0 and 255."""
    generator = np.random.default_rng(seed)
    lines = generator.integers(0, 2, (rows, side, 1), dtype=np.uint8).repeat(side, axis=2)
    upright = generator.integers(0, 2, (rows, 1, 1), dtype=np.uint8)
    pictures = np.where(upright == 1, lines.transpose(0, 2, 1), lines)
    turned = generator.random(pictures.shape) < noise
    return 255 * (pictures ^ turned.astype(np.uint8))
