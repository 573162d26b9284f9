"""Transfer: a network that begins with what another has learned, and learns on, in all or some layers.

May import `network`, `layers` and rows of data. A new way to begin is a setting of `TransferRecipe`,
followed in `transfer_weights`.
"""

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from handrail.data.encoders.table import TableEncoder
from handrail.data.task import TaskSpec
from handrail.errors import RecipeError, did_you_mean
from handrail.recipe.sections import TransferRecipe
from handrail.tools.moved import forward
from handrail.training.callbacks import Callback, Training
from handrail.training.checkpoint import copy_state, load_state, save_state
from handrail.training.transfer.names import (
    by_model_names,
    first_layers,
    inner_name,
    layers,
    matches,
)
from handrail.training.transfer.weights import BEGINNING, fill_from, load_weights, misfit, weights_at

__getattr__ = forward(__name__)

_log = logging.getLogger("handrail")


@contextmanager
def transfer_weights(
    network: nn.Module,
    settings: TransferRecipe,
    *,
    task: TaskSpec,
    encoder: Mapping[str, Any] | None = None,
    kept: Path | None = None,
) -> Iterator[tuple[Callback, ...]]:
    """While open, the network begins where the recipe says, and what is frozen stays as it is.

    Arguments:
        task: what the network is for; the head of a run for other classes or targets is not taken.
        encoder: the encoder's facts; the first layer of a run for other columns or tokens is not taken.
        kept: a file with the beginning, which is read where it exists and else written: the weights to start
            from may have gone, or changed, when a training goes on.

    Returns: listeners of the training, which thaw.

    Raises: `RunError` and `RecipeError` as `load_weights`, `freeze` and `first_layers`; nothing to train.
    """
    if settings == TransferRecipe():
        yield ()
        return
    before = [(parameter, parameter.requires_grad) for parameter in network.parameters()]
    hooks: list[Any] = []
    try:
        frozen = _begin(network, settings, task, encoder, kept)
        held = _normalisations(network)
        hooks += [module.register_forward_pre_hook(_hold(holder)) for module, holder in held]
        yield () if settings.thaw_after is None else (Thaw(frozen, settings.thaw_after),)
    finally:
        for hook in hooks:
            hook.remove()
        for parameter, trained in before:
            parameter.requires_grad_(trained)


def _begin(
    network: nn.Module,
    settings: TransferRecipe,
    task: TaskSpec,
    encoder: Mapping[str, Any] | None,
    kept: Path | None,
) -> list[nn.Parameter]:
    """Fill the network with its first weights and freeze layers; returns the frozen parameters."""
    if kept is not None and kept.exists():
        tensors = load_state(kept)["tensors"]
        own = by_model_names(network, network.state_dict())
        fill_from(own, {name: value for name, value in tensors.items() if not misfit(name, value, own)}, {})
        return _freeze_layers(network, settings)
    facts = _load(network, settings, task, encoder)
    tensors = copy_state(by_model_names(network, network.state_dict()))
    frozen = _freeze_layers(network, settings)
    if kept is not None:
        save_state(kept, {"tensors": tensors, "facts": {**facts, **_counts(network, settings, frozen)}})
    return frozen


def _load(
    network: nn.Module, settings: TransferRecipe, task: TaskSpec, encoder: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Fill the network from the run or file to start from; returns what the report says about it."""
    if settings.start is None:
        return {"start": None, "loaded": 0, "left_out": {}, "begun_anew": list(network.state_dict())}
    start = Path(settings.start)
    first, head = _same_meaning(start, task, encoder)
    loaded = load_weights(network, start, first=first, head=head)
    _log.info("began with '%s': %s", settings.start, loaded.summary)
    names = {"left_out": loaded.left_out, "begun_anew": [*loaded.kept]}
    return {"start": str(settings.start), "loaded": len(loaded.names), **names}


def _same_meaning(start: Path, task: TaskSpec, encoder: Mapping[str, Any] | None) -> tuple[bool, bool]:
    """Whether a run's inputs and its answers mean the same; of a bare file nobody knows, and all is taken."""
    try:
        before = json.loads(weights_at(start).with_name("pipeline.json").read_text(encoding="utf-8"))
        inputs = encoder is None or _meaning(before["encoder"]) == _meaning(json.loads(json.dumps(encoder)))
        classes, targets = before["task"]["classes"], before["task"]["targets"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return True, True
    answers = (classes, targets) == (list(task.classes), list(task.targets))
    return inputs, answers and (inputs or task.name != "next-token")


def _meaning(encoder: Mapping[str, Any]) -> list[Any]:
    """What each input number stands for: columns and levels of a table, tokens of a text, else its place."""
    if encoder["kind"] == "mixed":
        table = _meaning(encoder["table"]) if encoder["table"] else []
        return [*table, *(column.get("tokenizer") for column in encoder["columns"])]
    if encoder["kind"] != "table":
        return [encoder["column"].get("tokenizer")]
    embedded = encoder["levels"] if encoder["encoding"]["categories"] == "embedding" else None
    return [TableEncoder.from_facts(dict(encoder)).feature_names, embedded]


def _freeze_layers(network: nn.Module, settings: TransferRecipe) -> list[nn.Parameter]:
    """The parameters that are frozen at first; those that never thaw are out of training already."""
    number = -1 if settings.features else settings.freeze
    names = number if isinstance(number, list) else first_layers(network, number)
    parameters = dict(by_model_names(network, dict(network.named_parameters())))
    frozen = [parameters[name] for name in freeze(network, names)]
    if frozen and not any(parameter.requires_grad for parameter in network.parameters()):
        raise RecipeError(
            "transfer.freeze: nothing is left to train; leave a layer out, such as the head (-1: all but the "
            "head)."
        )
    if settings.thaw_after is not None:
        # Until training begins: the optimizer must know them, from its first step on.
        for parameter in frozen:
            parameter.requires_grad_(True)
    return frozen


def _counts(network: nn.Module, settings: TransferRecipe, frozen: list[nn.Parameter]) -> dict[str, int]:
    total = sum(parameter.numel() for parameter in network.parameters())
    held = sum(parameter.numel() for parameter in frozen)
    trained = total - held if settings.thaw_after is None else total
    return {"trained_parameters": trained, "frozen_parameters": held}


def transfer_facts(folder: Path) -> dict[str, Any] | None:
    """What was loaded and what is trained, from the folder of the checkpoints; None without a transfer."""
    return load_state(folder / BEGINNING)["facts"] if (folder / BEGINNING).exists() else None


class Thaw(Callback):
    """Gradual unfreezing: layers are frozen for the first epochs, and learn from then on.

    Which ones learn follows from the epoch's number alone, so that a resumed training goes on alike.

    Source: Howard & Ruder 2018
    """

    def __init__(self, frozen: Sequence[nn.Parameter], after: int) -> None:
        self.frozen, self.after = frozen, after

    def on_epoch_begin(self, training: Training, epoch: int) -> None:
        for parameter in self.frozen:
            parameter.requires_grad_(epoch > self.after)


def freeze(network: nn.Module, patterns: Sequence[str]) -> list[str]:
    """Take parameters out of training. Returns: their names.

    Arguments:
        patterns: names of layers (`features` means all within it) or of parameters, or patterns with * and ?.

    Raises: `RecipeError` with every pattern that fits nothing.
    """
    parameters = by_model_names(network, dict(network.named_parameters()))
    fitting = {pattern: [name for name in parameters if matches(name, pattern)] for pattern in patterns}
    known = [*(name for name in by_model_names(network, dict(network.named_modules())) if name), *parameters]
    unknown, inner = [pattern for pattern, names in fitting.items() if not names], inner_name(network)
    if unknown:
        raise RecipeError(
            f"no layer with weights is named '{pattern}'.{did_you_mean(pattern.removeprefix(inner), known)}"
            for pattern in unknown
        )
    frozen = list(dict.fromkeys(name for names in fitting.values() for name in names))
    for name in frozen:
        parameters[name].requires_grad_(False)
    return frozen


def _normalisations(network: nn.Module) -> Iterator[tuple[nn.Module, nn.Module]]:
    """Each batch normalisation, with the module whose parameters say whether it is frozen.

    One without parameters follows the module that it is in.
    """
    for name, module in network.named_modules():
        if isinstance(module, _NormBase):
            holder = module
            while name and next(holder.parameters(), None) is None:
                name = name.rpartition(".")[0]  # noqa: PLW2901 - upwards, to the first that has parameters
                holder = network.get_submodule(name)
            yield module, holder


def _hold(holder: nn.Module) -> Callable[[nn.Module, Any], None]:
    """A hook that holds a frozen normalisation in evaluation mode, whoever calls `train()` in between.

    Otherwise frozen layers would go by the mean and spread of each batch, and forget those they have learned.
    """

    def hold(module: nn.Module, _inputs: Any) -> None:
        if module.training and not any(parameter.requires_grad for parameter in holder.parameters()):
            module.eval()

    return hold


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
        text = f"found {decay_by_depth:g}, expected a number above 0 and at most 1."
        raise RecipeError(f"decay_by_depth: {text}")
    groups, seen = [], set()
    for depth, names in enumerate(reversed(layers(network))):
        parameters = [p for name in names for p in network.get_submodule(name).parameters()]
        fresh = [p for p in parameters if p.requires_grad and p not in seen]
        seen.update(fresh)  # a matrix that two layers share goes by the later one
        if fresh:
            groups.append({"params": fresh, "lr": learning_rate * decay_by_depth**depth})
    return groups
