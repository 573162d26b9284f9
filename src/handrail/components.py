"""The one mechanism that turns a name and arguments into an object.

A component (a model, a loss, an optimizer …) is a plain class or function. Its signature is its configuration:
what comes before the bare `*` is given by the code that builds it (the *context*: `inputs`, `outputs`,
`parameters` …), what comes after it is set by the user, with types, defaults and the docstring read from the code.

In a recipe, and in Python alike, a component is written in one of four ways:

    mlp                                       a name
    {mlp: {hidden: [64, 32]}}                 a name and arguments
    {"mypackage.nets:Tree": {depth: 4}}       anybody's class or function, by import path
    MLP(30, 1)                                an object (in Python only)
"""

import functools
import importlib
import inspect
import pkgutil
import re
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, get_type_hints

from pydantic import TypeAdapter, ValidationError

from handrail.errors import RecipeError, did_you_mean


@dataclass(frozen=True)
class Kind:
    """A slot of the recipe: where its components live and what the code gives them.

    `factory` kinds are called with the context to make an object; the others are functions used as they are, with
    their configuration bound.
    """

    package: str
    context: tuple[str, ...] = ()
    factory: bool = True


KINDS: dict[str, Kind] = {
    "model": Kind("handrail.models", ("inputs", "outputs")),
    "activation": Kind("handrail.layers", ("features",)),
    "initialisation": Kind("handrail.layers", ("weight", "generator"), factory=False),
    "loss": Kind("handrail.objectives", ("outputs", "targets"), factory=False),
    "penalty": Kind("handrail.objectives", ("model", "activity"), factory=False),
    "rule": Kind("handrail.learning"),
    "optimizer": Kind("handrail.learning", ("parameters",)),
    "schedule": Kind("handrail.learning", ("optimizer", "steps")),
    "clip": Kind("handrail.learning", ("parameters",), factory=False),
}


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
        found = re.search(r"^Source: (.+?)(?:\n\s*\n|\Z)", inspect.getdoc(self.target) or "", re.MULTILINE | re.DOTALL)
        return " ".join(found.group(1).split()) if found else ""


_registry: dict[str, dict[str, Component]] = {kind: {} for kind in KINDS}


Target = TypeVar("Target", bound=Callable[..., Any])


def component(kind: str, *, name: str | None = None, tasks: tuple[str, ...] = ()) -> Callable[[Target], Target]:
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
        if known is not None and known.target.__qualname__ != target.__qualname__:
            raise ValueError(
                f"the {kind} '{key}' is registered already, as {known.target.__module__}:{known.target.__qualname__}"
            )
        _registry[kind][key] = Component(kind, key, target, frozenset(tasks))
        return target

    return add


def snake_case(name: str) -> str:
    """`LeastSquares` → `least_squares`, `MLP` → `mlp`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


@functools.cache
def _import_all(package: str) -> None:
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
    if ":" in name:
        return Component(kind, name, _imported(name))
    known = available(kind)
    if name not in known:
        raise RecipeError(f"there is no {kind} '{name}'.{did_you_mean(name, known)}")
    return known[name]


def _imported(path: str) -> Callable[..., Any]:
    module_name, _, attribute = path.partition(":")
    try:
        target = functools.reduce(getattr, attribute.split("."), importlib.import_module(module_name))
    except (ImportError, AttributeError, ValueError) as error:
        raise RecipeError(f"'{path}' cannot be imported ({error}); expected 'package.module:Name'.") from error
    if not callable(target):
        raise RecipeError(f"'{path}' is {type(target).__name__}, expected a class or a function.")
    return target


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
    raise RecipeError(f"found {spec!r}, expected the name of a {kind} or {{name: {{argument: value}}}}.")


def is_object(spec: Any) -> bool:
    """Whether a specification is a ready object rather than a name or a mapping."""
    return spec is not None and not isinstance(spec, str | Mapping)


def settings(entry: Component) -> dict[str, inspect.Parameter]:
    """The arguments that a user may set: all but the context, in the order of the signature."""
    context = KINDS[entry.kind].context
    try:
        parameters = inspect.signature(entry.target).parameters
    except (TypeError, ValueError):
        return {}
    fixed = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return {name: p for name, p in parameters.items() if name not in context and p.kind not in fixed}


def hints(entry: Component) -> dict[str, Any]:
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

    Objects come back as they are. Raises: `RecipeError` with every mistake found, nested components included.
    """
    problems: list[str] = []
    resolved = _resolve(kind, spec, where, problems)
    if problems:
        raise RecipeError(problems)
    return resolved


def _resolve(kind: str, spec: Any, where: str, problems: list[str]) -> Any:
    if is_object(spec):
        return spec
    try:
        name, given = parse(spec, kind)
        entry = find(kind, name)
    except RecipeError as error:
        problems.extend(f"{where}: {text}" for text in error.problems)
        return spec
    path = f"{where}.{name}"
    known, annotations = settings(entry), hints(entry)
    problems.extend(f"{path}.{key}: unknown argument.{did_you_mean(key, known)}" for key in given if key not in known)
    values: dict[str, Any] = {}
    for key, parameter in known.items():
        value = given.get(key, parameter.default)
        if value is inspect.Parameter.empty:
            problems.append(f"{path}.{key}: missing; {name} cannot do without it.")
        else:
            values[key] = _value(value, annotations.get(key, Any), f"{path}.{key}", problems)
    return {name: values}


def _value(value: Any, annotation: Any, where: str, problems: list[str]) -> Any:
    slot = slot_of(annotation)
    if slot is not None:
        if slot.many:
            items = value if isinstance(value, list | tuple) else [value]
            return [_resolve(slot.kind, item, f"{where}[{index}]", problems) for index, item in enumerate(items)]
        return None if value is None else _resolve(slot.kind, value, where, problems)
    try:
        return _adapter(annotation).validate_python(value)
    except ValidationError as error:
        problems.extend(f"{where}: found {value!r}; {text}." for text in explain(error))
        return value


def _adapter(annotation: Any) -> TypeAdapter[Any]:
    return TypeAdapter(
        annotation, config=None if hasattr(annotation, "model_config") else {"arbitrary_types_allowed": True}
    )


def explain(error: ValidationError) -> Iterator[str]:
    """pydantic's findings, one short text each."""
    seen: set[str] = set()
    for item in error.errors():
        text = item["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
        if text not in seen:
            seen.add(text)
            yield text


def build(kind: str, spec: Any, *context: Any, where: str = "") -> Any:
    """The object that a specification describes.

    Arguments:
        kind: a key of `KINDS`.
        spec: name, `{name: arguments}`, import path, or an object, which is returned as it is.
        context: what the kind's components are given by the code, in the order of `KINDS[kind].context`.

    Raises: `RecipeError` as `resolve`.
    """
    if is_object(spec):
        return spec
    resolved = resolve(kind, spec, where or kind)
    name, arguments = parse(resolved, kind)
    target = find(kind, name).target
    if not KINDS[kind].factory and not inspect.isclass(target):
        return functools.partial(target, **arguments)
    return target(*_accepted(target, kind, context), **arguments)


def _accepted(target: Callable[..., Any], kind: str, context: tuple[Any, ...]) -> list[Any]:
    """The part of the context that a class from elsewhere asks for by name."""
    names = set(inspect.signature(target).parameters)
    return [value for key, value in zip(KINDS[kind].context, context, strict=False) if key in names]
