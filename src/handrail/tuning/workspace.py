"""Where trials are trained and measured: the rows are prepared once, and trials that agree on them share
them.
"""

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
from handrail.training.job import Lesson, Pupil
from handrail.training.seeds import replica_seeds
from handrail.training.train import choose_device
from handrail.tuning.folds import Division, divisions
from handrail.tuning.space import Settings
from handrail.tuning.trial import Trial

_KEPT = 20_000_000  # parameters of networks that wait to be trained
_ENCODES = ("encoding", "images", "text", "series", "audio")


@dataclass(frozen=True)
class PreparedRows:
    """Encoded rows of one division, under one way to encode; shared by every trial that agrees on both."""

    train: Part
    validation: Part
    encoder: RowEncoder
    decoder: Task
    rows: Rows
    lesson: Lesson


class Workspace:
    """Prepared data, and what trials need to be trained on it.

    Arguments:
        recipe: the base of all trials.
        data: its rows, the sealed ones left out.
        threads: of networks that are large enough to use several.
    """

    def __init__(self, recipe: Recipe, data: Dataset, *, threads: int = 1) -> None:
        self.recipe, self.data, self.threads = recipe, data, threads
        self.device = choose_device(recipe.training.device)
        self.divisions: list[Division] = divisions(data, recipe.data, recipe.tuning.folds)
        self._benches: dict[tuple[str, int], PreparedRows] = {}
        self._settled: dict[int, tuple[Settings, Recipe]] = {}
        self._start_groups: dict[int, nn.Module] = {}

    def settle_trial(self, trial: Trial) -> Recipe:
        """The recipe of a trial with every choice made."""
        known = self._settled.get(trial.number)
        if known is None or known[0] != trial.settings:
            known = (trial.settings, self.settle(self.recipe.with_values(trial.settings)))
            self._settled[trial.number] = known
        return known[1]

    def settle(self, recipe: Recipe) -> Recipe:
        """A recipe with every choice made that only the data can tell."""
        bench = self.rows_for(recipe, 0)
        if recipe.transfer.features and recipe.data.augment == "auto":
            recipe = recipe.with_values({"data.augment": []})  # features are computed once
        rows = len(self.divisions[0][0])
        return settle_recipe(
            recipe,
            bench.encoder.shape,
            bench.decoder.outputs,
            task=self.data.task,
            rows=rows,
            device=self.device,
        )[0]

    def rows_for(self, recipe: Recipe, fold: int) -> PreparedRows:
        """The rows of a fold as this recipe encodes them."""
        key = (_ways_to_encode(recipe), fold)
        if key not in self._benches:
            self._benches[key] = self._made(recipe, *self.divisions[fold])
        return self._benches[key]

    def _made(self, recipe: Recipe, train: Part, validation: Part) -> PreparedRows:
        encoder, decoder = encoders(recipe, train, schema=self.data.schema, task=self.data.task)
        # Only what encodes is looked at here: the network is each trial's own.
        pipeline = Pipeline(encoder, decoder, _Nothing(), model="").to(self.device)
        lesson = lesson_of(recipe, pipeline, train, validation)
        rows = validation.encoded(encoder)
        return PreparedRows(train, validation, encoder, decoder, rows, lesson)

    def network(self, recipe: Recipe, fold: int) -> nn.Module:
        """The network of a settled recipe at its beginning."""
        bench = self.rows_for(recipe, fold)
        model = copy.deepcopy(recipe.model) if is_object(recipe.model) else recipe.model
        made = make_network(
            model,
            bench.encoder,
            bench.decoder,
            augment=recipe.data.augment,
            precision=recipe.training.precision,
            seed=recipe.seed,
        )
        return made.to(self.device)

    def first_network(self, trial: Trial) -> nn.Module:
        """A trial's network at its beginning on the first fold; as many as are small enough are kept until
        they are trained.
        """
        network = self.network(self.settle_trial(trial), 0)
        if (
            sum(parameter.numel() for parameter in network.parameters()) * (len(self._start_groups) + 1)
            <= _KEPT
        ):
            self._start_groups[trial.number] = network
        return network

    def drop_networks(self) -> None:
        """Drop the cached networks; they have been trained."""
        self._start_groups.clear()

    def pupils(self, trial: Trial, fold: int) -> list[Pupil]:
        """The trainings of a trial on one fold: one a replica.

        Raises: `RecipeError` when its parts do not fit the data.
        """
        recipe = self.settle_trial(trial)
        bench = self.rows_for(recipe, fold)
        assert recipe.training.epochs != "auto", "a recipe is settled before training"
        epochs = None if trial.share == 1 else max(1, round(trial.share * recipe.training.epochs))
        own = [recipe.model_copy(update={"seed": seed}) for seed in self.seeds()]
        begun = self._start_groups.pop(trial.number, None) if fold == 0 else None
        networks = [
            self.network(one, fold) if begun is None or place else begun for place, one in enumerate(own)
        ]
        return [
            Pupil(f"{trial.number}-{place}", replace(bench.lesson, recipe=one), network, epochs)
            for place, (one, network) in enumerate(zip(own, networks, strict=True), start=1)
        ]

    def seeds(self) -> list[int]:
        """Of the replicas; the first is the recipe's own."""
        return replica_seeds(self.recipe.seed, self.recipe.tuning.replicas)

    def answers(self, recipe: Recipe, fold: int, network: nn.Module) -> tuple[Outcome, str]:
        """What a trained network says of the held-out rows, and the figure that the decoder finds fair."""
        bench = self.rows_for(recipe, fold)
        decoder = copy.deepcopy(bench.decoder)
        decoder.settle(network, bench.rows, bench.validation, recipe.evaluation)
        outcome = decoder.outcome(network, bench.rows, bench.validation)
        return outcome, decoder.fair_metric or outcome.names()[0]

    def baselines(self) -> list[dict[str, Outcome]]:
        """The simple rivals on each fold, made from the rows that the trials learn from, as the base recipe
        encodes them.
        """
        benches = [self.rows_for(self.recipe, fold) for fold in range(len(self.divisions))]
        return [bench.decoder.baselines(bench.train, bench.validation, bench.encoder) for bench in benches]


class _Nothing(nn.Module):
    """Stands where a network will be, and says by its parameter on which device that is."""

    def __init__(self) -> None:
        super().__init__()
        self.place = nn.Parameter(torch.zeros(1))


def _ways_to_encode(recipe: Recipe) -> str:
    sections: Mapping[str, Any] = {
        name: getattr(recipe.data, name).model_dump(mode="json") for name in _ENCODES
    }
    return json.dumps(sections, sort_keys=True)


def mean_draws(draws: list[list[np.ndarray]]) -> np.ndarray:
    """Over folds and replicas `[folds][replicas][resamples]`."""
    return np.mean([one for fold in draws for one in fold], axis=0)
