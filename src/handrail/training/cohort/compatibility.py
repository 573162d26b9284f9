"""Whether networks can be trained as one program: equal shapes, the same rows, a rule that can be stacked."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from handrail.components import build
from handrail.learning.fast.stacked import why_not_stackable
from handrail.learning.rules.gradient import Gradient
from handrail.objectives.objective import Objective
from handrail.recipe.sections import TransferRecipe
from handrail.training.cohort.layers import stand_in
from handrail.training.job import Job, batch_size, loss_of

_FREE = {"p", "std"}  # what layers that stand in may differ in
_SHARED = ("validate_every", "precision")


def unlike(pupils: Sequence[Job]) -> str:
    """Why these cannot be one program, as the end of a sentence; empty where they can."""
    if len(pupils) < 2:
        return "there is only one"
    reasons = (_rows(pupils), _settings(pupils), _networks(pupils), _objectives(pupils))
    return next((reason for reason in reasons if reason), "")


def kind_of(pupil: Job) -> tuple[Any, ...]:
    """What must be equal for two networks to be one program: their layers, and the shapes of their
    parameters.
    """
    return (
        outline(pupil.network),
        pupil.lesson.recipe.training.precision,
        batch_size(pupil.lesson.recipe, len(pupil.lesson.targets)),
    )


def _rows(pupils: Sequence[Job]) -> str:
    first = pupils[0].lesson
    if not all(isinstance(part, Tensor) for part in (first.inputs, first.targets)):
        return "their rows are read while they are used"
    same = all(
        pupil.lesson.inputs is first.inputs and pupil.lesson.targets is first.targets for pupil in pupils
    )
    held_out = all(_validation(pupil) is _validation(pupils[0]) for pupil in pupils)
    return "" if same and held_out else "they learn from different rows"


def _validation(pupil: Job) -> Any:
    return None if pupil.lesson.validation is None else pupil.lesson.validation.inputs


def _settings(pupils: Sequence[Job]) -> str:
    first, from_nothing = pupils[0].lesson.recipe, TransferRecipe()
    for pupil in pupils:
        recipe = pupil.lesson.recipe
        if recipe.transfer != from_nothing:
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


def _networks(pupils: Sequence[Job]) -> str:
    if len({kind_of(pupil) for pupil in pupils}) > 1:
        return "they differ in their layers or in the size of a batch"
    network = pupils[0].network
    if getattr(network, "augment", None):
        return "their rows are changed at random in training"
    if any(
        parameter.device.type == "meta" or not parameter.is_floating_point()
        for parameter in network.parameters()
    ):
        return "their parameters are no plain numbers"
    return ""


def outline(network: nn.Module) -> tuple[Any, ...]:
    """The layers of a network, with their settings and shapes, so that equal ones compute the same function
    of their parameters.
    """
    return tuple((name, type(module), _facts(module)) for name, module in network.named_modules())


def _facts(module: nn.Module) -> tuple[Any, ...]:
    free = _FREE if stand_in(module) is not None else set()
    plain = {
        key: value
        for key, value in vars(module).items()
        if not key.startswith("_") and key not in ("training", *free)
    }
    shapes = [
        (key, tuple(value.shape), value.dtype, value.requires_grad) for key, value in _own_tensors(module)
    ]
    return (
        tuple(sorted((key, repr(value)) for key, value in plain.items() if _is_plain(value))),
        tuple(shapes),
    )


def _own_tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from module.named_parameters(recurse=False)
    yield from module.named_buffers(recurse=False)


def _is_plain(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return all(_is_plain(item) for item in value)
    return value is None or isinstance(value, bool | int | float | str | torch.dtype | torch.Size)


def objective_of(pupil: Job) -> Objective:
    """The loss and the penalties of its recipe."""
    return Objective(loss_of(pupil.lesson.recipe, pupil.lesson.task), pupil.lesson.recipe.objective.penalties)


def _objectives(pupils: Sequence[Job]) -> str:
    try:
        differing([objective_of(pupil) for pupil in pupils])
    except ValueError as error:
        return str(error)
    return ""


def differing(objectives: Sequence[Objective]) -> list[dict[str, list[float]]]:
    """The numbers in which objectives differ, a mapping for the loss and one for each penalty: `{argument: a
    value for each}`.

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
    if not all(
        isinstance(function, functools.partial) and function.func is first.func for function in functions
    ):
        raise ValueError("they differ in their loss or their penalties")
    arguments: list[Mapping[str, Any]] = [function.keywords for function in functions]
    names = [name for name in arguments[0] if len({repr(given[name]) for given in arguments}) > 1]
    if not all(
        isinstance(given[name], float | int) and not isinstance(given[name], bool)
        for name in names
        for given in arguments
    ):
        raise ValueError("they differ in their loss or their penalties")
    return {name: [float(given[name]) for given in arguments] for name in names}
