"""A group of trials, trained side by side and measured; the unit that is handed to a process and stored as a
whole.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from handrail.errors import RecipeError
from handrail.training.job import Pupil, Trained, batch_size
from handrail.training.many import MOST, train_many
from handrail.training.signals import StopWish
from handrail.training.train import threads_kept, usual_threads
from handrail.tuning.comparison import measure, resample_metric
from handrail.tuning.trial import Result, Trial
from handrail.tuning.workspace import Workspace, mean_draws

# Trainings in one program on a processor: two programs on two cores are quicker than one on both.
_BESIDE = 32
_LARGE = 2e8  # operations a step: such networks fill a processor on their own


@dataclass(frozen=True)
class Measurement:
    """By what trials are judged: the figure, and how many resamples are drawn for its interval."""

    metric: str
    resamples: int
    seed: int


@dataclass
class _TrialFigures:
    """What one trial has come to so far."""

    values: list[list[float]] = field(default_factory=list)
    losses: list[list[float]] = field(default_factory=list)
    epochs: list[list[int]] = field(default_factory=list)
    draws: list[list[np.ndarray]] = field(default_factory=list)
    seconds: float = 0.0
    failure: str = ""


@dataclass(frozen=True)
class Group:
    """Trials that can be trained as one program.

    trials: those that are wanted. members: all that were in the group at first, in their order, each as it
    was asked for last: checkpoints hold all of them, whoever goes on.
    """

    trials: tuple[Trial, ...]
    members: tuple[Trial, ...]

    @property
    def name(self) -> str:
        """Of its folder: the same on every rung."""
        return f"group-{self.members[0].number}"


Assignment = tuple[Group, Path | None]  # and the folder of its checkpoints


class Grouping:
    """Divides trials into groups.

    They depend on the trials alone, not on the number of workers, nor on what has been done before: so each
    training has the same companions whenever and wherever it runs, and comes to the same bits. From rung to
    rung trials stay in their group.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._members: dict[int, list[Trial]] = {}  # by the number of the first

    def groups(self, trials: Sequence[Trial]) -> tuple[list[Group], list[Result]]:
        """The groups of a batch, and what came of trials that cannot be trained at all."""
        homes = {member.number: first for first, members in self._members.items() for member in members}
        going_on: dict[int, list[Trial]] = {}
        new: list[Trial] = []
        for trial in trials:
            if trial.number in homes:
                going_on.setdefault(homes[trial.number], []).append(trial)
            else:
                new.append(trial)
        begun, failed = self._start_groups(new)
        return [*(self._continue_group(first, some) for first, some in going_on.items()), *begun], failed

    def _start_groups(self, trials: Sequence[Trial]) -> tuple[list[Group], list[Result]]:
        found: dict[Any, list[Trial]] = {}
        failed: list[Result] = []
        for trial in trials:
            try:
                found.setdefault(_compatibility(self.workspace, trial), []).append(trial)
            except RecipeError as error:
                failed.append(Result(trial.number, trial.rung, failure=str(error)))
        groups: list[Group] = []
        most = _BESIDE if self.workspace.device.type == "cpu" else MOST
        for compatibility, alike in found.items():
            size = max(1, most // self.workspace.recipe.tuning.replicas) if compatibility[0] else 1
            for first in range(0, len(alike), size):
                some = alike[first : first + size]
                self._members[some[0].number] = some
                groups.append(Group(tuple(some), tuple(some)))
        return groups, failed

    def _continue_group(self, first: int, trials: Sequence[Trial]) -> Group:
        again = {trial.number: trial for trial in trials}
        self._members[first] = [again.get(member.number, member) for member in self._members[first]]
        return Group(tuple(trials), tuple(self._members[first]))


def _compatibility(workspace: Workspace, trial: Trial) -> tuple[Any, ...]:
    """Whether it is worth to train it beside others, and what those have to share."""
    recipe = workspace.settle_trial(trial)
    network, bench = workspace.first_network(trial), workspace.rows_for(recipe, 0)
    size = batch_size(recipe, len(bench.train))
    small = (
        isinstance(bench.encoder.shape, int)
        and 6 * sum(one.numel() for one in network.parameters()) * size < _LARGE
    )
    small = small or workspace.device.type != "cpu"
    beside = small and recipe.training.together is not False
    shapes = tuple((name, tuple(value.shape)) for name, value in network.state_dict().items())
    return (
        beside,
        shapes,
        size,
        id(bench),
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
    wish: StopWish | None = None,
    cores: int | None = None,
) -> list[Result]:
    """Train and measure a group, fold by fold.

    Arguments:
        folder: of its checkpoints; a group that was interrupted goes on from there.
        cores: that this process may use, where others work beside it.

    Raises: `Interrupted` when asked to stop.
    """
    try:
        return _train_group(workspace, group, measurement, folder=folder, wish=wish, cores=cores)
    except RecipeError as error:  # parts of one of them do not fit: it must not harm the others
        trials = group.trials
        if len(trials) == 1:
            return [Result(trials[0].number, trials[0].rung, failure=str(error))]
        alone = [
            train_group(
                workspace,
                Group((one,), (one,)),
                measurement,
                folder=folder and folder / f"alone-{one.number}",
                wish=wish,
                cores=cores,
            )
            for one in trials
        ]
        return [result for results in alone for result in results]


def _train_group(
    workspace: Workspace,
    group: Group,
    measurement: Measurement,
    *,
    folder: Path | None,
    wish: StopWish | None,
    cores: int | None,
) -> list[Result]:
    figures = {trial.number: _TrialFigures() for trial in group.trials}
    members = group.trials if folder is None else group.members
    for fold in range(len(workspace.divisions)):
        began = time.perf_counter()
        pupils = {trial.number: workspace.pupils(trial, fold) for trial in members}
        flat = [pupil for some in pupils.values() for pupil in some]
        own = folder and folder / f"fold-{fold + 1}"
        with threads_kept():
            torch.set_num_threads(_threads(workspace, members[0], flat[0]))
            trained = train_many(
                flat, together=workspace.recipe.training.together, folder=own, wish=wish, cores=cores
            )
            ended = {pupil.name: one for pupil, one in zip(flat, trained, strict=True)}
            for number, found in figures.items():
                _note(
                    found,
                    workspace,
                    measurement,
                    fold,
                    [(pupil, ended[pupil.name]) for pupil in pupils[number]],
                )
        for found in figures.values():
            found.seconds += (time.perf_counter() - began) / len(figures)
    return [_result(trial, figures[trial.number]) for trial in group.trials]


def _threads(workspace: Workspace, trial: Trial, pupil: Pupil) -> int:
    recipe, bench = workspace.settle_trial(trial), workspace.rows_for(workspace.settle_trial(trial), 0)
    if recipe.training.threads != "auto":
        return recipe.training.threads
    torch.set_num_threads(workspace.threads)
    return usual_threads(pupil.network, bench.encoder.shape, batch_size(recipe, len(bench.train)))


def _note(
    found: _TrialFigures,
    workspace: Workspace,
    measurement: Measurement,
    fold: int,
    trained: list[tuple[Pupil, Trained]],
) -> None:
    """Measure the replicas of a trial on a fold, unless one of them failed."""
    failures = [ended.failure for _, ended in trained if ended.failure]
    if failures or found.failure:
        found.failure = found.failure or failures[0]
        return
    outcomes = [workspace.answers(pupil.lesson.recipe, fold, pupil.network)[0] for pupil, _ in trained]
    values = [measure(outcome, measurement.metric) for outcome in outcomes]
    if not all(math.isfinite(value) for value in values):
        found.failure = f"{measurement.metric} is not defined on its answers."
        return
    seed = measurement.seed + fold
    found.values.append(values)
    found.losses.append([ended.progress.best_loss for _, ended in trained])
    found.epochs.append([ended.progress.best_epoch or ended.progress.epoch for _, ended in trained])
    found.draws.append(
        [
            resample_metric(one, measurement.metric, resamples=measurement.resamples, seed=seed)
            for one in outcomes
        ]
    )


def _result(trial: Trial, found: _TrialFigures) -> Result:
    if found.failure:
        return Result(trial.number, trial.rung, seconds=found.seconds, failure=found.failure)
    return Result(
        trial.number,
        trial.rung,
        found.values,
        found.losses,
        found.epochs,
        mean_draws(found.draws),
        seconds=found.seconds,
    )
