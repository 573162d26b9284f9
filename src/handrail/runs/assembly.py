"""Put rows, pipeline and training together: what `fit`, `refit` and the other processes have in common."""

import copy
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import torch

from handrail.components import is_object
from handrail.data.balance import balanced_weights, check_balance
from handrail.data.columns.schema import Schema
from handrail.data.dataset import Dataset
from handrail.data.encoders.row_encoder import RowEncoder, fit_encoder
from handrail.data.finding import Finding
from handrail.data.labels import sort_classes
from handrail.data.part import Part
from handrail.data.prepare import prepare
from handrail.data.rows import Rows, Values, count, row_bytes, take, to_device
from handrail.data.task import TaskSpec
from handrail.errors import DataError, HandrailError, RecipeError
from handrail.learning.rule import Batch, Team
from handrail.pipeline import Pipeline, make_network
from handrail.pipeline.ensemble import join_replicas
from handrail.recipe import SOURCES, Recipe
from handrail.recipe.alone import only_stage
from handrail.recipe.idle import idle_masks, idle_sections
from handrail.recipe.sections import DataRecipe
from handrail.runs.defaults import settle_recipe
from handrail.runs.folder import Folder
from handrail.runs.inputs import suit_inputs
from handrail.runs.refit import retrain, write_failures
from handrail.runs.replicas import Replica, settle_keep
from handrail.tasks import Task, make_task
from handrail.tasks.alone.points import refuse_learned_front
from handrail.tools.files import explain_damage
from handrail.tools.yaml import read_yaml
from handrail.training.callbacks import Callback
from handrail.training.distributed.join import resumable
from handrail.training.job import (
    TrainingData,
    batch_size,
    gives_probabilities,
    loss_of,
    weighs_classes,
)
from handrail.training.seeds import replica_seeds
from handrail.training.signals import listening
from handrail.training.speed.threads import restore_threads, usual_threads
from handrail.training.train import check_loss, choose_device, train
from handrail.training.transfer.weights import weights_at

_ON_DEVICE = 2_000_000_000  # bytes: smaller sets of rows lie on the device while they are trained on


def encoders(recipe: Recipe, part: Part, *, schema: Schema, task: TaskSpec) -> tuple[RowEncoder, Task]:
    """Encoder and task, learned from these rows."""
    encoder = fit_encoder(part.sample.features, schema, part.stores, recipe.data, counts=part.level_counts)
    objective = make_task(task, encoder.shape, text=recipe.data.text)
    objective.fit(part, encoder)
    return encoder, objective


def weigh_classes(recipe: Recipe, task: Task, part: Part) -> None:
    """Tell the task how much each class counts in training, so that its probabilities are those of the data.

    Only losses whose minimum is the probability itself allow to take the weights out again.

    Arguments:
        recipe: settled.
    """
    weighted = weighs_classes(recipe, task.spec) and gives_probabilities(recipe, task.spec)
    task.weigh(balanced_weights(task.class_counts(part)) if weighted else None)


def as_begun(recipe: DataRecipe, folder: Folder) -> DataRecipe:
    """The recipe with the positive class that a fit of an earlier version began with, where it is continued.

    They took the second class in order and wrote none down; now it is found again from the same rows.
    """
    if not folder.resolved_recipe.exists():
        return recipe
    with explain_damage(folder.resolved_recipe):
        begun = read_yaml(folder.resolved_recipe)["data"]
        if begun["task"] != "binary" or recipe.positive is not None or begun["positive"] is not None:
            return recipe
    return recipe.model_copy(update={"positive": sort_classes(prepare(recipe).task.classes)[1]})


def check_start(recipe: Recipe) -> None:
    """Raises: `RunError` when `transfer.start` names no weights."""
    if recipe.transfer.start is not None:
        weights_at(Path(str(recipe.transfer.start)))


def refuse_errors(findings: Sequence[Finding]) -> None:
    """Raises: `DataError` for findings that stop a fit."""
    errors = [str(finding) for finding in findings if finding.level == "error"]
    if errors:
        names = [str(finding) for finding in findings if finding.name == "duplicate-names"]
        raise DataError([*names, *errors])  # a copy of the target may be one by its name


def check_data(recipe: Recipe, data: Dataset) -> None:
    """Check what only the data can tell, before anything is trained.

    Raises: `DataError` for findings that stop a fit, `RecipeError` for settings that do not suit the task.
    """
    refuse_errors(data.findings)
    check_balance(recipe.data.balance, data.task)
    problems = list(idle_sections(recipe.data, {column.kind for column in data.schema.used}))
    problems += idle_masks(recipe.data, data.task.name)
    if problem := only_stage(recipe.model):
        problems.append(problem)
    if (
        not recipe.evaluation.calibrate
        and not data.task.is_classification
        and data.task.name != "multi-label"
    ):
        problems.append(f"evaluation.calibrate: has no effect on {data.task.name}; leave it out.")
    if problems:
        raise RecipeError(problems)
    if recipe.objective.loss != "auto":
        check_loss(recipe.objective.loss, data.task)


def check_threshold(recipe: Recipe, task: TaskSpec) -> None:
    """Raises: `RecipeError` for a threshold where nothing is decided by one, or not in this way."""
    setting = recipe.evaluation.threshold
    if setting == "auto" or task.positive is not None:
        return
    if task.name not in ("boxes", "multi-label"):
        many = f" of {len(task.classes)} classes" if task.name == "mask" else ""
        raise RecipeError(
            f"evaluation.threshold: has no effect on {task.name}{many}; expected a target with two classes, "
            "labels or boxes."
        )
    if isinstance(setting, str) and (task.name, setting) != ("boxes", "f1"):
        expected = "a number or f1" if task.name == "boxes" else "a number"
        raise RecipeError(f"evaluation.threshold: found '{setting}' for {task.name}; expected {expected}.")


def resolve_recipe(recipe: Recipe, data: Dataset, device: str) -> dict[str, Any]:
    """Every default of a settled recipe and every choice left to `auto`: `resolved.yaml`."""
    plain = recipe.resolved()
    plain["data"]["task"] = data.task.name
    plain["data"]["positive"] = data.task.positive
    plain["data"]["target"] = list(data.task.targets) or None
    plain["data"]["label"] = data.task.label
    if data.task.name == "mask":
        ignored = [int(name) if name.isdecimal() else name for name in data.task.ignored]
        plain["data"]["masks"]["ignore"] = ignored or "none"
    plain["data"]["stream"] = data.train.sample is not data.train
    if recipe.objective.loss == "auto":
        settled_loss = recipe.with_values({"objective.loss": loss_of(recipe, data.task)})
        plain["objective"]["loss"] = settled_loss.resolved()["objective"]["loss"]
    plain["training"] |= {
        "batch_size": batch_size(recipe, len(data.train)),
        "device": device,
        "threads": torch.get_num_threads(),
    }
    return plain


def assemble(
    recipe: Recipe, part: Part, *, schema: Schema, task: TaskSpec, device: torch.device
) -> tuple[Recipe, tuple[str, ...], Pipeline]:
    """The recipe without any `auto`, the reasons for its choices, and an untrained pipeline."""
    recipe = suit_inputs(recipe, part, schema=schema)
    encoder, objective = encoders(recipe, part, schema=schema, task=task)
    if not task.targets:
        refuse_learned_front(encoder, task.name)
    if recipe.transfer.features and recipe.data.augment == "auto":
        recipe = recipe.with_values({"data.augment": []})  # features are computed once
    outputs = objective.outputs
    recipe, why_one = settle_keep(recipe, objective)
    known: Any = {"task": task, "rows": len(part), "device": device, "sounds": bool(schema.of_kind("audio"))}
    recipe, why = settle_recipe(recipe, encoder.shape, outputs, **known)
    weigh_classes(recipe, objective, part)
    return recipe, (*why, *why_one), with_network(recipe, encoder, objective).to(device)


def with_network(recipe: Recipe, encoder: RowEncoder, task: Task) -> Pipeline:
    """Encoder and task with the network of a settled recipe between them, or its replicas."""
    networks = [
        make_network(
            copy.deepcopy(recipe.network) if is_object(recipe.network) else recipe.network,
            encoder,
            task,
            augment=recipe.data.augment,
            precision=recipe.training.precision,
            seed=seed,
        )
        for seed in replica_seeds(recipe.seed, recipe.training.replicas)
    ]
    network = join_replicas(networks, task.join_scores)
    spec = recipe.resolved_network()
    return Pipeline(encoder, task, network, model=spec, precision=recipe.training.precision)


def make_training_data(
    recipe: Recipe, pipeline: Pipeline, part: Part, validation: Part | None
) -> TrainingData:
    """Rows as the network takes them: encoded, on its device unless too many, targets scaled."""
    task, encoder, device = pipeline.decoder, pipeline.encoder, pipeline.device

    def encode(rows: Part) -> tuple[Rows, Rows]:
        inputs, targets = task.training_data(pipeline.rows(rows), rows, encoder)
        placed = _place(inputs, device)
        return placed, placed if targets is inputs else _place(targets, device)

    held_out = None if validation is None else Batch(*encode(validation), None, device)
    names, metrics, facts = encoder.feature_names, task.batch_metrics, encoder.facts()
    data = TrainingData(recipe, pipeline.task, *encode(part), names, held_out, metrics, device, facts)
    if part.unlabelled is None or not recipe.stages:
        return data
    return replace(data, unlabelled=encoder.rows(part.unlabelled, part.stores))


def try_network(pipeline: Pipeline, data: TrainingData) -> None:
    """Raises: `RecipeError` when a network from elsewhere cannot take rows such as these."""
    if _is_from_elsewhere(data.recipe.model):
        first = torch.arange(min(2, count(data.inputs)))
        _try_out(pipeline.network, take(data.inputs, first), pipeline.device)


def _is_from_elsewhere(model: Any) -> bool:
    """Whether a model, or a layer of it, is an object or named by import path."""
    if isinstance(model, Mapping):
        return any(map(_is_from_elsewhere, [*model, *model.values()]))
    if isinstance(model, list | tuple):
        return any(map(_is_from_elsewhere, model))
    return ":" in model if isinstance(model, str) else isinstance(model, torch.nn.Module)


@torch.no_grad()
def _try_out(network: torch.nn.Module, inputs: Values, device: torch.device) -> None:
    """Raises: `RecipeError` when the network cannot take rows such as these."""
    with torch.random.fork_rng(devices=[]):
        try:
            copy.deepcopy(network).eval()(to_device(inputs, device))
        except (HandrailError, MemoryError, torch.OutOfMemoryError):
            raise
        except Exception as error:
            shapes = [list(each.shape) for each in (inputs if isinstance(inputs, tuple) else (inputs,))]
            first = (str(error).splitlines() or [""])[0]
            raise RecipeError(
                f"model: it cannot take {' and '.join(map(str, shapes))}, rows as it is given them "
                f"({type(error).__name__}: {first}). Correct its arguments, or choose another model."
            ) from error


def _place(rows: Rows, device: torch.device) -> Rows:
    """Tensors moved to the device unless too large; rows mapped from disk stay there."""
    parts = rows if isinstance(rows, tuple) else (rows,)
    fits = all(isinstance(part, torch.Tensor) and row_bytes(part) * len(part) < _ON_DEVICE for part in parts)
    return to_device(rows, device) if fits else rows  # pyright: ignore[reportArgumentType]


def threads_for(recipe: Recipe, pipeline: Pipeline, rows: int) -> int:
    """The recipe's number of threads, or what suits the size of a step."""
    if recipe.training.threads != "auto":
        return recipe.training.threads
    return usual_threads(pipeline.network, pipeline.encoder.shape, batch_size(recipe, rows))


def count_parameters(network: torch.nn.Module) -> int:
    """The number of parameters of a network, without those that its modules call `tied_parameters`."""
    tied = sum(getattr(module, "tied_parameters", 0) for module in network.modules())
    return sum(parameter.numel() for parameter in network.parameters()) - tied


def refit(
    recipe: Recipe,
    before: Pipeline,
    part: Part,
    *,
    fitted: Sequence[Replica],
    folder: Folder,
    progress: str = "none",
) -> Pipeline:
    """Train a settled recipe on training and validation rows together, on the course that the fit took.

    Temperature, threshold and answering replicas stay as chosen on validation rows. The result is saved in
    the run's `refit/`.

    Arguments:
        fitted: how the fit went, for each replica.

    Raises: `TrainingError` when what would answer is not finite, `RunError` when the records of the fit lack
        what is needed.
    """
    device = choose_device(recipe.training.device)
    encoder, task = encoders(recipe, part, schema=before.encoder.schema, task=before.task)
    weigh_classes(recipe, task, part)
    pipeline = with_network(recipe, encoder, task).to(device)
    training_data = make_training_data(recipe, pipeline, part, None)
    try_network(pipeline, training_data)
    with restore_threads():
        torch.set_num_threads(threads_for(recipe, pipeline, len(part)))
        failures = retrain(training_data, pipeline, before, fitted=fitted, folder=folder, progress=progress)
    pipeline.decoder.take_decisions(before.decoder)
    pipeline.decoder.settle_network(pipeline.network)
    folder.refit.mkdir(exist_ok=True)
    write_failures(folder, failures)
    pipeline.eval().save(folder.refit)
    return pipeline


def help_train(asked: Recipe, team: Team, *, callbacks: tuple[Callback, ...] = ()) -> NoReturn:
    """Train the same network as the first process, which writes all files and goes on alone afterwards.

    In data-parallel training every other process does this, with its share of each batch.

    Raises: `SystemExit` with code 0 at the end; what `fit` raises; `LostError` when the first process fails,
    and says why itself.
    """
    logging.getLogger("handrail").addHandler(logging.NullHandler())
    folder = Folder(team.from_first(_listen))
    tables = {f"data.{name}": str(folder.data(name)) for name in SOURCES if folder.data(name).exists()}
    recipe = asked.with_values(tables)
    data = prepare(as_begun(recipe.data, folder), cache_in=folder.path)
    device = choose_device(recipe.training.device)
    recipe, _, pipeline = assemble(recipe, data.train, schema=data.schema, task=data.task, device=device)
    training_data = make_training_data(recipe, pipeline, data.train, data.validation)
    fingerprint, threads = team.from_first(_listen)
    if fingerprint != data.fingerprint:
        raise DataError(
            f"'{data.source}' has other rows for process {team.rank} than for the first; expected the "
            "same file."
        )
    torch.set_num_threads(threads)
    with resumable(folder.path), listening(patient=True) as stop_request:
        train(
            training_data,
            pipeline.network,
            folder=folder.checkpoints,
            callbacks=callbacks,
            stop_request=stop_request,
            team=team,
        )
        team.disband()
    raise AssertionError("the other processes end when the team disbands")


def _listen() -> Any:
    raise AssertionError("only the first process is asked")
