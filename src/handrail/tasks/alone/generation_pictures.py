"""Generated rows beside the training rows that lie nearest to them."""

import numpy as np
import torch
from jaxtyping import Float

from handrail.components.pictures import Lines, Picture, Points, Tiles
from handrail.evaluation.points.sample_quality import nearest
from handrail.shapes import ImageShape, InputShape
from handrail.tasks.alone.points import as_pictures, is_pictured, main_plane

Cloud = Float[np.ndarray, "rows width"]
_SHOWN, _POINTS, _PLACES = 24, 1000, 101
_NAMES = ("real rows", "generated rows")


def generation_pictures(draws: Cloud, train: Cloud, points: Cloud, shape: InputShape) -> list[Picture]:
    """Samples as pictures or in the plane, and how near they lie to training rows."""
    places, own = nearest(draws, train)
    pictures: list[Picture] = []
    if is_pictured(shape):
        pictures.append(_beside(draws, train[places], shape))
    if not isinstance(shape, ImageShape):
        pictures.append(_plane(draws, points))
    return [*pictures, _nearness(own, nearest(points, train)[1])]


def _beside(draws: Cloud, copies: Cloud, shape: InputShape) -> Tiles:
    pairs = torch.from_numpy(np.stack([draws[:_SHOWN], copies[:_SHOWN]], axis=1)).flatten(0, 1)
    headings = ("generated", "nearest") * 4
    note = "Left of each pair a generated row, not chosen; right of it the training row that lies nearest."
    return Tiles(
        "Generated rows beside the nearest training rows",
        as_pictures(pairs, shape),
        note=note,
        columns=len(headings),
        headings=headings,
    )


def _plane(draws: Cloud, points: Cloud) -> Points:
    real, made = (torch.from_numpy(some[:_POINTS]).float() for some in (points, draws))
    wide = draws.shape[1] > 2
    axes = ("first main component", "second main component") if wide else ("first column", "second column")
    if wide or draws.shape[1] < 2:
        first, second = main_plane(real, made)
        assert second is not None
        places = np.concatenate([first, second])
    else:
        places = torch.cat([real, made]).double().numpy()
    groups = np.repeat([0, 1], [len(real), len(made)])
    title = "Generated rows among those that were held out"
    return Points(title, places, groups, _NAMES, "In encoded units.", None, axes)


def _nearness(own: Float[np.ndarray, " draws"], held_out: Float[np.ndarray, " rows"]) -> Lines:
    """The distribution of both kinds of distances."""
    share = np.linspace(0, 1, _PLACES)
    curves = {name: np.quantile(each, share) for name, each in zip(_NAMES, (held_out, own), strict=True)}
    note = (
        "The distance to the nearest training row, of generated rows and of rows that were held out: a "
        "generator that copies lies far below, one that keeps a little too near to the middle below, too."
    )
    axes = ("share of the rows", "distance, at most")
    return Lines("How near rows lie to training rows", share, curves, note, axes)
