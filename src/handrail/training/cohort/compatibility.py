"""Whether networks can be one program (equal shapes, the same rows, a rule to stack), and a quicker one."""

import copy
import functools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn

from handrail.components import build
from handrail.data.rows import take
from handrail.layers.activations import is_activation
from handrail.layers.noise import GaussianNoise
from handrail.learning.fast.stacked import why_not_stackable
from handrail.learning.rules.gradient import Gradient
from handrail.objectives.objective import Objective
from handrail.recipe.sections import TransferRecipe
from handrail.training.cohort.engine import CohortEngine
from handrail.training.cohort.layers import stand_in
from handrail.training.job import Job, batch_size, loss_of
from handrail.training.seeds import fix_seed
from handrail.training.speed.compilation import best_of, lone_step

_FREE = {"p", "std"}  # what layers that stand in may differ in
_SHARED = ("validate_every", "precision")
_OTHER_LOSSES = "they differ in their loss or their penalties"
_DENSE = (
    nn.Linear,
    nn.Dropout,
    nn.LayerNorm,
    nn.BatchNorm1d,
    nn.Embedding,
    nn.Identity,
    nn.Flatten,
    GaussianNoise,
)
_SMALL = 100_000  # parameters: below, the calls cost more than the arithmetic
_TURNS = 3


def unlike(jobs: Sequence[Job]) -> str:
    """Why these cannot be one program, as the end of a sentence; empty where they can."""
    if len(jobs) < 2:
        return "there is only one"
    return _rows(jobs) or _settings(jobs) or _networks(jobs) or _objectives(jobs)


def kind_of(job: Job) -> tuple[Any, ...]:
    """What must be equal for networks to be one program: layers, shapes, precision and size of a batch."""
    recipe = job.data.recipe
    return _outline(job.network), recipe.training.precision, batch_size(recipe, len(job.data.targets))


def prefer_together(cohort: CohortEngine, jobs: Sequence[Job]) -> tuple[bool, str]:
    """Whether to train these together, and why, in a few words.

    Raises: whatever the layers raise where they cannot be stacked.
    """
    cohort.prepare()
    network = jobs[0].network
    size = sum(parameter.numel() for parameter in network.parameters())
    if size <= _SMALL and all(_is_dense(layer) for layer in network.modules() if not list(layer.children())):
        return True, f"small dense networks ({size:,} parameters each)"
    together = best_of(cohort.prepare, _TURNS)
    alone = best_of(lone_step(jobs[0].data, network)[1], _TURNS) * len(jobs)
    times = sorted([(alone, "one after another"), (together, "together")], key=lambda pair: pair[0])
    quicker, slower = (f"{seconds * 1e3:.2g} ms {way}" for seconds, way in times)
    return together < alone, f"a step of all takes {quicker}, {slower}"


def _is_dense(layer: nn.Module) -> bool:
    return isinstance(layer, _DENSE) or is_activation(layer)


def _rows(jobs: Sequence[Job]) -> str:
    first = jobs[0].data
    if not all(isinstance(part, Tensor) for part in (first.inputs, first.targets)):
        return "their rows are read while they are used"
    same = all(job.data.inputs is first.inputs and job.data.targets is first.targets for job in jobs)
    same_validation = all(_validation(job) is _validation(jobs[0]) for job in jobs)
    return "" if same and same_validation else "they learn from different rows"


def _validation(job: Job) -> Any:
    return None if job.data.validation is None else job.data.validation.inputs


def _settings(jobs: Sequence[Job]) -> str:
    first, from_nothing = jobs[0].data.recipe, TransferRecipe()
    for job in jobs:
        recipe = job.data.recipe
        if recipe.transfer != from_nothing or recipe.stages:
            return "a network that begins with what another has learned is trained alone"
        rule = build("rule", recipe.learning)
        if type(rule) is not Gradient:
            return "their learning rule has no stacked form"
        if reason := why_not_stackable(rule):
            return reason
        if any(getattr(recipe.training, name) != getattr(first.training, name) for name in _SHARED):
            return "they differ in how they are trained"
        if recipe.data.balance != first.data.balance:
            return "they differ in how classes are balanced"
    return "" if first.training.precision == "float32" else "they compute in bfloat16"


def _networks(jobs: Sequence[Job]) -> str:
    if len({kind_of(job) for job in jobs}) > 1:
        return "they differ in their layers or in the size of a batch"
    network = jobs[0].network
    if not any(parameter.requires_grad for parameter in network.parameters()):
        return "they have no parameters to train"
    if getattr(network, "augment", None):
        return "their rows are changed at random in training"
    if any(value.device.type == "meta" or not value.is_floating_point() for value in network.parameters()):
        return "their parameters are no plain numbers"
    if changed := _own_state(jobs[0]):
        return f"the layer '{changed}' keeps a state of its own in training"
    return ""


@torch.no_grad()
def _own_state(job: Job) -> str:
    """The first layer that changes its buffers in training and has no stand-in: its changes would be lost."""
    network = copy.deepcopy(job.network).train()
    layers = [(name, layer) for name, layer in network.named_modules() if stand_in(layer) is None]
    buffers = [(name, buffer) for name, layer in layers for buffer in layer.buffers(recurse=False)]
    if not buffers:
        return ""
    before = [buffer.clone() for _, buffer in buffers]
    rows = torch.arange(min(len(job.data.targets), batch_size(job.data.recipe, len(job.data.targets))))
    with fix_seed(0), suppress(Exception):  # what a layer raises is said where it is trained
        network(take(job.data.inputs, rows))
    pairs = zip(buffers, before, strict=True)
    return next((name for (name, now), old in pairs if not torch.equal(now, old)), "")


def _outline(network: nn.Module) -> tuple[Any, ...]:
    """Layers with their settings and shapes: equal outlines compute the same function of their parameters."""
    return tuple((name, type(module), _facts(module)) for name, module in network.named_modules())


def _facts(module: nn.Module) -> tuple[Any, ...]:
    free = {"training", *(_FREE if stand_in(module) is not None else ())}
    settings = [(key, value) for key, value in vars(module).items() if key[0] != "_" and key not in free]
    tensors = _own_tensors(module)
    shapes = [(key, tuple(value.shape), value.dtype, value.requires_grad) for key, value in tensors]
    return tuple(sorted((key, repr(value)) for key, value in settings if _is_plain(value))), tuple(shapes)


def _own_tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from module.named_parameters(recurse=False)
    yield from module.named_buffers(recurse=False)


def _is_plain(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return all(_is_plain(item) for item in value)
    return value is None or isinstance(value, bool | int | float | str | torch.dtype | torch.Size)


def objective_of(job: Job) -> Objective:
    """The loss and the penalties of its recipe."""
    recipe = job.data.recipe
    return Objective(loss_of(recipe, job.data.task), recipe.objective.penalties)


def _objectives(jobs: Sequence[Job]) -> str:
    try:
        differing([objective_of(job) for job in jobs])
    except ValueError as error:
        return str(error)
    return ""


def differing(objectives: Sequence[Objective]) -> list[dict[str, list[float]]]:
    """The numbers in which objectives differ: `{argument: a value for each}` for the loss and each penalty.

    Raises: `ValueError` when they differ in more than numbers.
    """
    if len({len(objective.penalties) for objective in objectives}) > 1:
        raise ValueError("they differ in their penalties")
    parts = zip(*([objective.loss, *objective.penalties] for objective in objectives), strict=True)
    return [_differing_arguments(part) for part in parts]


def _differing_arguments(functions: Sequence[Any]) -> dict[str, list[float]]:
    first = functions[0]
    if all(function is first for function in functions):
        return {}
    if not all(isinstance(one, functools.partial) and one.func is first.func for one in functions):
        raise ValueError(_OTHER_LOSSES)
    arguments: list[Mapping[str, Any]] = [function.keywords for function in functions]
    names = [name for name in arguments[0] if len({repr(own[name]) for own in arguments}) > 1]
    values = {name: [own[name] for own in arguments] for name in names}
    if not all(_is_number(value) for column in values.values() for value in column):
        raise ValueError(_OTHER_LOSSES)
    return {name: [float(value) for value in column] for name, column in values.items()}


def _is_number(value: Any) -> bool:
    return isinstance(value, float | int) and not isinstance(value, bool)
