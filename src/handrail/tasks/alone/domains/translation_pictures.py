"""Rows there and back between two domains, as pictures or in the plane."""

from collections.abc import Sequence

import numpy as np
import torch

from handrail.components.pictures import Picture, Points, Tiles
from handrail.shapes import ImageShape, InputShape
from handrail.tasks.alone.domains.cycles import Cycles
from handrail.tasks.alone.points import as_pictures, is_pictured, main_plane

_SHOWN, _POINTS = 8, 500
_COLUMNS = ("first column", "second column")
_COMPONENTS = ("first main component", "second main component")


def translation_pictures(cycles: Cycles, shape: InputShape, names: Sequence[str]) -> list[Picture]:
    """Cycles (x, G(x), F(G(x))) of both domains, and translated rows among those of the other domain."""
    pictures: list[Picture] = []
    if is_pictured(shape):
        pictures.append(_there_and_back(cycles, shape, names))
    if not isinstance(shape, ImageShape) and np.isin(cycles.codes, (1, 2)).sum() > 1:
        pictures += [_plane(cycles, code, names) for code in (1, 2)]
    return pictures


def _there_and_back(cycles: Cycles, shape: InputShape, names: Sequence[str]) -> Tiles:
    """A line for a row of each domain: itself, translated, and back."""
    places = [np.flatnonzero(cycles.codes == code)[:_SHOWN] for code in (1, 2)]
    count = min(map(len, places))
    chosen = np.stack([place[:count] for place in places], axis=1)  # [count, 2]
    beside = np.stack([cloud[chosen] for cloud in (cycles.rows, cycles.made, cycles.back)], axis=2)
    first, second = names
    return Tiles(
        "Rows there and back",
        as_pictures(torch.from_numpy(beside).flatten(0, 2), shape),  # [count · 2 · 3, height, width]
        note="The first held-out rows of each domain, not chosen: the row, translated, and on the way back.",
        columns=6,
        headings=(first, second, "back", second, first, "back"),
    )


def _plane(cycles: Cycles, code: int, names: Sequence[str]) -> Points:
    """Rows of a domain, what they become, and rows of the other domain."""
    own, others = cycles.codes == code, cycles.codes == 3 - code
    origin, goal = names[code - 1], names[2 - code]
    clouds = {origin: cycles.rows[own], goal: cycles.rows[others], f"{origin}, translated": cycles.made[own]}
    note = "In encoded units. Translated rows are to lie among those of the other domain."
    if cycles.true is not None:
        clouds["true partners"] = cycles.true[own]
        note += " True partners are known to nothing that learns."
    shown = [cloud[:_POINTS] for cloud in clouds.values()]
    places = np.concatenate(shown)
    flat = places.shape[1] == 2
    if not flat:
        places = main_plane(torch.from_numpy(places).float())[0].astype(np.float64)
    groups = np.repeat(np.arange(len(shown)), [len(cloud) for cloud in shown])
    title = f"Rows of the {'first' if code == 1 else 'second'} domain, translated"
    return Points(title, places, groups, tuple(clouds), note, None, _COLUMNS if flat else _COMPONENTS)
