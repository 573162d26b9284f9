"""Surfaces over the plane with their slopes, on which optimizers differ."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from handrail.traces.lines.network.passes import Array, logistic


@dataclass(frozen=True, eq=False)
class Surface:
    """A surface, and where to begin on it.

    Arguments:
        formula: of J.
        height: J at places `[..., 2]`.
        slope: its gradient there.
        start: where to begin.
        corners: of the picture.
        minima: the lowest places.
        rates: learning rates that suit each optimizer there.
        note: what is to be seen from that start by these rates.
    """

    formula: str
    height: Callable[[Array], Array]
    slope: Callable[[Array], Array]
    start: tuple[float, float]
    corners: tuple[tuple[float, float], tuple[float, float]]
    minima: tuple[tuple[float, float], ...]
    rates: Mapping[str, float]
    note: str

    @property
    def optimizers(self) -> list[dict[str, Any]]:
        """As a recipe names them; momentum in both printed forms."""
        named = [{name: {"learning_rate": rate}} for name, rate in self.rates.items() if name != "average"]
        average = {"form": "average", "learning_rate": self.rates["average"]}
        return [*named[:2], {"momentum": average}, *named[2:]]


def _both(across: Array, up: Array) -> Array:
    return np.stack([across, up], axis=-1)


def _squares(places: Array) -> Array:
    return (places**2).sum(axis=-1)


def _wall(places: Array) -> Array:
    """Of the wall: up to 5 within a few tenths."""
    return logistic(10 * (places[..., 0] - 1))


SURFACES: Mapping[str, Surface] = {
    "ravine": Surface(
        "J(θ) = θ₁²/50 + θ₂²",
        lambda at: at[..., 0] ** 2 / 50 + at[..., 1] ** 2,
        lambda at: _both(at[..., 0] / 25, 2 * at[..., 1]),
        (-8.0, 2.0),
        ((-9.0, -3.0), (3.0, 3.0)),
        ((0.0, 0.0),),
        {
            **{"sgd": 0.9, "momentum": 0.3, "average": 0.9, "nesterov": 0.3},
            **{"rprop": 0.1, "adagrad": 1.0, "rmsprop": 0.2, "adam": 0.3},
        },
        "Gradient descent goes to and fro between the sides while it creeps along the ground.",
    ),
    "valley": Surface(
        "J(θ) = (1 − θ₁)² + 10·(θ₂ − θ₁²)²",
        lambda at: (1 - at[..., 0]) ** 2 + 10 * (at[..., 1] - at[..., 0] ** 2) ** 2,
        lambda at: _both(
            -2 * (1 - at[..., 0]) - 40 * at[..., 0] * (at[..., 1] - at[..., 0] ** 2),
            20 * (at[..., 1] - at[..., 0] ** 2),
        ),
        (-1.5, 1.0),
        ((-2.0, -1.0), (2.0, 3.0)),
        ((1.0, 1.0),),
        {
            **{"sgd": 0.01, "momentum": 0.005, "average": 0.01, "nesterov": 0.005},
            **{"rprop": 0.05, "adagrad": 0.3, "rmsprop": 0.03, "adam": 0.1},
        },
        "The valley bends: across it the slope is steep, along it nearly flat.",
    ),
    "saddle": Surface(
        "J(θ) = θ₁² − θ₂² + θ₂⁴/4",
        lambda at: at[..., 0] ** 2 - at[..., 1] ** 2 + at[..., 1] ** 4 / 4,
        lambda at: _both(2 * at[..., 0], -2 * at[..., 1] + at[..., 1] ** 3),
        (1.5, 0.001),
        ((-2.0, -2.5), (2.0, 2.5)),
        ((0.0, 2**0.5), (0.0, -(2**0.5))),
        {
            **{"sgd": 0.1, "momentum": 0.03, "average": 0.1, "nesterov": 0.03},
            **{"rprop": 0.1, "adagrad": 0.3, "rmsprop": 0.05, "adam": 0.1},
        },
        "At a saddle nothing pulls: those that look at the slope's sign more than at its size leave it soon.",
    ),
    "plateau": Surface(
        "J(θ) = 1 − e^(−(θ₁² + θ₂²)/2)",
        lambda at: 1 - np.exp(-_squares(at) / 2),
        lambda at: at * np.exp(-_squares(at) / 2)[..., None],
        (-3.0, 2.0),
        ((-4.0, -3.0), (2.0, 3.0)),
        ((0.0, 0.0),),
        {
            **{"sgd": 0.5, "momentum": 0.5, "average": 0.5, "nesterov": 0.5},
            **{"rprop": 0.1, "adagrad": 0.5, "rmsprop": 0.1, "adam": 0.2},
        },
        "Far out the slope is nearly 0: gradient descent stands still there, and an adapted rate does not.",
    ),
    "wall": Surface(
        "J(θ) = (θ₁² + θ₂²)/10 + 5/(1 + e^(−10(θ₁ − 1)))",
        lambda at: _squares(at) / 10 + 5 * _wall(at),
        lambda at: at / 5 + _both(50 * _wall(at) * (1 - _wall(at)), np.zeros_like(at[..., 1])),
        (1.1, 2.0),
        ((-8.0, -3.0), (3.0, 3.0)),
        ((-0.010244019246920125, 0.0),),  # the foot of the wall tilts the ground
        {
            **{"sgd": 0.5, "momentum": 0.1, "average": 0.5, "nesterov": 0.1},
            **{"rprop": 0.1, "adagrad": 0.5, "rmsprop": 0.1, "adam": 0.2},
        },
        "The steep wall throws those far away that step by the size of the slope; clipping would keep them.",
    ),
}
