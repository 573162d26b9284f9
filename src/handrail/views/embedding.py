"""Where rows lie for the network: the numbers of a layer, in the plane."""

from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from handrail.components import component
from handrail.components.arguments import Count
from handrail.components.pictures import Points
from handrail.data.part import Part
from handrail.errors import DataError, did_you_mean
from handrail.tasks.alone.points import label_codes, main_plane
from handrail.tasks.scoring import class_codes
from handrail.views.seen import Seen
from handrail.views.view import ViewData
from handrail.views.watching import Layer, layer_outputs


@component("view")
def embedding(seen: Seen, *, layer: str | None = None, rows: Count = 1000, by: str = "pca") -> ViewData:
    """Validation rows in the plane, as a layer of the network has them.

    Arguments:
        layer: by name; by default the last one before the scores.
        rows: that are shown, at most.
        by: `pca` draws the two main components of the layer's numbers; `umap` keeps neighbours together, and
            needs the extra `umap`.

    Raises: `DataError` for a layer that there is not, and for `umap` without its library.

    Source: Pearson 1901; McInnes, Healy & Melville 2018 (UMAP)
    """
    if by not in ("pca", "umap"):
        raise DataError(f"embedding: by: found '{by}', expected pca or umap.")
    part = seen.some(seen.validation, rows)
    layers = layer_outputs(seen.network, seen.encode(part))
    chosen = chosen_layer(seen, "embedding", layers, layer)
    points = chosen.outputs.flatten(1)
    places = in_plane(points, by)
    groups, names = _groups(seen, part, len(points))
    axes = ("first main component", "second main component") if by == "pca" else ("", "")
    note = (
        f"{len(points):,} validation rows, by the {points.shape[1]:,} numbers of the layer '{chosen.name}'."
    )
    title = "Rows as a layer has them"
    return ViewData(
        title="Embedding",
        arrays={"places": places, "numbers": points.numpy(), "groups": groups},
        pictures=(Points(title, places, groups, names, note, axes=axes),),
        note=note,
        source="Pearson 1901" if by == "pca" else "McInnes, Healy & Melville 2018",
    )


def chosen_layer(seen: Seen, view: str, layers: list[Layer], name: str | None) -> Layer:
    """One of the layers by its name, by default the last one before the scores.

    Raises: `DataError` for a layer that there is not.
    """
    known = {each.name: each for each in layers}
    if not known:
        raise seen.refuse(view, "layers that answer row by row")
    if name is None:
        return layers[-2] if len(layers) > 1 else layers[-1]
    if name not in known:
        near = did_you_mean(name, known)
        raise DataError(f"{view}: layer: there is no layer '{name}' that answers row by row.{near}")
    return known[name]


def _groups(seen: Seen, part: Part, count: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """The class of each row, or what the label says, or nothing; of windows, of which a row has several,
    too."""
    task: Any = seen.pipeline.task
    if task.name in ("binary", "multi-class"):
        return class_codes(seen.pipeline.decoder, part), tuple(map(str, task.classes))
    codes, names = label_codes(part, task.label)
    return (codes, names) if codes is not None and len(codes) == count else (np.full(count, -1), ())


def in_plane(points: Float[Tensor, "rows width"], by: str) -> Float[np.ndarray, "rows 2"]:
    """Points in the plane of their main components, or by UMAP. Raises: `DataError` without its library."""
    if by == "pca":
        return main_plane(points)[0]
    try:
        from umap import UMAP
    except ImportError as error:
        text = "needs the library of that name; pip install 'handrail[umap]', or use by=pca."
        raise DataError(f"embedding: by=umap {text}") from error
    return np.asarray(UMAP(random_state=0, n_jobs=1).fit_transform(points.numpy()), dtype=np.float64)
