"""Transfer: a network that begins with what another has learned, and learns on, in all its layers or in some."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from handrail.data.rows import Rows, count, cut, moved
from handrail.errors import HandrailError, RecipeError, RunError, did_you_mean

_RUN_PREFIX = "network."
_SHOWN = 4


@dataclass(frozen=True)
class Loaded:
    """What became of a file's weights.

    names: the network's tensors that were filled. left_out: tensors of the file that were not used, each with the
    reason. kept: the network's tensors that stay as they were.
    """

    names: tuple[str, ...]
    left_out: dict[str, str]
    kept: tuple[str, ...]

    @property
    def told(self) -> str:
        """A sentence for the log."""
        left = f"; left out: {'; '.join(f'{name} ({why})' for name, why in self.left_out.items())}" if self.left_out else ""
        kept = f"; begin anew: {', '.join(self.kept)}" if self.kept else ""
        return f"{len(self.names):,} of {len(self.names) + len(self.kept):,} tensors were filled{kept}{left}."


def load_weights(network: nn.Module, path: Path) -> Loaded:
    """Fill a network with the tensors of a file whose names and shapes fit; the others stay as they are.

    Names may differ by what stands before them (`network.`, `model.` …), if it is the same for all.

    Arguments:
        path: a run folder, its `model` folder, or any `.safetensors` file.

    Raises: `RunError` when the file is missing, damaged or of another kind, holds a number that is not finite, or none
        of its tensors fits.
    """
    found = _read(path)
    own = network.state_dict()
    names, left_out, prefix = [], {}, _prefix(found, own)
    for name, tensor in found.items():
        mine = _renamed(name, prefix)
        why = _misfit(mine, tensor, own)
        if why:
            left_out[name] = why
            continue
        with torch.no_grad():
            own[mine].copy_(tensor)
        names.append(mine)
    if not names:
        raise RunError(_nothing_fits(path, found, own))
    filled = set(names)
    return Loaded(tuple(names), left_out, tuple(name for name in own if name not in filled))


def _read(path: Path) -> dict[str, Tensor]:
    candidates = [path / "model" / "weights.safetensors", path / "weights.safetensors"] if path.is_dir() else [path]
    file = next((candidate for candidate in candidates if candidate.is_file()), None)
    if file is None:
        raise RunError(f"there are no weights at '{path}'; expected a run folder that has been trained, or a .safetensors file.")
    try:
        found = load_file(file)
    except (SafetensorError, OSError) as error:
        raise RunError(
            f"'{file}' is no safetensors file, or a damaged one ({error}). A .pt or .pth file may run any program when it is "
            "opened; have whom you trust write its tensors with safetensors.torch.save_file."
        ) from error
    broken = [name for name, tensor in found.items() if tensor.is_floating_point() and not tensor.isfinite().all()]
    if broken:
        raise RunError(f"'{file}' holds numbers that are not finite, in '{broken[0]}'; take a copy from before it went wrong.")
    inside = {name: tensor for name, tensor in found.items() if name.startswith(_RUN_PREFIX)}
    return inside or found  # beside the network, a run's file holds the encoder and the decoder


def _prefix(found: dict[str, Tensor], own: dict[str, Tensor]) -> tuple[str, str]:
    """What is to be taken off the file's names, and put before them, so that most of them are the network's."""
    options = [("", ""), *((start, "") for start in _starts(found)), *(("", start) for start in _starts(own))]
    options += [(_RUN_PREFIX, start) for start in _starts(own)]
    return max(options, key=lambda option: sum(_renamed(name, option) in own for name in found))


def _starts(names: dict[str, Tensor]) -> list[str]:
    """`a.b.weight` begins with `a.` and with `a.b.`."""
    parts = {name: name.split(".")[:-1] for name in names}
    return list(dict.fromkeys(".".join(some[:depth]) + "." for some in parts.values() for depth in range(1, len(some) + 1)))


def _renamed(name: str, prefix: tuple[str, str]) -> str:
    off, on = prefix
    return on + name.removeprefix(off)


def _misfit(name: str, tensor: Tensor, own: dict[str, Tensor]) -> str:
    if name not in own:
        return f"the network has no '{name}'.{did_you_mean(name, own, listed=False)}".rstrip(".")
    if tensor.shape != own[name].shape:
        return f"its shape is {list(tensor.shape)}, the network's {list(own[name].shape)}"
    return ""


def _nothing_fits(path: Path, found: dict[str, Tensor], own: dict[str, Tensor]) -> str:
    def some(tensors: dict[str, Tensor]) -> str:
        told = [f"'{name}' {list(tensor.shape)}" for name, tensor in list(tensors.items())[:_SHOWN]]
        return ", ".join(told) + (" …" if len(tensors) > _SHOWN else "")

    first = next(iter(found), "")
    return (
        f"no tensor of '{path}' fits the network in name and shape. Found {some(found) or 'no tensors'}; "
        f"expected {some(own) or 'none'}.{did_you_mean(first, own, listed=False)} Choose the same model as in that run."
    )


def layers(network: nn.Module) -> list[tuple[str, ...]]:
    """The network's layers from the first to the head, in the order in which they were made.

    A layer is a module with weights and the normalisation behind it, or a block: a module of several parts that is one
    of a row of them (a residual block, a transformer's block). Each is given by the names of its modules.
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
    kinds = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
    return isinstance(module, kinds)


def first_layers(network: nn.Module, number: int) -> list[str]:
    """Names for `freeze`: of so many first layers, or with a number below zero of all but the last ones (−1: but the head).

    Raises: `RecipeError` when there are fewer layers.
    """
    found = layers(network)
    if abs(number) > len(found):
        raise RecipeError(f"found {number} layers to take, but the network has {len(found)}.")
    return [name for layer in found[:number] for name in layer]


def freeze(network: nn.Module, patterns: Sequence[str]) -> list[str]:
    """Take parameters out of training; `steady` also holds their batch normalisation. Returns: the parameters' names.

    Arguments:
        patterns: names of layers (`features` means all within it) or of parameters, or patterns with * and ?.

    Raises: `RecipeError` with every pattern that fits nothing.
    """
    return _set(network, patterns, trained=False)


def thaw(network: nn.Module, patterns: Sequence[str]) -> list[str]:
    """Put parameters back into training, as `freeze` takes them out."""
    return _set(network, patterns, trained=True)


def _set(network: nn.Module, patterns: Sequence[str], *, trained: bool) -> list[str]:
    parameters = dict(network.named_parameters())
    fitting = {pattern: [name for name in parameters if _fits(name, pattern)] for pattern in patterns}
    known = [*parameters, *(name for name, _ in network.named_modules() if name)]
    unknown = [pattern for pattern, names in fitting.items() if not names]
    if unknown:
        raise RecipeError(f"no layer with weights is named '{pattern}'.{did_you_mean(pattern, known)}" for pattern in unknown)
    taken = list(dict.fromkeys(name for names in fitting.values() for name in names))
    for name in taken:
        parameters[name].requires_grad_(trained)
    return taken


def _fits(name: str, pattern: str) -> bool:
    """Whether the pattern names the parameter or a module that holds it."""
    parts = name.split(".")
    return pattern == "" or any(fnmatchcase(".".join(parts[:depth]), pattern) for depth in range(1, len(parts) + 1))


def steady(network: nn.Module) -> None:
    """Hold the batch normalisation of frozen layers in evaluation mode; to be called after each `network.train()`.

    Otherwise frozen layers would go by the mean and spread of each batch, and forget those they have learned. One
    without parameters follows the module that it is in.
    """
    for name, module in network.named_modules():
        if isinstance(module, nn.modules.batchnorm._NormBase):
            holder = module
            while name and next(holder.parameters(), None) is None:
                name = name.rpartition(".")[0]  # noqa: PLW2901 - upwards, to the first that has parameters
                holder = network.get_submodule(name)
            if not any(parameter.requires_grad for parameter in holder.parameters()):
                module.eval()


def parameter_groups(network: nn.Module, learning_rate: float, decay_by_depth: float) -> list[dict[str, Any]]:
    """Groups for an optimizer: η·γᵈ for the layer d steps before the head. Frozen parameters are left out.

    Early layers see edges and colours, which stay what they are; later ones are about the task, and have more to learn.

    Arguments:
        learning_rate: η, of the head.
        decay_by_depth: γ, above 0 and at most 1, which is the same rate for all; the paper's is 1/2.6.

    Returns: `{"params": […], "lr": …}` for each layer that is trained, the head first.

    Raises: `RecipeError` when γ is out of range.

    Source: Howard & Ruder 2018
    """
    if not 0 < decay_by_depth <= 1:
        raise RecipeError(f"decay_by_depth: found {decay_by_depth:g}, expected a number above 0 and at most 1.")
    groups, seen = [], set()
    for depth, names in enumerate(reversed(layers(network))):
        fresh = [p for name in names for p in network.get_submodule(name).parameters() if p.requires_grad and p not in seen]
        seen.update(fresh)  # a matrix that two layers share goes by the later one
        if fresh:
            groups.append({"params": fresh, "lr": learning_rate * decay_by_depth**depth})
    return groups


@torch.no_grad()
def feature_rows(network: nn.Module, rows: Rows, head_name: str, *, batch_size: int = 256) -> Float[Tensor, "rows ..."]:
    """What the head gets to see of each row, in evaluation mode, on the CPU: computed once, a linear head trains in seconds.

    Arguments:
        rows: as the network takes them.
        head_name: the network's last layer, such as `head`.

    Raises: `RecipeError` when there is no such layer, it is not used, or the network does something behind it.

    Source: Donahue 2014; Razavian 2014
    """
    modules = {name: module for name, module in network.named_modules() if name}
    if head_name not in modules:
        raise RecipeError(f"the network has no layer '{head_name}'.{did_you_mean(head_name, modules)}")
    seen: list[tuple[Tensor, Tensor]] = []
    device = next((tensor.device for tensor in network.state_dict().values()), torch.device("cpu"))
    modes = {module: module.training for module in network.modules()}
    network.eval()
    watch = modules[head_name].register_forward_hook(lambda _, given, out: seen.append((given[0], out)))
    found = []
    try:
        for start in range(0, count(rows), batch_size):
            seen.clear()
            outputs = network(moved(cut(rows, start, start + batch_size), device))
            found.append(_before_head(seen, outputs, head_name).cpu())
    finally:
        watch.remove()
        for module, mode in modes.items():
            module.training = mode
    if not found:
        raise HandrailError("there are no rows to take features of.")
    return torch.cat(found)


def _before_head(seen: list[tuple[Tensor, Tensor]], outputs: Any, name: str) -> Tensor:
    if not seen:
        raise RecipeError(f"the layer '{name}' is not used by the network, so there are no features before it.")
    given, out = seen[-1]
    same = isinstance(out, Tensor) and isinstance(outputs, Tensor) and torch.equal(out.flatten(), outputs.flatten())
    if len(seen) > 1 or not same:
        raise RecipeError(f"'{name}' is not the network's head: the network's answers are not simply what it gives.")
    return given
