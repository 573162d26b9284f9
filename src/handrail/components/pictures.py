"""Pictures as data: what a model, a rule or a task wants to show. The report knows how a form is drawn.

Texts here are the code's own words; names from data stand in `names` and `captions` alone, which the page
escapes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float, Int


@dataclass(frozen=True, eq=False)
class Points:
    """Points in the plane, coloured by group.

    Arguments:
        places: x and y of each point.
        groups: of each point, from 0; −1 is none.
        names: of the groups.
        marks: places that stand out, such as centres.
        axes: what x and y are.
        fields: numbers at the places of a grid, row by row from below; a line is drawn where they are 0.
        corners: the lower left and the upper right corner of that grid.
    """

    title: str
    places: Float[np.ndarray, "points 2"]
    groups: Int[np.ndarray, " points"]
    names: tuple[str, ...] = ()
    note: str = ""
    marks: Float[np.ndarray, "marks 2"] | None = None
    axes: tuple[str, str] = ("", "")
    fields: Float[np.ndarray, "lines up across"] | None = None
    corners: Float[np.ndarray, "2 2"] | None = None


@dataclass(frozen=True, eq=False)
class Tiles:
    """Small grey or coloured pictures in rows: filters, weights, recalled patterns.

    Arguments:
        pictures: of any range, scaled together from the smallest to the largest; with `signed` from −a to a.
            Coloured ones have three channels, in front of their height.
        columns: how many stand in a row.
        captions: one for each picture, or none.
        headings: of the columns, or none.
    """

    title: str
    pictures: Float[np.ndarray, "pictures *channels height width"]
    note: str = ""
    columns: int = 8
    captions: tuple[str, ...] = ()
    headings: tuple[str, ...] = ()
    signed: bool = False


@dataclass(frozen=True, eq=False)
class Lines:
    """Curves over one axis.

    Arguments:
        x: where the curves are known.
        curves: by name, of the length of x; not a number where one is not known.
        axes: what x and y are.
    """

    title: str
    x: Float[np.ndarray, " places"]
    curves: Mapping[str, Float[np.ndarray, " places"]] = field(default_factory=dict)
    note: str = ""
    axes: tuple[str, str] = ("", "")


@dataclass(frozen=True, eq=False)
class Cells:
    """Values of the units of a map, or of several maps, each with a scale of its own.

    Arguments:
        values: of the units, rows from the top; not a number where there is none. With `names`, groups from
            0, and −1 is none.
        hexagonal: whether every second row is moved by half a unit, as on a hexagonal grid.
        columns: how many maps stand in a row.
        captions: one for each map, or none.
        names: of the groups, where values are groups.
        sides: of a square matrix, the names of its rows, which are those of its columns.
    """

    title: str
    values: Float[np.ndarray, "maps height width"]
    note: str = ""
    hexagonal: bool = False
    columns: int = 4
    captions: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    sides: tuple[str, ...] = ()


Picture = Points | Tiles | Lines | Cells
_FORMS: dict[str, type[Picture]] = {"points": Points, "tiles": Tiles, "lines": Lines, "cells": Cells}


def to_plain(picture: Picture) -> dict[str, Any]:
    """Arrays and plain data, from which `from_plain` makes the picture again."""
    form = next(name for name, kind in _FORMS.items() if isinstance(picture, kind))
    plain = {name: value for name, value in vars(picture).items() if value is not None}
    if isinstance(picture, Lines):
        plain["curves"] = list(picture.curves)
        plain |= {f"curve_{place}": values for place, values in enumerate(picture.curves.values())}
    return {"form": form, **plain}


def from_plain(plain: Mapping[str, Any]) -> Picture:
    """The picture that `to_plain` took apart. Raises: `KeyError`, `TypeError` for damaged data."""
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in plain.items()
    }
    kind = _FORMS[values.pop("form")]
    if kind is Lines:
        names = values.pop("curves")
        values["curves"] = {name: values.pop(f"curve_{place}") for place, name in enumerate(names)}
    return kind(**values)
