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
from handrail.learning.rule import step_operations
from handrail.training.job import Job, Trained, batch_size
from handrail.training.signals import StopRequest
from handrail.training.speed.threads import restore_threads, usual_threads
from handrail.training.train_many import MOST, train_many
from handrail.tuning.comparison import Measurement
from handrail.tuning.trial import Result, Trial
from handrail.tuning.workspace import Workspace

_MOST_ON_CPU = 32  # trainings in one program: two programs on two cores are quicker than one on both
_LARGE = 2e8  # operations a step, from which one network fills a processor


@dataclass(frozen=True)
class Group:
    """Trials that can be trained as one program.

    trials: those to train now. members: all that were in the group at first, in their order, each as it was
    last asked for; checkpoints hold all of them.
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
        again: dict[int, list[Trial]] = {}
        for trial in trials:
            if trial.number in homes:
                again.setdefault(homes[trial.number], []).append(trial)
        started, failed = self._start_groups([trial for trial in trials if trial.number not in homes])
        return [*(self._continue_group(first, group) for first, group in again.items()), *started], failed

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
    work = step_operations(network, size)
    small = (isinstance(rows.encoder.shape, int) and work < _LARGE) or workspace.device.type != "cpu"
    beside = small and recipe.training.together is not False
    shapes = tuple((name, tuple(value.shape)) for name, value in network.state_dict().items())
    outlines = _outline(recipe.learning), _outline(recipe.model)
    return (beside, shapes, size, id(rows), recipe.training.precision, *outlines)


def _outline(spec: Any) -> str:
    """The names in a specification, without its numbers."""
    if isinstance(spec, dict):
        return f"{{{', '.join(f'{name}: {_outline(value)}' for name, value in sorted(spec.items()))}}}"
    if isinstance(spec, list | tuple):
        return f"[{', '.join(_outline(value) for value in spec)}]"
    return "" if isinstance(spec, int | float) else str(spec)


@dataclass
class _Figures:
    """The figures of one trial so far, fold by fold."""

    values: list[list[float]] = field(default_factory=list)
    losses: list[list[float]] = field(default_factory=list)
    epochs: list[list[int]] = field(default_factory=list)
    draws: list[np.ndarray] = field(default_factory=list)
    seconds: float = 0.0
    failure: str = ""

    def result(self, trial: Trial) -> Result:
        if self.failure:
            return Result(trial.number, trial.rung, seconds=self.seconds, failure=self.failure)
        draws = np.mean(self.draws, axis=0)
        return Result(trial.number, trial.rung, self.values, self.losses, self.epochs, draws, self.seconds)


@dataclass(frozen=True)
class GroupTrainer:
    """Trains and measures groups, fold by fold.

    cores: those that this process may use, if others work beside it.
    """

    workspace: Workspace
    measurement: Measurement
    stop_request: StopRequest | None = None
    cores: int | None = None

    def train(self, group: Group, folder: Path | None) -> list[Result]:
        """Train a group; an interrupted one resumes from the checkpoints in `folder`.

        Raises: `Interrupted` when asked to stop.
        """
        try:
            return self._train_together(group, folder)
        except RecipeError as error:
            if len(group.trials) == 1:
                trial = group.trials[0]
                return [Result(trial.number, trial.rung, failure=str(error))]
        results: list[Result] = []  # parts of one trial do not fit; the others are trained without it
        for trial in group.trials:
            results += self.train(Group((trial,), (trial,)), folder and folder / f"alone-{trial.number}")
        return results

    def _train_together(self, group: Group, folder: Path | None) -> list[Result]:
        figures = {trial.number: _Figures() for trial in group.trials}
        members = group.trials if folder is None else group.members
        for fold in range(len(self.workspace.divisions)):
            began = time.perf_counter()
            jobs = {trial.number: self.workspace.jobs(trial, fold) for trial in members}
            flat = [job for replicas in jobs.values() for job in replicas]
            with restore_threads():
                torch.set_num_threads(self._threads(members[0], flat[0]))
                trained = train_many(
                    flat,
                    together=self.workspace.recipe.training.together,
                    folder=folder and folder / f"fold-{fold + 1}",
                    stop_request=self.stop_request,
                    cores=self.cores,
                )
                ended = {job.name: outcome for job, outcome in zip(flat, trained, strict=True)}
                for number, own in figures.items():
                    self._measure_fold(own, fold, [(job, ended[job.name]) for job in jobs[number]])
            for own in figures.values():
                own.seconds += (time.perf_counter() - began) / len(figures)
        return [figures[trial.number].result(trial) for trial in group.trials]

    def _threads(self, trial: Trial, job: Job) -> int:
        recipe = self.workspace.settle_trial(trial)
        rows = self.workspace.rows_for(recipe, 0)
        if recipe.training.threads != "auto":
            return recipe.training.threads
        torch.set_num_threads(self.workspace.threads)
        return usual_threads(job.network, rows.encoder.shape, batch_size(recipe, len(rows.train)))

    def _measure_fold(self, figures: _Figures, fold: int, trained: list[tuple[Job, Trained]]) -> None:
        """Measure the replicas of a trial on a fold, unless one of them failed."""
        failures = [ended.failure for _, ended in trained if ended.failure]
        if failures or figures.failure:
            figures.failure = figures.failure or failures[0]
            return
        outcomes = [self.workspace.evaluate(job.data.recipe, fold, job.network)[0] for job, _ in trained]
        values = [self.measurement.measure(outcome) for outcome in outcomes]
        if not all(math.isfinite(value) for value in values):
            figures.failure = f"{self.measurement.metric} is not defined on its answers."
            return
        figures.values.append(values)
        figures.losses.append([ended.progress.best_loss for _, ended in trained])
        figures.epochs.append([ended.progress.best_epoch or ended.progress.epoch for _, ended in trained])
        figures.draws += [self.measurement.resample(outcome, fold) for outcome in outcomes]
