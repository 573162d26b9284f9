"""Two domains with a known map between them, of which no row comes with its partner."""

from typing import Annotated

import numpy as np
import polars as pl
from jaxtyping import Float
from pydantic import Field

from handrail.components import component
from handrail.data.sources.toys.toy import Rows, Seed, Size, Toy

Angle = Annotated[float, Field(ge=-180, le=180)]
_PLACES = np.array([[-1.6, -0.6], [-1.1, -0.65], [-0.4, -0.7], [1.0, -0.8], [1.3, 0.4], [0.2, 0.9]])
_SHARES = np.array([0.30, 0.15, 0.10, 0.20, 0.10, 0.15])
"Of the Gaussians that make up A, along a hook: no turn and no mirror leads it to itself."
_NOISE = 0.2


@component("toy")
def two_domains(
    *,
    rows: Rows = 2000,
    angle: Angle = 30.0,
    scale: Annotated[float, Field(gt=0, le=1000)] = 0.6,
    shift: Size = 0.5,
    seed: Seed = 0,
) -> Toy:
    """Rows of A, a hook of Gaussians in the plane, and of B: y = s·R(φ)·x + (d, d/2), for other x.

    The columns `true_x1` and `true_x2` hold the partner of each row in the other domain, and are for judging.

    Arguments:
        rows: one half of each domain.
        angle: φ in degrees, by which the map turns.
        scale: s.
        shift: d.

    Source: Zhu, Park, Isola & Efros 2017 (unpaired domains)
    """
    generator = np.random.default_rng(seed)
    first, second = _hook(rows - rows // 2, generator), _hook(rows // 2, generator)
    turn = np.deg2rad(angle)
    linear = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    moved = np.array([shift, shift / 2])
    own = np.concatenate([first, second @ linear.T + moved])
    partners = np.concatenate([first @ linear.T + moved, second])
    domain = np.repeat(["a", "b"], [len(first), len(second)])
    order = generator.permutation(rows)
    columns = {"x1": own[:, 0], "x2": own[:, 1], "domain": domain}
    columns |= {"true_x1": partners[:, 0], "true_x2": partners[:, 1]}
    frame = pl.DataFrame(columns)[order]
    return Toy(frame, "domain", partners=("true_x1", "true_x2"))


def _hook(rows: int, generator: np.random.Generator) -> Float[np.ndarray, "rows 2"]:
    """Gaussians of one spread, with different shares."""
    places = _PLACES[generator.choice(len(_SHARES), size=rows, p=_SHARES)]
    return places + _NOISE * generator.standard_normal((rows, 2))
