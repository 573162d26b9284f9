"""Rows, pipeline and training put together; what `fit` and `refit` have in common."""

import copy
from collections.abc import Sequence
from typing import Any

import torch

from handrail.components import is_object
from handrail.data.balance import check_balance
from handrail.data.columns.schema import Schema
from handrail.data.dataset import Dataset
from handrail.data.encoders.row_encoder import RowEncoder, fit_encoder
from handrail.data.part import Part
from handrail.data.rows import Rows, row_bytes, to_device
from handrail.data.task import TaskSpec
from handrail.errors import DataError, RecipeError
from handrail.learning.batch import Batch
from handrail.pipeline import Pipeline, make_network
from handrail.pipeline.ensemble import Ensemble, join_replicas
from handrail.recipe import Recipe
from handrail.runs.defaults import settle_recipe
from handrail.runs.folder import Folder
from handrail.runs.replicas import train_replicas
from handrail.tasks import ClassTask, Task, make_task
from handrail.training.callbacks.progress import make_progress
from handrail.training.job import TrainingData, batch_size, usual_loss
from handrail.training.seeds import replica_seeds
from handrail.training.train import check_loss, choose_device, restore_threads, train, usual_threads
from handrail.training.transfer.weights import BEGINNING

_ON_DEVICE = 2_000_000_000  # bytes: smaller sets of rows lie on the device while they are trained on


def encoders(recipe: Recipe, part: Part, *, schema: Schema, task: TaskSpec) -> tuple[RowEncoder, Task]:
    """Encoder and decoder, learned from these rows."""
    encoder = fit_encoder(part.sample.features, schema, part.stores, recipe.data, counts=part.level_counts)
    decoder = make_task(task, encoder.shape, text=recipe.data.text)
    decoder.fit(part)
    return encoder, decoder


def check_data(recipe: Recipe, data: Dataset) -> None:
    """What can only be said once the data is known, before anything is trained.

    Raises: `DataError` for findings that stop a fit, `RecipeError` for settings that do not suit the task.
    """
    errors = [str(finding) for finding in data.findings if finding.level == "error"]
    if errors:
        raise DataError(errors)
    check_balance(recipe.data.balance, data.task)
    if recipe.objective.loss != "auto":
        check_loss(recipe.objective.loss, data.task)


def check_threshold(recipe: Recipe, task: TaskSpec) -> None:
    """Raises: `RecipeError` for a threshold where there are no two classes."""
    if task.name != "binary" and recipe.evaluation.threshold != "auto":
        raise RecipeError(
            f"evaluation.threshold: has no effect on {task.name}; expected a target with two classes."
        )


def resolve_recipe(recipe: Recipe, data: Dataset, device: str) -> dict[str, Any]:
    """Every default of a settled recipe, and what `auto` came to: `resolved.yaml`."""
    plain = recipe.resolved()
    plain["data"]["task"] = data.task.name
    plain["data"]["target"] = list(data.task.targets)
    plain["data"]["stream"] = data.train.sample is not data.train
    if recipe.objective.loss == "auto":
        settled_loss = recipe.with_values({"objective.loss": usual_loss(recipe.learning, data.task.name)})
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
    """The recipe with all that was left to choose, the reasons, and a pipeline whose network stands at its
    beginning.
    """
    encoder, decoder = encoders(recipe, part, schema=schema, task=task)
    if recipe.transfer.features and recipe.data.augment == "auto":
        recipe = recipe.with_values({"data.augment": []})  # features are computed once
    recipe, why = settle_recipe(
        recipe, encoder.shape, decoder.outputs, task=task, rows=len(part), device=device
    )
    return recipe, why, with_network(recipe, encoder, decoder).to(device)


def with_network(recipe: Recipe, encoder: RowEncoder, decoder: Task) -> Pipeline:
    """Encoder and decoder with the network of a settled recipe between them, or with its replicas."""
    networks = [
        make_network(
            copy.deepcopy(recipe.model) if is_object(recipe.model) else recipe.model,
            encoder,
            decoder,
            augment=recipe.data.augment,
            precision=recipe.training.precision,
            seed=seed,
        )
        for seed in replica_seeds(recipe.seed, recipe.training.replicas)
    ]
    network = join_replicas(networks, decoder.join_scores)
    spec = recipe.resolved()["model"]
    return Pipeline(encoder, decoder, network, model=spec, precision=recipe.training.precision)


def lesson_of(recipe: Recipe, pipeline: Pipeline, part: Part, validation: Part | None) -> TrainingData:
    """Rows as the network takes them: encoded, on its device where they are not too many, targets scaled."""
    decoder, encoder, device = pipeline.decoder, pipeline.encoder, pipeline.device

    def ready(some: Part) -> tuple[Rows, Rows]:
        inputs, targets = decoder.training_data(pipeline.rows(some), some, encoder)
        return _place(inputs, device), _place(targets, device)

    held_out = None if validation is None else Batch(*ready(validation), None, device)
    inputs, targets = ready(part)
    return TrainingData(
        recipe,
        pipeline.task,
        inputs,
        targets,
        encoder.feature_names,
        held_out,
        decoder.batch_metrics,
        device,
        encoder.facts(),
    )


def _place(rows: Rows, device: torch.device) -> Rows:
    """Tensors on the device where they are not too large; what is mapped from disk stays there."""
    parts = rows if isinstance(rows, tuple) else (rows,)
    fits = all(isinstance(part, torch.Tensor) and row_bytes(part) * len(part) < _ON_DEVICE for part in parts)
    return to_device(rows, device) if fits else rows  # pyright: ignore[reportArgumentType]


def threads_for(recipe: Recipe, pipeline: Pipeline, rows: int) -> int:
    """The recipe's number of threads, or the one that suits the size of a step."""
    if recipe.training.threads != "auto":
        return recipe.training.threads
    return usual_threads(pipeline.network, pipeline.encoder.shape, batch_size(recipe, rows))


def count_parameters(network: torch.nn.Module) -> int:
    """How many numbers the network learns."""
    return sum(parameter.numel() for parameter in network.parameters())


def refit(
    recipe: Recipe,
    before: Pipeline,
    part: Part,
    *,
    epochs: Sequence[int],
    folder: Folder,
    progress: str = "none",
) -> Pipeline:
    """A settled recipe on training and validation rows together, for the number of epochs that was best
    before.

    Temperature and threshold stay as they were chosen on validation rows, and so do the replicas that answer.
    The result is kept in the run's `refit/`.

    Arguments:
        epochs: of each replica.
    """
    device = choose_device(recipe.training.device)
    encoder, decoder = encoders(recipe, part, schema=before.encoder.schema, task=before.task)
    pipeline = with_network(recipe, encoder, decoder).to(device)
    lesson = lesson_of(recipe, pipeline, part, None)
    with restore_threads():
        torch.set_num_threads(threads_for(recipe, pipeline, len(part)))
        if isinstance(pipeline.network, Ensemble) and isinstance(before.network, Ensemble):
            train_replicas(lesson, pipeline, epochs=epochs, progress=progress)
            pipeline.network.answering = before.network.answering
        else:
            beginning = folder.checkpoints / BEGINNING
            train(
                lesson,
                pipeline.network,
                epochs=epochs[0],
                beginning=beginning,
                callbacks=tuple(make_progress(progress)),
            )
    if isinstance(pipeline.decoder, ClassTask):
        pipeline.decoder.load_state_dict(before.decoder.state_dict())
    folder.refit.mkdir(exist_ok=True)
    pipeline.eval().save(folder.refit)
    return pipeline
