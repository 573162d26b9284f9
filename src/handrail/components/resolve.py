"""From a specification to the object: checked settings, and every mistake with its place."""

import functools
import inspect
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from difflib import get_close_matches
from typing import Any

from pydantic import PydanticUserError, TypeAdapter, ValidationError

from handrail.components.dotted import nested_argument
from handrail.components.registry import KINDS, Component, find, import_path
from handrail.components.specification import (
    context_arguments,
    hints,
    is_object,
    is_placeholder,
    memoize,
    parse,
    settings,
    show_value,
    slot_of,
)
from handrail.errors import HandrailError, RecipeError, did_you_mean
from handrail.tools.trust import name_paths, naming


def resolve(kind: str, spec: Any, where: str) -> Any:
    """The specification with every default written out: `{name: {argument: value, …}}`.

    Classes and functions that can be imported become their import path; other objects come back as they are.

    Raises: `RecipeError` with every mistake found, nested components included.
    """
    with _all_told() as problems:
        return _resolve(kind, spec, where, problems)


def _resolve(kind: str, spec: Any, where: str, problems: list[str]) -> Any:
    if path := import_path(spec):
        name_paths(path)
        spec = path
    if is_object(spec) or is_placeholder(spec):
        problems.extend(f"{where}: {text}" for text in _misfits(kind, spec))
        return spec
    try:
        name, given = parse(spec, kind)
        entry = find(kind, name)
    except RecipeError as error:
        problems.extend(f"{where}: {text}" for text in error.problems)
        return spec
    return {name: _resolve_arguments(entry, given, f"{where}.{name}", problems)}


def resolve_arguments(entry: Component, given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The arguments of a component with every default written out.

    Raises: `RecipeError` with every mistake found, nested components included.
    """
    with _all_told() as problems:
        return _resolve_arguments(entry, given, where, problems)


@contextmanager
def _all_told() -> Iterator[list[str]]:
    """A list for the mistakes that are found within. Raises: `RecipeError` with all of them at the end."""
    problems: list[str] = []
    yield problems
    if problems:
        raise RecipeError(problems)


def _resolve_arguments(
    entry: Component, given: Mapping[str, Any], path: str, problems: list[str]
) -> dict[str, Any]:
    name, known, annotations = entry.name, settings(entry, given), hints(entry)
    context = KINDS[entry.kind].context
    filled = context_arguments(entry).items()
    if any(argument != name and argument in context for argument, name in filled):
        problems.append(f"{path}: expected the arguments {', '.join(context)} first and in this order.")
    unknown = [str(key) for key in given if key not in known]  # YAML has numbers and dates as keys, too
    problems.extend(f"{path}.{key}: unknown argument.{_hint(entry, given, key, path)}" for key in unknown)
    values: dict[str, Any] = {}
    for key, parameter in known.items():
        value = given.get(key, parameter.default)
        if value is inspect.Parameter.empty:
            problems.append(f"{path}.{key}: missing; {name} cannot do without it.")
        elif value is None and parameter.default is None:
            values[key] = None
        else:
            # `model.layers[3]`, not `model.layers.layers[3]`
            place = path if key == name else f"{path}.{key}"
            with nullcontext() if key in given else naming():
                known_problems = len(problems)
                values[key] = _resolve_value(value, annotations.get(key, Any), place, problems)
                if key in given and len(problems) == known_problems and not _is_finite(values[key]):
                    problems.append(f"{place}: found {show_value(value)}; expected finite numbers.")
    return values


def _hint(entry: Component, given: Mapping[str, Any], key: str, path: str) -> str:
    """The dotted name that may be meant by an unknown argument, else the names that there are."""
    known = settings(entry, given)
    if not known:
        return f" {entry.name} has none."
    near = get_close_matches(key, known, n=1, cutoff=0.6)
    meant = nested_argument(entry, given, key, path) or (f"{path}.{near[0]}" if near else "")
    return f" Did you mean '{meant}'?" if meant else did_you_mean(key, known)


def _misfits(kind: str, spec: Any) -> Iterator[str]:
    """Why an object cannot serve in a slot."""
    if is_placeholder(spec):
        return
    if inspect.isclass(spec) or inspect.isfunction(spec):
        # Called with the context when it is needed; a model has to be found again in order to use the run.
        if kind == "model":
            expected = "a class or function at the top level of a module, or a ready torch.nn.Module"
            yield f"found {show_value(spec)}, expected {expected}."
        elif inspect.isclass(spec) and not KINDS[kind].suits(spec):
            yield f"found {show_value(spec)}, expected {KINDS[kind].expected}."
        return
    missing = [name for name in KINDS[kind].needs if not hasattr(spec, name)]
    if missing:
        problem = f"which cannot serve as {kind}: it has no '{missing[0]}'"
        yield f"found an object of class {type(spec).__name__}, {problem}."


def _resolve_value(value: Any, annotation: Any, where: str, problems: list[str]) -> Any:
    slot = slot_of(annotation)
    if slot is not None and slot.many:
        items = value if isinstance(value, list | tuple) else [value]
        return [_resolve(slot.kind, item, f"{where}[{index}]", problems) for index, item in enumerate(items)]
    if slot is not None:
        return _resolve(slot.kind, value, where, problems)
    try:
        return _adapter(annotation).validate_python(value)
    except ValidationError as error:
        problems += explain(
            error.errors(), lambda loc: where + "".join(f"[{part}]" for part in loc if isinstance(part, int))
        )
        return value


def _is_finite(value: Any) -> bool:
    """Whether plain data hold no NaN and no infinite number, which JSON cannot write."""
    if isinstance(value, Mapping):
        return all(map(_is_finite, value.values()))
    if isinstance(value, list | tuple):
        return all(map(_is_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


@memoize
def _adapter(annotation: Any) -> TypeAdapter[Any]:
    try:
        return TypeAdapter(annotation, config={"arbitrary_types_allowed": True})
    except PydanticUserError:  # models and dataclasses bring a configuration of their own
        return TypeAdapter(annotation)


def explain(findings: Iterable[Any], place: Callable[[tuple[int | str, ...]], str]) -> list[str]:
    """pydantic's findings as sentences, one for each place; what the branches of a union expected is joined.

    Arguments:
        findings: `ValidationError.errors()`.
        place: the dotted name of pydantic's location.
    """
    places: dict[str, tuple[str, list[str]]] = {}
    for item in findings:
        text = item["msg"].removeprefix("Value error, ").replace("Input should be ", "expected ")
        text = text.split(", unable to parse")[0].split(", got ")[0]
        seen = "" if item["type"] == "value_error" else f"found {show_value(item['input'])}; "
        expected = places.setdefault(place(item["loc"]), (seen, []))[1]
        text = text.removeprefix("expected ") if expected and expected[0].startswith("expected ") else text
        if text not in (expected[0].removeprefix("expected ") if expected else "", *expected):
            expected.append(text)
    return [
        f"{where}: {seen}{' or '.join(expected)}."
        for where, (seen, expected) in places.items()
        if not any(other.startswith((f"{where}[", f"{where}.")) for other in places)
    ]


def build(kind: str, spec: Any, *context: Any, where: str = "") -> Any:
    """The object that a specification describes.

    Arguments:
        kind: a key of `KINDS`.
        spec: name, `{name: arguments}`, import path, or an object, which is returned as it is. A class or
            function that has no import path is called with the context where the kind's components are.
        context: what the kind's components are given by the code, in the order of `KINDS[kind].context`.

    Raises: `RecipeError` as `resolve`, and when a class from elsewhere cannot be made.
    """
    where = where or kind
    resolved = resolve(kind, spec, where)
    if is_object(resolved):
        calls = inspect.isclass(resolved) or (KINDS[kind].factory and inspect.isfunction(resolved))
        entry = Component(kind, f":{show_value(resolved)}", resolved)
        return _make(entry, {}, context, where) if calls else resolved
    name, arguments = parse(resolved, kind)
    entry = find(kind, name)
    if not KINDS[entry.kind].factory and not inspect.isclass(entry.target):
        if context:
            raise TypeError(
                f"build({kind!r}, …) gives a function, which is called with {KINDS[kind].context} later"
            )
        return functools.partial(entry.target, **arguments)
    return _make(entry, arguments, context, where)


def _make(entry: Component, arguments: dict[str, Any], context: tuple[Any, ...], where: str) -> Any:
    values = dict(zip(KINDS[entry.kind].context, context, strict=False))
    filled = context_arguments(entry, arguments).items()
    given = {argument: values[name] for argument, name in filled if name in values}
    try:
        return entry.target(**given, **arguments)
    except (TypeError, ValueError, RuntimeError) as error:
        if isinstance(error, HandrailError) or ":" not in entry.name:
            raise
        raise RecipeError(f"{where}: {entry.name} cannot be made: {error}") from error
