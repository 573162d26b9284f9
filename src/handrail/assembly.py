"""Rows, pipeline and training put together; what `fit` and `refit` have in common."""

import copy

import polars as pl
import torch

from handrail.components import is_object
from handrail.data.dataset import Part
from handrail.data.encoder import TableEncoder
from handrail.data.schema import Schema
from handrail.data.task import Task
from handrail.folder import Folder
from handrail.learning.rule import Batch
from handrail.pipeline import Pipeline, ValueDecoder, make_network
from handrail.recipe import Recipe
from handrail.training.progress import make_progress
from handrail.training.session import Lesson, batch_size, choose_device, threads_kept, train, usual_threads


def assemble(
    recipe: Recipe, features: pl.DataFrame, target: torch.Tensor, *, schema: Schema, task: Task, device: torch.device
) -> Pipeline:
    """A pipeline with the encoder and the target's scale learned from these rows, and the network at its beginning."""
    encoder = TableEncoder.fit(features, schema, recipe.data.encoding)
    model = copy.deepcopy(recipe.model) if is_object(recipe.model) else recipe.model
    spec = recipe.resolved()["model"]
    pipeline = Pipeline(task, encoder, make_network(model, encoder, task, seed=recipe.seed), model=spec)
    if isinstance(pipeline.decoder, ValueDecoder):
        pipeline.decoder.fit(target)
    return pipeline.to(device)


def lesson_of(recipe: Recipe, pipeline: Pipeline, part: Part, validation: Part | None) -> Lesson:
    """Rows as the network takes them: encoded, on its device, values scaled."""
    held_out = None if validation is None else Batch(pipeline.encode(validation.features), _scaled(pipeline, validation))
    inputs = pipeline.encode(part.features)
    return Lesson(recipe, pipeline.task, inputs, _scaled(pipeline, part), pipeline.encoder.feature_names, held_out)


def _scaled(pipeline: Pipeline, part: Part) -> torch.Tensor:
    target = part.target.to(pipeline.device)
    return pipeline.decoder.scaled(target) if isinstance(pipeline.decoder, ValueDecoder) else target


def threads_for(recipe: Recipe, pipeline: Pipeline, rows: int) -> int:
    """The recipe's number of threads, or the one that suits the size of a step."""
    if recipe.training.threads != "auto":
        return recipe.training.threads
    return usual_threads(count_parameters(pipeline.network), batch_size(recipe, rows))


def count_parameters(network: torch.nn.Module) -> int:
    """How many numbers the network learns."""
    return sum(parameter.numel() for parameter in network.parameters())


def refit(recipe: Recipe, before: Pipeline, part: Part, *, epochs: int, folder: Folder, progress: str = "none") -> Pipeline:
    """A recipe on training and validation rows together, for the number of epochs that was best before.

    Temperature and threshold stay as they were chosen on validation rows. The result is kept in the run's `refit/`.
    """
    device = choose_device(recipe.training.device)
    pipeline = assemble(recipe, part.features, part.target, schema=before.encoder.schema, task=before.task, device=device)
    lesson = lesson_of(recipe, pipeline, part, None)
    with threads_kept():
        torch.set_num_threads(threads_for(recipe, pipeline, len(part)))
        train(lesson, pipeline.network, epochs=epochs, callbacks=tuple(make_progress(progress)))
    if not isinstance(pipeline.decoder, ValueDecoder):
        pipeline.decoder.load_state_dict(before.decoder.state_dict())
    folder.refit.mkdir(exist_ok=True)
    pipeline.eval().save(folder.refit)
    return pipeline
