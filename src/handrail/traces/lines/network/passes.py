"""A pass forward and back through layers of neurons, with every number in between."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

Array = Float[np.ndarray, "..."]


def logistic(z: Array) -> Array:
    """1/(1 + e^−z), also far from 0."""
    return np.exp(-np.logaddexp(0, -z))


def _softmax(z: Array) -> Array:
    powers = np.exp(z - z.max())
    return powers / powers.sum()


ANSWERS: Mapping[str, Callable[[Array], Array]] = {
    "sigmoid": logistic,
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0),
    "linear": lambda z: z,
    "softmax": _softmax,
}
SLOPES: Mapping[str, tuple[str, Callable[[Array, Array], Array]]] = {  # f′ in words, and of z and y
    "sigmoid": ("y(1 − y)", lambda z, y: y * (1 - y)),
    "tanh": ("(1 − y²)", lambda z, y: 1 - y**2),
    "relu": ("[z > 0]", lambda z, y: np.asarray(z > 0, dtype=np.float64)),
    "linear": ("1", lambda z, y: np.ones_like(z)),
}


@dataclass(frozen=True, eq=False)
class Network:
    """Layers of neurons, and a row with what they are to answer.

    Arguments:
        weights: of each layer `[units, inputs + 1]`, those of x₀ = 1 in front.
        activations: of each layer; softmax stands under cross-entropy alone.
        loss: `squared_error` ½Σ(t − y)², or `cross_entropy`.
    """

    weights: tuple[Array, ...]
    activations: tuple[str, ...]
    loss: str
    inputs: Float[np.ndarray, " inputs"]
    targets: Float[np.ndarray, " outputs"]

    def moved(self, changes: Sequence[Array]) -> "Network":
        """The same with other weights."""
        weights = tuple(old + change for old, change in zip(self.weights, changes, strict=True))
        return replace(self, weights=weights)


@dataclass(frozen=True, eq=False)
class Layer:
    """What a layer is given, with x₀ = 1 in front; its sums, and its answers."""

    x: Array
    z: Array
    y: Array


def forward(network: Network) -> list[Layer]:
    """z = W·x, y = f(z), layer by layer."""
    layers: list[Layer] = []
    answers = network.inputs
    for weights, activation in zip(network.weights, network.activations, strict=True):
        x = np.concatenate([[1.0], answers])
        z = weights @ x
        answers = ANSWERS[activation](z)
        layers.append(Layer(x, z, answers))
    return layers


def error(network: Network, last: Layer) -> float:
    """E of the last layer's answers; cross-entropy from the sums, so that no logarithm is of 0."""
    t, z = network.targets, last.z
    if network.loss == "squared_error":
        return float(0.5 * ((t - last.y) ** 2).sum())
    if network.activations[-1] == "sigmoid":
        return float((np.logaddexp(0, z) - t * z).sum())
    return float(np.logaddexp.reduce(z) - t @ z)


@dataclass(frozen=True, eq=False)
class Blame:
    """What of the error goes back to a layer: what arrives from above, the slope f′(z), and δ = −∂E/∂z.

    There is no slope where cross-entropy's derivative takes it away.
    """

    arrives: Array
    slope: Array | None
    delta: Array


def backward(network: Network, layers: Sequence[Layer]) -> list[Blame]:
    """δ of each layer, from the last to the first."""
    blames: list[Blame] = []
    for place in reversed(range(len(layers))):
        layer, activation = layers[place], network.activations[place]
        if blames:
            arrives = network.weights[place + 1][:, 1:].T @ blames[-1].delta
        else:
            arrives = network.targets - layer.y
        if not blames and network.loss == "cross_entropy":
            blames.append(Blame(arrives, None, arrives))
            continue
        slope = SLOPES[activation][1](layer.z, layer.y)
        blames.append(Blame(arrives, slope, slope * arrives))
    return blames
