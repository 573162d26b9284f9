"""The weights of every layer, as figures, and those of the first as pictures."""

from typing import Any

import numpy as np
import polars as pl
from torch import Tensor

from handrail.components import component
from handrail.components.arguments import Count
from handrail.components.pictures import Cells, Lines, Picture, Tiles
from handrail.shapes import ImageShape
from handrail.views.seen import Seen
from handrail.views.view import ViewData

_SMALL = 0.01  # of a layer's standard deviation: as good as nothing
_SHARES = 101


@component("view")
def weights(seen: Seen, *, units: Count = 64) -> ViewData:
    """How large the weights of each layer are, and how they are spread; those of the first layer drawn.

    Filters over pictures are drawn as such, as are units that see all pixels of a picture; of another first
    layer the matrix is.

    Arguments:
        units: of the first layer that are drawn, at most.

    Raises: `DataError` for a network without weights.

    Source: LeCun et al. 1989 (weights as pictures)
    """
    parameters = seen.model.named_parameters()
    found = [(name, each.detach().float().cpu()) for name, each in parameters if each.ndim > 1]
    if not found:
        raise seen.refuse("weights", "a network with weights")
    lines = [_line(name, each) for name, each in found]
    shares = np.linspace(0, 1, _SHARES)
    curves = {name: np.quantile(each.numpy(), shares) for name, each in found[:8]}
    pictures: list[Picture] = [_first(seen, found[0][1], units)]
    pictures.append(
        Lines(
            "How weights are spread",
            shares,
            curves,
            "For each layer, what share of its weights is at most so large.",
            ("share of the weights", "weight"),
        )
    )
    return ViewData(
        title="Weights",
        arrays={name: each.numpy() for name, each in found},
        table=pl.DataFrame(lines),
        pictures=tuple(pictures),
        note="Small are weights within a hundredth of their layer's standard deviation.",
        source="LeCun et al. 1989",
    )


def _line(name: str, values: Tensor) -> dict[str, Any]:
    deviation = float(values.std(correction=0))
    return {
        "layer": name,
        "shape": " × ".join(map(str, values.shape)),
        "mean": float(values.mean()),
        "standard deviation": deviation,
        "norm": float(values.norm()),
        "largest": float(values.abs().max()),
        "small": float((values.abs() <= _SMALL * deviation).float().mean()),
    }


def _first(seen: Seen, values: Tensor, units: int) -> Picture:
    shape, shown = seen.pipeline.encoder.shape, values[:units].numpy()
    note = f"The first {len(shown)} of {len(values)}." if len(shown) < len(values) else ""
    is_picture = isinstance(shape, ImageShape)
    if is_picture and shown.ndim == 4:
        drawn = shown if shown.shape[1] == 3 else shown.mean(axis=1)
        return Tiles("Filters of the first layer", drawn, note, signed=True)
    if is_picture and shown.ndim == 2 and shown.shape[1] == int(np.prod(shape)):
        drawn = shown.reshape(len(shown), *shape).mean(axis=1)
        return Tiles("What each unit of the first layer looks for", drawn, note, signed=True)
    matrix = shown.reshape(len(shown), -1)[:, :_SHARES]
    return Cells("The weights of the first layer, a line for a unit", matrix[None], note)
