"""Layers and tensors by the names that a user knows: those of the model, whatever stands around it."""

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from handrail.errors import RecipeError
from handrail.layers.precision import Lowered
from handrail.network import Network


def inner_name(network: nn.Module) -> str:
    """What the model's names begin with where it stands within others: `model.`, `model.network.`."""
    inner = ""
    while isinstance(network, Network | Lowered):
        child = "model" if isinstance(network, Network) else "network"
        inner, network = f"{inner}{child}.", getattr(network, child)
    return inner


def by_model_names(network: nn.Module, named: Mapping[str, Any]) -> dict[str, Any]:
    """By the names that the model's code gives, itself by none; what stands before it keeps its own."""
    inner = inner_name(network)
    return {f"{name}.".removeprefix(inner).removesuffix("."): value for name, value in named.items()}


def within(name: str, modules: Sequence[str]) -> bool:
    return any(matches(name, module) for module in modules)


def ends_of(network: nn.Module) -> tuple[list[str], list[str], list[str]]:
    """Modules with weights: those that take the inputs, all but the head's, and the head's.

    The inputs go to the model's first layer, and to what stands before the model.
    """
    own = layers(network)
    names = [list(by_model_names(network, dict.fromkeys(layer))) for layer in own]
    inner = inner_name(network)
    before = sum(not f"{layer[0]}.".startswith(inner) for layer in own)
    *body, head = names or [[]]
    inputs = [name for layer in names[: before + 1] for name in layer]
    return inputs, [name for layer in body for name in layer], head


def layers(network: nn.Module) -> list[tuple[str, ...]]:
    """The network's layers from the first to the head, in the order in which they were made.

    A layer is a module with weights and the normalisation behind it, or a block: a module of several parts
    that is one of a row of them (a residual block, a transformer's block). Each is given by the names of its
    modules.
    """
    kinds = (_NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
    names: list[tuple[str, ...]] = []
    for name, module in _parts(network, "", listed=False):
        if names and isinstance(module, kinds):
            names[-1] = (*names[-1], name)
        else:
            names.append((name,))
    return names


def _parts(module: nn.Module, name: str, *, listed: bool) -> Iterator[tuple[str, nn.Module]]:
    if next(module.parameters(), None) is None:
        return
    a_list = isinstance(module, nn.Sequential | nn.ModuleList)
    own = next(module.parameters(recurse=False), None)
    if own is not None or (listed and not a_list):
        yield name, module
        return
    for child, part in module.named_children():
        yield from _parts(part, f"{name}.{child}" if name else child, listed=a_list)


def first_layers(network: nn.Module, number: int) -> list[str]:
    """Names for `freeze`: of so many first layers, or below zero of all but the last ones (−1: but the head).

    Raises: `RecipeError` when there are fewer layers.
    """
    own = layers(network)
    if abs(number) > len(own):
        raise RecipeError(f"found {number} layers to take, but the network has {len(own)}.")
    return list(by_model_names(network, dict.fromkeys(name for layer in own[:number] for name in layer)))


def matches(name: str, pattern: str) -> bool:
    """Whether the pattern names the parameter or a module that holds it."""
    parts = name.split(".")
    starts = (".".join(parts[:depth]) for depth in range(1, len(parts) + 1))
    return pattern == "" or any(fnmatchcase(start, pattern) for start in starts)
