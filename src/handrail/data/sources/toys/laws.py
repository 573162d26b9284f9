"""Numbers that follow a known law."""

from typing import Annotated

import numpy as np
import polars as pl
from jaxtyping import Float
from pydantic import Field

from handrail.components import component
from handrail.data.sources.toys.toy import Rows, Seed, Size, Toy, classes_in_turn

Modes = Annotated[int, Field(ge=1, le=1000)]
Coefficient = Annotated[float, Field(ge=-1e6, le=1e6)]
Angle = Annotated[float, Field(ge=-180, le=180)]
_PLACES = np.array([[-1.6, -0.6], [-1.1, -0.65], [-0.4, -0.7], [1.0, -0.8], [1.3, 0.4], [0.2, 0.9]])
_SHARES = np.array([0.30, 0.15, 0.10, 0.20, 0.10, 0.15])
"Of the Gaussians that make up A, along a hook: no turn and no mirror leads it to itself."
_NOISE = 0.2


@component("toy")
def line(
    *,
    rows: Rows = 200,
    slope: Coefficient = 2.0,
    intercept: Coefficient = 1.0,
    noise: Size = 0.5,
    seed: Seed = 0,
) -> Toy:
    """A noisy line: y = slope·x + intercept + e, x uniform in [−3, 3], e ~ N(0, noise²).

    Arguments:
        noise: the standard deviation of e, below which no network gets on new rows.

    Source: Gauss 1809
    """
    generator = np.random.default_rng(seed)
    x = generator.uniform(-3, 3, rows)
    y = slope * x + intercept + noise * generator.standard_normal(rows)
    return Toy(pl.DataFrame({"x": x, "y": y}), "y")


@component("toy")
def polar(
    *,
    rows: Rows = 1000,
    radius: Annotated[float, Field(gt=0, le=1e6)] = 1.0,
    noise: Size = 0.0,
    seed: Seed = 0,
) -> Toy:
    """From Cartesian to polar coordinates: r = √(x² + y²), φ = atan2(y, x) in (−π, π], two targets.

    φ jumps by 2π where x < 0 and y changes its sign, which no continuous network follows.

    Arguments:
        rows: uniform in the disc.
        radius: of the disc.
        noise: the standard deviation of Gaussian noise on r and φ.

    Source: Goodfellow, Bengio & Courville 2016 (figure 1.1)
    """
    generator = np.random.default_rng(seed)
    r = radius * np.sqrt(generator.uniform(0, 1, rows))
    phi = generator.uniform(-np.pi, np.pi, rows)
    inputs = {"x": r * np.cos(phi), "y": r * np.sin(phi)}
    drawn = noise * generator.standard_normal((2, rows))
    return Toy(pl.DataFrame({**inputs, "r": r + drawn[0], "phi": phi + drawn[1]}), ["r", "phi"])


@component("toy")
def ring(
    *, rows: Rows = 2000, modes: Modes = 8, radius: Size = 2.0, noise: Size = 0.05, seed: Seed = 0
) -> Toy:
    """A ring of Gaussians: x ~ N(one of `modes` places evenly around a circle, noise²); no target.

    Arguments:
        rows: as many of each mode, to within one.
        radius: of the circle.
        noise: the standard deviation in each direction.

    Source: Metz et al. 2017 (8 modes, radius 2)
    """
    generator = np.random.default_rng(seed)
    chosen = classes_in_turn(rows, modes, generator)
    x = ring_places(modes, radius)[chosen] + noise * generator.standard_normal((rows, 2))
    return Toy(pl.DataFrame({"x": x[:, 0], "y": x[:, 1]}), [])


def ring_places(modes: int, radius: float) -> Float[np.ndarray, "modes 2"]:
    """The centres."""
    angles = 2 * np.pi * np.arange(modes) / modes
    return radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)


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
