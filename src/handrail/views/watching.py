"""The outputs of every layer for some rows, by hooks that are gone afterwards."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from handrail.components import available
from handrail.data.rows import Rows, count, cut, to_device
from handrail.network import model_in
from handrail.tasks.scoring import device_of, rows_at_once


@dataclass(frozen=True, eq=False)
class Layer:
    """A layer of a model.

    Arguments:
        name: within the model.
        module: the layer.
        is_activation: whether it is an activation, and not weights.
        outputs: for each row `[rows, ...]`; of a layer that is used several times, of its last use.
    """

    name: str
    module: nn.Module
    is_activation: bool
    outputs: Tensor


def is_activation(module: nn.Module) -> bool:
    """Whether a module is an activation, of torch's or of the registry's."""
    own = tuple(entry.target for entry in available("activation").values() if isinstance(entry.target, type))
    return type(module).__module__ == "torch.nn.modules.activation" or isinstance(module, own)


def watched_layers(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The layers that have weights of their own, and activations, in the order in which the model lists
    them."""
    for name, module in model.named_modules():
        if any(True for _ in module.children()) and not _has_own(module):
            continue
        if _has_own(module) or is_activation(module):
            yield name or "model", module


def _has_own(module: nn.Module) -> bool:
    return next(module.parameters(recurse=False), None) is not None


@torch.inference_mode()
def layer_outputs(network: nn.Module, rows: Rows) -> list[Layer]:
    """What each layer gives for these rows, on the CPU, in the order in which they are used."""
    kept: dict[str, list[Tensor]] = {}
    latest: dict[str, Tensor] = {}
    layers = dict(watched_layers(model_in(network)))

    def watch(name: str) -> Any:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            found = output[0] if isinstance(output, tuple) else output
            if isinstance(found, Tensor):
                latest[name] = found.detach().float().cpu()

        return hook

    device, size = device_of(network), rows_at_once(rows)
    with ExitStack() as stack:
        for name, module in layers.items():
            stack.callback(module.register_forward_hook(watch(name)).remove)
        for start in range(0, count(rows), size):
            batch = cut(rows, start, start + size)
            latest.clear()
            network(to_device(batch, device))
            for name, found in latest.items():
                if len(found) == count(batch):
                    kept.setdefault(name, []).append(found)
    return [
        Layer(name, layers[name], is_activation(layers[name]), torch.cat(parts))
        for name, parts in kept.items()
        if sum(map(len, parts)) == count(rows)
    ]
