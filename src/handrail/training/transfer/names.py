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
    """What the names of the model's own begin with, where it stands within others: `model.`,
    `model.network.`.
    """
    inner = ""
    while isinstance(network, Network | Lowered):
        child = "model" if isinstance(network, Network) else "network"
        inner, network = f"{inner}{child}.", getattr(network, child)
    return inner


def by_model_names(network: nn.Module, named: Mapping[str, Any]) -> dict[str, Any]:
    """By the names that the model's code gives; what stands before the model keeps its own."""
    inner = inner_name(network)
    return {name.removeprefix(inner): value for name, value in named.items()}


def within(name: str, modules: Sequence[str]) -> bool:
    return any(matches(name, module) for module in modules)


def ends_of(network: nn.Module) -> tuple[list[str], list[str], list[str]]:
    """Modules with weights that take the inputs (the model's first layer, and what stands before the model),
    all but the head's, and the head's.
    """
    found = [list(by_model_names(network, dict.fromkeys(layer))) for layer in layers(network)]
    inner = inner_name(network)
    before = sum(bool(inner) and not layer[0].startswith(inner) for layer in layers(network))
    *body, ends = found
    return (
        [name for layer in found[: before + 1] for name in layer],
        [name for layer in body for name in layer],
        ends,
    )


def layers(network: nn.Module) -> list[tuple[str, ...]]:
    """The network's layers from the first to the head, in the order in which they were made.

    A layer is a module with weights and the normalisation behind it, or a block: a module of several parts
    that is one of a row of them (a residual block, a transformer's block). Each is given by the names of its
    modules.
    """
    found: list[tuple[str, ...]] = []
    for name, module in _parts(network, "", listed=False):
        if found and _normalises(module):
            found[-1] = (*found[-1], name)
        else:
            found.append((name,))
    return found


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


def _normalises(module: nn.Module) -> bool:
    kinds = (_NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
    return isinstance(module, kinds)


def first_layers(network: nn.Module, number: int) -> list[str]:
    """Names for `freeze`: of so many first layers, or with a number below zero of all but the last ones (−1:
    but the head).

    Raises: `RecipeError` when there are fewer layers.
    """
    found = layers(network)
    if abs(number) > len(found):
        raise RecipeError(f"found {number} layers to take, but the network has {len(found)}.")
    return list(by_model_names(network, dict.fromkeys(name for layer in found[:number] for name in layer)))


def matches(name: str, pattern: str) -> bool:
    """Whether the pattern names the parameter or a module that holds it."""
    parts = name.split(".")
    return pattern == "" or any(
        fnmatchcase(".".join(parts[:depth]), pattern) for depth in range(1, len(parts) + 1)
    )
