"""Where trials are trained and measured: rows or folds, prepared once for all that encode alike."""

import copy
import json
import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from handrail.components import is_object
from handrail.data.dataset import Dataset
from handrail.data.encoders.row_encoder import RowEncoder
from handrail.data.part import Part
from handrail.data.rows import Rows
from handrail.errors import DataError
from handrail.evaluation.outcomes import Outcome
from handrail.pipeline import Pipeline, make_network
from handrail.recipe import Recipe
from handrail.recipe.sections import DataRecipe
from handrail.runs.assembly import count_parameters, encoders, make_training_data, weigh_classes
from handrail.runs.defaults import settle_recipe
from handrail.tasks import Task
from handrail.tasks.baselines import best_constant
from handrail.tasks.task import Choice
from handrail.training.job import Job, TrainingData
from handrail.training.seeds import derive, replica_seeds
from handrail.training.train import choose_device
from handrail.tuning.comparison import Measurement
from handrail.tuning.space import Settings
from handrail.tuning.trial import Trial

Division = tuple[Part, Part]  # training and validation rows

_CACHED_PARAMETERS = 20_000_000  # of networks that wait to be trained
_ENCODES = ("encoding", "images", "text", "series", "audio")


@dataclass(frozen=True)
class PreparedRows:
    """The encoded rows of one division; shared by every trial that encodes them in this way."""

    train: Part
    validation: Part
    encoder: RowEncoder
    task: Task
    rows: Rows
    training_data: TrainingData


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
        shapes, rows = (prepared.encoder.shape, prepared.task.outputs), len(self.divisions[0][0])
        return settle_recipe(recipe, *shapes, task=self.data.task, rows=rows, device=self.device)[0]

    def rows_for(self, recipe: Recipe, fold: int) -> PreparedRows:
        """The rows of a fold as this recipe encodes them."""
        key = (_encoding_key(recipe), fold)
        if key not in self._prepared:
            self._prepared[key] = self._prepare_rows(recipe, *self.divisions[fold])
        return self._prepared[key]

    def _prepare_rows(self, recipe: Recipe, train: Part, validation: Part) -> PreparedRows:
        encoder, task = encoders(recipe, train, schema=self.data.schema, task=self.data.task)
        # the network is each trial's own
        pipeline = Pipeline(encoder, task, _NoNetwork(), model="").to(self.device)
        training_data = make_training_data(recipe, pipeline, train, validation)
        rows = validation.encode_with(encoder)
        return PreparedRows(train, validation, encoder, task, rows, training_data)

    def network(self, recipe: Recipe, fold: int) -> nn.Module:
        """The untrained network of a settled recipe."""
        prepared = self.rows_for(recipe, fold)
        model = copy.deepcopy(recipe.network) if is_object(recipe.network) else recipe.network
        network = make_network(
            model,
            prepared.encoder,
            prepared.task,
            augment=recipe.data.augment,
            precision=recipe.training.precision,
            seed=recipe.seed,
        )
        return network.to(self.device)

    def first_network(self, trial: Trial) -> nn.Module:
        """A trial's untrained network on the first fold; cached until it is trained, if there is room."""
        network = self.network(self.settle_trial(trial), 0)
        size = sum(parameter.numel() for parameter in network.parameters())
        if size * (len(self._networks) + 1) <= _CACHED_PARAMETERS:
            self._networks[trial.number] = network
        return network

    def count_parameters(self, trial: Trial) -> int:
        """The parameters of a trial's network."""
        return count_parameters(self.network(self.settle_trial(trial), 0))

    def drop_networks(self) -> None:
        """Drop the cached networks; they have been trained."""
        self._networks.clear()

    def jobs(self, trial: Trial, fold: int) -> list[Job]:
        """The jobs of a trial on one fold, one a replica. Raises: `RecipeError` when its parts do not fit."""
        recipe = self.settle_trial(trial)
        prepared = self.rows_for(recipe, fold)
        assert recipe.training.epochs != "auto", "a recipe is settled before training"
        epochs = None if trial.share == 1 else max(1, round(trial.share * recipe.training.epochs))
        seeds = replica_seeds(self.recipe.seed, self.recipe.tuning.replicas)
        recipes = [recipe.model_copy(update={"seed": seed}) for seed in seeds]
        first = self._networks.pop(trial.number, None) if fold == 0 else None
        networks = [
            self.network(own, fold) if first is None or place else first for place, own in enumerate(recipes)
        ]
        return [
            Job(f"{trial.number}-{place}", replace(prepared.training_data, recipe=own), network, epochs)
            for place, (own, network) in enumerate(zip(recipes, networks, strict=True), start=1)
        ]

    def evaluate(self, recipe: Recipe, fold: int, network: nn.Module) -> tuple[Outcome, str]:
        """The outcome of a network on the held-out rows, and the metric that the task finds fair.

        No row is decided by a threshold that it helped to choose: the best of many trials would be the one
        whose threshold was luckiest.
        """
        prepared = self.rows_for(recipe, fold)
        task = copy.deepcopy(prepared.task)
        weigh_classes(recipe, task, prepared.train)
        outcome = task.held_out_outcome(network, prepared.rows, prepared.validation, recipe.evaluation)
        return outcome, task.fair_metric or outcome.names()[0]

    def measure_baselines(self, measurement: Measurement, best: Trial) -> dict[str, tuple[float, np.ndarray]]:
        """The metric of each baseline and its resamples, as means over the folds.

        Baselines are fitted on the training rows of each fold, as the base recipe encodes them, and choose
        thresholds as the trials do. One more always gives the answer that is best by the metric.

        Arguments:
            best: the trial whose number of clusters or size of code they have.
        """
        prepared = [self.rows_for(self.recipe, fold) for fold in range(len(self.divisions))]
        known = np.concatenate([part.target.numpy() for part in (prepared[0].train, prepared[0].validation)])
        network = self.network(self.settle_trial(best), 0)
        folds = [self._baselines(rows, measurement.metric, known, network) for rows in prepared]
        figures = {}
        for name in [name for name in folds[0] if all(name in fold for fold in folds)]:
            value = sum(measurement.measure(fold[name]) for fold in folds) / len(folds)
            resamples = [measurement.resample(fold[name], number) for number, fold in enumerate(folds)]
            if math.isfinite(value):  # a baseline without a defined figure is left out
                figures[name] = (value, sum(resamples) / len(resamples))
        usual = figures.get("majority", (None,))[0]
        return {
            name: figure
            for name, figure in figures.items()
            if not (name.startswith("always ") and figure[0] == usual)  # the same answers under another name
        }

    def _baselines(
        self, rows: PreparedRows, metric: str, known: np.ndarray, network: nn.Module
    ) -> dict[str, Outcome]:
        settings = self.recipe.evaluation
        choice = Choice(rows.train, rows.validation, rows.encoder, settings, held_out=True)
        task = copy.deepcopy(rows.task)
        task.note_size(network)
        outcomes = task.baselines(rows.train, rows.validation, rows.encoder, choice)
        return outcomes | best_constant(task.spec, known, rows.validation.target.numpy(), metric)


class _NoNetwork(nn.Module):
    """In the place of the network; its parameter tells the pipeline its device."""

    def __init__(self) -> None:
        super().__init__()
        self.place = nn.Parameter(torch.zeros(1))


def _encoding_key(recipe: Recipe) -> str:
    sections = {name: getattr(recipe.data, name).model_dump(mode="json") for name in _ENCODES}
    return json.dumps(sections, sort_keys=True)


def divisions(data: Dataset, recipe: DataRecipe, folds: int | None) -> list[Division]:
    """Pairs of training and validation rows, without the sealed rows.

    Folds are drawn as the validation rows were: class by class, or by whole groups; duplicate rows stay in
    one fold where the recipe drops duplicates.

    Raises: `DataError` where rows are ordered in time, or too few.
    """
    if folds is None:
        return [(data.train, data.validation)]
    if data.task.is_forecast or data.task.name == "next-token" or recipe.split.method in ("time", "order"):
        problem = "rows that follow one another in time cannot be divided into folds"
        raise DataError(f"tuning.folds: {problem}; leave tuning.folds out.")
    if data.train.sample is not data.train:
        problem = "a table that is streamed cannot be divided into folds"
        raise DataError(f"tuning.folds: {problem}; leave tuning.folds out.")
    rows = data.train.join(data.validation)
    classes = rows.target.numpy() if data.task.is_classification else None
    fold_of = _draw_folds(rows, recipe, folds, classes=classes)
    training = [_select(rows, fold_of != fold, f"training {fold + 1}") for fold in range(folds)]
    validation = [_select(rows, fold_of == fold, f"fold {fold + 1}") for fold in range(folds)]
    return list(zip(training, validation, strict=True))


def _draw_folds(rows: Part, recipe: DataRecipe, folds: int, *, classes: np.ndarray | None) -> np.ndarray:
    """The fold of each row."""
    generator = np.random.default_rng(derive(recipe.split.seed, "folds"))
    keys = _keys(rows, recipe)
    if keys is not None:
        return _by_group(keys, folds, generator)
    if len(rows) < 2 * folds:
        raise DataError(
            f"tuning.folds: {folds} folds of {len(rows)} rows; expected at least two rows a fold."
        )
    fold_of = np.empty(len(rows), dtype=np.int64)
    first = 0
    for code in [None] if classes is None else np.unique(classes):
        members = np.arange(len(rows)) if code is None else np.flatnonzero(classes == code)
        # Each class continues where the last one ended: small classes do not all begin with the first fold.
        fold_of[generator.permutation(members)] = (first + np.arange(len(members))) % folds
        first += len(members)
    return fold_of


def _keys(rows: Part, recipe: DataRecipe) -> np.ndarray | None:
    """Rows with the same key stay in one fold."""
    if recipe.split.method == "group":
        return rows.raw[str(recipe.split.column)].to_numpy()
    return rows.hashes if recipe.duplicates == "drop" else None


def _by_group(keys: np.ndarray, folds: int, generator: np.random.Generator) -> np.ndarray:
    """Whole groups: in random order, the largest first, each to the fold with the fewest rows."""
    _, groups = np.unique(keys, return_inverse=True)
    sizes = np.bincount(groups)
    if len(sizes) < folds:
        problem = f"{folds} folds of {len(sizes)} groups; expected at least one group a fold"
        raise DataError(f"tuning.folds: {problem}.")
    fold_of, filled = np.empty(len(sizes), dtype=np.int64), np.zeros(folds)
    shuffled = generator.permutation(len(sizes))
    for group in shuffled[np.argsort(-sizes[shuffled], kind="stable")]:
        fold_of[group] = filled.argmin()
        filled[fold_of[group]] += sizes[group]
    return fold_of[groups]


def _select(part: Part, chosen: np.ndarray, name: str) -> Part:
    return replace(part.pick(np.flatnonzero(chosen)), name=name)
