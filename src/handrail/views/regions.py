"""Where a network decides for which class, over two columns of a table."""

from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float, Int

from handrail.components import component
from handrail.components.arguments import Count
from handrail.components.pictures import Points
from handrail.data.columns.schema import Schema
from handrail.data.part import Part
from handrail.errors import DataError, did_you_mean
from handrail.tasks.scoring import class_codes, decided_classes
from handrail.views.seen import Seen
from handrail.views.view import ViewData

_MARGIN, _MOST_CLASSES = 0.15, 20


@component("view")
def regions(
    seen: Seen, *, across: str | None = None, up: str | None = None, side: Count = 120, rows: Count = 1000
) -> ViewData:
    """The regions in the plane of two numeric columns in which a network decides for each class.

    One layer of threshold units bounds half-planes, two bound convex regions, three regions of any form.
    Other columns are held at what is usual: the median of numbers and dates, the most frequent of other
    values.

    Arguments:
        across: the column that goes to the right; by default the first numeric one.
        up: the column that goes up; by default the next one.
        side: places on each side of the grid.
        rows: validation rows that are drawn, at most.

    Raises: `DataError` for tasks without classes, tables with fewer than two numeric columns, and columns
        that are not of them.

    Source: Lippmann 1987
    """
    pipeline, schema = seen.pipeline, seen.pipeline.encoder.schema
    if pipeline.task.name not in ("binary", "multi-class"):
        raise seen.refuse("regions", "classes to tell apart (binary or multi-class)")
    names = _columns(seen, schema, across, up)
    part = seen.some(seen.validation, rows)
    places = part.features.select(names).cast(pl.Float64).to_numpy()
    known = np.isfinite(places).all(axis=1)
    if not known.any():
        raise seen.refuse("regions", f"rows with both '{names[0]}' and '{names[1]}'")
    corners = _corners(places[known])
    x, y = np.linspace(corners[0], corners[1], side).T
    decided = _decided(seen, part, names, np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2))
    there = np.unique(decided)[:_MOST_CLASSES].tolist()
    classes, others = tuple(map(str, pipeline.task.classes)), len(schema.used) - 2
    held = f" The other columns ({others}) are held at what is usual." if others else ""
    picture = Points(
        "Where the network decides for which class",
        places[known],
        class_codes(pipeline.decoder, part)[known],
        classes,
        f"Validation rows by their true class; along the line the answer changes.{held}",
        axes=("across", "up"),
        fields=_fields(decided.reshape(side, side), there),
        corners=corners,
    )
    shares = [
        {"class": classes[code], "share of the plane": float((decided == code).mean())} for code in there
    ]
    return ViewData(
        title="Regions",
        arrays={"across": x, "up": y, "decided": decided.reshape(side, side)},
        table=pl.DataFrame(shares),
        pictures=(picture,),
        note=f"Across: {names[0]}; up: {names[1]}.{held}",
        source="Lippmann 1987",
    )


def _columns(seen: Seen, schema: Schema, across: str | None, up: str | None) -> list[str]:
    """The two columns. Raises: `DataError` where there are no two, or one of another name is asked for."""
    numeric = [column.name for column in schema.of_kind("numeric")]
    if len(numeric) < 2 or len(schema.used) > len(schema.cells):
        raise seen.refuse("regions", "a table with two numeric columns or more")
    first = across or next(name for name in numeric if name != up)
    second = up or next(name for name in numeric if name != first)
    for setting, name in (("across", first), ("up", second)):
        if name not in numeric:
            raise DataError(
                f"regions: {setting}: there is no numeric column '{name}'.{did_you_mean(name, numeric)}"
            )
    return [first, second]


def _corners(places: Float[np.ndarray, "rows 2"]) -> Float[np.ndarray, "2 2"]:
    low, high = places.min(axis=0), places.max(axis=0)
    room = _MARGIN * np.where(high > low, high - low, 1.0)
    return np.stack([low - room, high + room])


def _decided(
    seen: Seen, part: Part, names: list[str], grid: Float[np.ndarray, "places 2"]
) -> Int[np.ndarray, " places"]:
    """The class that the network decides for at each place."""
    schema, types = seen.pipeline.encoder.schema, part.features.schema
    usual = (
        pl.lit(_usual(part.features[column.name], ordered=column.kind in ("numeric", "datetime")))
        .cast(types[column.name])
        .alias(column.name)
        for column in schema.used
    )
    rows = part.features.head(1).with_columns(usual)
    rows = pl.concat([rows] * len(grid)).with_columns(
        pl.Series(name, grid[:, place]) for place, name in enumerate(names)
    )
    return decided_classes(seen.pipeline.decoder, seen.network, seen.pipeline.encoder.rows(rows, {}))


def _usual(values: pl.Series, *, ordered: bool) -> Any:
    present = values.drop_nulls()
    if not len(present):
        return None
    return present.median() if ordered else present.mode().sort()[0]


def _fields(
    decided: Int[np.ndarray, "side side"], there: list[int]
) -> Float[np.ndarray, "lines side side"] | None:
    """One line around the region of each class; none where there is one region alone."""
    return np.stack([np.where(decided == code, 1.0, -1.0) for code in there]) if len(there) > 1 else None
