"""What a generated table is, and the types of the settings that many of them have."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
import polars as pl
from jaxtyping import Float, Int
from pydantic import Field

from handrail.data.stores.store import Stores

Rows = Annotated[int, Field(ge=2, le=1_000_000)]
"How many rows are drawn."
Seed = Annotated[int, Field(ge=0, lt=2**63)]
"Another seed draws other rows of the same law."
Size = Annotated[float, Field(ge=0, le=1e6)]
"A standard deviation, or the radius of a shape."


@dataclass(frozen=True)
class Toy:
    """A generated table, and the columns in it that are meant to be predicted.

    Arguments:
        stores: by column, what no cell can hold, such as pictures; the cells are places in the store.
        parts: of each row, 0 where it may be learned from and 2 where it is for the test; without them, rows
            are drawn for the test.
        notes: what has to be said of the rows.
        partners: columns that hold the true partner of a row of two domains, in the order of the inputs.
    """

    frame: pl.DataFrame
    target: str | list[str]
    stores: Stores = field(default_factory=dict)
    parts: Int[np.ndarray, " rows"] | None = None
    notes: tuple[str, ...] = ()
    partners: tuple[str, ...] = ()


def classes_in_turn(rows: int, classes: int, generator: np.random.Generator) -> Int[np.ndarray, " rows"]:
    """The class of each row, in random order; no class has more than one row more than another."""
    return generator.permutation(np.arange(rows) % classes)


def in_the_plane(
    points: Float[np.ndarray, "rows inputs"],
    classes: Int[np.ndarray, " rows"],
    noise: float,
    generator: np.random.Generator,
) -> Toy:
    """Points of known class, moved by Gaussian noise of this standard deviation in each coordinate."""
    moved = points + noise * generator.standard_normal(points.shape)
    names = input_names(points.shape[1])
    return Toy(pl.DataFrame({**dict(zip(names, moved.T, strict=True)), "class": classes}), "class")


def input_names(inputs: int) -> Sequence[str]:
    """`x1`, `x2` …"""
    return [f"x{number}" for number in range(1, inputs + 1)]
