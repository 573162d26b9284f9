"""Modes whose places are known."""

from typing import Annotated

import numpy as np
import polars as pl
from jaxtyping import Float
from pydantic import Field

from handrail.components import component
from handrail.data.sources.toys.toy import Rows, Seed, Size, Toy, classes_in_turn

Modes = Annotated[int, Field(ge=1, le=1000)]


@component("toy")
def ring(
    *, rows: Rows = 2000, modes: Modes = 8, radius: Size = 2.0, noise: Size = 0.05, seed: Seed = 0
) -> Toy:
    """A ring of Gaussians: x ~ N(one of `modes` places evenly around a circle, noise²); no target.

    Arguments:
        rows: as many of each mode, to within one.
        radius: of the circle.
        noise: the standard deviation in each direction.

    Source: Metz et al. 2017 (8 modes, radius 2)
    """
    generator = np.random.default_rng(seed)
    chosen = classes_in_turn(rows, modes, generator)
    x = ring_places(modes, radius)[chosen] + noise * generator.standard_normal((rows, 2))
    return Toy(pl.DataFrame({"x": x[:, 0], "y": x[:, 1]}), [])


def ring_places(modes: int, radius: float) -> Float[np.ndarray, "modes 2"]:
    """The centres."""
    angles = 2 * np.pi * np.arange(modes) / modes
    return radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
