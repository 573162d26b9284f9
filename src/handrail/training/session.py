"""One training put together: encoded rows, network, objective, rule and engine."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from handrail.components import build, find, is_object, parse
from handrail.data.balance import class_weights, epoch_order
from handrail.data.rows import Rows
from handrail.data.task import Task
from handrail.errors import RecipeError, did_you_mean
from handrail.learning.gradient import Gradient
from handrail.learning.optimizers import WHOLE_BATCHES
from handrail.learning.rule import Batch, Rule, TrainingPlan
from handrail.objectives.objective import Objective
from handrail.recipe import Recipe
from handrail.shapes import InputShape
from handrail.training.callbacks import Callback
from handrail.training.engine import Engine
from handrail.training.features import feature_rows, head_of
from handrail.training.freezing import parameter_groups
from handrail.training.signals import StopWish
from handrail.training.standing import Limits, Progress
from handrail.training.transfer import transferred
from handrail.training.validation import Credit
from handrail.training.weights import BEGINNING

USUAL_LOSS = {
    "binary": "binary_cross_entropy",
    "multi-class": "cross_entropy",
    "multi-label": "binary_cross_entropy",
    "regression": "mse",
    "mask": "pixel_cross_entropy_and_dice",
    "boxes": "detection_loss",
    "next-token": "next_token",
    "sequence": "next_token",
}


def usual_loss(rule: Any, task: str) -> Any:
    """What `objective.loss: auto` means: what the rule says, else the task's usual loss."""
    target = type(rule) if is_object(rule) else find("rule", parse(rule, "rule")[0]).target
    return getattr(target, "losses", {}).get(task, USUAL_LOSS[task])


def usual_batch_size(rows: int) -> int:
    """32 rows a step up to 2,000 rows, 64 up to 10,000, 256 up to 100,000, then 1,024."""
    return next((size for limit, size in ((2_000, 32), (10_000, 64), (100_000, 256)) if rows <= limit), 1024)


def batch_size(recipe: Recipe, rows: int) -> int:
    """The recipe's, or the usual one for that many rows: all of them under an optimizer for whole batches."""
    if recipe.training.batch_size != "auto":
        return recipe.training.batch_size
    return rows if _wants_whole_batches(recipe.learning) else usual_batch_size(rows)


def _wants_whole_batches(learning: Any) -> bool:
    if is_object(learning):
        return False
    name, arguments = parse(learning, "rule")
    optimizer = arguments.get("optimizer") if name == "gradient" else None
    return optimizer is not None and not is_object(optimizer) and parse(optimizer, "optimizer")[0] in WHOLE_BATCHES


def _balanced(lesson: "Lesson") -> Batch | None:
    """Validation rows with the weights that training rows have, so that both losses measure the same."""
    rows, recipe = lesson.validation, lesson.recipe
    if rows is None or recipe.data.balance == "none":
        return rows
    counts = torch.bincount(lesson.targets, minlength=max(len(lesson.task.classes), 2)).clamp(min=1)
    weights = (len(lesson.targets) / (len(counts) * counts.double())).float()[rows.targets]
    return Batch(rows.inputs, rows.targets, weights, rows.device)


def usual_threads(network: nn.Module, shape: InputShape, batch_size: int) -> int:
    """One thread for steps of less than 0.2 GFLOP (about six operations a parameter and row), else as many as torch has.

    Small steps are over before a second thread has woken up; on a busy machine waiting for it can cost a hundredfold.
    Networks for pictures, series and tokens use each weight many times in a row.
    """
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return 1 if isinstance(shape, int) and 6 * parameters * batch_size < 2e8 else torch.get_num_threads()


@contextmanager
def threads_kept() -> Iterator[None]:
    """Whatever number of threads is set inside, afterwards it is what it was."""
    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)


def check_loss(loss: Any, task: Task) -> None:
    """Raises: `RecipeError` when a loss of ours cannot serve the task."""
    if is_object(loss):
        return
    entry = find("loss", parse(loss, "loss")[0])
    if entry.tasks and task.name not in entry.tasks:
        raise RecipeError(
            f"objective.loss: '{entry.name}' serves {', '.join(sorted(entry.tasks))}, but the target asks for {task.name} ({task.why})."
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
            f"training.device: '{name}' is not available ({reason}).{did_you_mean(name, {'auto', 'cpu', 'cuda'} - {name}, listed=False)}"
        ) from None
    return device


@dataclass(frozen=True)
class Lesson:
    """What one training is given: the recipe, the task, and rows as the network takes them, on their way to `device`.

    credit: quick figures of a batch; see `Decoder.credit`. encoder: its facts, from which a transfer sees what the inputs mean.
    """

    recipe: Recipe
    task: Task
    inputs: Rows
    targets: Any
    names: Sequence[str]
    validation: Batch | None
    credit: Credit
    device: torch.device | None = None
    encoder: Mapping[str, Any] | None = None


def train(
    lesson: Lesson,
    network: nn.Module,
    *,
    epochs: int | None = None,
    folder: Path | None = None,
    beginning: Path | None = None,
    callbacks: tuple[Callback, ...] = (),
    wish: StopWish | None = None,
) -> Progress:
    """Train the network in place, from where the recipe lets it begin.

    Arguments:
        lesson: recipe and rows.
        network: on the device of the rows.
        epochs: stop after that many, when the number is known already; schedules are still those of the recipe's epochs.
        folder: of the checkpoints.
        beginning: the file that keeps where a transfer began; by default in `folder`.

    Raises: `RecipeError` when parts do not fit, `TrainingError` when the loss is not a number, `Interrupted`, `RunError`
        for weights to begin with that cannot be read.
    """
    transfer = lesson.recipe.transfer
    kept = folder / BEGINNING if beginning is None and folder is not None else beginning
    with transferred(network, transfer, task=lesson.task, encoder=lesson.encoder, kept=kept) as listeners:
        learner, seen = _head_alone(lesson, network) if transfer.features else (network, lesson)
        engine = _engine(seen, learner, epochs=epochs, folder=folder, callbacks=(*listeners, *callbacks), wish=wish)
        done = engine.run()
    network.eval()
    return done


def _head_alone(lesson: Lesson, network: nn.Module) -> tuple[nn.Module, Lesson]:
    """The head, and the lesson as it sees it: what the frozen layers make of the rows, computed once."""
    name, head = head_of(network)

    def seen(rows: Rows) -> Rows:
        return feature_rows(network, rows, name)

    held_out = None if lesson.validation is None else replace(lesson.validation, inputs=seen(lesson.validation.inputs))
    return head, replace(lesson, inputs=seen(lesson.inputs), validation=held_out, names=())


def _rule(recipe: Recipe) -> Rule:
    """The recipe's; with rates by depth where it asks for them."""
    rule: Rule = build("rule", recipe.learning)
    decay = recipe.transfer.rate_decay
    if decay < 1:
        if not isinstance(rule, Gradient):
            raise RecipeError("transfer.rate_decay: has no effect under this rule; leave it out, or learn by gradient.")
        rule.groups = partial(parameter_groups, decay_by_depth=decay)
    return rule


def _engine(
    lesson: Lesson,
    network: nn.Module,
    *,
    epochs: int | None,
    folder: Path | None,
    callbacks: tuple[Callback, ...],
    wish: StopWish | None,
) -> Engine:
    recipe, settings = lesson.recipe, lesson.recipe.training
    assert settings.epochs != "auto", "a recipe is settled before training"
    assert settings.patience != "auto", "a recipe is settled before training"
    balance = recipe.data.balance
    weights = class_weights(lesson.targets, max(len(lesson.task.classes), 2)) if balance == "class_weights" else None
    rows = Batch(lesson.inputs, lesson.targets, weights, lesson.device)
    size = batch_size(recipe, len(rows))
    loss = usual_loss(recipe.learning, lesson.task.name) if recipe.objective.loss == "auto" else recipe.objective.loss
    order = epoch_order(lesson.targets, balance)
    steps = -(-len(order(torch.Generator().manual_seed(0))) // size)
    limits = Limits(
        epochs=epochs or settings.epochs,
        batch_size=size,
        validate_every=settings.validate_every,
        patience=settings.patience,
        min_delta=settings.min_delta,
        checkpoint_seconds=settings.checkpoint_seconds,
    )
    objective = Objective(loss, recipe.objective.penalties)
    plan = TrainingPlan(
        task=lesson.task.name,
        objective=objective,
        epochs=settings.epochs,
        steps=steps,
        seed=recipe.seed,
        credit=lesson.credit,
    )
    return Engine(
        network,
        _rule(recipe),
        train=rows,
        validation=_balanced(lesson),
        plan=plan,
        limits=limits,
        order=order,
        folder=folder,
        names=tuple(lesson.names),
        callbacks=callbacks,
        wish=wish,
    )
