"""The training rows that lie nearest to validation rows, as a layer of the network has them."""

from typing import Any

import numpy as np
import polars as pl

from handrail.components import component
from handrail.components.arguments import Count
from handrail.components.pictures import Picture, Tiles
from handrail.data.part import Part
from handrail.data.rows import dense
from handrail.shapes import ImageShape
from handrail.views.embedding import chosen_layer
from handrail.views.seen import Seen
from handrail.views.view import ViewData
from handrail.views.watching import layer_outputs

_READ = 4  # columns that are shown of a row


@component("view")
def neighbours(
    seen: Seen, *, layer: str | None = None, rows: Count = 8, nearest: Count = 5, among: Count = 5000
) -> ViewData:
    """For some validation rows the training rows that the network takes for most alike: what it goes by.

    Arguments:
        layer: whose numbers are compared, by name; by default the last one before the scores.
        rows: validation rows that are shown.
        nearest: training rows for each.
        among: training rows that are searched, at most.

    Raises: `DataError` for a layer that there is not.

    Source: Krizhevsky, Sutskever & Hinton 2012 (neighbours in the last layer)
    """
    asked, known = seen.some(seen.validation, rows), seen.some(seen.train, among)
    nearest = min(nearest, len(known))
    points = []
    for part in (asked, known):
        layers = layer_outputs(seen.network, seen.encode(part))
        points.append(chosen_layer(seen, "neighbours", layers, layer).outputs.flatten(1).double())
    if [len(each) for each in points] != [len(asked), len(known)]:
        raise seen.refuse("neighbours", "rows that it answers one by one")
    apart = np.linalg.norm(points[0].numpy()[:, None] - points[1].numpy()[None], axis=2)
    places = np.argsort(apart, axis=1, kind="stable")[:, :nearest]
    lengths = np.take_along_axis(apart, places, axis=1)
    lines = [
        line
        for row in range(len(asked))
        for line in (
            {"row": row, "is": "validation row", "distance": 0.0, **_told(seen, asked, row)},
            *(
                {
                    "row": row,
                    "is": "training row",
                    "distance": float(length),
                    **_told(seen, known, int(place)),
                }
                for place, length in zip(places[row], lengths[row], strict=True)
            ),
        )
    ]
    note = f"Of {len(known):,} training rows, by the layer's numbers."
    arrays = {"places": known.rows[places], "distances": lengths, "rows": asked.rows}
    table = pl.DataFrame(lines, infer_schema_length=None)
    pictures = _drawn(seen, asked, known, places)
    return ViewData(
        title="Neighbours",
        arrays=arrays,
        table=table,
        pictures=pictures,
        note=note,
        source="Krizhevsky, Sutskever & Hinton 2012",
    )


def _told(seen: Seen, part: Part, row: int) -> dict[str, Any]:
    """The target of a row, and its first columns."""
    spec = seen.pipeline.task
    names = [*spec.targets, *(column.name for column in seen.pipeline.encoder.schema.used[:_READ])]
    return part.readable(row, [name for name in dict.fromkeys(names) if name in part.raw.columns])


def _drawn(seen: Seen, asked: Part, known: Part, places: np.ndarray) -> tuple[Picture, ...]:
    """Pictures beside their nearest ones; nothing of other rows."""
    shape = seen.pipeline.encoder.shape
    if not isinstance(shape, ImageShape):
        return ()
    first = _dense(seen, asked)
    near = _dense(seen, known.pick(places.flatten())).reshape(*places.shape, *first.shape[1:])
    lines = np.concatenate([np.stack([one, *some]) for one, some in zip(first, near, strict=True)])
    drawn = lines if lines.shape[1] == 3 else lines.mean(axis=1)
    headings = ("asked", *("near",) * places.shape[1])
    return (Tiles("Nearest training rows", drawn, columns=len(headings), headings=headings),)


def _dense(seen: Seen, part: Part) -> np.ndarray:
    """Pictures as the network is given them."""
    return dense(seen.encode(part)).double().numpy()
