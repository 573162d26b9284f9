"""The dotted name that was meant by a setting that there is not: `epochs` → `training.epochs`.

Sections are looked through first, which is quick; the arguments of components only if they have no such name,
as that imports them.
"""

import inspect
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from handrail.components.dotted import other_arguments, own_arguments

_CLOSE = 0.7  # of names anywhere in the recipe; within one section, where less can be meant, 0.6
_MOST = 3
_SLOTS = {"model": "model", "rule": "learning", "loss": "objective.loss"}
_USUAL = {"model": ("mlp", "cnn", "text_cnn"), "rule": ("gradient",), "loss": ()}  # where they are `auto`
_SYNONYMS = {  # words of other libraries, by what they are called here
    "lr": "learning_rate",
    "batch": "batch_size",
    "n_epochs": "epochs",
    "num_epochs": "epochs",
    "max_epochs": "epochs",
    "max_iter": "epochs",
    "early_stopping": "patience",
    "hidden_layer_sizes": "hidden",
    "hidden_size": "width",
    "optim": "optimizer",
    "criterion": "loss",
    "random_state": "seed",
    "test_size": "test",
    "label": "target",
    "sep": "delimiter",
    "na_values": "missing",
}


def suggest(root: type[BaseModel], path: list[str], value: Any, recipe: Mapping[str, Any]) -> str:
    """A hint with the dotted names that may be meant, or nothing.

    Arguments:
        root: the class of the whole recipe.
        path: of the unknown setting.
        value: given for it; of `{hidden: [3]}` the name is looked for below what was meant, too.
        recipe: plain data, whose components are looked through before others.

    Returns: a text that begins with a space, or the empty text.
    """
    *above, name = path
    name = _SYNONYMS.get(name, name)
    known = list(_settings(root))
    section = section_at(root, above) if above else None
    in_list = any(part.isdecimal() for part in above)  # its items have settings of their own
    names = _within(section, above, name) if in_list else []
    names = names or _exact(name, known, besides=path) or _within(section, above, name)
    for arguments in () if names else (_own, _usual, _others):
        found = list(arguments(recipe))
        names = names or _exact(name, found, besides=path)
        known += found
    names = names or _near(name, known)
    return _as_question([_with_rest(each, value, known) for each in names[:_MOST]])


def suggest_argument(kind: str, name: str, value: Any, where: str) -> str:
    """A hint where somebody named an argument of components instead of one: `model.hidden`."""
    name = _SYNONYMS.get(name, name)
    own = [each for usual in _USUAL.get(kind, ()) for each in own_arguments(kind, usual, where)]
    others = list(other_arguments(kind, where))
    usual = _of_usual(kind, where, others)
    names = _exact(name, own) or _exact(name, usual) or _exact(name, others)
    return _as_question([_with_rest(each, value, others) for each in names[:_MOST]])


def section_at(root: type[BaseModel], path: Iterable[str]) -> type[BaseModel] | None:
    """The class of the section at a dotted place."""
    section: Any = root
    for part in path:
        if get_origin(section) is list and part.isdecimal():
            (section,) = get_args(section)
            continue
        field = section.model_fields.get(part) if is_section(section) else None
        section = field.annotation if field else None
    return section if is_section(section) else None


def dotted(path: Iterable[str]) -> str:
    """The dotted name of a place: `stages[0].epochs`."""
    return "".join(f"[{part}]" if part.isdecimal() else f".{part}" for part in path).removeprefix(".")


def is_section(annotation: Any) -> bool:
    """Whether a setting's type is a section of settings."""
    return inspect.isclass(annotation) and issubclass(annotation, BaseModel)


def _settings(section: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """All sections and settings by their dotted names; those of the top first."""
    inner = []
    for name, field in section.model_fields.items():
        yield f"{prefix}{name}"
        if is_section(field.annotation):
            inner.append((field.annotation, f"{prefix}{name}."))
    for annotation, place in inner:
        yield from _settings(annotation, place)  # pyright: ignore[reportArgumentType]


def _own(recipe: Mapping[str, Any]) -> Iterator[str]:
    """The components of a recipe and their arguments; the usual ones where it says `auto`."""
    objective = recipe.get("objective")
    loss = objective.get("loss", "auto") if isinstance(objective, Mapping) else "auto"
    named = {"model": recipe.get("model", "auto"), "rule": recipe.get("learning", "auto"), "loss": loss}
    for kind, spec in named.items():
        where = _SLOTS[kind]
        usual = (each for name in _USUAL[kind] for each in own_arguments(kind, name, where))
        yield from list(own_arguments(kind, spec, where)) or usual


def _usual(_recipe: Mapping[str, Any]) -> Iterator[str]:
    for kind, where in _SLOTS.items():
        yield from _of_usual(kind, where, other_arguments(kind, where))


def _of_usual(kind: str, where: str, known: Iterable[str]) -> list[str]:
    """Those of the usual components, whatever stands in their slots: several rules take an optimizer."""
    usual = tuple(f"{where}.{name}." for name in _USUAL.get(kind, ()))
    return [each for each in known if each.startswith(usual)]


def _others(_recipe: Mapping[str, Any]) -> Iterator[str]:
    for kind, where in _SLOTS.items():
        yield from other_arguments(kind, where)


def _exact(name: str, known: Iterable[str], *, besides: Iterable[str] = ()) -> list[str]:
    own = ".".join(besides)
    return list(dict.fromkeys(each for each in known if each.rpartition(".")[2] == name and each != own))


def _within(section: type[BaseModel] | None, above: list[str], name: str) -> list[str]:
    near = get_close_matches(name, section.model_fields if section else (), n=1, cutoff=0.6)
    return [dotted([*above, each]) for each in near]


def _near(name: str, known: Iterable[str]) -> list[str]:
    """The nearest of all last parts, wherever it stands first: one of the same letters, else one like it."""
    ends: dict[str, str] = {}
    for each in known:
        ends.setdefault(each.rpartition(".")[2], each)
    swapped = [each for each in ends if sorted(each) == sorted(name)]
    return [ends[each] for each in swapped[:1] or get_close_matches(name, ends, n=1, cutoff=_CLOSE)]


def _with_rest(name: str, value: Any, known: Iterable[str]) -> str:
    """`train` with `{epochs: 3}` → `training.epochs`, where there is that setting."""
    names = set(known)
    while isinstance(value, Mapping) and len(value) == 1:
        ((key, value),) = value.items()
        if f"{name}.{key}" not in names:
            break
        name = f"{name}.{key}"
    return name


def _as_question(names: list[str]) -> str:
    quoted = [f"'{name}'" for name in names]
    if not quoted:
        return ""
    return f" Did you mean {' or '.join([', '.join(quoted[:-1]), quoted[-1]] if quoted[1:] else quoted)}?"
