"""One training put together: encoded rows, network, objective, rule and engine."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from handrail.components import build, find, is_object, parse
from handrail.data.task import TaskSpec
from handrail.errors import RecipeError, did_you_mean
from handrail.learning.rule import Rule, Team
from handrail.learning.rules.gradient import Gradient
from handrail.network import model_in
from handrail.objectives.added import modules_that_add
from handrail.recipe import Recipe
from handrail.recipe.idle import idle_for_rule
from handrail.recipe.sections import TransferRecipe
from handrail.tools.machine import freeze_garbage, keep_freed_memory
from handrail.training.callbacks import Callback
from handrail.training.engine import Engine
from handrail.training.job import TrainingData, make_setup
from handrail.training.signals import StopRequest
from handrail.training.speed.compilation import (
    Compilation,
    compile_training,
    leave_no_empty_cache,
    lone_step,
    quietly,
    record_choice,
    settle,
    undo_compilation,
)
from handrail.training.speed.matmul import quick_products
from handrail.training.stages import on_stages
from handrail.training.stopping import Progress
from handrail.training.transfer import parameter_groups, transfer_weights
from handrail.training.transfer.features import feature_rows, head_of
from handrail.training.transfer.weights import BEGINNING

_LARGE_TABLE = 500_000  # rows, from which what reading has left behind is worth collecting before training


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
    """`auto` is the first GPU, else the processor. Raises: `RecipeError` for a device that is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        hint = did_you_mean(name, {"auto", "cpu", "cuda"} - {name}, listed=False)
        text = f"training.device: '{name}' is not available ({str(error).splitlines()[0]}).{hint}"
        raise RecipeError(text) from None
    return device


def train(
    data: TrainingData,
    network: nn.Module,
    *,
    epochs: int | None = None,
    losses: Mapping[int, float] | None = None,
    folder: Path | None = None,
    beginning: Path | None = None,
    callbacks: tuple[Callback, ...] = (),
    stop_request: StopRequest | None = None,
    team: Team | None = None,
) -> Progress:
    """Train the network in place, from where the recipe lets it begin.

    Arguments:
        data: recipe and rows.
        network: on the device of the rows.
        epochs: stop after that many, when the number is known already; schedules are still those of the
            recipe's epochs.
        losses: by epoch, the validation losses of an earlier training, for a rule that follows them
            (`on_plateau`): without validation rows it takes the same course.
        folder: of the checkpoints.
        beginning: the file that keeps where a transfer began; by default in `folder`.
        team: the processes that train it together; all of them call this.

    Raises: `RecipeError` when parts do not fit, `TrainingError` when the loss is not a number, `Interrupted`,
    `RunError` for weights to begin with that cannot be read.
    """
    keep_freed_memory()
    leave_no_empty_cache()
    transfer = data.recipe.transfer
    kept = folder / BEGINNING if beginning is None and folder is not None else beginning
    began = transfer_weights(network, transfer, task=data.task, encoder=data.encoder, kept=kept)
    below = on_stages(
        network,
        data,
        train=train,
        folder=folder,
        begun=None if beginning is None else beginning.parent,
        callbacks=callbacks,
        stop_request=stop_request,
        team=team,
    )
    with freeze_garbage(first=len(data.targets) > _LARGE_TABLE), began as listeners, below as left:
        learner, data = _head_alone(network, data) if transfer.features else left
        setup = make_setup(data, epochs=epochs)
        engine = Engine(
            learner,
            _rule(data.recipe),
            train=setup.train,
            validation=setup.validation,
            plan=replace(setup.plan, team=team or Team()),
            limits=setup.limits,
            order=setup.order,
            losses=losses,
            folder=folder,
            names=tuple(data.names),
            callbacks=(*listeners, *callbacks),
            stop_request=stop_request,
        )
        products = quick_products(learner, engine.train.inputs, engine.limits.batch_size)
        with products, _compile(data, learner, folder=folder, team=engine.team):
            progress = engine.run()
    network.eval()
    return progress


@contextmanager
def _compile(data: TrainingData, network: nn.Module, *, folder: Path | None, team: Team) -> Iterator[None]:
    """While open, the steps of the network are compiled, where that repays; not with several processes."""
    recipe = data.recipe
    note = None if folder is None else folder / "compile.json"
    by_gradient = type(build("rule", recipe.learning)) is Gradient
    plain = team.size == 1 and recipe.transfer == TransferRecipe() and by_gradient
    # What a compiled network does inside cannot be watched.
    if not plain or modules_that_add(network):
        why = "only the steps of one process that learns by gradient from the beginning are"
        why = "a loss that the model adds is not" if plain else why
        record_choice(Compilation(False, why), note if team.is_first else None)
        yield
        return
    if recipe.training.compile == "auto" and not getattr(model_in(network), "compiles", True):
        record_choice(Compilation(False, "the model has another number of steps in each batch"), note)
        yield
        return
    device, setup = data.device or torch.device("cpu"), make_setup(data)
    rows = min(setup.limits.batch_size, len(setup.train))
    trial, step = lone_step(data, network)

    def compile_now() -> object:
        if trial._compiled_call_impl is None:
            compile_training(trial, rows, device)
        return step()

    steps, setting = setup.plan.epochs * setup.plan.steps, recipe.training.compile
    if settle(setting, device=device, steps=steps, eager=step, compiled=compile_now, note=note).compiled:
        compile_training(network, rows, device)
        quietly(compile_now)
    try:
        yield
    finally:
        undo_compilation(network)


def _head_alone(network: nn.Module, data: TrainingData) -> tuple[nn.Module, TrainingData]:
    """The head, and its training data: what the frozen layers make of the rows, computed once."""
    name, head = head_of(network)
    validation = data.validation
    if validation is not None:
        validation = replace(validation, inputs=feature_rows(network, validation.inputs, name))
    inputs = feature_rows(network, data.inputs, name)
    return head, replace(data, inputs=inputs, validation=validation, names=())


def _rule(recipe: Recipe) -> Rule:
    """The recipe's; with rates by depth where it asks for them."""
    rule: Rule = build("rule", recipe.learning)
    if isinstance(rule, Gradient) and is_object(recipe.learning):  # else the recipe was refused before
        optimizer, schedule = rule.specs
        name = "" if is_object(optimizer) else parse(optimizer, "optimizer")[0]
        if problems := list(idle_for_rule(name, schedule, rule.clip)):
            raise RecipeError(problems)
    decay = recipe.transfer.rate_decay
    if decay < 1:
        if not isinstance(rule, Gradient):
            text = "has no effect under this rule; leave it out, or learn by gradient."
            raise RecipeError(f"transfer.rate_decay: {text}")
        rule.groups = partial(parameter_groups, decay_by_depth=decay)
    return rule
