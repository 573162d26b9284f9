"""Layers that are held as they are, thawed again, or changed more slowly the deeper they lie."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from handrail.errors import RecipeError, did_you_mean
from handrail.training.transfer.names import by_model_names, layers, matches


def freeze(network: nn.Module, patterns: Sequence[str]) -> list[str]:
    """Take parameters out of training; `steady` also holds their batch normalisation. Returns: the
    parameters' names.

    Arguments:
        patterns: names of layers (`features` means all within it) or of parameters, or patterns with * and ?.

    Raises: `RecipeError` with every pattern that fits nothing.
    """
    return _set(network, patterns, trained=False)


def thaw(network: nn.Module, patterns: Sequence[str]) -> list[str]:
    """Put parameters back into training, as `freeze` takes them out."""
    return _set(network, patterns, trained=True)


def _set(network: nn.Module, patterns: Sequence[str], *, trained: bool) -> list[str]:
    parameters = by_model_names(network, dict(network.named_parameters()))
    fitting = {pattern: [name for name in parameters if matches(name, pattern)] for pattern in patterns}
    known = [*(name for name in by_model_names(network, dict(network.named_modules())) if name), *parameters]
    unknown = [pattern for pattern, names in fitting.items() if not names]
    if unknown:
        raise RecipeError(
            f"no layer with weights is named '{pattern}'.{did_you_mean(pattern, known)}"
            for pattern in unknown
        )
    taken = list(dict.fromkeys(name for names in fitting.values() for name in names))
    for name in taken:
        parameters[name].requires_grad_(trained)
    return taken


def steady(network: nn.Module) -> None:
    """Hold the batch normalisation of frozen layers in evaluation mode, until the next `network.train()`.

    Otherwise frozen layers would go by the mean and spread of each batch, and forget those they have learned.
    One without parameters follows the module that it is in.
    """
    for module, holder in normalisations(network):
        _hold(module, holder)


def normalisations(network: nn.Module) -> Iterator[tuple[nn.Module, nn.Module]]:
    """Each batch normalisation, with the module whose parameters say whether it is frozen."""
    for name, module in network.named_modules():
        if isinstance(module, _NormBase):
            holder = module
            while name and next(holder.parameters(), None) is None:
                name = name.rpartition(".")[0]  # noqa: PLW2901 - upwards, to the first that has parameters
                holder = network.get_submodule(name)
            yield module, holder


def keeper(holder: nn.Module) -> Callable[[nn.Module, Any], None]:
    """A hook that holds a normalisation whenever it is used, whoever has called `train()` in between."""
    return lambda module, _given: _hold(module, holder)


def _hold(module: nn.Module, holder: nn.Module) -> None:
    if module.training and not any(parameter.requires_grad for parameter in holder.parameters()):
        module.eval()


def parameter_groups(network: nn.Module, learning_rate: float, decay_by_depth: float) -> list[dict[str, Any]]:
    """Groups for an optimizer: η·γᵈ for the layer d steps before the head. Frozen parameters are left out.

    Early layers see edges and colours, which stay what they are; later ones are about the task, and have more
    to learn.

    Arguments:
        learning_rate: η, of the head.
        decay_by_depth: γ, above 0 and at most 1, which is the same rate for all; the paper's is 1/2.6.

    Returns: `{"params": […], "lr": …}` for each layer that is trained, the head first.

    Raises: `RecipeError` when γ is out of range.

    Source: Howard & Ruder 2018
    """
    if not 0 < decay_by_depth <= 1:
        raise RecipeError(
            f"decay_by_depth: found {decay_by_depth:g}, expected a number above 0 and at most 1."
        )
    groups, seen = [], set()
    for depth, names in enumerate(reversed(layers(network))):
        fresh = [
            p
            for name in names
            for p in network.get_submodule(name).parameters()
            if p.requires_grad and p not in seen
        ]
        seen.update(fresh)  # a matrix that two layers share goes by the later one
        if fresh:
            groups.append({"params": fresh, "lr": learning_rate * decay_by_depth**depth})
    return groups
