"""What a specification says: a component's name and arguments, and the settings that its signature has."""

import functools
import inspect
import typing
from collections.abc import Callable, Container, Mapping
from datetime import date
from types import NoneType
from typing import Any, TypeVar, get_type_hints

from handrail.components.arguments import Slot
from handrail.components.registry import KINDS, Component, available
from handrail.errors import RecipeError

Result = TypeVar("Result")
_PLAIN = (str, bytes, int, float, Mapping, list, tuple, set, date, NoneType)
_FIXED = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def parse(spec: Any, kind: str) -> tuple[str, dict[str, Any]]:
    """A name or `{name: arguments}` as (name, arguments). Raises: `RecipeError` for any other shape.

    A list in the place of the arguments is the component's only list of components: `{layers: [...]}` stands
    for `{layers: {layers: [...]}}`.
    """
    if isinstance(spec, str):
        return spec, {}
    if isinstance(spec, Mapping) and len(spec) == 1:
        name, arguments = next(iter(spec.items()))
        if isinstance(arguments, list) and (argument := _list_argument(kind, name)):
            arguments = {argument: arguments}
        if isinstance(name, str) and (arguments is None or isinstance(arguments, Mapping)):
            return name, dict(arguments or {})
    article = "an" if kind[0] in "aeio" else "a"
    expected = f"the name of {article} {kind} or {{name: {{argument: value}}}}"
    raise RecipeError(f"found {show_value(spec)}, expected {expected}.")


def _list_argument(kind: str, name: Any) -> str | None:
    """The component's only argument that is a list of components."""
    entry = available(kind).get(name)
    slots = {} if entry is None else {key: slot_of(hint) for key, hint in hints(entry).items()}
    many = [key for key, slot in slots.items() if slot is not None and slot.many]
    return many[0] if len(many) == 1 else None


def is_object(spec: Any) -> bool:
    """Whether a specification is a ready object, which no YAML file can hold, rather than plain data."""
    return not isinstance(spec, _PLAIN)


def is_placeholder(spec: Any) -> bool:
    """Whether this is what a recipe file says of an object: `<object module:Name>`."""
    return isinstance(spec, str) and spec.startswith("<object ")


def memoize(function: Callable[[Any], Result]) -> Callable[[Any], Result]:
    """The function with a cache: a search asks thousands of times, and signatures are slow to read."""
    cached = functools.lru_cache(maxsize=512)(function)

    @functools.wraps(function)
    def call(key: Any) -> Result:
        try:
            hash(key)
        except TypeError:
            return function(key)
        return cached(key)

    return call


@memoize
def _parameters(target: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(target).parameters
    except (TypeError, ValueError):  # built-in functions without one
        return {}


def context_arguments(entry: Component, given: Container[str] = ()) -> dict[str, str]:
    """Which arguments the code fills, and with what of the kind's context: {argument: name in the context}.

    A function that is used as it is gets the context by position, a factory by name. A class from elsewhere
    that knows none of the names gets it in its first arguments without a default that are not `given`.
    """
    kind, parameters = KINDS[entry.kind], _parameters(entry.target)
    if not kind.factory:
        kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        by_position = [name for name, parameter in parameters.items() if parameter.kind in kinds]
        return {} if inspect.isclass(entry.target) else dict(zip(by_position, kind.context, strict=False))
    named = {name: name for name in kind.context if name in parameters}
    if named or ":" not in entry.name:
        return named
    needed = [
        name for name, p in parameters.items() if p.kind is p.POSITIONAL_OR_KEYWORD and p.default is p.empty
    ]
    return dict(zip((name for name in needed if name not in given), kind.context, strict=False))


def settings(entry: Component, given: Container[str] = ()) -> dict[str, inspect.Parameter]:
    """The arguments that a user may set: all but the context, in the order of the signature."""
    context = context_arguments(entry, given)
    parameters = _parameters(entry.target)
    return {name: p for name, p in parameters.items() if name not in context and p.kind not in _FIXED}


@memoize
def hints(entry: Component) -> Mapping[str, Any]:
    """The annotations of the arguments, with their `Annotated` extras."""
    target = entry.target.__init__ if inspect.isclass(entry.target) else entry.target
    try:
        return get_type_hints(target, include_extras=True)
    except (NameError, TypeError):
        return {}


def slot_of(annotation: Any) -> Slot | None:
    """The `Slot` mark of an annotation, if there is one (also inside `X | None`)."""
    for part in (annotation, *typing.get_args(annotation)):
        for extra in getattr(part, "__metadata__", ()):
            if isinstance(extra, Slot):
                return extra
    return None


def show_value(value: Any) -> str:
    """A value for a message: one line of at most 78 characters."""
    line, *more = repr(value).splitlines() or [""]
    return f"{line[:76]} …" if more or len(line) > 80 else line


def type_words(annotation: Any) -> str:
    """A type as a person would write it: `number from 0`, `list of whole number above 0`, `a, b or c`."""
    slot = slot_of(annotation)
    if slot is not None:
        return f"list of {slot.kind}s" if slot.many else f"the name of a component: handrail list {slot.kind}"
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if hasattr(annotation, "__metadata__"):
        bounds = [words for each in annotation.__metadata__ for words in _bounds(each)]
        return " ".join([type_words(arguments[0]), *bounds])
    if str(origin).endswith("Literal"):
        return " or ".join(str(each) for each in arguments)
    if origin in (list, tuple):
        inner = list(dict.fromkeys(type_words(each) for each in arguments if each is not ...))
        return f"list, each a {' or '.join(inner)}" if inner else "list"
    if arguments:  # a union
        return " or ".join(dict.fromkeys(type_words(each) for each in arguments))
    names = {int: "whole number", float: "number", bool: "true or false", str: "text", type(None): "null"}
    return names.get(annotation, "anything" if annotation is Any else getattr(annotation, "__name__", ""))


def _bounds(mark: Any) -> list[str]:
    marks = [mark, *getattr(mark, "metadata", ())]
    words = {"gt": "above", "ge": "from", "lt": "below", "le": "up to"}
    return [
        f"{word} {value:{',' if isinstance(value, int) else 'g'}}"
        for each in marks
        for name, word in words.items()
        if isinstance(value := getattr(each, name, None), int | float) and abs(value) < 2**31 - 1
    ]
