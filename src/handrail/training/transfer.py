"""Transfer: a network that begins with what another has learned, and learns on, in all its layers or in some."""

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.dropout import _DropoutNd

from handrail.data.encoders.table import TableEncoder
from handrail.data.rows import Rows, count, cut, moved
from handrail.data.task import Task
from handrail.errors import HandrailError, RecipeError, RunError, did_you_mean
from handrail.layers.noise import GaussianNoise, NoisyLinear
from handrail.layers.precision import Lowered
from handrail.network import Network
from handrail.recipe import TransferRecipe
from handrail.training.callbacks import Callback
from handrail.training.checkpoint import copied, load_state, save_state

if TYPE_CHECKING:
    from handrail.training.engine import Engine

BEGINNING = "start.safetensors"  # in the folder of the checkpoints
_RUN_PREFIX = "network."
_SHOWN = 4
_OTHER_INPUTS = "it was learned for other columns or tokens"
_OTHER_ANSWERS = "it was learned for other classes or targets"
_log = logging.getLogger("handrail")


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


def load_weights(network: nn.Module, path: Path, *, first: bool = True, head: bool = True) -> Loaded:
    """Fill a network with the tensors of a file whose names and shapes fit; the others stay as they are.

    Names may differ by what stands before them (`network.`, `model.` …), if it is the same for all.

    Arguments:
        path: a run folder, its `model` folder, or any `.safetensors` file.
        first, head: whether the first and the last layer are taken, too, where they fit; else they begin anew.

    Raises: `RunError` when the file is missing, damaged or of another kind, holds a number that is not finite, or none
        of its tensors fits a layer before the head.
    """
    found, own = _read(weights_at(path)), _spoken(network, network.state_dict())
    prefix = _prefix(found, own)
    names = {name: _renamed(name, prefix, own) for name in found}
    begins, body, ends = _ends(network)
    left_out = {name: why for name, mine in names.items() if (why := _misfit(mine, found[name], own))}
    for wanted, layer, why in ((first, begins, _OTHER_INPUTS), (head, ends, _OTHER_ANSWERS)):
        left_out |= {name: why for name, mine in names.items() if not wanted and name not in left_out and _within(mine, layer)}
    filled = {mine: found[name] for name, mine in names.items() if name not in left_out}
    # Biases of a head often have the same size by chance.
    if not any(_within(mine, body or ends) for mine in filled):
        raise RunError(_nothing_fits(path, found, own, left_out))
    return _fill(own, filled, left_out)


def _fill(own: Mapping[str, Tensor], filled: Mapping[str, Tensor], left_out: dict[str, str]) -> Loaded:
    with torch.no_grad():
        for name, tensor in filled.items():
            own[name].copy_(tensor)
    return Loaded(tuple(filled), left_out, tuple(name for name in own if name not in filled))


def _inner(network: nn.Module) -> str:
    """What the names of the model's own begin with, where it stands within others: `model.`, `model.network.`."""
    inner = ""
    while isinstance(network, Network | Lowered):
        child = "model" if isinstance(network, Network) else "network"
        inner, network = f"{inner}{child}.", getattr(network, child)
    return inner


def _spoken(network: nn.Module, named: Mapping[str, Any]) -> dict[str, Any]:
    """By the names that the model's code gives; what stands before the model keeps its own."""
    inner = _inner(network)
    return {name.removeprefix(inner): value for name, value in named.items()}


def _within(name: str, modules: Sequence[str]) -> bool:
    return any(_fits(name, module) for module in modules)


def _ends(network: nn.Module) -> tuple[list[str], list[str], list[str]]:
    """Modules with weights that take the inputs (the model's first layer, and what stands before the model), all but the
    head's, and the head's."""
    found = [list(_spoken(network, dict.fromkeys(layer))) for layer in layers(network)]
    inner = _inner(network)
    before = sum(bool(inner) and not layer[0].startswith(inner) for layer in layers(network))
    *body, ends = found
    return [name for layer in found[: before + 1] for name in layer], [name for layer in body for name in layer], ends


def weights_at(path: Path) -> Path:
    """The file with the weights: the path itself, or the one in a run folder.

    Raises: `RunError` when there is none.
    """
    candidates = [path / "model" / "weights.safetensors", path / "weights.safetensors"] if path.is_dir() else [path]
    file = next((candidate for candidate in candidates if candidate.is_file()), None)
    if file is None:
        raise RunError(f"there are no weights at '{path}'; expected a run folder that has been trained, or a .safetensors file.")
    return file


def _read(file: Path) -> dict[str, Tensor]:
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
    return max(options, key=lambda option: sum(_renamed(name, option, {}) in own for name in found))


def _starts(names: dict[str, Tensor]) -> list[str]:
    """`a.b.weight` begins with `a.` and with `a.b.`."""
    parts = {name: name.split(".")[:-1] for name in names}
    return list(dict.fromkeys(".".join(some[:depth]) + "." for some in parts.values() for depth in range(1, len(some) + 1)))


def _renamed(name: str, prefix: tuple[str, str], own: Mapping[str, Any]) -> str:
    off, on = prefix
    mine, outside = on + name.removeprefix(off), name.removeprefix(_RUN_PREFIX)
    return outside if mine not in own and outside in own else mine  # learned vectors of columns stand before the model


def _misfit(name: str, tensor: Tensor, own: dict[str, Tensor]) -> str:
    if name not in own:
        return f"the network has no '{name}'.{did_you_mean(name, own, listed=False)}".rstrip(".")
    if tensor.shape != own[name].shape:
        return f"its shape is {list(tensor.shape)}, the network's {list(own[name].shape)}"
    return ""


def _nothing_fits(path: Path, found: dict[str, Tensor], own: dict[str, Tensor], left_out: dict[str, str]) -> str:
    def some(tensors: dict[str, Tensor]) -> str:
        told = [f"'{name}' {list(tensor.shape)}" for name, tensor in list(tensors.items())[:_SHOWN]]
        return ", ".join(told) + (" …" if len(tensors) > _SHOWN else "")

    first = next(iter(found), "")
    others = [f" '{name}' was left out: {why}." for name, why in left_out.items() if why in (_OTHER_INPUTS, _OTHER_ANSWERS)]
    return (
        f"no tensor of '{path}' fits the network behind its head in name and shape. Found {some(found) or 'no tensors'}; "
        f"expected {some(own) or 'none'}.{did_you_mean(first, own, listed=False)}{''.join(others)} Choose the same model as in that run."
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
    kinds = (_NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
    return isinstance(module, kinds)


def first_layers(network: nn.Module, number: int) -> list[str]:
    """Names for `freeze`: of so many first layers, or with a number below zero of all but the last ones (−1: but the head).

    Raises: `RecipeError` when there are fewer layers.
    """
    found = layers(network)
    if abs(number) > len(found):
        raise RecipeError(f"found {number} layers to take, but the network has {len(found)}.")
    return list(_spoken(network, dict.fromkeys(name for layer in found[:number] for name in layer)))


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
    parameters = _spoken(network, dict(network.named_parameters()))
    fitting = {pattern: [name for name in parameters if _fits(name, pattern)] for pattern in patterns}
    known = [*(name for name in _spoken(network, dict(network.named_modules())) if name), *parameters]
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
    """Hold the batch normalisation of frozen layers in evaluation mode, until the next `network.train()`.

    Otherwise frozen layers would go by the mean and spread of each batch, and forget those they have learned. One
    without parameters follows the module that it is in.
    """
    for module, holder in _normalisations(network):
        _hold(module, holder)


def _normalisations(network: nn.Module) -> Iterator[tuple[nn.Module, nn.Module]]:
    """Each batch normalisation, with the module whose parameters say whether it is frozen."""
    for name, module in network.named_modules():
        if isinstance(module, _NormBase):
            holder = module
            while name and next(holder.parameters(), None) is None:
                name = name.rpartition(".")[0]  # noqa: PLW2901 - upwards, to the first that has parameters
                holder = network.get_submodule(name)
            yield module, holder


def _keeper(holder: nn.Module) -> Callable[[nn.Module, Any], None]:
    """A hook that holds a normalisation whenever it is used, whoever has called `train()` in between."""
    return lambda module, _given: _hold(module, holder)


def _hold(module: nn.Module, holder: nn.Module) -> None:
    if module.training and not any(parameter.requires_grad for parameter in holder.parameters()):
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
    both = isinstance(out, Tensor) and isinstance(outputs, Tensor)
    same = both and torch.equal(out.flatten().float(), outputs.flatten().float())  # what comes out is float32 again
    if len(seen) > 1 or not same:
        raise RecipeError(f"'{name}' is not the network's head: the network's answers are not simply what it gives.")
    return given


def head_of(network: nn.Module) -> tuple[str, nn.Module]:
    """The last layer's full name, and a module that trains it alone on features, in the network's precision.

    Raises: `RecipeError` when it shares weights with other layers, or layers before it act by chance in training.
    """
    *_, last = layers(network)
    name, head = last[0], network.get_submodule(last[0])
    inside = {id(module) for module in head.modules()}
    others = [module for module in network.modules() if id(module) not in inside]
    own = {id(parameter) for parameter in head.parameters()}
    if any(id(parameter) in own for module in others for parameter in module._parameters.values()):
        raise RecipeError(
            f"transfer.features: the head, '{name}', shares weights with the layers before it; expected one of its own."
        )
    idle = sorted({type(module).__name__ for module in others if _acts_by_chance(module)})
    if idle:
        raise RecipeError(
            f"transfer.features: {', '.join(idle)} would have no effect on features, which are computed once; set it to 0 in "
            "the model, or freeze all but the head (transfer.freeze: -1)."
        )
    return name, Lowered(head) if any(isinstance(module, Lowered) for module in others) else head


def _acts_by_chance(module: nn.Module) -> bool:
    share = getattr(module, "p" if isinstance(module, _DropoutNd) else "dropout", 0.0)  # recurrent layers hold a number
    return isinstance(module, GaussianNoise | NoisyLinear) or (isinstance(share, int | float) and share > 0)


@contextmanager
def transferred(
    network: nn.Module,
    settings: TransferRecipe,
    *,
    task: Task,
    encoder: Mapping[str, Any] | None = None,
    kept: Path | None = None,
) -> Iterator[tuple[Callback, ...]]:
    """While open, the network begins where the recipe says, and what is frozen stays as it is.

    Arguments:
        task: what the network is for; the head of a run for other classes or targets is not taken.
        encoder: the encoder's facts; the first layer of a run for other columns or tokens is not taken.
        kept: a file in which the beginning is written, and from which it is taken where it is there already: the weights
            to start from may have gone, or changed, when a training goes on.

    Returns: listeners of the training, which thaw.

    Raises: `RunError` and `RecipeError` as `load_weights`, `freeze` and `first_layers`; nothing left to train.
    """
    if settings == TransferRecipe():
        yield ()
        return
    before = [(parameter, parameter.requires_grad) for parameter in network.parameters()]
    hooks: list[Any] = []
    try:
        begun = load_state(kept) if kept is not None and kept.exists() else _begin(network, settings, task, encoder)
        own = _spoken(network, network.state_dict())
        _fill(own, {name: tensor for name, tensor in begun["tensors"].items() if not _misfit(name, tensor, own)}, {})
        frozen = _frozen(network, settings)
        if kept is not None and not kept.exists():
            save_state(kept, {"tensors": begun["tensors"], "facts": {**begun["facts"], **_counts(network, settings, frozen)}})
        hooks += [module.register_forward_pre_hook(_keeper(holder)) for module, holder in _normalisations(network)]
        yield () if settings.thaw_after is None else (Thaw(frozen, settings.thaw_after),)
    finally:
        for hook in hooks:
            hook.remove()
        for parameter, trained in before:
            parameter.requires_grad_(trained)


def _begin(network: nn.Module, settings: TransferRecipe, task: Task, encoder: Mapping[str, Any] | None) -> dict[str, Any]:
    """Load; the answer is what a resumed or repeated training needs to begin alike, and what is to be told."""
    facts: dict[str, Any] = {"start": None, "loaded": 0, "left_out": {}, "begun_anew": list(network.state_dict())}
    if settings.start is not None:
        first, head = _alike(Path(settings.start), task, encoder)
        loaded = load_weights(network, Path(settings.start), first=first, head=head)
        _log.info("began with '%s': %s", settings.start, loaded.told)
        facts = {
            "start": str(settings.start),
            "loaded": len(loaded.names),
            "left_out": loaded.left_out,
            "begun_anew": [*loaded.kept],
        }
    return {"tensors": copied(_spoken(network, network.state_dict())), "facts": facts}


def _alike(start: Path, task: Task, encoder: Mapping[str, Any] | None) -> tuple[bool, bool]:
    """Whether a run's inputs and its answers stand for the same; of a bare file nobody knows, and all of it is taken."""
    try:
        before = json.loads(weights_at(start).with_name("pipeline.json").read_text(encoding="utf-8"))
        inputs = encoder is None or _meaning(before["encoder"]) == _meaning(json.loads(json.dumps(encoder)))
        answers = (before["task"]["classes"], before["task"]["targets"]) == (list(task.classes), list(task.targets))
    except (OSError, ValueError, KeyError, TypeError):
        return True, True
    return inputs, answers and (inputs or task.name != "next-token")


def _meaning(encoder: Mapping[str, Any]) -> list[Any]:
    """What each input number stands for: columns and levels of a table, tokens of a text; of pictures and series, their place."""
    if encoder["kind"] == "mixed":
        return [
            *(_meaning(encoder["table"]) if encoder["table"] else []),
            *(column.get("tokenizer") for column in encoder["columns"]),
        ]
    if encoder["kind"] != "table":
        return [encoder["column"].get("tokenizer")]
    embedded = encoder["levels"] if encoder["encoding"]["categories"] == "embedding" else None
    return [TableEncoder.from_facts(dict(encoder)).feature_names, embedded]


def _frozen(network: nn.Module, settings: TransferRecipe) -> list[nn.Parameter]:
    """The parameters that are frozen at first; those that never thaw are out of training already."""
    number = -1 if settings.features else settings.freeze
    names = number if isinstance(number, list) else first_layers(network, number)
    parameters = dict(_spoken(network, dict(network.named_parameters())))
    found = [parameters[name] for name in freeze(network, names)]
    if found and not any(parameter.requires_grad for parameter in network.parameters()):
        raise RecipeError("transfer.freeze: nothing is left to train; leave a layer out, such as the head (-1: all but the head).")
    if settings.thaw_after is not None:
        for parameter in found:  # until training begins: the optimizer must know them, from its first step on
            parameter.requires_grad_(True)
    return found


def _counts(network: nn.Module, settings: TransferRecipe, frozen: list[nn.Parameter]) -> dict[str, int]:
    total = sum(parameter.numel() for parameter in network.parameters())
    held = sum(parameter.numel() for parameter in frozen)
    return {"trained_parameters": total - (held if settings.thaw_after is None else 0), "frozen_parameters": held}


def transfer_facts(folder: Path) -> dict[str, Any] | None:
    """What was loaded and what is trained, from the folder of the checkpoints; nothing where there was no transfer."""
    return load_state(folder / BEGINNING)["facts"] if (folder / BEGINNING).exists() else None


class Thaw(Callback):
    """Gradual unfreezing: layers are frozen for the first epochs, and learn from then on.

    Which ones learn follows from the epoch's number alone, so that a resumed training goes on alike.

    Source: Howard & Ruder 2018
    """

    def __init__(self, frozen: Sequence[nn.Parameter], after: int) -> None:
        self.frozen, self.after = frozen, after

    def on_epoch_begin(self, engine: "Engine", epoch: int) -> None:
        """Freeze up to the last epoch in which the layers are held, thaw behind it."""
        for parameter in self.frozen:
            parameter.requires_grad_(epoch > self.after)
