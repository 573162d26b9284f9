"""The one mechanism that turns a name and arguments into an object.

A component (a model, a loss, an optimizer …) is a plain class or function. Its signature is its
configuration: what comes before the bare `*` is given by the code that builds it (the *context*: `inputs`,
`outputs`, `parameters` …), what comes after it is set by the user, with types, defaults and the docstring
read from the code.

In a recipe, and in Python alike, a component is written in one of four ways:

    mlp                                       a name
    {mlp: {hidden: [64, 32]}}                 a name and arguments
    {"mypackage.nets:Tree": {depth: 4}}       anybody's class or function, by import path
    MLP(30, 1)                                an object (in Python only)

A class or function that can be imported is taken as its import path, so that a recipe file can hold it.
"""

import functools
import importlib
import inspect
import pkgutil
import re
import typing
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from types import NoneType
from typing import Any, TypeVar, get_type_hints

from pydantic import PydanticUserError, TypeAdapter, ValidationError

from handrail.components.kinds import KINDS
from handrail.errors import HandrailError, RecipeError, did_you_mean
from handrail.tools.machine import collecting_little


@dataclass(frozen=True)
class Slot:
    """Marks an argument that itself names a component: `Annotated[Any, Slot("optimizer")]`."""

    kind: str
    many: bool = False


@dataclass(frozen=True)
class Component:
    """A registered class or function with the facts that its code does not say."""

    kind: str
    name: str
    target: Callable[..., Any]
    tasks: frozenset[str] = field(default_factory=frozenset)

    @property
    def summary(self) -> str:
        """The first line of the docstring."""
        return (inspect.getdoc(self.target) or "").split("\n", 1)[0]

    @property
    def source(self) -> str:
        """The line of the docstring that names the paper, without its label."""
        found = re.search(
            r"^Source: (.+?)(?:\n\s*\n|\Z)", inspect.getdoc(self.target) or "", re.MULTILINE | re.DOTALL
        )
        return " ".join(found.group(1).split()) if found else ""


_registry: dict[str, dict[str, Component]] = {kind: {} for kind in KINDS}


Target = TypeVar("Target", bound=Callable[..., Any])
Answer = TypeVar("Answer")


def component(
    kind: str, *, name: str | None = None, tasks: tuple[str, ...] = ()
) -> Callable[[Target], Target]:
    """Register a class or function under its own name in lower case, or under `name`.

    Arguments:
        kind: a key of `KINDS`.
        name: the name in recipes; by default `snake_case` of the class or function.
        tasks: for losses, the tasks that they can serve; empty means all.

    Raises: `ValueError` when the kind is unknown or the name is taken by something else.
    """
    if kind not in KINDS:
        raise ValueError(f"'{kind}' is not a kind of component.{did_you_mean(kind, KINDS)}")

    def add(target: Target) -> Target:
        key = name or snake_case(getattr(target, "__name__", ""))
        known = _registry[kind].get(key)
        if known is not None and _home(known.target) != _home(target):
            raise ValueError(f"the {kind} '{key}' is registered already, as {_home(known.target)}")
        _registry[kind][key] = Component(kind, key, target, frozenset(tasks))
        return target

    return add


def _home(target: Callable[..., Any]) -> str:
    return f"{target.__module__}:{target.__qualname__}"


def snake_case(name: str) -> str:
    """`LeastSquares` → `least_squares`, `MLP` → `mlp`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


@functools.cache
def _import_all(package: str) -> None:
    with collecting_little():
        folder = importlib.import_module(package)
        for module in pkgutil.iter_modules(folder.__path__):
            importlib.import_module(f"{package}.{module.name}")


def available(kind: str) -> dict[str, Component]:
    """All registered components of a kind by name: every module of the kind's folder is imported first."""
    _import_all(KINDS[kind].package)
    return dict(sorted(_registry[kind].items()))


def find(kind: str, name: str) -> Component:
    """The component of that name, or whatever `package.module:Name` points to.

    Raises: `RecipeError` for an unknown name or an import path that leads nowhere.
    """
    if is_placeholder(name):
        raise RecipeError(
            f"the {kind} was given as an object in Python ({name[8:-1]}), which no file holds; give it again there."
        )
    if ":" in name:
        target = _imported(name)
        if not KINDS[kind].suits(target):
            takes = (
                f"a function of {', '.join(KINDS[kind].context)}" if KINDS[kind].context else "nothing else"
            )
            raise RecipeError(
                f"'{name}' is no {kind}: expected a class with {', '.join(KINDS[kind].needs)}, or {takes}."
            )
        return Component(kind, name, target)
    known = available(kind)
    if name not in known:
        path = " An import path is written 'package.module:Name'." if "." in name else ""
        raise RecipeError(f"there is no {kind} '{name}'.{path or did_you_mean(snake_case(name), known)}")
    return known[name]


def _imported(path: str) -> Callable[..., Any]:
    module_name, _, attribute = path.partition(":")
    try:
        target = functools.reduce(getattr, attribute.split("."), importlib.import_module(module_name))
    except Exception as error:  # importing runs anybody's code
        hint = (
            " It was defined in a script: run that script, or move it to a module."
            if module_name == "__main__"
            else ""
        )
        reason = f"{type(error).__name__}: {error}"
        raise RecipeError(
            f"'{path}' cannot be imported ({reason}); expected 'package.module:Name'.{hint}"
        ) from error
    if not callable(target):
        raise RecipeError(f"'{path}' is {type(target).__name__}, expected a class or a function.")
    return target


def import_path(target: Any) -> str | None:
    """`package.module:Name` of a class or function that can be imported from there; nothing for any other
    object.
    """
    if not (inspect.isclass(target) or inspect.isfunction(target)):
        return None
    try:
        return _home(target) if _imported(_home(target)) is target else None
    except RecipeError:  # made inside a function, or a lambda
        return None


def parse(spec: Any, kind: str) -> tuple[str, dict[str, Any]]:
    """A name or `{name: arguments}` as (name, arguments).

    Raises: `RecipeError` for any other shape.
    """
    if isinstance(spec, str):
        return spec, {}
    if isinstance(spec, Mapping) and len(spec) == 1:
        name, arguments = next(iter(spec.items()))
        if isinstance(name, str) and (arguments is None or isinstance(arguments, Mapping)):
            return name, dict(arguments or {})
    article = "an" if kind[0] in "aeio" else "a"
    raise RecipeError(
        f"found {shown(spec)}, expected the name of {article} {kind} or {{name: {{argument: value}}}}."
    )


_PLAIN = (str, bytes, int, float, Mapping, list, tuple, set, date, NoneType)


def is_object(spec: Any) -> bool:
    """Whether a specification is a ready object, which no YAML file can hold, rather than plain data."""
    return not isinstance(spec, _PLAIN)


def is_placeholder(spec: Any) -> bool:
    """Whether this is what a recipe file says of an object: `<object module:Name>`."""
    return isinstance(spec, str) and spec.startswith("<object ")


def _remembered(function: Callable[[Any], Answer]) -> Callable[[Any], Answer]:
    """The same function, which keeps its answers: a search asks thousands of times, and they take far longer
    to find than to use.
    """
    kept = functools.lru_cache(maxsize=512)(function)

    @functools.wraps(function)
    def call(asked: Any) -> Answer:
        try:
            hash(asked)
        except TypeError:  # it cannot be a key
            return function(asked)
        return kept(asked)

    return call


@_remembered
def _parameters(target: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(target).parameters
    except (TypeError, ValueError):  # built-in functions without one
        return {}


def filled(entry: Component, given: Container[str] = ()) -> dict[str, str]:
    """Which arguments the code fills, and with what of the kind's context: {argument: name in the context}.

    A function that is used as it is gets the context by position. What makes an object gets it by name; where
    a class from elsewhere knows none of the names, its first arguments without default and not `given` are
    taken.
    """
    kind, parameters = KINDS[entry.kind], _parameters(entry.target)
    if not kind.factory:
        by_position = [
            name for name, p in parameters.items() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        ]
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
    context = filled(entry, given)
    fixed = (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.VAR_POSITIONAL,
        inspect.Parameter.VAR_KEYWORD,
    )
    return {
        name: p
        for name, p in _parameters(entry.target).items()
        if name not in context and p.kind not in fixed
    }


@_remembered
def hints(entry: Component) -> Mapping[str, Any]:
    """Resolved annotations of the arguments, with their `Annotated` extras."""
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


def resolve(kind: str, spec: Any, where: str) -> Any:
    """The specification with every default written out: `{name: {argument: value, …}}`.

    Classes and functions that can be imported become their import path; other objects come back as they are.

    Raises: `RecipeError` with every mistake found, nested components included.
    """
    problems: list[str] = []
    resolved = _resolve(kind, spec, where, problems)
    if problems:
        raise RecipeError(problems)
    return resolved


def _resolve(kind: str, spec: Any, where: str, problems: list[str]) -> Any:
    spec = import_path(spec) or spec
    if is_object(spec) or is_placeholder(spec):
        problems.extend(f"{where}: {text}" for text in _misfits(kind, spec))
        return spec
    try:
        name, given = parse(spec, kind)
        entry = find(kind, name)
    except RecipeError as error:
        problems.extend(f"{where}: {text}" for text in error.problems)
        return spec
    path = f"{where}.{name}"
    known, annotations = settings(entry, given), hints(entry)
    context = KINDS[kind].context
    if any(argument != filling and argument in context for argument, filling in filled(entry).items()):
        problems.append(f"{path}: expected the arguments {', '.join(context)} first and in this order.")
    problems.extend(
        f"{path}.{key}: unknown argument.{did_you_mean(key, known)}" for key in given if key not in known
    )
    values: dict[str, Any] = {}
    for key, parameter in known.items():
        value = given.get(key, parameter.default)
        if value is inspect.Parameter.empty:
            problems.append(f"{path}.{key}: missing; {name} cannot do without it.")
        elif value is None and parameter.default is None:
            values[key] = None
        else:
            values[key] = _value(value, annotations.get(key, Any), f"{path}.{key}", problems)
    return {name: values}


def _misfits(kind: str, spec: Any) -> Iterator[str]:
    """Why an object cannot serve in a slot."""
    if is_placeholder(spec):
        return
    if inspect.isclass(spec) or inspect.isfunction(spec):
        # Called with the context when it is needed; a model has to be found again in order to use the run.
        if kind == "model":
            yield f"found {shown(spec)}, expected a class or function at the top level of a module, or a ready torch.nn.Module."
        return
    missing = [name for name in KINDS[kind].needs if not hasattr(spec, name)]
    if missing:
        yield f"found an object of class {type(spec).__name__}, which cannot serve as {kind}: it has no '{missing[0]}'."


def _value(value: Any, annotation: Any, where: str, problems: list[str]) -> Any:
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


@_remembered
def _adapter(annotation: Any) -> TypeAdapter[Any]:
    """What checks values of this type."""
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
    found: dict[str, tuple[str, list[str]]] = {}
    for item in findings:
        text = item["msg"].removeprefix("Value error, ").replace("Input should be ", "expected ")
        text = text.split(", unable to parse")[0].split(", got ")[0]
        seen = "" if item["type"] == "value_error" else f"found {shown(item['input'])}; "
        expected = found.setdefault(place(item["loc"]), (seen, []))[1]
        text = text.removeprefix("expected ") if expected and expected[0].startswith("expected ") else text
        if text not in (expected[0].removeprefix("expected ") if expected else "", *expected):
            expected.append(text)
    deepest = [
        where for where in found if not any(other.startswith((f"{where}[", f"{where}.")) for other in found)
    ]
    return [f"{where}: {found[where][0]}{' or '.join(found[where][1])}." for where in deepest]


def shown(value: Any) -> str:
    """A value as a message shows it: on one line, and cut where it is long."""
    line, *more = repr(value).splitlines() or [""]
    return f"{line[:76]} …" if more or len(line) > 80 else line


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
        return (
            _made(Component(kind, f":{shown(resolved)}", resolved), {}, context, where) if calls else resolved
        )
    name, arguments = parse(resolved, kind)
    entry = find(kind, name)
    if not KINDS[kind].factory and not inspect.isclass(entry.target):
        return functools.partial(entry.target, **arguments)
    return _made(entry, arguments, context, where)


def _made(entry: Component, arguments: dict[str, Any], context: tuple[Any, ...], where: str) -> Any:
    values = dict(zip(KINDS[entry.kind].context, context, strict=False))
    given = {argument: values[name] for argument, name in filled(entry, arguments).items() if name in values}
    try:
        return entry.target(**given, **arguments)
    except (TypeError, ValueError, RuntimeError) as error:
        if isinstance(error, HandrailError) or ":" not in entry.name:
            raise
        raise RecipeError(f"{where}: {entry.name} cannot be made: {error}") from error
