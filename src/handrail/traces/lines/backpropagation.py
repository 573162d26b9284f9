"""Backpropagation: one row forward through a network, and its error back."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from handrail.components import component
from handrail.components.arguments import Count, Finite, Positive
from handrail.errors import DataError
from handrail.traces.given import Given
from handrail.traces.lines.network.passes import (
    SLOPES,
    Array,
    Blame,
    Layer,
    Network,
    backward,
    error,
    forward,
)
from handrail.traces.lines.network.small import small_network
from handrail.traces.lines.network.trained import network_of
from handrail.traces.steps import Steps, Value, steps_of
from handrail.traces.text import number_text
from handrail.traces.trace import Trace

Numbers = list[Finite]
Units = Literal["sigmoid", "tanh", "relu", "linear"]
_ERRORS = {
    "squared_error": "E = ½·Σ(t − y)²",
    "sigmoid": "E = −Σ[t·log y + (1 − t)·log(1 − y)]",
    "softmax": "E = −Σ t·log y",
}
_REMARKS = (
    "004 prints δⱼ = yⱼ(1 − yⱼ)·Σₖ δₖ·wⱼₖ in its summary, and Δwᵢⱼ = η·δⱼ·xᵢ; its derivation has wₖⱼ and "
    "Δwⱼᵢ, which is meant: wₖⱼ leads from unit j to unit k, and stands in row k of W, column j.",
    "δ = −∂E/∂z as in 004, so that ΔW = +η·δ·xᵀ. Other books have δ = ∂E/∂z, of the opposite sign.",
)
_HALVED = "004's E has a factor ½, which 002's (y − ŷ)² has not: without it every δ and ΔW doubles."


@component("trace")
def backpropagation(
    given: Given | None,
    *,
    inputs: Numbers | None = None,
    targets: Numbers | None = None,
    weights: list[list[Numbers]] | None = None,
    sizes: list[Count] | None = None,
    activation: Units | None = None,
    output: Units | None = None,
    loss: Literal["squared_error", "cross_entropy"] | None = None,
    learning_rate: Positive = 1.0,
    shown: Count = 6,
) -> Trace:
    """One step of learning: forward z = W·x, y = f(z); back δⱼ = f′(zⱼ)·Σₖ δₖ·wₖⱼ; then W ← W + η·δ·xᵀ.

    Follows an mlp of a run; the loss is then cross-entropy for classes, and ½ the squared error for values,
    scaled as they were taught, of the row alone and without penalties. x₀ = 1 stands before the inputs of
    each layer, and the first column of W is its bias.

    Arguments:
        inputs: the numbers of the row.
        targets: what the last layer should answer.
        weights: a matrix for each layer, a line for each unit, the bias first.
        sizes: inputs, and the units of each layer, in place of weights, which are then drawn in tenths.
        activation: f of the hidden units; sigmoid by default.
        output: f of the last layer under the squared error; that of the hidden units by default.
        loss: squared_error, by default, or cross_entropy, with a sigmoid for a single output and a softmax
            for several.
        learning_rate: η.
        shown: numbers of a vector, and lines and columns of a matrix, at most.

    Raises: `DataError` for numbers that do not fit each other, settings that would do nothing, and a network
        that is no mlp.

    Source: Rumelhart, Hinton & Williams 1986
    """
    chosen: dict[str, Any] = {
        **{"inputs": inputs, "targets": targets, "weights": weights, "sizes": sizes},
        **{"activation": activation, "output": output, "loss": loss},
    }
    if given is None:
        small = "a network of two layers of two" if weights is None and sizes is None else "a small network"
        return _followed(small_network(**chosen), small, learning_rate, shown)
    named = [name for name, value in chosen.items() if value is not None]
    if named:
        raise DataError(f"backpropagation: found {', '.join(named)}, but a run has its own; leave them out.")
    return _followed(network_of(given), given.subject, learning_rate, shown)


def _followed(network: Network, subject: str, rate: float, shown: int) -> Trace:
    layers = forward(network)
    blames = backward(network, layers)
    gradients = [
        -np.outer(blame.delta, layer.x) for blame, layer in zip(reversed(blames), layers, strict=True)
    ]
    after = network.moved([-rate * gradient for gradient in gradients])
    tables = (
        _forward_table(network, layers, shown),
        _error_table(network, layers[-1], shown),
        _backward_table(network, blames, shown),
        _gradient_table(network, layers, blames, gradients, shown),
        _change_table(network, after, gradients, rate, shown),
        _after_table(network, after, layers[-1], rate, shown),
    )
    halved = [_HALVED] if network.loss == "squared_error" else []
    remarks = (*_REMARKS, *halved, *_wrong_way(network, blames))
    return Trace("Backpropagation", subject, tables, "Rumelhart, Hinton & Williams 1986", remarks=remarks)


def _cut(line: dict[str, Value], shown: int) -> dict[str, Value]:
    """The first numbers alone, in every direction."""
    return {
        name: value[(slice(shown),) * value.ndim] if isinstance(value, np.ndarray) else value
        for name, value in line.items()
    }


def _left_out(network: Network, shown: int) -> str:
    """What a note says of numbers that are not shown."""
    longest = max(max(weights.shape) for weights in network.weights)
    return f" Of up to {longest} numbers the first {shown} are shown (shown)." if longest > shown else ""


def _forward_table(network: Network, layers: Sequence[Layer], shown: int) -> Steps:
    lines: list[dict[str, Value]] = [
        {"layer": place, "x": layer.x, "W": weights, "z": layer.z, "y": layer.y}
        for place, (layer, weights) in enumerate(zip(layers, network.weights, strict=True), start=1)
    ]
    return steps_of(
        "Forward",
        [_cut(line, shown) for line in lines],
        answers=("z", "y"),
        carried=("x",),
        formula=f"z = W·x    y = f(z), f = {', '.join(dict.fromkeys(network.activations))}",
        note="x₀ = 1, and a layer's y are the next one's x." + _left_out(network, shown),
    )


def _error_table(network: Network, last: Layer, shown: int) -> Steps:
    t = network.targets
    line: dict[str, Value] = {"y": last.y, "t": t, "t − y": t - last.y, "E": error(network, last)}
    kind = "squared_error" if network.loss == "squared_error" else network.activations[-1]
    return steps_of("Error", [_cut(line, shown)], answers=("t − y", "E"), formula=_ERRORS[kind])


def _backward_table(network: Network, blames: Sequence[Blame], shown: int) -> Steps:
    lines: list[dict[str, Value]] = []
    for place, blame in enumerate(blames):
        arriving = "Σδₖwₖⱼ" if place else "(t − y)"
        how = "t − y" if blame.slope is None else f"f′·{arriving}"
        numbers = {"arrives": blame.arrives, "f′(z)": blame.slope, "δ": blame.delta}
        lines.append({"layer": len(blames) - place, "δ =": how, **numbers})
    sloping = network.activations[: -1 if blames[0].slope is None else None]
    slopes = [f"f′ = {SLOPES[name][0]} ({name})" for name in dict.fromkeys(sloping)]
    last = "tₖ − yₖ, since f′ cancels" if blames[0].slope is None else "f′(zₖ)·(tₖ − yₖ)"
    below = ["below it: δⱼ = f′(zⱼ)·Σₖ δₖ·wₖⱼ"] if len(blames) > 1 else []
    return steps_of(
        "Backward",
        [_cut(line, shown) for line in lines],
        answers=("arrives", "f′(z)", "δ"),
        formula="    ".join([f"last layer: δₖ = {last}", *below, *slopes]),
        note="From the last layer to the first. x₀ is no unit's answer: the first column of W sends nothing "
        "back." + _left_out(network, shown),
    )


def _gradient_table(
    network: Network, layers: Sequence[Layer], blames: Sequence[Blame], gradients: Sequence[Array], shown: int
) -> Steps:
    lines: list[dict[str, Value]] = [
        {"layer": place, "δ": blame.delta, "x": layer.x, "∂E/∂W": gradient}
        for place, (layer, blame, gradient) in enumerate(
            zip(layers, reversed(blames), gradients, strict=True), start=1
        )
    ]
    return steps_of(
        "Gradients",
        [_cut(line, shown) for line in lines],
        answers=("∂E/∂W",),
        formula="∂E/∂wⱼᵢ = −δⱼ·xᵢ    ∂E/∂W = −δ·xᵀ, a line for each unit, the bias first",
        note="All are worked out with the old weights, before any is changed." + _left_out(network, shown),
    )


def _change_table(
    network: Network, after: Network, gradients: Sequence[Array], rate: float, shown: int
) -> Steps:
    lines: list[dict[str, Value]] = [
        {"layer": place, "W": old, "ΔW": -rate * gradient, "W new": new}
        for place, (old, gradient, new) in enumerate(
            zip(network.weights, gradients, after.weights, strict=True), start=1
        )
    ]
    return steps_of(
        "New weights",
        [_cut(line, shown) for line in lines],
        answers=("ΔW", "W new"),
        formula=f"ΔW = −η·∂E/∂W = η·δ·xᵀ, η = {rate:g}    W new = W + ΔW",
        note=_left_out(network, shown).strip(),
    )


def _after_table(network: Network, after: Network, last: Layer, rate: float, shown: int) -> Steps:
    then = forward(after)[-1]
    lines: list[dict[str, Value]] = [
        {"weights": name, "y": of.y, "t": network.targets, "E": error(network, of)}
        for name, of in (("old", last), ("new", then))
    ]
    change = error(network, then) - error(network, last)
    note = "The same row again: its error is smaller."
    if change >= 0:
        note = f"η = {rate:g} is too far for this row." if change else "No weight has moved the error."
    return steps_of("The row once more", [_cut(line, shown) for line in lines], answers=("y", "E"), note=note)


def _wrong_way(network: Network, blames: Sequence[Blame]) -> list[str]:
    """What the printed wⱼₖ would give, where W is square and lets it be worked out."""
    for place, blame in enumerate(blames[1:], start=1):
        above = network.weights[len(blames) - place][:, 1:]
        if above.shape[0] == above.shape[1] and len(above) > 1 and len(above) <= 4:
            wrong = blame.slope * (above @ blames[place - 1].delta)
            texts = [f"({', '.join(map(number_text, each))})" for each in (wrong, blame.delta)]
            return [f"With wⱼₖ layer {len(blames) - place} would have δ = {texts[0]} in place of {texts[1]}."]
    return []
