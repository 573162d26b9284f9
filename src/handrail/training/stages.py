"""Stages: models that learn without a target, each on the codes of the one below, under the network on top.

Each is a training of its own, with checkpoints and records of its own; its coding layers then begin the
network's (`handrail.models.staged`). Where pictures are the target, the stage learns from these instead, and
makes the tokens that the network writes (`handrail.models.staged_target`). A training that goes on finds the
stages that are over by their checkpoints.
"""

import copy
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handrail.components import parse
from handrail.data.rows import Rows, count, cut, to_device
from handrail.data.task import TaskSpec
from handrail.errors import TrainingError
from handrail.learning.rule import Batch
from handrail.models.staged import Staged, stage_of
from handrail.models.staged_target import StagedTarget
from handrail.network import Network, model_in, model_inputs
from handrail.recipe import Recipe
from handrail.recipe.alone import alone_of
from handrail.recipe.sections import StageRecipe
from handrail.tasks.scoring import device_of, rows_at_once
from handrail.training.callbacks import Callback, Records, progress_of_stage, read_records
from handrail.training.job import TrainingData
from handrail.training.seeds import derive, fix_seed
from handrail.training.stopping import Progress

_log = logging.getLogger("handrail")
Train = Callable[..., Progress]


@contextmanager
def on_stages(
    network: nn.Module,
    data: TrainingData,
    *,
    train: Train,
    folder: Path | None,
    begun: Path | None,
    **others: Any,
) -> Iterator[tuple[nn.Module, TrainingData]]:
    """Train the stages; while open, those that are frozen stay as they are.

    Arguments:
        network: a `Staged` or `StagedTarget` model, whatever stands around it, where the recipe has stages.
        train: trains a network by a recipe without stages, see `handrail.training.train`.
        folder: of the checkpoints; each stage has one of its own there.
        begun: checkpoints of an earlier training: each stage ends with the epoch that was best there.
        others: for `train`.

    Returns: what is left to train, and its training data: the head alone on codes that are computed once,
    where all stages are frozen, as one on the target always is.

    Raises: `TrainingError` as `train`, with the stage.
    """
    stages = data.recipe.stages
    if not stages:
        yield network, data
        return
    staged = model_in(network)
    assert isinstance(staged, Staged | StagedTarget), "the recipe has stages"
    on_target = isinstance(staged, StagedTarget)
    inputs = _TargetCodes.of(network, data) if on_target else _Codes.of(network, data)
    for number, stage in enumerate(stages):
        model = _train_stage(
            number, stage, staged, inputs, data, train=train, folder=folder, begun=begun, **others
        )
        staged.adopt(number, model)
        inputs = inputs.through(staged.stages[number])
    pairs = zip(staged.stages, stages, strict=True)
    frozen = [layers for layers, stage in pairs if stage.frozen or on_target]
    alone = len(frozen) == len(stages) and not staged.back and not _augments(network)
    parameters = [parameter for layers in frozen for parameter in layers.parameters()]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield (staged.head, inputs.instead_of(data)) if alone else (network, data)
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)


def as_trained(network: nn.Module, data: TrainingData) -> tuple[nn.Module, TrainingData]:
    """What a training followed, and on which rows, once the stages are trained.

    Of a network that writes the tokens of its target, the head and the tokens; else both as they are.
    """
    staged = model_in(network)
    if not isinstance(staged, StagedTarget):
        return network, data
    return staged.head, _TargetCodes.of(network, data).through(staged.tokens).instead_of(data)


def _augments(network: nn.Module) -> bool:
    return isinstance(network, Network) and len(network.augment) > 0


class _Codes:
    """Training and validation rows as the next stage takes them.

    Arguments:
        labelled: how many training rows have a target; they come first.
    """

    def __init__(self, train: Tensor, validation: Tensor | None, *, labelled: int) -> None:
        self.train, self.validation, self.labelled = train, validation, labelled

    @classmethod
    def of(cls, network: nn.Module, data: TrainingData) -> "_Codes":
        """What the first stage is given."""
        network.eval()
        held_out = data.validation

        def before(rows: Rows) -> Tensor:
            return _mapped(lambda some: model_inputs(network, some), rows, device_of(network))

        train, labelled = before(data.inputs), count(data.inputs)
        if data.unlabelled is not None:
            train = torch.cat([train, before(data.unlabelled)])
        return cls(train, None if held_out is None else before(held_out.inputs), labelled=labelled)

    def through(self, layers: nn.Module) -> Self:
        """What these layers make of them."""
        layers.eval()
        device, after = device_of(layers), copy.copy(self)
        after.train = _mapped(layers, self.train, device)
        after.validation = None if self.validation is None else _mapped(layers, self.validation, device)
        return after

    def instead_of(self, data: TrainingData) -> TrainingData:
        """Training data with these as inputs."""
        held_out = data.validation
        if held_out is not None:
            assert self.validation is not None
            held_out = replace(held_out, inputs=self.validation)
        return replace(data, inputs=self.train[: self.labelled], validation=held_out, names=())

    def without_target(self, recipe: Recipe, task: str, device: torch.device | None) -> TrainingData:
        """Training data of a stage."""

        def targets(rows: Tensor) -> Tensor:
            return rows.flatten(1) if task == "reconstruction" else torch.zeros(len(rows), dtype=torch.int64)

        held_out = None
        if self.validation is not None:
            held_out = Batch(self.validation, targets(self.validation), None, device)
        spec, own = TaskSpec.alone(task, None), self.train
        return TrainingData(recipe, spec, own, targets(own), (), held_out, lambda _s, _t: {}, device)


class _TargetCodes(_Codes):
    """Training and validation pictures, which are the target, as the stage takes them; then their tokens."""

    @classmethod
    def of(cls, network: nn.Module, data: TrainingData) -> "_TargetCodes":
        staged: Any = model_in(network)
        rows, held_out = data.targets, data.validation
        train, validation = (
            None if pictures is None else _mapped(staged.stage_rows, pictures, device_of(network))
            for pictures in (rows, None if held_out is None else held_out.targets)
        )
        assert train is not None
        return cls(train, validation, labelled=len(rows))

    def instead_of(self, data: TrainingData) -> TrainingData:
        """Training data with the tokens beside the texts, and as targets."""

        def texts(rows: Any) -> Tensor:
            return rows[0].long()

        held_out = data.validation
        if held_out is not None:
            assert self.validation is not None
            inputs = (texts(held_out.inputs), self.validation)
            held_out = replace(held_out, inputs=inputs, targets=self.validation)
        inputs = (texts(data.inputs), self.train)
        return replace(data, inputs=inputs, targets=self.train, validation=held_out, names=())


@torch.no_grad()
def _mapped(layers: Callable[[Any], Tensor], rows: Rows, device: torch.device) -> Float[Tensor, "rows ..."]:
    """What layers make of rows, a batch at a time."""
    size = rows_at_once(rows)
    parts = [layers(to_device(cut(rows, at, at + size), device)) for at in range(0, count(rows), size)]
    return torch.cat(parts)


def _train_stage(
    number: int,
    stage: StageRecipe,
    staged: Staged | StagedTarget,
    inputs: _Codes,
    data: TrainingData,
    *,
    train: Train,
    folder: Path | None,
    begun: Path | None,
    callbacks: Sequence[Callback],
    **others: Any,
) -> nn.Module:
    """The trained model of a stage."""
    name, where = f"stage-{number + 1}", f"stages[{number}]"
    recipe = _recipe_of(stage, data.recipe, number)
    alone = alone_of(stage.model)
    assert alone is not None, "it was refused else"
    with fix_seed(recipe.seed, "initialise"):
        below: Sequence[nn.Module] = list(staged.stages)[:number]
        model = stage_of(stage.model, staged.shapes[number], where=where, below=below).to(data.device)
    own = None if folder is None else folder / name
    listeners = progress_of_stage(callbacks, f"stage {number + 1} ({parse(stage.model, 'model')[0]})")
    if own is not None:
        for part in ("last", "best"):
            (own / part).mkdir(parents=True, exist_ok=True)
        listeners.append(Records(own / "metrics.jsonl"))
    epochs = None if begun is None else _best_epoch(begun / name / "metrics.jsonl")
    training_data = inputs.without_target(recipe, alone.task, data.device)
    try:
        done = train(training_data, model, epochs=epochs, folder=own, callbacks=tuple(listeners), **others)
    except TrainingError as error:
        raise TrainingError(f"{where}: {error}") from None
    _log.info("%s: trained %d epochs: %s", where, done.epoch, done.done)
    return model


def _recipe_of(stage: StageRecipe, whole: Recipe, number: int) -> Recipe:
    """The recipe of a stage by itself, settled."""
    settings = {name: getattr(stage, name) for name in ("epochs", "batch_size", "patience")}
    shared = {name: getattr(whole.training, name) for name in ("device", "threads", "checkpoint_seconds")}
    return Recipe.parse(
        {
            "seed": derive(whole.seed, "stage", number),
            "model": stage.model,
            "learning": stage.learning,
            "training": {**settings, **shared, "precision": "float32"},
        }
    )


def _best_epoch(records: Path) -> int | None:
    """The epoch with the lowest validation loss, by the records of a training; None where there are none."""
    known = [line for line in read_records(records) if line.get("val_loss") is not None]
    return min(known, key=lambda line: line["val_loss"])["epoch"] if known else None


def stage_facts(recipe: Recipe, folder: Path) -> list[dict[str, Any]]:
    """What each stage came to, by the records below a folder of checkpoints.

    Of replicas the epochs are those of the first, and the seconds those of all.
    """
    facts = []
    for number, stage in enumerate(recipe.stages, start=1):
        known = [read_records(path) for path in sorted(folder.glob(f"**/stage-{number}/metrics.jsonl"))]
        seconds = sum(line["seconds"] for lines in known for line in lines)
        name = parse(stage.model, "model")[0]
        facts.append({"model": name, "frozen": stage.frozen, "seconds": seconds, "records": known[0]})
    return facts
