"""The kinds of components, and the registry: components by name or import path."""

import functools
import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from handrail.errors import RecipeError, did_you_mean
from handrail.tools.machine import freeze_garbage
from handrail.tools.moved import current_path

Target = TypeVar("Target", bound=Callable[..., Any])


@dataclass(frozen=True)
class Kind:
    """A slot of the recipe: where its components live and what the code gives them.

    `factory` kinds are called with the context to make an object; the others are functions used as they are,
    with their configuration bound. `needs`: what a ready object must have to serve in this slot. `also`:
    other kinds whose components may be named in this slot.
    """

    package: str
    context: tuple[str, ...] = ()
    factory: bool = True
    needs: tuple[str, ...] = ("__call__",)
    also: tuple[str, ...] = ()

    def suits(self, target: Callable[..., Any]) -> bool:
        """Whether a class or function from elsewhere can be of this kind; nothing else is ever called.

        A class must have the methods in `needs`; a function must take the context's first part by name.
        """
        if inspect.isclass(target):
            return all(callable(getattr(target, name, None)) for name in self.needs)
        if not self.context:
            return False
        try:
            names = list(inspect.signature(target).parameters)
        except (TypeError, ValueError):
            return False
        return self.context[0] in names if self.factory else len(names) >= len(self.context)


KINDS: dict[str, Kind] = {
    "model": Kind("handrail.models", ("inputs", "outputs"), needs=("forward", "parameters")),
    "layer": Kind("handrail.layers", ("inputs",), needs=("forward",), also=("activation",)),
    "activation": Kind("handrail.layers", ("features",), needs=("forward",)),
    "initialisation": Kind("handrail.layers", ("weight", "generator"), factory=False),
    "loss": Kind("handrail.objectives", ("outputs", "targets"), factory=False),
    "penalty": Kind("handrail.objectives", ("model", "activity"), factory=False),
    "rule": Kind("handrail.learning.rules", needs=("start", "step")),
    "optimizer": Kind("handrail.learning", ("parameters",)),
    "schedule": Kind("handrail.learning", ("optimizer", "steps")),
    "augmentation": Kind("handrail.augmentation", ("inputs",), needs=("forward",)),
    "clip": Kind("handrail.learning", ("parameters",), factory=False),
}


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
        docstring = inspect.getdoc(self.target) or ""
        line = re.search(r"^Source: (.+?)(?:\n\s*\n|\Z)", docstring, re.MULTILINE | re.DOTALL)
        return " ".join(line.group(1).split()) if line else ""


_registry: dict[str, dict[str, Component]] = {kind: {} for kind in KINDS}


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
    with freeze_garbage():
        folder = importlib.import_module(package)
        for module in pkgutil.walk_packages(folder.__path__, f"{package}."):
            importlib.import_module(module.name)


def available(kind: str) -> dict[str, Component]:
    """All registered components of a kind by name, after every module below the kind's folder is imported."""
    _import_all(KINDS[kind].package)
    return dict(sorted(_registry[kind].items()))


def find(kind: str, name: str) -> Component:
    """The component of that name, or what `package.module:Name` points to.

    Names of the kinds in `KINDS[kind].also` count too; the component found is then of that kind.

    Raises: `RecipeError` for an unknown name or an import path that leads nowhere.
    """
    if name.startswith("<object "):
        origin = f"was given as an object in Python ({name[8:-1]})"
        raise RecipeError(f"the {kind} {origin}, which no file holds; give it again there.")
    if ":" in name:
        target = _import_target(name)
        if not KINDS[kind].suits(target):
            context = ", ".join(KINDS[kind].context)
            expected = f"a class with {', '.join(KINDS[kind].needs)}"
            function = f"a function of {context}" if context else "nothing else"
            raise RecipeError(f"'{name}' is no {kind}: expected {expected}, or {function}.")
        return Component(kind, name, target)
    known = {key: entry for each in (*KINDS[kind].also, kind) for key, entry in available(each).items()}
    if name not in known:
        path = " An import path is written 'package.module:Name'." if "." in name else ""
        raise RecipeError(f"there is no {kind} '{name}'.{path or did_you_mean(snake_case(name), known)}")
    return known[name]


def _import_target(path: str) -> Callable[..., Any]:
    module_name, _, attribute = current_path(path).partition(":")
    try:
        target = functools.reduce(getattr, attribute.split("."), importlib.import_module(module_name))
    except Exception as error:  # importing runs anybody's code
        problem = (
            f"'{path}' cannot be imported ({type(error).__name__}: {error}); expected 'package.module:Name'."
        )
        if module_name == "__main__":
            problem += " It was defined in a script: run that script, or move it to a module."
        raise RecipeError(problem) from error
    if not callable(target):
        raise RecipeError(f"'{path}' is {type(target).__name__}, expected a class or a function.")
    return target


def import_path(target: Any) -> str | None:
    """`package.module:Name` of a class or function that can be imported from there, else None."""
    if not (inspect.isclass(target) or inspect.isfunction(target)):
        return None
    try:
        return _home(target) if _import_target(_home(target)) is target else None
    except RecipeError:  # made inside a function, or a lambda
        return None
