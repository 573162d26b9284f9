"""One training put together: encoded rows, network, objective, rule and engine."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from handrail.components import build, find, is_object, parse
from handrail.data.rows import Rows
from handrail.data.task import TaskSpec
from handrail.errors import RecipeError, did_you_mean
from handrail.learning.rule import Rule
from handrail.learning.rules.gradient import Gradient
from handrail.learning.team import Team
from handrail.recipe import Recipe
from handrail.recipe.sections import TransferRecipe
from handrail.shapes import InputShape
from handrail.tools.machine import freeze_garbage, keep_freed_memory
from handrail.training.callbacks import Callback
from handrail.training.engine import Engine
from handrail.training.job import TrainingData, make_setup
from handrail.training.signals import StopRequest
from handrail.training.speed.compilation import (
    Compilation,
    compile_training,
    quietly,
    record_choice,
    settle,
    undo_compilation,
)
from handrail.training.speed.matmul import quick_products
from handrail.training.speed.timing import lone_step
from handrail.training.state import Progress
from handrail.training.transfer import transfer_weights
from handrail.training.transfer.features import feature_rows, head_of
from handrail.training.transfer.freezing import parameter_groups
from handrail.training.transfer.weights import BEGINNING


def usual_threads(network: nn.Module, shape: InputShape, batch_size: int) -> int:
    """One thread for steps of less than 0.2 GFLOP (about six operations a parameter and row), else as many as
    torch has.

    Small steps are over before a second thread has woken up; on a busy machine waiting for it can cost a
    hundredfold. Networks for pictures, series and tokens use each weight many times in a row.
    """
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return 1 if isinstance(shape, int) and 6 * parameters * batch_size < 2e8 else torch.get_num_threads()


@contextmanager
def restore_threads() -> Iterator[None]:
    """Whatever number of threads is set inside, afterwards it is what it was."""
    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)


def check_loss(loss: Any, task: TaskSpec) -> None:
    """Raises: `RecipeError` when a loss of ours cannot serve the task."""
    if is_object(loss):
        return
    entry = find("loss", parse(loss, "loss")[0])
    if entry.tasks and task.name not in entry.tasks:
        raise RecipeError(
            f"objective.loss: '{entry.name}' serves {', '.join(sorted(entry.tasks))}, but the target asks "
            f"for {task.name} ({task.why})."
        )


def choose_device(name: str) -> torch.device:
    """`auto` is the first GPU, else the processor.

    Raises: `RecipeError` for a device that is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise RecipeError(
            f"training.device: '{name}' is not available "
            f"({reason}).{did_you_mean(name, {'auto', 'cpu', 'cuda'} - {name}, listed=False)}"
        ) from None
    return device


def train(
    lesson: TrainingData,
    network: nn.Module,
    *,
    epochs: int | None = None,
    folder: Path | None = None,
    beginning: Path | None = None,
    callbacks: tuple[Callback, ...] = (),
    wish: StopRequest | None = None,
    team: Team | None = None,
) -> Progress:
    """Train the network in place, from where the recipe lets it begin.

    Arguments:
        lesson: recipe and rows.
        network: on the device of the rows.
        epochs: stop after that many, when the number is known already; schedules are still those of the
            recipe's epochs.
        folder: of the checkpoints.
        beginning: the file that keeps where a transfer began; by default in `folder`.
        team: the processes that train it together; all of them call this.

    Raises: `RecipeError` when parts do not fit, `TrainingError` when the loss is not a number, `Interrupted`,
    `RunError`
        for weights to begin with that cannot be read.
    """
    keep_freed_memory()
    transfer = lesson.recipe.transfer
    kept = folder / BEGINNING if beginning is None and folder is not None else beginning
    began = transfer_weights(network, transfer, task=lesson.task, encoder=lesson.encoder, kept=kept)
    with freeze_garbage(first=not isinstance(lesson.inputs, torch.Tensor)), began as listeners:
        learner, seen = _head_alone(lesson, network) if transfer.features else (network, lesson)
        engine = _engine(
            seen,
            learner,
            epochs=epochs,
            folder=folder,
            callbacks=(*listeners, *callbacks),
            wish=wish,
            team=team,
        )
        products = quick_products(learner, engine.train.inputs, engine.limits.batch_size)
        with products, _compile(seen, learner, folder=folder, team=engine.team):
            done = engine.run()
    network.eval()
    return done


@contextmanager
def _compile(lesson: TrainingData, network: nn.Module, *, folder: Path | None, team: Team) -> Iterator[None]:
    """While open, the steps of the network are compiled, where that repays; several processes keep to steps
    that are not.
    """
    setting = lesson.recipe.training.compile
    fixed = (
        team.size > 1
        or lesson.recipe.transfer != TransferRecipe()
        or type(build("rule", lesson.recipe.learning)) is not Gradient
    )
    note = None if folder is None else folder / "compile.json"
    if fixed:
        record_choice(
            Compilation(
                False, "only the steps of one process that learns by gradient from the beginning are"
            ),
            note if team.is_first else None,
        )
        yield
        return
    device, terms = lesson.device or torch.device("cpu"), make_setup(lesson)
    rows = min(terms.limits.batch_size, len(terms.train))
    trial, step = lone_step(lesson, network)

    def compile_now() -> object:
        if trial._compiled_call_impl is None:
            compile_training(trial, rows, device)
        return step()

    steps = terms.plan.epochs * terms.plan.steps
    if settle(setting, device=device, steps=steps, eager=step, compiled=compile_now, note=note).compiled:
        compile_training(network, rows, device)
        quietly(compile_now)
    try:
        yield
    finally:
        undo_compilation(network)


def _head_alone(lesson: TrainingData, network: nn.Module) -> tuple[nn.Module, TrainingData]:
    """The head, and the lesson as it sees it: what the frozen layers make of the rows, computed once."""
    name, head = head_of(network)

    def seen(rows: Rows) -> Rows:
        return feature_rows(network, rows, name)

    held_out = (
        None
        if lesson.validation is None
        else replace(lesson.validation, inputs=seen(lesson.validation.inputs))
    )
    return head, replace(lesson, inputs=seen(lesson.inputs), validation=held_out, names=())


def _rule(recipe: Recipe) -> Rule:
    """The recipe's; with rates by depth where it asks for them."""
    rule: Rule = build("rule", recipe.learning)
    decay = recipe.transfer.rate_decay
    if decay < 1:
        if not isinstance(rule, Gradient):
            raise RecipeError(
                "transfer.rate_decay: has no effect under this rule; leave it out, or learn by gradient."
            )
        rule.groups = partial(parameter_groups, decay_by_depth=decay)
    return rule


def _engine(
    lesson: TrainingData,
    network: nn.Module,
    *,
    epochs: int | None,
    folder: Path | None,
    callbacks: tuple[Callback, ...],
    wish: StopRequest | None,
    team: Team | None,
) -> Engine:
    terms = make_setup(lesson, epochs=epochs)
    return Engine(
        network,
        _rule(lesson.recipe),
        train=terms.train,
        validation=terms.validation,
        plan=replace(terms.plan, team=team or Team()),
        limits=terms.limits,
        order=terms.order,
        folder=folder,
        names=tuple(lesson.names),
        callbacks=callbacks,
        wish=wish,
    )
