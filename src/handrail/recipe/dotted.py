"""Dotted settings: `training.epochs=20`, `model.mlp.hidden=[64, 32]`."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import yaml

from handrail.components import available, find, hints, slot_of
from handrail.errors import RecipeError
from handrail.recipe.reading import written_value
from handrail.tools.yaml import LimitError, parse_yaml

_SLOTS = {
    "model": "model",
    "objective.loss": "loss",
    "learning": "rule",
    "stages.*.model": "model",
    "stages.*.learning": "rule",
}
_READ = "data.read."
_COLUMNS = "data.columns"  # its keys are names of columns, which may hold dots


def set_setting(values: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy of a recipe's settings with one dotted setting changed; a new component replaces the old one.

    Where the path leads through components, their signatures say what lies below: `model.mlp.hidden`,
    `learning.gradient.optimizer.adam.learning_rate`. Places of a list count from 0: `stages.0.epochs`.

    Raises: `RecipeError` for a place that a list does not have.
    """
    return _with(values, path.split("."), value, prefix="")


def _with(values: Any, path: list[str], value: Any, *, prefix: str) -> Any:
    if isinstance(values, list) and path[0].isdecimal():
        below = partial(_with, prefix=f"{prefix}*.")
        return _with_place(values, path, value, below, where=prefix.removeprefix("-."))
    values = dict(values) if isinstance(values, Mapping) else {}
    head, *rest = path if prefix != f"{_COLUMNS}." else [".".join(path)]
    place = f"{prefix}{head}"
    if not rest:
        values[head] = value
    elif place in _SLOTS:
        values[head] = _with_component(values.get(head), rest, value, kind=_SLOTS[place])
    else:
        values[head] = _with(values.get(head), rest, value, prefix=f"{place}.")
    return values


def _with_place(
    values: list[Any], path: list[str], value: Any, below: Callable[..., Any], *, where: str
) -> list[Any]:
    place, rest = int(path[0]), path[1:]
    if place >= len(values):
        expected = f"expected 0 to {len(values) - 1}" if values else "expected none, as the list is empty"
        raise RecipeError(f"{where}{place}: found the place {place}, {expected}.")
    changed = list(values)
    changed[place] = below(values[place], rest, value) if rest else value
    return changed


def _with_component(spec: Any, path: list[str], value: Any, *, kind: str) -> Any:
    if isinstance(spec, list) and path[0].isdecimal():
        return _with_place(spec, path, value, partial(_with_component, kind=kind), where="")
    # The name is the first part, or, where that is none of ours, an import path, which holds dots itself.
    colons = [index for index, part in enumerate(path) if ":" in part and path[0] not in available(kind)]
    length = colons[0] + 1 if colons else 1
    name, rest = ".".join(path[:length]), path[length:]
    if not rest:
        return {name: value}
    known = spec.get(name) if isinstance(spec, Mapping) else None
    arguments = dict(known) if isinstance(known, Mapping) else {}
    argument, *deeper = rest
    if deeper:
        try:
            slot = slot_of(hints(find(kind, name)).get(argument))
        except RecipeError:  # said later, with all other mistakes
            slot = None
        below = arguments.get(argument)
        if slot:
            value = _with_component(below, deeper, value, kind=slot.kind)
        else:
            value = _with(below, deeper, value, prefix="-.")
    return {name: {**arguments, argument: value}}


def component_sections(values: Any) -> list[Any]:
    """The parts of a recipe's plain data that name components, those of a search space written out."""
    if not isinstance(values, Mapping):
        return []
    inside = [values.get(name) for name in ("data", "tuning")]
    data, tuning = (section if isinstance(section, Mapping) else {} for section in inside)
    space = tuning.get("space")
    dotted = dict(flatten_space(space)) if isinstance(space, Mapping) else {}
    tried = [set_setting({}, name, value) for name, value in dotted.items()]
    named = ("stages", "model", "learning", "objective")
    return [*(values.get(name) for name in named), data.get("augment"), *tried]


def flatten_space(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The settings of `tuning.space` by their dotted names, which may be nested there."""
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value and not ({"choices", "low", "high"} & set(value)):
            yield from flatten_space(value, f"{name}.")
        else:
            yield name, value


def parse_setting(text: str, *, flag: str = "--set") -> tuple[str, Any]:
    """`model.mlp.hidden=[64,32]` as (dotted name, value); the value is read as YAML.

    The signs of `data.read` (and those of `--read`) are taken as they are written: `data.read.decimal=,`.

    Raises: `RecipeError` when there is no `=` or the value is not YAML.
    """
    path, sign, value = text.partition("=")
    if not sign or not path.strip():
        raise RecipeError(f"{flag} {text}: expected NAME=VALUE.")
    name = path.strip().removeprefix(_READ) if path.strip().startswith(_READ) or flag == "--read" else ""
    written = written_value(name, value)
    if written is not None:
        return path.strip(), written
    if value.strip().startswith("%"):  # the format of a date; in YAML, a directive
        return path.strip(), value.strip()
    try:
        return path.strip(), parse_yaml(value)
    except LimitError as error:
        raise RecipeError(f"{flag} {path.strip()}: the value {error.problem}.") from None
    except yaml.YAMLError:
        raise RecipeError(f"{flag} {text}: '{value}' cannot be read as a value.") from None
