"""Rows of a part as points: what the model is given, flat, and what the label says of them."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import polars as pl
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from handrail.data.columns.values import as_labels
from handrail.data.encoders.row_encoder import RowEncoder
from handrail.data.labels import sort_classes
from handrail.data.part import Part
from handrail.data.rows import Rows, count, cut, to_device
from handrail.errors import RecipeError
from handrail.network import model_in, model_inputs
from handrail.shapes import ImageShape, InputShape, numbers_in
from handrail.tasks.scoring import device_of, rows_at_once

_MOST_LABELS = 1000
_FEWEST = 16  # numbers in a row that make a picture
_SKETCHED, _SKETCHED_POINTS, _QUICK_STEPS = 16, 400, 50


@torch.inference_mode()
def points_of(network: nn.Module, rows: Rows) -> Float[Tensor, "rows width"]:
    """Encoded rows as the model within a network is given them, flat, on the CPU."""
    network.eval()
    device = device_of(network)
    return torch.cat(list(_batches(lambda inputs: model_inputs(network, to_device(inputs, device)), rows)))


@torch.inference_mode()
def points_before(encoder: RowEncoder, part: Part) -> Float[Tensor, "rows width"]:
    """As `points_of`, for whoever has no network: nothing in front of a model is learned here."""
    return torch.cat(list(_batches(front_of(encoder), part.encode_with(encoder))))


@torch.inference_mode()
def mean_before(encoder: RowEncoder, part: Part) -> Float[Tensor, " width"]:
    """The mean of a part's rows as a model is given them, in double precision."""
    sums = [points.double().sum(dim=0) for points in _batches(front_of(encoder), part.encode_with(encoder))]
    return torch.stack(sums).sum(dim=0) / max(len(part), 1)


def front_of(encoder: RowEncoder) -> nn.Module:
    """What stands before a model, in evaluation; the identity where rows go in as they are."""
    front = encoder.front()
    return nn.Identity() if front is None else front.eval()


def _batches(before: Callable[[Any], Tensor], rows: Rows) -> Iterator[Float[Tensor, "batch width"]]:
    size = rows_at_once(rows)
    for start in range(0, max(count(rows), 1), size):
        yield before(cut(rows, start, start + size)).flatten(1).float().cpu()


def main_plane(
    points: Float[Tensor, "rows width"], others: Float[Tensor, "others width"] | None = None
) -> tuple[Float[np.ndarray, "rows 2"], Float[np.ndarray, "others 2"] | None]:
    """Points, and others beside them, in the plane of the two main components of the points.

    Source: Pearson 1901
    """
    from sklearn.decomposition import PCA

    if points.shape[1] < 2:
        points = torch.cat([points, torch.zeros(len(points), 1)], dim=1)
        others = None if others is None else torch.cat([others.cpu(), torch.zeros(len(others), 1)], dim=1)
    plane = PCA(2, svd_solver="full" if points.shape[1] < 200 else "randomized", random_state=0)
    places = plane.fit_transform(points.numpy())
    return places, None if others is None else plane.transform(others.detach().cpu().numpy())


def as_pictures(
    states: Float[Tensor, "rows width"], shape: InputShape
) -> Float[np.ndarray, "pictures height width"]:
    """Images as they are, their channels' mean; other patterns as the squarest block that holds them."""
    values: Any = states.float()
    if isinstance(shape, ImageShape):
        return values.reshape(len(states), *shape).mean(dim=1).numpy()
    units = states.shape[1]
    width = units if units <= 8 else math.ceil(math.sqrt(units))
    height = -(-units // width)
    padded = torch.nn.functional.pad(values, (0, height * width - units))
    return padded.reshape(len(states), height, width).numpy()


def is_pictured(shape: InputShape) -> bool:
    """Whether rows of this shape are shown as small pictures; rows of few numbers are points in a plane."""
    return isinstance(shape, ImageShape) or numbers_in(shape) >= _FEWEST


def sketch_of(network: nn.Module, shape: InputShape) -> Float[Tensor, "rows width"]:
    """Some rows that a network makes, always of the same noise: few pictures, or many points."""
    model: Any = model_in(network)
    count = _SKETCHED if is_pictured(shape) else _SKETCHED_POINTS
    how: Any = {"means": is_pictured(shape), "generator": torch.Generator().manual_seed(0)}
    return model.generate(count, steps=_QUICK_STEPS, **how)


def refuse_learned_front(encoder: RowEncoder, task: str) -> None:
    """Raises: `RecipeError` for an encoder with layers that only a target could teach."""
    front = encoder.front()
    if front is not None and any(parameter.requires_grad for parameter in front.parameters()):
        raise RecipeError(
            f"data.encoding: {task} is learned without a target, and some columns would become vectors that "
            "only a target can teach; expected data.encoding.categories=onehot, and pictures, series, sounds "
            "or texts as the only column (data.drop leaves others out)."
        )


def label_codes(part: Part, label: str | None) -> tuple[Int[np.ndarray, " rows"] | None, tuple[str, ...]]:
    """What the label says of each row, −1 where it says nothing, and the names of these codes.

    None without a label, and for one with more than 1,000 different values, which tells no groups.
    """
    if label is None:
        return None, ()
    labels = as_labels(part.raw[label])
    classes = sort_classes(labels.drop_nulls().unique().to_list())
    if not classes or len(classes) > _MOST_LABELS:
        return None, ()
    codes = labels.replace_strict(
        list(classes), list(range(len(classes))), default=None, return_dtype=pl.Int64
    ).fill_null(-1)
    return codes.to_numpy(), classes
