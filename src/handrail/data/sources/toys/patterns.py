"""Patterns to be remembered."""

from typing import Annotated

import numpy as np
import polars as pl
from pydantic import Field

from handrail.components import component
from handrail.data.sources.toys.toy import Rows, Seed, Toy


@component("toy")
def patterns(*, rows: Rows = 40, units: Annotated[int, Field(ge=2, le=4096)] = 256, seed: Seed = 0) -> Toy:
    """Random patterns: each unit is 0 or 1 with the same chance, whatever the others are; no target.

    Arguments:
        rows: patterns.

    Source: Hopfield 1982
    """
    bits = np.random.default_rng(seed).integers(0, 2, (rows, units))
    return Toy(pl.DataFrame({f"unit_{place}": bits[:, place - 1] for place in range(1, units + 1)}), [])
