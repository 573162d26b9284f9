"""What a view gives back."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from handrail.components.pictures import Picture


@dataclass(frozen=True, eq=False)
class ViewData:
    """What was found inside a network.

    Arguments:
        title: of the view.
        arrays: what was worked out, by name, for whoever goes on with it.
        table: what is to be read, a line for a layer, a column or a row.
        pictures: of the arrays.
        note: what is shown, of which rows, and how to read it.
        source: of the method.
    """

    title: str
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    table: pl.DataFrame | None = None
    pictures: tuple[Picture, ...] = ()
    note: str = ""
    source: str = ""
