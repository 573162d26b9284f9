"""Classes of points whose shapes are known."""

from typing import Annotated

import numpy as np
from pydantic import Field

from handrail.components import component
from handrail.components.arguments import Fraction
from handrail.data.sources.toys.toy import Rows, Seed, Size, Toy, classes_in_turn, in_the_plane

Classes = Annotated[int, Field(ge=2, le=100)]
_SPINE = 0.6  # from here on outwards, all belongs to one comb
_BOX = 10.0  # half the side of the cube in which centres lie


@component("toy")
def blobs(
    *,
    rows: Rows = 500,
    classes: Classes = 3,
    inputs: Annotated[int, Field(ge=1, le=100)] = 2,
    spread: Size = 1.0,
    layout: Seed = 0,
    seed: Seed = 0,
) -> Toy:
    """Round clouds: x ~ N(centre of its class, spread²), the centres uniform in [−10, 10]ⁿ.

    Arguments:
        rows: as many of each class, to within one.
        inputs: n.
        spread: the standard deviation in each direction.
        layout: the seed of the centres; another `seed` draws new rows around the same ones.

    Source: Pedregosa et al. 2011 (scikit-learn's make_blobs)
    """
    centres = np.random.default_rng(layout).uniform(-_BOX, _BOX, (classes, inputs))
    generator = np.random.default_rng(seed)
    chosen = classes_in_turn(rows, classes, generator)
    return in_the_plane(centres[chosen], chosen, spread, generator)


@component("toy")
def circles(*, rows: Rows = 500, inner: Fraction = 0.5, noise: Size = 0.1, seed: Seed = 0) -> Toy:
    """Two circles around one centre: radius 1 for class 0, `inner` for class 1, and Gaussian noise.

    Arguments:
        rows: half of them of each class.
        inner: the radius of the inner circle.
        noise: its standard deviation in each direction.

    Source: Pedregosa et al. 2011 (scikit-learn's make_circles)
    """
    generator = np.random.default_rng(seed)
    chosen = classes_in_turn(rows, 2, generator)
    angles = generator.uniform(0, 2 * np.pi, rows)
    radii = np.where(chosen == 0, 1.0, inner)
    points = radii[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return in_the_plane(points, chosen, noise, generator)


@component("toy")
def moons(*, rows: Rows = 500, noise: Size = 0.1, seed: Seed = 0) -> Toy:
    """Two half circles that reach into each other: (cos t, sin t) and (1 − cos t, ½ − sin t), t in [0, π].

    Arguments:
        rows: half of them of each class.
        noise: the standard deviation of Gaussian noise in each direction.

    Source: Pedregosa et al. 2011 (scikit-learn's make_moons)
    """
    generator = np.random.default_rng(seed)
    chosen = classes_in_turn(rows, 2, generator)
    angles = generator.uniform(0, np.pi, rows)
    upper = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    lower = np.stack([1 - np.cos(angles), 0.5 - np.sin(angles)], axis=1)
    return in_the_plane(np.where(chosen[:, None] == 0, upper, lower), chosen, noise, generator)


@component("toy")
def spirals(
    *,
    rows: Rows = 500,
    classes: Classes = 2,
    turns: Annotated[float, Field(gt=0, le=1000)] = 1.5,
    noise: Size = 0.02,
    seed: Seed = 0,
) -> Toy:
    """Spirals within each other: radius r = √u, u uniform in [0, 1], angle 2π(turns·r + class/classes).

    The root makes rows as dense outside as inside.

    Arguments:
        rows: as many of each class, to within one.
        classes: arms, each a class.
        turns: of each arm around the centre.
        noise: the standard deviation of Gaussian noise in each direction; the outermost radius is 1.

    Source: Lang & Witbrock 1988
    """
    generator = np.random.default_rng(seed)
    chosen = classes_in_turn(rows, classes, generator)
    radii = np.sqrt(generator.uniform(0, 1, rows))
    angles = 2 * np.pi * (turns * radii + chosen / classes)
    points = radii[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return in_the_plane(points, chosen, noise, generator)


@component("toy")
def meshed(
    *,
    rows: Rows = 500,
    teeth: Annotated[int, Field(ge=1, le=50)] = 2,
    noise: Size = 0.0,
    seed: Seed = 0,
) -> Toy:
    """Meshed regions: two combs that fill the square [−1, 1]², the teeth of each between those of the other.

    The spine of class 0 is x₁ < −0.6, that of class 1 x₁ > 0.6; between them ⌊(x₂ + 1)·teeth⌋ mod 2 says the
    class. Each region is of one piece and not convex, so that neither one layer of threshold units nor an
    intersection of half planes bounds it.

    Arguments:
        rows: uniform in the square.
        teeth: of each comb.
        noise: the standard deviation of Gaussian noise in each direction, added once the class is known.

    Source: Lippmann 1987 (the figure of decision regions for one, two and three layers)
    """
    generator = np.random.default_rng(seed)
    points = generator.uniform(-1, 1, (rows, 2))
    between = np.floor((points[:, 1] + 1) * teeth).astype(np.int64) % 2
    chosen = np.select([points[:, 0] < -_SPINE, points[:, 0] > _SPINE], [0, 1], between)
    return in_the_plane(points, chosen, noise, generator)
