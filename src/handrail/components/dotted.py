"""The dotted names of components and their arguments: `learning.gradient.optimizer.adam.learning_rate`."""

from collections.abc import Iterator, Mapping
from typing import Any

from handrail.components.registry import Component, available, find
from handrail.components.specification import hints, is_object, parse, settings, slot_of
from handrail.errors import RecipeError


def own_arguments(kind: str, spec: Any, where: str) -> Iterator[str]:
    """A component and its arguments, and those of the components that it is given, or has by default.

    Arguments:
        spec: name or `{name: arguments}`; of anything else there is nothing to say.
    """
    if is_object(spec):
        return
    try:
        name, given = parse(spec, kind)
        if ":" in name:
            return
        entry = find(kind, name)
    except RecipeError:  # said elsewhere
        return
    place = f"{where}.{name}"
    yield place
    for argument in settings(entry):
        yield f"{place}.{argument}"
    for argument, slot_kind, default in _slots(entry):
        inner = given.get(argument, default)
        if inner is not None:
            yield from own_arguments(slot_kind, inner, f"{place}.{argument}")


def other_arguments(kind: str, where: str) -> Iterator[str]:
    """All components of a kind with their arguments, and those that may stand in their slots."""
    for name, entry in available(kind).items():
        yield f"{where}.{name}"
        for argument in settings(entry):
            yield f"{where}.{name}.{argument}"
    for name, entry in available(kind).items():
        for argument, slot_kind, _ in _slots(entry):
            if slot_kind == kind:
                continue  # they stand above already
            place = f"{where}.{name}.{argument}"
            for inner, component in available(slot_kind).items():
                yield f"{place}.{inner}"
                yield from (f"{place}.{inner}.{each}" for each in settings(component))


def nested_argument(entry: Component, given: Mapping[str, Any], name: str, where: str) -> str:
    """Where an argument stands that one of a component's own components has; empty if none has it."""
    for argument, kind, default in _slots(entry):
        spec = given.get(argument, default)
        known = () if spec is None else own_arguments(kind, spec, f"{where}.{argument}")
        for each in known:
            if each.rpartition(".")[2] == name:
                return each
    return ""


def _slots(entry: Component) -> Iterator[tuple[str, str, Any]]:
    """The arguments that name one component each: argument, kind, default."""
    annotations = hints(entry)
    for argument, parameter in settings(entry).items():
        slot = slot_of(annotations.get(argument))
        if slot is not None and not slot.many:
            yield argument, slot.kind, None if parameter.default is parameter.empty else parameter.default
