"""Where trials are trained and measured: rows are prepared once for all trials that encode them alike."""

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from handrail.components import is_object
from handrail.data.dataset import Dataset
from handrail.data.encoders.row_encoder import RowEncoder
from handrail.data.part import Part
from handrail.data.rows import Rows
from handrail.evaluation.outcome import Outcome
from handrail.pipeline import Pipeline, make_network
from handrail.recipe import Recipe
from handrail.runs.assembly import encoders, lesson_of
from handrail.runs.defaults import settle_recipe
from handrail.tasks import Task
from handrail.training.job import Job, TrainingData
from handrail.training.seeds import replica_seeds
from handrail.training.train import choose_device
from handrail.tuning.folds import Division, divisions
from handrail.tuning.space import Settings
from handrail.tuning.trial import Trial

_CACHED_PARAMETERS = 20_000_000  # of networks that wait to be trained
_ENCODES = ("encoding", "images", "text", "series", "audio")


@dataclass(frozen=True)
class PreparedRows:
    """The encoded rows of one division; shared by every trial that encodes them in this way."""

    train: Part
    validation: Part
    encoder: RowEncoder
    decoder: Task
    rows: Rows
    lesson: TrainingData


class Workspace:
    """Prepared data, and everything that trials need to be trained on it.

    Arguments:
        recipe: the base of all trials.
        data: its rows, without the sealed ones.
        threads: for networks that are large enough to use several.
    """

    def __init__(self, recipe: Recipe, data: Dataset, *, threads: int = 1) -> None:
        self.recipe, self.data, self.threads = recipe, data, threads
        self.device = choose_device(recipe.training.device)
        self.divisions: list[Division] = divisions(data, recipe.data, recipe.tuning.folds)
        self._prepared: dict[tuple[str, int], PreparedRows] = {}
        self._settled: dict[int, tuple[Settings, Recipe]] = {}
        self._networks: dict[int, nn.Module] = {}

    def settle_trial(self, trial: Trial) -> Recipe:
        """The settled recipe of a trial."""
        known = self._settled.get(trial.number)
        if known is None or known[0] != trial.settings:
            known = (trial.settings, self.settle(self.recipe.with_values(trial.settings)))
            self._settled[trial.number] = known
        return known[1]

    def settle(self, recipe: Recipe) -> Recipe:
        """The recipe with every choice made that depends on the data."""
        prepared = self.rows_for(recipe, 0)
        if recipe.transfer.features and recipe.data.augment == "auto":
            recipe = recipe.with_values({"data.augment": []})  # features are computed once
        rows = len(self.divisions[0][0])
        return settle_recipe(
            recipe,
            prepared.encoder.shape,
            prepared.decoder.outputs,
            task=self.data.task,
            rows=rows,
            device=self.device,
        )[0]

    def rows_for(self, recipe: Recipe, fold: int) -> PreparedRows:
        """The rows of a fold as this recipe encodes them."""
        key = (_encoding_key(recipe), fold)
        if key not in self._prepared:
            self._prepared[key] = self._prepare_rows(recipe, *self.divisions[fold])
        return self._prepared[key]

    def _prepare_rows(self, recipe: Recipe, train: Part, validation: Part) -> PreparedRows:
        encoder, decoder = encoders(recipe, train, schema=self.data.schema, task=self.data.task)
        # the network is each trial's own
        pipeline = Pipeline(encoder, decoder, _NoNetwork(), model="").to(self.device)
        lesson = lesson_of(recipe, pipeline, train, validation)
        rows = validation.encode_with(encoder)
        return PreparedRows(train, validation, encoder, decoder, rows, lesson)

    def network(self, recipe: Recipe, fold: int) -> nn.Module:
        """The untrained network of a settled recipe."""
        prepared = self.rows_for(recipe, fold)
        model = copy.deepcopy(recipe.model) if is_object(recipe.model) else recipe.model
        network = make_network(
            model,
            prepared.encoder,
            prepared.decoder,
            augment=recipe.data.augment,
            precision=recipe.training.precision,
            seed=recipe.seed,
        )
        return network.to(self.device)

    def first_network(self, trial: Trial) -> nn.Module:
        """A trial's untrained network on the first fold; cached until it is trained, if there is room."""
        network = self.network(self.settle_trial(trial), 0)
        if (
            sum(parameter.numel() for parameter in network.parameters()) * (len(self._networks) + 1)
            <= _CACHED_PARAMETERS
        ):
            self._networks[trial.number] = network
        return network

    def drop_networks(self) -> None:
        """Drop the cached networks; they have been trained."""
        self._networks.clear()

    def jobs(self, trial: Trial, fold: int) -> list[Job]:
        """The training jobs of a trial on one fold, one a replica.

        Raises: `RecipeError` when its parts do not fit the data.
        """
        recipe = self.settle_trial(trial)
        prepared = self.rows_for(recipe, fold)
        assert recipe.training.epochs != "auto", "a recipe is settled before training"
        epochs = None if trial.share == 1 else max(1, round(trial.share * recipe.training.epochs))
        recipes = [recipe.model_copy(update={"seed": seed}) for seed in self.seeds()]
        first = self._networks.pop(trial.number, None) if fold == 0 else None
        networks = [
            self.network(own, fold) if first is None or place else first for place, own in enumerate(recipes)
        ]
        return [
            Job(f"{trial.number}-{place}", replace(prepared.lesson, recipe=own), network, epochs)
            for place, (own, network) in enumerate(zip(recipes, networks, strict=True), start=1)
        ]

    def seeds(self) -> list[int]:
        """The seeds of the replicas; the first is the recipe's own."""
        return replica_seeds(self.recipe.seed, self.recipe.tuning.replicas)

    def evaluate(self, recipe: Recipe, fold: int, network: nn.Module) -> tuple[Outcome, str]:
        """The outcome of a network on the held-out rows, and the metric that the task finds fair."""
        prepared = self.rows_for(recipe, fold)
        decoder = copy.deepcopy(prepared.decoder)
        decoder.settle(network, prepared.rows, prepared.validation, recipe.evaluation)
        outcome = decoder.outcome(network, prepared.rows, prepared.validation)
        return outcome, decoder.fair_metric or outcome.names()[0]

    def baselines(self) -> list[dict[str, Outcome]]:
        """The baselines on each fold, fitted on its training rows, as the base recipe encodes them."""
        folds = [self.rows_for(self.recipe, fold) for fold in range(len(self.divisions))]
        return [rows.decoder.baselines(rows.train, rows.validation, rows.encoder) for rows in folds]


class _NoNetwork(nn.Module):
    """In the place of the network; its parameter tells the pipeline its device."""

    def __init__(self) -> None:
        super().__init__()
        self.place = nn.Parameter(torch.zeros(1))


def _encoding_key(recipe: Recipe) -> str:
    sections: Mapping[str, Any] = {
        name: getattr(recipe.data, name).model_dump(mode="json") for name in _ENCODES
    }
    return json.dumps(sections, sort_keys=True)


def mean_resamples(resamples: list[list[np.ndarray]]) -> np.ndarray:
    """The mean over folds and replicas of `[folds][replicas][resamples]`."""
    return np.mean([replica for fold in resamples for replica in fold], axis=0)
