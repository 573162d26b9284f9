"""Groups of trials that are trained side by side; a group goes to one process and is stored as a whole."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from handrail.errors import RecipeError
from handrail.training.job import Job, Trained, batch_size
from handrail.training.many import MOST, train_many
from handrail.training.signals import StopRequest
from handrail.training.train import restore_threads, usual_threads
from handrail.tuning.comparison import measure, resample_metric
from handrail.tuning.trial import Result, Trial
from handrail.tuning.workspace import Workspace, mean_resamples

_MOST_ON_CPU = 32  # trainings in one program: two programs on two cores are quicker than one on both
_LARGE = 2e8  # operations a step, from which one network fills a processor


@dataclass(frozen=True)
class Measurement:
    """What is measured of trials: the metric, and the number and seed of the resamples for its interval."""

    metric: str
    resamples: int
    seed: int


@dataclass
class _TrialFigures:
    """The figures of one trial so far, fold by fold."""

    values: list[list[float]] = field(default_factory=list)
    losses: list[list[float]] = field(default_factory=list)
    epochs: list[list[int]] = field(default_factory=list)
    draws: list[list[np.ndarray]] = field(default_factory=list)
    seconds: float = 0.0
    failure: str = ""


@dataclass(frozen=True)
class Group:
    """Trials that can be trained as one program.

    trials: those to train now. members: all that were in the group at first, in their order, each as it was
    last asked for: checkpoints hold all of them.
    """

    trials: tuple[Trial, ...]
    members: tuple[Trial, ...]

    @property
    def name(self) -> str:
        """The name of its folder: the same on every rung."""
        return f"group-{self.members[0].number}"


Assignment = tuple[Group, Path | None]  # a group and the folder of its checkpoints


class Grouping:
    """Divides trials into groups.

    The groups depend on the trials alone, not on the number of workers or on earlier results, so each
    training has the same companions whenever and wherever it runs, and comes to the same bits. Trials stay in
    their group from rung to rung.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._members: dict[int, list[Trial]] = {}  # by the number of the first member

    def groups(self, trials: Sequence[Trial]) -> tuple[list[Group], list[Result]]:
        """The groups of a batch, and the results of trials that cannot be trained at all."""
        homes = {member.number: first for first, members in self._members.items() for member in members}
        continued: dict[int, list[Trial]] = {}
        new: list[Trial] = []
        for trial in trials:
            if trial.number in homes:
                continued.setdefault(homes[trial.number], []).append(trial)
            else:
                new.append(trial)
        started, failed = self._start_groups(new)
        groups = [self._continue_group(first, members) for first, members in continued.items()]
        return [*groups, *started], failed

    def _start_groups(self, trials: Sequence[Trial]) -> tuple[list[Group], list[Result]]:
        by_compatibility: dict[Any, list[Trial]] = {}
        failed: list[Result] = []
        for trial in trials:
            try:
                by_compatibility.setdefault(_compatibility(self.workspace, trial), []).append(trial)
            except RecipeError as error:
                failed.append(Result(trial.number, trial.rung, failure=str(error)))
        groups: list[Group] = []
        most = _MOST_ON_CPU if self.workspace.device.type == "cpu" else MOST
        for compatibility, alike in by_compatibility.items():
            size = max(1, most // self.workspace.recipe.tuning.replicas) if compatibility[0] else 1
            for first in range(0, len(alike), size):
                members = alike[first : first + size]
                self._members[members[0].number] = members
                groups.append(Group(tuple(members), tuple(members)))
        return groups, failed

    def _continue_group(self, first: int, trials: Sequence[Trial]) -> Group:
        again = {trial.number: trial for trial in trials}
        self._members[first] = [again.get(member.number, member) for member in self._members[first]]
        return Group(tuple(trials), tuple(self._members[first]))


def _compatibility(workspace: Workspace, trial: Trial) -> tuple[Any, ...]:
    """Whether training it beside others pays, and everything that the others must share with it."""
    recipe = workspace.settle_trial(trial)
    network, rows = workspace.first_network(trial), workspace.rows_for(recipe, 0)
    size = batch_size(recipe, len(rows.train))
    small = (
        isinstance(rows.encoder.shape, int)
        and 6 * sum(parameter.numel() for parameter in network.parameters()) * size < _LARGE
    )
    small = small or workspace.device.type != "cpu"
    beside = small and recipe.training.together is not False
    shapes = tuple((name, tuple(value.shape)) for name, value in network.state_dict().items())
    return (
        beside,
        shapes,
        size,
        id(rows),
        recipe.training.precision,
        _outline(recipe.learning),
        _outline(recipe.model),
    )


def _outline(spec: Any) -> str:
    """The names in a specification, without its numbers."""
    if isinstance(spec, dict):
        return f"{{{', '.join(f'{name}: {_outline(value)}' for name, value in sorted(spec.items()))}}}"
    if isinstance(spec, list | tuple):
        return f"[{', '.join(_outline(value) for value in spec)}]"
    return "" if isinstance(spec, int | float) else str(spec)


def train_group(
    workspace: Workspace,
    group: Group,
    measurement: Measurement,
    *,
    folder: Path | None,
    stop_request: StopRequest | None = None,
    cores: int | None = None,
) -> list[Result]:
    """Train and measure a group, fold by fold.

    Arguments:
        folder: of its checkpoints; an interrupted group resumes from them.
        cores: that this process may use, if others work beside it.

    Raises: `Interrupted` when asked to stop.
    """
    try:
        return _train_group(
            workspace, group, measurement, folder=folder, stop_request=stop_request, cores=cores
        )
    except RecipeError as error:  # parts of one trial do not fit; the others are trained without it
        trials = group.trials
        if len(trials) == 1:
            return [Result(trials[0].number, trials[0].rung, failure=str(error))]
        alone = [
            train_group(
                workspace,
                Group((trial,), (trial,)),
                measurement,
                folder=folder and folder / f"alone-{trial.number}",
                stop_request=stop_request,
                cores=cores,
            )
            for trial in trials
        ]
        return [result for results in alone for result in results]


def _train_group(
    workspace: Workspace,
    group: Group,
    measurement: Measurement,
    *,
    folder: Path | None,
    stop_request: StopRequest | None,
    cores: int | None,
) -> list[Result]:
    figures = {trial.number: _TrialFigures() for trial in group.trials}
    members = group.trials if folder is None else group.members
    for fold in range(len(workspace.divisions)):
        began = time.perf_counter()
        jobs = {trial.number: workspace.jobs(trial, fold) for trial in members}
        flat = [job for replicas in jobs.values() for job in replicas]
        own = folder and folder / f"fold-{fold + 1}"
        with restore_threads():
            torch.set_num_threads(_threads(workspace, members[0], flat[0]))
            trained = train_many(
                flat, together=workspace.recipe.training.together, folder=own, wish=stop_request, cores=cores
            )
            ended = {job.name: outcome for job, outcome in zip(flat, trained, strict=True)}
            for number, own_figures in figures.items():
                replicas = [(job, ended[job.name]) for job in jobs[number]]
                _measure_fold(own_figures, workspace, measurement, fold, replicas)
        for own_figures in figures.values():
            own_figures.seconds += (time.perf_counter() - began) / len(figures)
    return [_result(trial, figures[trial.number]) for trial in group.trials]


def _threads(workspace: Workspace, trial: Trial, job: Job) -> int:
    recipe = workspace.settle_trial(trial)
    rows = workspace.rows_for(recipe, 0)
    if recipe.training.threads != "auto":
        return recipe.training.threads
    torch.set_num_threads(workspace.threads)
    return usual_threads(job.network, rows.encoder.shape, batch_size(recipe, len(rows.train)))


def _measure_fold(
    figures: _TrialFigures,
    workspace: Workspace,
    measurement: Measurement,
    fold: int,
    trained: list[tuple[Job, Trained]],
) -> None:
    """Measure the replicas of a trial on a fold, unless one of them failed."""
    failures = [ended.failure for _, ended in trained if ended.failure]
    if failures or figures.failure:
        figures.failure = figures.failure or failures[0]
        return
    outcomes = [workspace.evaluate(job.lesson.recipe, fold, job.network)[0] for job, _ in trained]
    values = [measure(outcome, measurement.metric) for outcome in outcomes]
    if not all(math.isfinite(value) for value in values):
        figures.failure = f"{measurement.metric} is not defined on its answers."
        return
    seed = measurement.seed + fold
    figures.values.append(values)
    figures.losses.append([ended.progress.best_loss for _, ended in trained])
    figures.epochs.append([ended.progress.best_epoch or ended.progress.epoch for _, ended in trained])
    figures.draws.append(
        [
            resample_metric(outcome, measurement.metric, resamples=measurement.resamples, seed=seed)
            for outcome in outcomes
        ]
    )


def _result(trial: Trial, figures: _TrialFigures) -> Result:
    if figures.failure:
        return Result(trial.number, trial.rung, seconds=figures.seconds, failure=figures.failure)
    return Result(
        trial.number,
        trial.rung,
        figures.values,
        figures.losses,
        figures.epochs,
        mean_resamples(figures.draws),
        seconds=figures.seconds,
    )
