"""What each layer gives for validation rows: how large it is, and which units never say anything."""

from typing import Any

import numpy as np
import polars as pl
from torch import Tensor, nn

from handrail.components import component
from handrail.components.arguments import Count
from handrail.components.pictures import Lines
from handrail.views.seen import Seen
from handrail.views.view import ViewData
from handrail.views.watching import Layer, layer_outputs

_SATURATED = 0.99  # of the range from the middle to an end
_SHARES = 101
_ENDS: dict[type[nn.Module], tuple[float, float]] = {nn.Sigmoid: (0.0, 1.0), nn.Tanh: (-1.0, 1.0)}


@component("view")
def activations(seen: Seen, *, rows: Count = 1000) -> ViewData:
    """How strongly each layer answers to validation rows, and which of its units are dead or saturated.

    A unit of ReLU is dead where it gives 0 for each of the rows, with its map all 0 where it has one; an
    answer of σ or tanh is saturated within a hundredth of the way from the middle to an end, where its slope
    is nearly 0.

    Arguments:
        rows: validation rows that are looked at, at most.

    Raises: `DataError` where no layer answers row by row.

    Source: dead and saturated units: Glorot & Bengio 2010; Lu et al. 2019
    """
    part = seen.some(seen.validation, rows)
    layers = layer_outputs(seen.network, seen.encode(part))
    if not layers:
        raise seen.refuse("activations", "layers that answer row by row")
    shares = np.linspace(0, 1, _SHARES)
    curves = {each.name: np.quantile(_sample(each.outputs), shares) for each in layers[:8]}
    spread = Lines(
        "What layers give",
        shares,
        curves,
        "Of each layer, the share of answers that are at most so large.",
        ("share of the answers", "answer"),
    )
    return ViewData(
        title="Activations",
        arrays={each.name: each.outputs.numpy() for each in layers},
        table=pl.DataFrame([_line(each) for each in layers]),
        pictures=(spread,),
        note=f"For {len(part):,} validation rows. Dead: the share of units that give 0 for each of them. "
        "Saturated: the share of answers so near to an end of the range that hardly any slope is left.",
        source="Glorot & Bengio 2010",
    )


def _sample(values: Tensor) -> np.ndarray:
    flat = values.flatten()
    return flat[:: max(1, len(flat) // 100_000)].numpy()


def _line(layer: Layer) -> dict[str, Any]:
    values = layer.outputs
    return {
        "layer": layer.name,
        "kind": type(layer.module).__name__,
        "shape": " × ".join(map(str, values.shape[1:])),
        "mean": float(values.mean()),
        "standard deviation": float(values.std(correction=0)),
        "dead": _dead(layer),
        "saturated": _saturated(layer),
    }


def _dead(layer: Layer) -> float | None:
    """The share of units, or of maps, that are 0 for every row; None where 0 is nothing special."""
    if not isinstance(layer.module, nn.ReLU) or layer.outputs.ndim < 2:
        return None
    units = layer.outputs.flatten(2).abs().amax(dim=2) if layer.outputs.ndim > 2 else layer.outputs
    return float((units == 0).all(dim=0).float().mean())


def _saturated(layer: Layer) -> float | None:
    ends = _ENDS.get(type(layer.module))
    if ends is None:
        return None
    middle, reach = sum(ends) / 2, (ends[1] - ends[0]) / 2
    return float(((layer.outputs - middle).abs() >= _SATURATED * reach).float().mean())
