"""The layers of a trained multilayer perceptron, for a pass with every number in between."""

import numpy as np
import torch
from torch import Tensor, nn

from handrail.errors import DataError
from handrail.layers.activations import Identity
from handrail.layers.noise import Dropout, GaussianNoise
from handrail.models.mlp import MLP
from handrail.traces.given import Given
from handrail.traces.lines.network.passes import Array, Network

_KNOWN: dict[type[nn.Module], str] = {
    nn.Sigmoid: "sigmoid",
    nn.Tanh: "tanh",
    nn.ReLU: "relu",
    Identity: "linear",
}
_OUTPUTS = {  # of each task: the last activation, and the loss
    "binary": ("sigmoid", "cross_entropy"),
    "multi-class": ("softmax", "cross_entropy"),
    "multi-label": ("sigmoid", "cross_entropy"),
    "regression": ("linear", "squared_error"),
}


def network_of(given: Given) -> Network:
    """The layers of the network, and its row.

    Raises: `DataError` for another model, layers between whose steps are not followed, and a row whose target
        is not known.
    """
    model = given.model
    if not isinstance(model, MLP) or given.task not in _OUTPUTS:
        found = f"{type(model).__name__} for {given.task}"
        raise DataError(
            f"backpropagation: found a {found}, expected an mlp for one of {', '.join(_OUTPUTS)}."
        )
    if given.target is None:
        raise DataError("backpropagation: the row has no target, and so no error that could go back.")
    last, loss = _OUTPUTS[given.task]
    return Network(
        tuple(_with_bias(layer) for layer in [*model.features, model.head] if isinstance(layer, nn.Linear)),
        (*_activations(model), last),
        loss,
        _numbers(given.inputs.flatten()),
        _wanted(given.target, given.task, model.head.out_features),
    )


def _activations(model: MLP) -> list[str]:
    """Of the hidden layers. Raises: `DataError` for other layers than weights and activations known here."""
    found: list[str] = []
    for layer in model.features:
        if type(layer) in _KNOWN:
            found.append(_KNOWN[type(layer)])
        elif not isinstance(layer, nn.Linear | Dropout | GaussianNoise):  # noise is for training alone
            raise DataError(
                f"backpropagation: found a layer {type(layer).__name__} in the mlp, expected weights, and "
                "sigmoid, tanh, relu or linear units."
            )
    return found


def _with_bias(layer: nn.Linear) -> Array:
    return _numbers(torch.cat([layer.bias.detach()[:, None], layer.weight.detach()], dim=1))


def _wanted(target: Tensor, task: str, units: int) -> Array:
    """The target as numbers that the last layer should give."""
    if task == "multi-class":
        return np.eye(units)[int(target.item())]
    return _numbers(target.flatten())


def _numbers(values: Tensor) -> Array:
    return values.detach().double().cpu().numpy()
