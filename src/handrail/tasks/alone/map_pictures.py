"""Maps as pictures: borders, columns, rows and labels, unit by unit."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from handrail.components.pictures import Cells, Picture, Tiles
from handrail.data.encoders.row_encoder import RowEncoder
from handrail.data.encoders.table import TableEncoder
from handrail.layers.grids import Grid
from handrail.models.kohonen import KohonenMap
from handrail.shapes import ImageShape
from handrail.tasks.alone.points import as_pictures
from handrail.tools.words import list_some, plural

_MOST_PLANES = 12
_PARTS = ("training rows", "these rows")
_BORDERS = (
    "The mean distance of each prototype from those of the neighbouring units, in encoded units. Dark units "
    "hold rows alike, bright ones are borders between them."
)
Labels = tuple[Int[np.ndarray, " rows"], tuple[str, ...]]


def map_pictures(fitted: KohonenMap, encoder: RowEncoder) -> list[Picture]:
    """The U-matrix, and what the prototypes are: a map a column of a table, or pictures in their places."""
    borders = fitted.u_matrix().numpy()[None]
    shown: list[Picture] = [
        Cells("U-matrix", borders, note=_BORDERS, hexagonal=fitted.grid.form == "hexagonal", columns=1)
    ]
    prototypes = fitted.prototypes.detach().cpu()
    if isinstance(encoder, TableEncoder):
        shown.append(_planes(prototypes, fitted.grid, encoder))
    elif isinstance(encoder.shape, ImageShape):
        pixels = as_pictures(prototypes, encoder.shape)
        note = "The prototype of each unit, in its place on the map."
        shown.append(Tiles("Prototypes", pixels, note=note, columns=fitted.grid.width))
    return shown


def _planes(prototypes: Float[Tensor, "units width"], grid: Grid, encoder: TableEncoder) -> Cells:
    """The columns that differ most over the map, in encoded units; shown in their own."""
    spreads = prototypes.double().std(dim=0, correction=0)
    chosen = spreads.argsort(descending=True, stable=True)[:_MOST_PLANES].sort().values
    values = encoder.undo_scale(prototypes)[:, chosen].double().T
    names, of = encoder.feature_names, len(spreads)
    note = "The value of each column along the map, in its own units; rows of a unit are about so."
    if of > len(chosen):
        note = f"{note} The {len(chosen)} of {of:,} encoded columns that differ most."
    return Cells(
        "Columns on the map",
        values.unflatten(1, (grid.height, grid.width)).numpy(),
        note=note,
        hexagonal=grid.form == "hexagonal",
        captions=tuple(names[place] for place in chosen.tolist()),
    )


def row_pictures(grid: Grid, units: Sequence[Tensor]) -> Cells:
    """How many rows each unit has, of training rows and of others."""
    counts = [torch.bincount(each, minlength=grid.units).double() for each in units]
    empty = [int((each == 0).sum()) for each in counts]
    without = " and ".join(
        f"{plural(each, 'unit')} without {part}" for each, part in zip(empty, _PARTS, strict=True)
    )
    return Cells(
        "Rows of each unit",
        torch.where(torch.stack(counts) > 0, torch.stack(counts), torch.nan)
        .unflatten(1, (grid.height, grid.width))
        .numpy(),
        note=f"How many rows are nearest to each unit; {without}, of {grid.units:,} units.",
        hexagonal=grid.form == "hexagonal",
        captions=_PARTS,
        columns=2,
    )


def label_pictures(grid: Grid, units: Sequence[Tensor], labels: Sequence[Labels]) -> Cells:
    """The commonest label of each unit's rows, of training rows and of others.

    Labels that are commonest nowhere are named, and so is a part without any.
    """
    names = tuple(dict.fromkeys(name for _, classes in labels for name in classes))
    note = "The commonest label of each unit's rows, which no rule has seen; units without rows are empty."
    maps = []
    for part, each, (codes, classes) in zip(_PARTS, units, labels, strict=True):
        places = np.array([names.index(name) for name in classes], np.int64)
        known = codes >= 0
        table = np.zeros((grid.units, len(names)), np.int64)
        np.add.at(table, (each.numpy()[known], places[codes[known]]), 1)
        maps.append(np.where(table.any(axis=1), table.argmax(axis=1), -1))
        hidden = [f"'{name}'" for name, place in zip(classes, places, strict=True) if place not in maps[-1]]
        if not classes:
            note += f" Of {part} none has a label."
        elif hidden:
            note += f" Of {part}, no unit has {list_some(hidden, last=' or ')} as its commonest label."
    return Cells(
        "The label",
        np.stack(maps).reshape(2, grid.height, grid.width).astype(np.float64),
        note=note,
        hexagonal=grid.form == "hexagonal",
        captions=_PARTS,
        names=names,
        columns=2,
    )
