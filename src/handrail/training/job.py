"""What a training follows: its data, what the recipe comes to for these rows, and jobs among several."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from handrail.components import build, is_object, parse
from handrail.data.balance import class_weights, epoch_order
from handrail.data.rows import Rows
from handrail.data.task import TaskSpec
from handrail.learning.optimizers import WHOLE_BATCHES
from handrail.learning.rule import Batch, BatchMetrics, TrainingPlan
from handrail.objectives.objective import Objective
from handrail.recipe import Recipe
from handrail.recipe.alone import target_of
from handrail.training.callbacks import Callback
from handrail.training.stopping import Limits, Progress

USUAL_LOSS = {
    "binary": "binary_cross_entropy",
    "multi-class": "cross_entropy",
    "multi-label": "binary_cross_entropy",
    "regression": "mse",
    "mask": "pixel_cross_entropy_and_dice",
    "boxes": "detection_loss",
    "bit-sequence": "bit_cross_entropy",
    "next-token": "next_token",
    "sequence": "next_token",
    "text-to-image": "next_token",
    "clusters": "distance_to_nearest",
    "density": "negative_log_density",
    "generation": "mean_energy_score",
    "map": "distance_to_nearest",
    "memory": "state_energy",
    "reconstruction": "mse",
    "translation": "mean_energy_score",
}

_PROPER = frozenset(
    (
        *("binary_cross_entropy", "cross_entropy", "kl_divergence", "negative_log_likelihood", "mse"),
        *("pixel_cross_entropy", "pixel_cross_entropy_and_dice", "bit_cross_entropy"),
    )
)


def usual_loss(rule: Any, task: str, *, model: Any = "auto") -> Any:
    """What `objective.loss: auto` means: what the rule says, else the model, else the task's usual loss."""
    of_model = getattr(target_of("model", model), "losses", {})
    return (of_model | dict(getattr(build("rule", rule), "losses", {}))).get(task, USUAL_LOSS[task])


def loss_of(recipe: Recipe, task: TaskSpec) -> Any:
    """The recipe's loss, or what `auto` means."""
    loss = recipe.objective.loss
    return usual_loss(recipe.learning, task.name, model=recipe.model) if loss == "auto" else loss


def gives_probabilities(recipe: Recipe, task: TaskSpec) -> bool:
    """Whether training minimises a loss whose best scores are log odds (a proper scoring rule)."""
    loss = loss_of(recipe, task)
    has_own_loss = task.name in getattr(build("rule", recipe.learning), "losses", {})
    return not has_own_loss and not is_object(loss) and parse(loss, "loss")[0] in _PROPER


def weighs_classes(recipe: Recipe, task: TaskSpec) -> bool:
    """Whether rare classes count more in training: by `data.balance`, of masks by an argument of the loss."""
    if task.name == "mask":
        loss = loss_of(recipe, task)
        return not is_object(loss) and parse(loss, "loss")[1].get("class_weights", "none") != "none"
    return task.is_classification and recipe.data.balance != "none"


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
    optimizer = parse(learning, "rule")[1].get("optimizer")
    if optimizer is None or is_object(optimizer):
        return False
    return parse(optimizer, "optimizer")[0] in WHOLE_BATCHES


@dataclass(frozen=True)
class TrainingData:
    """What one training is given: recipe, task, and rows as the network takes them, to go to `device`.

    encoder: its facts, from which a transfer sees what the inputs mean. unlabelled: the inputs of training
    rows without a target, from which stages learn, too.
    """

    recipe: Recipe
    task: TaskSpec
    inputs: Rows
    targets: Any
    names: Sequence[str]
    validation: Batch | None
    batch_metrics: BatchMetrics
    device: torch.device | None = None
    encoder: Mapping[str, Any] | None = None
    unlabelled: Rows | None = None


@dataclass(frozen=True)
class Setup:
    """Rows, the plan of the rule, when to validate and stop, and the rows of an epoch: `order(generator)`."""

    train: Batch
    validation: Batch | None
    plan: TrainingPlan
    limits: Limits
    order: Callable[[torch.Generator], Tensor]


def make_setup(data: TrainingData, *, epochs: int | None = None) -> Setup:
    """What a settled recipe comes to; `epochs` is where to stop, if that is not the recipe's last."""
    recipe, settings = data.recipe, data.recipe.training
    assert settings.epochs != "auto", "a recipe is settled before training"
    assert settings.patience != "auto", "a recipe is settled before training"
    balance = recipe.data.balance
    classes = max(len(data.task.classes), 2)
    weights = class_weights(data.targets, classes) if balance == "class_weights" else None
    rows = Batch(data.inputs, data.targets, weights, data.device)
    size = batch_size(recipe, len(rows))
    in_turn = getattr(target_of("rule", recipe.learning), "solves", False)
    order = epoch_order(data.targets, balance, data.inputs, in_turn=in_turn)
    limits = Limits(
        epochs=epochs or settings.epochs,
        batch_size=size,
        validate_every=settings.validate_every,
        patience=settings.patience,
        min_delta=settings.min_delta,
        checkpoint_seconds=settings.checkpoint_seconds,
    )
    plan = TrainingPlan(
        task=data.task.name,
        objective=Objective(loss_of(recipe, data.task), recipe.objective.penalties),
        epochs=settings.epochs,
        steps=-(-len(order(torch.Generator().manual_seed(0))) // size),
        seed=recipe.seed,
        batch_metrics=data.batch_metrics,
        rows=rows,
        begun=recipe.transfer.start is not None,
    )
    return Setup(rows, _weigh_validation(data, classes), plan, limits, order)


def _weigh_validation(data: TrainingData, classes: int) -> Batch | None:
    """Validation rows with the weights that training rows have, so that both losses measure the same."""
    rows = data.validation
    if rows is None or data.recipe.data.balance == "none":
        return rows
    counts = torch.bincount(data.targets, minlength=classes).clamp(min=1)
    weights = (len(data.targets) / (len(counts) * counts.double())).float()[rows.targets]
    return Batch(rows.inputs, rows.targets, weights, rows.device)


Listeners = Callable[[str], tuple[Callback, ...]]


@dataclass(frozen=True)
class Job:
    """One training among several.

    name: of its folder, and for its listeners. data: a settled recipe, whose seed is this training's own, and
    rows. network: at its beginning, on the device of the rows; it is trained in place. epochs: the one to
    stop after, where that is not the recipe's; schedules are still those of the recipe's epochs. losses: by
    epoch, what the rule is told where there are no validation rows (see `train`). beginning: see `train`.
    """

    name: str
    data: TrainingData
    network: nn.Module
    epochs: int | None = None
    losses: Mapping[int, float] = field(default_factory=dict)
    beginning: Path | None = None


@dataclass(frozen=True)
class Trained:
    """How a training ended. failure: why it was broken off, if it was, with the last good weights."""

    progress: Progress
    failure: str = ""
