"""One recipe trained from several seeds: the spread of training, and which replicas answer."""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from handrail.data.part import Part
from handrail.errors import RecipeError, TrainingError
from handrail.learning.rule import Team
from handrail.pipeline import Pipeline
from handrail.pipeline.ensemble import Ensemble, replicas_of
from handrail.recipe import Recipe
from handrail.runs.folder import Folder
from handrail.tasks import Task
from handrail.tasks.uses import uses_of
from handrail.training.callbacks import Callback, Records, make_progress
from handrail.training.course import Course
from handrail.training.job import Job, TrainingData
from handrail.training.seeds import replica_seeds
from handrail.training.signals import StopRequest
from handrail.training.stopping import Progress
from handrail.training.train import train
from handrail.training.train_many import train_many


@dataclass(frozen=True)
class FitContext:
    """What the steps of one fit share.

    folder: the run's. team: the processes that train the one network. progress: "auto" or "none".
    callbacks: listeners of training. trust: whether import paths in the folder's files are imported.
    """

    folder: Folder
    team: Team
    progress: str = "none"
    callbacks: tuple[Callback, ...] = ()
    trust: bool = False


@dataclass(frozen=True)
class Replica:
    """How one replica was trained."""

    replica: int
    seed: int
    epochs: int
    best_epoch: int
    best_loss: float | None
    stopped: str
    seconds: float
    failure: str = ""

    def __str__(self) -> str:
        return self.failure or f"trained {self.epochs} epochs, the best was {self.best_epoch}: {self.stopped}"

    @classmethod
    def of(cls, number: int, seed: int, done: Progress, failure: str = "") -> "Replica":
        loss = done.best_loss if math.isfinite(done.best_loss) else None
        best = done.best_epoch or done.epoch
        return cls(number, seed, done.epoch, best, loss, done.done, done.spent, failure)


def replicas_from(members: Sequence[Mapping[str, Any]]) -> list[Replica]:
    """The replicas in the `members` that `spread` wrote."""
    names = [field.name for field in fields(Replica)]
    return [Replica(**{name: member[name] for name in names}) for member in members]


def train_pipeline(
    training_data: TrainingData, pipeline: Pipeline, context: FitContext, *, stop_request: StopRequest
) -> list[Replica]:
    """Train the network of a pipeline, or all its replicas, with checkpoints and records in the run's folder.

    Raises: `TrainingError` when the loss is not a number, `Interrupted` when asked to stop.
    """
    recipe, folder, callbacks = training_data.recipe, context.folder, context.callbacks
    if recipe.training.replicas > 1:
        return train_replicas(
            training_data,
            pipeline,
            folder=folder,
            progress=context.progress,
            callbacks=callbacks,
            stop_request=stop_request,
        )
    makes = "generate" in uses_of(pipeline.decoder, pipeline.network)
    course = [Course(folder.course, pipeline.decoder.sketch)] if makes else []
    listeners = (Records(folder.metrics), *course, *make_progress(context.progress), *callbacks)
    progress = train(
        training_data,
        pipeline.network,
        folder=folder.checkpoints,
        callbacks=listeners,
        stop_request=stop_request,
        team=context.team,
    )
    return [Replica.of(1, recipe.seed, progress)]


def train_replicas(
    training_data: TrainingData,
    pipeline: Pipeline,
    *,
    folder: Folder | None = None,
    progress: str = "none",
    callbacks: tuple[Callback, ...] = (),
    stop_request: StopRequest | None = None,
) -> list[Replica]:
    """Train every replica of a pipeline in place, and choose those that answer.

    Arguments:
        folder: the run's, for checkpoints and records.

    Raises: `TrainingError` when all of them fail, `Interrupted` when asked to stop.
    """
    recipe, jobs = training_data.recipe, replica_jobs(training_data, pipeline)
    shared = (*make_progress(progress, replicas=len(jobs)), *callbacks)
    ended = train_many(
        jobs,
        together=recipe.training.together,
        folder=None if folder is None else folder.checkpoints,
        listeners=_listeners(None if folder is None else folder.metrics, shared),
        stop_request=stop_request,
    )
    replicas = [
        Replica.of(number, job.data.recipe.seed, end.progress, end.failure)
        for number, (job, end) in enumerate(zip(jobs, ended, strict=True), start=1)
    ]
    if all(replica.failure for replica in replicas):
        raise TrainingError(f"all {len(replicas)} replicas failed; the first: {replicas[0].failure}")
    choose(pipeline, replicas, keep=recipe.training.keep)
    return replicas


def replica_jobs(training_data: TrainingData, pipeline: Pipeline) -> list[Job]:
    """A job for each replica of a pipeline; they differ in their seeds."""
    recipe, networks = training_data.recipe, replicas_of(pipeline.network)
    recipes = [
        recipe.model_copy(update={"seed": seed})
        for seed in replica_seeds(recipe.seed, recipe.training.replicas)
    ]
    return [
        Job(f"replica-{number}", replace(training_data, recipe=own), network)
        for number, (own, network) in enumerate(zip(recipes, networks, strict=True), start=1)
    ]


def _listeners(metrics: Path | None, shared: tuple[Callback, ...]) -> Callable[[str], tuple[Callback, ...]]:
    def listen(name: str) -> tuple[Callback, ...]:
        if metrics is None:
            return shared
        return (Records(metrics, replica=int(name.removeprefix("replica-"))), *shared)

    return listen


def choose(pipeline: Pipeline, replicas: Sequence[Replica], *, keep: str) -> None:
    """Let all that did not fail answer together, or the one with the lowest validation loss alone."""
    assert isinstance(pipeline.network, Ensemble)
    chosen = _sound(replicas) if keep == "ensemble" else [best_of(replicas)]
    pipeline.network.answering = tuple(replica.replica - 1 for replica in chosen)


def best_of(replicas: Sequence[Replica]) -> Replica:
    """The one with the lowest validation loss, of those that did not fail."""
    return min(
        _sound(replicas), key=lambda replica: math.inf if replica.best_loss is None else replica.best_loss
    )


def _sound(replicas: Sequence[Replica]) -> list[Replica]:
    return [replica for replica in replicas if not replica.failure]


def settle_keep(recipe: Recipe, task: Task) -> tuple[Recipe, tuple[str, ...]]:
    """The recipe with what answers, and why where that is not the usual.

    Raises: `RecipeError` for an ensemble of a task whose answers have no mean.
    """
    keep, alone = recipe.training.keep, recipe.training.replicas == 1
    if keep == "ensemble" and not alone and not task.joins:
        raise RecipeError(
            f"training.keep: found ensemble, but answers to {task.spec.name} have no mean; expected best: "
            "one replica answers, and the figures of all are reported."
        )
    if keep != "auto":
        return recipe, ()
    if alone or task.joins:
        return recipe.with_values({"training.keep": "ensemble"}), ()
    why = f"training.keep best: answers to {task.spec.name} have no mean, so one replica answers"
    return recipe.with_values({"training.keep": "best"}), (why,)


def spread(pipeline: Pipeline, replicas: Sequence[Replica], part: Part) -> dict[str, Any]:
    """Figures of each replica, of their ensemble and of the best one for a part, and their spread.

    Temperature and threshold are those of the network that answers.
    """
    network = pipeline.network
    assert isinstance(network, Ensemble)
    positions = [replica.replica - 1 for replica in _sound(replicas)]

    def measure(answering: Sequence[int]) -> dict[str, float | None]:
        with network.only(answering):
            metrics = pipeline.outcome(part).measure()
        return {name: value if math.isfinite(value) else None for name, value in metrics.items()}

    members = {position + 1: measure([position]) for position in positions}
    best = best_of(replicas)
    joined = {"ensemble": measure(positions)} if pipeline.decoder.joins else {}
    names = next(iter(members.values()))
    return {
        "answering": [position + 1 for position in network.answering],
        "members": [{**vars(replica), "metrics": members.get(replica.replica, {})} for replica in replicas],
        "best": best.replica,
        "figures": {**joined, "best": members[best.replica]},
        "spread": {name: _summary([figures[name] for figures in members.values()]) for name in names},
    }


def _summary(values: Sequence[float | None]) -> dict[str, float | None]:
    known = [value for value in values if value is not None]
    if not known:
        return {"mean": None, "std": None, "low": None, "high": None}
    deviation = statistics.stdev(known) if len(known) > 1 else None
    return {"mean": statistics.fmean(known), "std": deviation, "low": min(known), "high": max(known)}
