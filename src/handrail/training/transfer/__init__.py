"""Transfer: a network that begins with what another has learned, and learns on, in all its layers or in some."""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import nn

from handrail.data.encoders.table import TableEncoder
from handrail.data.task import TaskSpec
from handrail.errors import RecipeError
from handrail.recipe.sections import TransferRecipe
from handrail.training.callbacks import Callback, Training
from handrail.training.checkpoint import copy_state, load_state, save_state
from handrail.training.transfer.freezing import freeze, keeper, normalisations
from handrail.training.transfer.names import by_model_names, first_layers
from handrail.training.transfer.weights import BEGINNING, fill_from, load_weights, misfit, weights_at

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
        kept: a file in which the beginning is written, and from which it is taken where it is there already:
            the weights to start from may have gone, or changed, when a training goes on.

    Returns: listeners of the training, which thaw.

    Raises: `RunError` and `RecipeError` as `load_weights`, `freeze` and `first_layers`; nothing left to
    train.
    """
    if settings == TransferRecipe():
        yield ()
        return
    before = [(parameter, parameter.requires_grad) for parameter in network.parameters()]
    hooks: list[Any] = []
    try:
        begun = (
            load_state(kept)
            if kept is not None and kept.exists()
            else _begin(network, settings, task, encoder)
        )
        own = by_model_names(network, network.state_dict())
        fill_from(
            own,
            {name: tensor for name, tensor in begun["tensors"].items() if not misfit(name, tensor, own)},
            {},
        )
        frozen = _freeze(network, settings)
        if kept is not None and not kept.exists():
            save_state(
                kept,
                {
                    "tensors": begun["tensors"],
                    "facts": {**begun["facts"], **_counts(network, settings, frozen)},
                },
            )
        hooks += [
            module.register_forward_pre_hook(keeper(holder)) for module, holder in normalisations(network)
        ]
        yield () if settings.thaw_after is None else (Thaw(frozen, settings.thaw_after),)
    finally:
        for hook in hooks:
            hook.remove()
        for parameter, trained in before:
            parameter.requires_grad_(trained)


def _begin(
    network: nn.Module, settings: TransferRecipe, task: TaskSpec, encoder: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Load; the answer is what a resumed or repeated training needs to begin alike, and what is to be told."""
    facts: dict[str, Any] = {
        "start": None,
        "loaded": 0,
        "left_out": {},
        "begun_anew": list(network.state_dict()),
    }
    if settings.start is not None:
        first, head = _alike(Path(settings.start), task, encoder)
        loaded = load_weights(network, Path(settings.start), first=first, head=head)
        _log.info("began with '%s': %s", settings.start, loaded.summary)
        facts = {
            "start": str(settings.start),
            "loaded": len(loaded.names),
            "left_out": loaded.left_out,
            "begun_anew": [*loaded.kept],
        }
    return {"tensors": copy_state(by_model_names(network, network.state_dict())), "facts": facts}


def _alike(start: Path, task: TaskSpec, encoder: Mapping[str, Any] | None) -> tuple[bool, bool]:
    """Whether a run's inputs and its answers stand for the same; of a bare file nobody knows, and all of it
    is taken.
    """
    try:
        before = json.loads(weights_at(start).with_name("pipeline.json").read_text(encoding="utf-8"))
        inputs = encoder is None or _meaning(before["encoder"]) == _meaning(json.loads(json.dumps(encoder)))
        answers = (before["task"]["classes"], before["task"]["targets"]) == (
            list(task.classes),
            list(task.targets),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return True, True
    return inputs, answers and (inputs or task.name != "next-token")


def _meaning(encoder: Mapping[str, Any]) -> list[Any]:
    """What each input number stands for: columns and levels of a table, tokens of a text; of pictures and
    series, their place.
    """
    if encoder["kind"] == "mixed":
        return [
            *(_meaning(encoder["table"]) if encoder["table"] else []),
            *(column.get("tokenizer") for column in encoder["columns"]),
        ]
    if encoder["kind"] != "table":
        return [encoder["column"].get("tokenizer")]
    embedded = encoder["levels"] if encoder["encoding"]["categories"] == "embedding" else None
    return [TableEncoder.from_facts(dict(encoder)).feature_names, embedded]


def _freeze(network: nn.Module, settings: TransferRecipe) -> list[nn.Parameter]:
    """The parameters that are frozen at first; those that never thaw are out of training already."""
    number = -1 if settings.features else settings.freeze
    names = number if isinstance(number, list) else first_layers(network, number)
    parameters = dict(by_model_names(network, dict(network.named_parameters())))
    found = [parameters[name] for name in freeze(network, names)]
    if found and not any(parameter.requires_grad for parameter in network.parameters()):
        raise RecipeError(
            "transfer.freeze: nothing is left to train; leave a layer out, such as the head (-1: all but the "
            "head)."
        )
    if settings.thaw_after is not None:
        # Until training begins: the optimizer must know them, from its first step on.
        for parameter in found:
            parameter.requires_grad_(True)
    return found


def _counts(network: nn.Module, settings: TransferRecipe, frozen: list[nn.Parameter]) -> dict[str, int]:
    total = sum(parameter.numel() for parameter in network.parameters())
    held = sum(parameter.numel() for parameter in frozen)
    return {
        "trained_parameters": total - (held if settings.thaw_after is None else 0),
        "frozen_parameters": held,
    }


def transfer_facts(folder: Path) -> dict[str, Any] | None:
    """What was loaded and what is trained, from the folder of the checkpoints; nothing where there was no
    transfer.
    """
    return load_state(folder / BEGINNING)["facts"] if (folder / BEGINNING).exists() else None


class Thaw(Callback):
    """Gradual unfreezing: layers are frozen for the first epochs, and learn from then on.

    Which ones learn follows from the epoch's number alone, so that a resumed training goes on alike.

    Source: Howard & Ruder 2018
    """

    def __init__(self, frozen: Sequence[nn.Parameter], after: int) -> None:
        self.frozen, self.after = frozen, after

    def on_epoch_begin(self, training: Training, epoch: int) -> None:
        """Freeze up to the last epoch in which the layers are held, thaw behind it."""
        for parameter in self.frozen:
            parameter.requires_grad_(epoch > self.after)
