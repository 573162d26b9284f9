"""Optimizers' steps in plain numbers, by the settings of the library's optimizers of the same names."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from handrail.traces.lines.network.passes import Array

State = dict[str, Array]
Settings = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Descent:
    """How an optimizer steps.

    Arguments:
        formula: of a step.
        begin: the state before the first step, of these settings; its names are the formula's.
        step: what is added to θ, given θ, its gradient, the state, which it changes, the settings, and k.
    """

    formula: Callable[[Settings], str]
    begin: Mapping[str, float | str]
    step: Callable[[Array, Array, State, Settings, int], Array]

    def state(self, settings: Settings) -> State:
        """Before the first step; a name of a setting in place of a number stands for its value."""
        return {
            name: np.full(2, settings[value] if isinstance(value, str) else value)
            for name, value in self.begin.items()
        }


def _sgd(theta: Array, g: Array, state: State, on: Settings, k: int) -> Array:
    return -on["learning_rate"] * g


def _momentum(theta: Array, g: Array, state: State, on: Settings, k: int) -> Array:
    kept = on["momentum"]
    state["v"] = kept * state["v"] - (1 - kept if on["form"] == "average" else 1) * g
    return on["learning_rate"] * state["v"]


def _nesterov(theta: Array, g: Array, state: State, on: Settings, k: int) -> Array:
    state["v"] = on["momentum"] * state["v"] - g
    return on["learning_rate"] * (on["momentum"] * state["v"] - g)


def _rprop(theta: Array, g: Array, state: State, on: Settings, k: int) -> Array:
    agreed = np.sign(g * state["g last"])
    factor = np.where(agreed > 0, on["increase"], np.where(agreed < 0, on["decrease"], 1.0))
    state["Δ"] = np.clip(state["Δ"] * factor, on["smallest"], on["largest"])
    state["g last"] = np.where(agreed < 0, 0.0, g)
    return -np.sign(state["g last"]) * state["Δ"]


def _adagrad(theta: Array, g: Array, state: State, on: Settings, k: int) -> Array:
    state["r"] = state["r"] + g**2
    return -on["learning_rate"] * _ratio(g, np.sqrt(state["r"]) + on["delta"])


def _adadelta(theta: Array, g: Array, state: State, on: Settings, k: int) -> Array:
    rho, delta = on["rho"], on["delta"]
    state["r"] = rho * state["r"] + (1 - rho) * g**2
    change = -np.sqrt(state["u"] + delta) / np.sqrt(state["r"] + delta) * g
    state["u"] = rho * state["u"] + (1 - rho) * change**2
    return on["learning_rate"] * change


def _rmsprop(theta: Array, g: Array, state: State, on: Settings, k: int) -> Array:
    state["r"] = on["rho"] * state["r"] + (1 - on["rho"]) * g**2
    return -on["learning_rate"] * _ratio(g, np.sqrt(state["r"]) + on["delta"])


def _rmsprop_momentum(theta: Array, g: Array, state: State, on: Settings, k: int) -> Array:
    state["r"] = on["rho"] * state["r"] + (1 - on["rho"]) * g**2
    state["v"] = on["momentum"] * state["v"] - on["learning_rate"] * _ratio(g, np.sqrt(state["r"]))
    return state["v"]


def _adam(theta: Array, g: Array, state: State, on: Settings, k: int) -> Array:
    first, second, delta = on["beta_1"], on["beta_2"], on["delta"]
    state["s"] = first * state["s"] + (1 - first) * g
    state["r"] = second * state["r"] + (1 - second) * g**2
    s, r = state["s"] / (1 - first**k), state["r"] / (1 - second**k)
    below = np.sqrt(r + delta) if on.get("delta_inside") else np.sqrt(r) + delta
    return -on["learning_rate"] * s / below


def _adamw(theta: Array, g: Array, state: State, on: Settings, k: int) -> Array:
    return _adam(theta, g, state, on, k) - on["learning_rate"] * on["weight_decay"] * theta


def _ratio(above: Array, below: Array) -> Array:
    """0 where both are 0: no gradient was ever seen there."""
    return np.divide(above, below, out=np.zeros_like(above), where=below != 0)


_AVERAGES = "s ← β₁·s + (1 − β₁)·g    r ← β₂·r + (1 − β₂)·g²    ŝ = s/(1 − β₁ᵏ), r̂ = r/(1 − β₂ᵏ)"
DESCENTS: Mapping[str, Descent] = {
    "sgd": Descent(lambda on: "θ ← θ − η·g", {}, _sgd),
    "momentum": Descent(
        lambda on: f"v ← α·v − {'(1 − α)·' if on['form'] == 'average' else ''}g    θ ← θ + η·v",
        {"v": 0},
        _momentum,
    ),
    "nesterov": Descent(lambda on: "v ← α·v − g    θ ← θ + η·(α·v − g)", {"v": 0}, _nesterov),
    "rprop": Descent(
        lambda on: (
            f"θ ← θ − Δ·sign(g)    Δ = η at first, ×{on['increase']:g} where g keeps its sign, "
            f"×{on['decrease']:g} where it changes, and g then counts as 0"
        ),
        {"Δ": "learning_rate", "g last": 0},
        _rprop,
    ),
    "adagrad": Descent(lambda on: "r ← r + g²    θ ← θ − η·g/(√r + δ)", {"r": 0}, _adagrad),
    "adadelta": Descent(
        lambda on: "r ← ρ·r + (1 − ρ)·g²    Δ = −g·√(u + δ)/√(r + δ)    u ← ρ·u + (1 − ρ)·Δ²    θ ← θ + η·Δ",
        {"r": 0, "u": 0},
        _adadelta,
    ),
    "rmsprop": Descent(lambda on: "r ← ρ·r + (1 − ρ)·g²    θ ← θ − η·g/(√r + δ)", {"r": 0}, _rmsprop),
    "rmsprop_momentum": Descent(
        lambda on: "r ← ρ·r + (1 − ρ)·g²    v ← α·v − η·g/√r    θ ← θ + v",
        {"r": 0, "v": 0},
        _rmsprop_momentum,
    ),
    "adam": Descent(
        lambda on: f"{_AVERAGES}    θ ← θ − η·ŝ/{'√(r̂ + δ)' if on['delta_inside'] else '(√r̂ + δ)'}",
        {"s": 0, "r": 0},
        _adam,
    ),
    "adamw": Descent(lambda on: f"{_AVERAGES}    θ ← θ − η·λ·θ − η·ŝ/(√r̂ + δ)", {"s": 0, "r": 0}, _adamw),
}
DECAY_APART = ("adamw",)
