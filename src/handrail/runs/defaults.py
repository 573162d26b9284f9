"""Choose what suits the data where the recipe says `auto`, and say why."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch

from handrail.components import is_object, parse
from handrail.data.task import TaskSpec
from handrail.errors import RecipeError
from handrail.layers.convolution import usual_widths
from handrail.learning.directed import DirectedRule
from handrail.recipe import Recipe
from handrail.recipe.alone import alone_of, target_of, usual_rule
from handrail.recipe.sections import StageRecipe
from handrail.shapes import (
    BoxShape,
    ImageShape,
    InputShape,
    MapShape,
    OutputShape,
    PictureShape,
    SeriesShape,
    StepShape,
    TokenShape,
    VolumeShape,
)
from handrail.training.job import batch_size, usual_batch_size

_SMALL = 40  # pixels a side: digits, letters, thumbnails
_PIXELS = 262_144  # in a batch of pictures: what the layers keep of them has to fit into memory
# By a network for tables, in all epochs: 50,000 steps of 1,024 rows, beyond which little is gained.
_ROWS_SEEN = 50_000_000
_FEWEST_EPOCHS = 3
_PATIENCE = 15
_WITHOUT_END = ("constant", "time_decay")
_ON_PLATEAU = ("on_plateau", "torch.optim.lr_scheduler:ReduceLROnPlateau")
_MEMORY = {"modern_hopfield": {"similarity": "distance", "beta": 16.0}}
_ALONE: dict[str, tuple[Any, str]] = {
    "clusters": ("kmeans", "each row belongs to the nearest of some centres"),
    "map": ("kohonen", "prototypes on a grid, of which neighbours are alike, make a map of the rows"),
    "memory": (_MEMORY, "it takes real values and holds many patterns"),
    "density": ("rbm", "hidden units that find what goes together make some rows likely"),
    "generation": ("gan", "a generator and a critic learn from each other to make rows"),
    "reconstruction": ("autoencoder", "an encoder and a decoder give each row back from a code"),
    "translation": ("cyclegan", "two generators lead from each domain to the other and back"),
}
_SUMMED, _FEWEST_SUMMED, _MOST_SUMMED = 2**20, 32, 4096  # numbers, and rows
_MIDDLING = 64  # larger ones get half the maps: four times the pixels cost enough


class Choice(NamedTuple):
    """A network, its learning rule, the most epochs, the reason, and the batch size if it matters."""

    model: Any
    learning: Any
    epochs: int
    why: str
    batch: int | None = None
    patience: int | None = None


def _adamw(
    rate: float, *, schedule: Any = "constant", clip: float | None = None, decay: float = 0.01
) -> dict[str, Any]:
    optimizer = {"adamw": {"learning_rate": rate, "weight_decay": decay}}
    rule: dict[str, Any] = {"optimizer": optimizer, "schedule": schedule}
    return {"gradient": rule if clip is None else {**rule, "clip": {"by_norm": {"limit": clip}}}}


def choose_alone(model: Any, *, task: TaskSpec) -> Choice | None:
    """What a model that learns without a target says of its training; None for one that needs a target."""
    why = ""
    if not is_object(model) and model == "auto" and task.name in _ALONE:
        model, why = _ALONE[task.name]
    alone = alone_of(model)
    if alone is None:
        return None
    rule = usual_rule(model) or "gradient"
    return Choice(model, rule, alone.epochs, why, batch=alone.batch_size, patience=alone.patience)


def choose(inputs: InputShape, outputs: OutputShape, *, task: TaskSpec, rows: int) -> Choice:
    """The network and the training for rows of this shape."""
    if isinstance(inputs, ImageShape):
        return _for_images(inputs, outputs, rows=rows)
    if isinstance(inputs, TokenShape):
        return _for_tokens(outputs, task)
    if isinstance(inputs, SeriesShape):
        return _for_series(task)
    if isinstance(inputs, VolumeShape):
        why = "convolutions over depth, height and width suit volumes"
        return Choice("volume_cnn", _adamw(1e-3), 60, why)
    if isinstance(outputs, StepShape):
        why = "a recurrent network makes the steps of a text from a row of numbers"
        return Choice("lstm", _adamw(0.01, clip=1.0), 60, why, patience=15)
    epochs = min(100, max(_FEWEST_EPOCHS, -(-_ROWS_SEEN // rows)))
    why = "a multilayer perceptron suits rows of numbers and categories"
    why += f"; with so many rows {epochs} epochs are steps enough" if epochs < 100 else ""
    return Choice("mlp", "gradient", epochs, why, patience=min(15, max(2, epochs // 4)))


def _for_images(inputs: ImageShape, outputs: OutputShape, *, rows: int) -> Choice:
    if isinstance(outputs, MapShape):
        rule, why = _adamw(2e-3, schedule="one_cycle"), "a U-Net gives a score to every pixel"
        return Choice({"unet": {"width": 16}}, rule, 30, why, batch=4)
    if isinstance(outputs, BoxShape):
        rule = _adamw(4e-3, schedule="one_cycle", clip=10.0)
        return Choice("detector", rule, 40, "a single-shot detector gives boxes in one pass", batch=8)
    side = max(inputs.height, inputs.width)
    if inputs.channels == 1 and (inputs.height, inputs.width) in ((28, 28), (32, 32)):
        model = {"lenet5": {"activation": "relu", "pooling": "max"}}
        why = f"LeNet-5 was made for small grey pictures ({side}×{side})"
        epochs, batch = (20, 128) if rows > 10_000 else (40, None)
        return Choice(model, _adamw(2e-3, schedule="one_cycle"), epochs, why, batch=batch)
    rule = _adamw(2e-3, schedule="one_cycle", decay=0.05)
    if side <= _SMALL and rows >= 2000:
        return Choice("resnet", rule, 30, "a residual network of 20 layers suits small pictures")
    model: Any = "cnn"
    if side > _MIDDLING:
        model = {"cnn": {"widths": usual_widths(min(inputs.height, inputs.width), first=16)}}
    usual = 32 if rows < 10_000 else usual_batch_size(rows)
    batch = min(usual, max(8, _PIXELS // (inputs.height * inputs.width)))
    return Choice(model, rule, 40, "a plain convolutional network fits pictures of any size", batch=batch)


def _for_tokens(outputs: OutputShape, task: TaskSpec) -> Choice:
    if isinstance(outputs, PictureShape):
        why = "one transformer reads a text and writes the tokens of a picture"
        rule = _adamw(2e-3, schedule={"warm_up": {"then": {"cosine": {"final": 0.05}}}}, clip=1.0)
        return Choice("decoder_only", rule, 20, why, batch=64)
    if task.name == "sequence":
        why = "an encoder and a decoder with attention write one text from another"
        return Choice("encoder_decoder", _adamw(0.01, clip=1.0), 60, why, patience=15)
    if isinstance(outputs, StepShape):
        rule = _adamw(4e-3, schedule={"warm_up": {"then": {"cosine": {"final": 0.1}}}}, clip=1.0, decay=0.1)
        return Choice("gpt", rule, 3, "a transformer that sees what came before predicts the next token")
    why = "convolutions over word vectors find telling phrases"
    return Choice("text_cnn", _adamw(2e-3), 10, why, patience=5)


def _for_series(task: TaskSpec) -> Choice:
    if task.free_run:
        why = "a random recurrent network with a linear readout follows the law of a series"
        return Choice("echo_state", _adamw(1e-3), 30, why, patience=5)
    if task.is_forecast:
        model = {"nlinear": {"targets": task.outputs // task.horizon}}
        why = "a linear map of the last values, less the latest one, is hard to beat in forecasting"
        return Choice(model, _adamw(1e-3), 30, why, patience=5)
    rule = _adamw(1e-3, schedule="cosine")
    return Choice("series_cnn", rule, 100, "a residual network of 1-D convolutions suits series", batch=16)


def settle_recipe(
    recipe: Recipe,
    inputs: InputShape,
    outputs: OutputShape,
    *,
    task: TaskSpec,
    rows: int,
    device: torch.device,
    sounds: bool = False,
) -> tuple[Recipe, tuple[str, ...]]:
    """The recipe with every `auto` that depends on the data resolved, and the reasons.

    Arguments:
        sounds: whether rows are sounds, whose inputs are spectrograms, for the words of the reasons.
    """
    alone = choose_alone(recipe.model, task=task)
    choice = alone or choose(inputs, outputs, task=task, rows=rows)
    changes: dict[str, Any] = {}
    reasons: list[str] = []
    on_target = isinstance(outputs, PictureShape)
    if not is_object(recipe.model) and recipe.model == "auto" and (on_target or not recipe.stages):
        changes["model"] = choice.model
        name = next(iter(choice.model)) if isinstance(choice.model, dict) else choice.model
        reasons.append(f"model {name}: {choice.why}")
    if not is_object(recipe.learning) and recipe.learning == "auto":
        changes["learning"] = usual_rule(changes.get("model", recipe.model)) or choice.learning
    if recipe.training.epochs == "auto":
        changes["training.epochs"] = choice.epochs
    if recipe.training.patience == "auto":
        chosen = choice.patience
        if recipe.learning != "auto" and not usual_rule(choice.model):
            settled = recipe.with_values({name: value for name, value in changes.items() if "." in name})
            chosen = usual_patience(settled, rows)
        changes["training.patience"] = chosen
    rule = target_of("rule", changes.get("learning", recipe.learning))
    solves = getattr(rule, "solves", False)
    if recipe.training.batch_size == "auto" and choice.batch is not None:
        changes["training.batch_size"] = choice.batch
    elif recipe.training.batch_size == "auto" and solves and isinstance(outputs, int):
        changes["training.batch_size"] = min(rows, summed_at_once(inputs))
    if recipe.data.augment == "auto":
        changes["data.augment"], why = augmentation(inputs, rows=rows, task=task, sounds=sounds)
        reasons += [why] if why else []
    if recipe.training.precision == "auto":
        exact = alone is not None or solves or on_target
        changes["training.precision"] = "float32" if exact else precision(inputs, device)
    if stages := _on_target(recipe, changes) if on_target else recipe.stages:
        changes["stages"] = [_settle_stage(stage, frozen=on_target) for stage in stages]
    settled = recipe.with_values(changes)  # refuses a rule that cannot teach the model
    return settled, tuple(reasons)


def summed_at_once(inputs: InputShape) -> int:
    """How many rows a rule takes in one step that only adds them up: 4 MB of inputs, 4,096 at most."""
    numbers = inputs if isinstance(inputs, int) else math.prod(inputs)
    return max(_FEWEST_SUMMED, min(_MOST_SUMMED, _SUMMED // numbers))


def _on_target(recipe: Recipe, changes: Mapping[str, Any]) -> list[StageRecipe]:
    """The stages of a network that makes pictures.

    Raises: `RecipeError` for a model that does not write what the stage makes of them.
    """
    model = changes.get("model", recipe.model)
    if not getattr(target_of("model", model), "reads_and_writes", False):
        name = type(model).__name__ if is_object(model) else parse(model, "model")[0]
        raise RecipeError(
            f"model: '{name}' does not read a text and write the tokens of a picture, which the target is; "
            "expected decoder_only."
        )
    return recipe.stages or [StageRecipe(model="dvae")]


def _settle_stage(stage: StageRecipe, *, frozen: bool) -> StageRecipe:
    """The stage as its model wants to be trained, where it says `auto`.

    Arguments:
        frozen: whether it has to stay as it is.
    """
    stage = stage.model_copy(update={"frozen": stage.frozen or frozen})
    alone = alone_of(stage.model)
    if alone is None:
        return stage  # refused where the network is made
    usual = {"learning": usual_rule(stage.model) or "gradient", "epochs": alone.epochs}
    usual |= {"batch_size": alone.batch_size or "auto", "patience": alone.patience}
    return stage.model_copy(
        update={key: value for key, value in usual.items() if getattr(stage, key) == "auto"}
    )


def usual_patience(recipe: Recipe, rows: int) -> int | None:
    """Validations without improvement that suit the schedule; None where it ends with the training.

    A schedule or a rule that brings the rate down by a plan finds its best weights at its end. `on_plateau`
    has time to lower the rate and to show what that is worth. Of a warm-up none of it counts.

    Arguments:
        recipe: with its number of epochs.
    """
    if getattr(target_of("rule", recipe.learning), "anneals", False):
        return None
    schedule, updates = _schedule(recipe.learning), -(-rows // batch_size(recipe, rows))
    warming = 0.0
    while not is_object(schedule):
        name, arguments = parse(schedule, "schedule")
        if name == "warm_up":
            length = arguments.get("length", 0.05)
            assert recipe.training.epochs != "auto", "epochs are settled before the patience"
            warming += length / updates if length >= 1 else length * recipe.training.epochs
            schedule = arguments.get("then", "constant")
            continue
        extra = math.ceil(warming / recipe.training.validate_every)
        if name in _WITHOUT_END:
            return _PATIENCE + extra
        if name in _ON_PLATEAU:
            return max(_PATIENCE, 2 * (arguments.get("patience", 10) + 1)) + extra
        break
    return None


def _schedule(learning: Any) -> Any:
    """The schedule of a rule's specification; a rule that knows none keeps its rate."""
    if is_object(learning):
        return learning.specs[1] if isinstance(learning, DirectedRule) else "constant"
    _, arguments = parse(learning, "rule")
    return arguments.get("schedule", "constant")


def augmentation(
    inputs: InputShape, *, rows: int, task: TaskSpec, sounds: bool = False
) -> tuple[list[Any], str]:
    """The usual augmentation of training rows, and why."""
    if not isinstance(inputs, ImageShape):
        return [], ""
    from handrail.augmentation.defaults import usual_augmentation

    return usual_augmentation(inputs, rows, task.name, sounds=sounds)


def precision(inputs: InputShape, device: torch.device) -> str:
    """bfloat16 for pictures and tokens on a device with units for it; tables and series keep their digits."""
    if not isinstance(inputs, ImageShape | TokenShape):
        return "float32"
    from handrail.layers.precision import has_fast_bfloat16

    return "bfloat16" if has_fast_bfloat16(device.type) else "float32"
