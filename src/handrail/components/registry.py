"""The kinds of components, and the registry: components by name or import path."""

import functools
import importlib
import inspect
import pkgutil
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from handrail.errors import RecipeError, did_you_mean
from handrail.tools.machine import freeze_garbage
from handrail.tools.moved import current_path
from handrail.tools.trust import folder_on_path, paths_in, refusal

Target = TypeVar("Target", bound=Callable[..., Any])


_MODULE = "torch.nn:Module"


@dataclass(frozen=True)
class Kind:
    """A slot of the recipe: where its components live and what the code gives them.

    `factory` kinds are called with the context to make an object; the others are functions used as they are,
    with their configuration bound. `base`: what a class from elsewhere must derive from, by import path, as
    torch is imported late. `needs`: what a ready object must have to serve in this slot. `also`: other kinds
    whose components may be named in this slot.
    """

    package: str
    context: tuple[str, ...] = ()
    factory: bool = True
    base: str = _MODULE
    needs: tuple[str, ...] = ("__call__",)
    also: tuple[str, ...] = ()

    def suits(self, target: Callable[..., Any]) -> bool:
        """Whether a class or function from elsewhere can be of this kind; nothing else is ever called.

        A class must derive from the base class. Where functions are used as they are, a class whose objects
        take the context serves, too; rules are known by their methods. A function must take the context by
        name; one that is given two things may call its two arguments without a default as it likes.
        """
        if not inspect.isclass(target):
            return self._takes_context(target)
        if _import_target(self.base) in target.__mro__:
            return True
        # Not `hasattr(target, "__call__")`: every class can be called, through `type`.
        own = {name: value for cls in reversed(target.__mro__) for name, value in vars(cls).items()}
        if not self.context:
            return all(inspect.isfunction(own.get(name)) for name in self.needs)
        call = own.get("__call__")
        return not self.factory and inspect.isfunction(call) and self._takes_context(call, bound=True)

    def _takes_context(self, function: Callable[..., Any], *, bound: bool = False) -> bool:
        if not self.context:
            return False
        try:
            parameters = list(inspect.signature(function).parameters.values())[int(bound) :]
        except (TypeError, ValueError):
            return False
        names = [parameter.name for parameter in parameters]
        if self.factory or len(self.context) == 1:
            return self.context[0] in names
        by_position = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        needed = [each for each in parameters if each.default is each.empty and each.kind in by_position]
        by_name = set(self.context) <= set(names)
        return by_name or (inspect.isfunction(function) and len(needed) == len(self.context))

    @property
    def expected(self) -> str:
        """What a class or function must be, for a message."""
        function = f", or a function of {', '.join(self.context)}" if self.context else ""
        return f"a subclass of {self.base.replace(':', '.')}{function}"


KINDS: dict[str, Kind] = {
    "model": Kind("handrail.models", ("inputs", "outputs"), needs=("forward", "parameters")),
    "layer": Kind("handrail.layers", ("inputs",), needs=("forward",), also=("activation",)),
    "activation": Kind("handrail.layers", ("features",), needs=("forward",)),
    "initialisation": Kind("handrail.layers", ("weight", "generator"), factory=False),
    "loss": Kind("handrail.objectives", ("outputs", "targets"), factory=False),
    "penalty": Kind("handrail.objectives", ("model", "activity"), factory=False),
    "rule": Kind("handrail.learning.rules", base="handrail.learning.rule:Rule", needs=("start", "step")),
    "optimizer": Kind("handrail.learning", ("parameters",), base="torch.optim:Optimizer"),
    "schedule": Kind(
        "handrail.learning", ("optimizer", "steps"), base="torch.optim.lr_scheduler:LRScheduler"
    ),
    "augmentation": Kind("handrail.augmentation", ("inputs",), needs=("forward",)),
    "clip": Kind("handrail.learning", ("parameters",), factory=False),
    "use": Kind("handrail.tasks", ("task", "network", "points"), factory=False),
    "toy": Kind("handrail.data.sources.toys", factory=False),
    "view": Kind("handrail.views", ("seen",), factory=False),
    "audit": Kind("handrail.audits", ("audited",), factory=False),
    "trace": Kind("handrail.traces", ("given",), factory=False),
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

    A kind may take components of others, too; the component found is then of that kind. What is registered
    is found by its import path, too, without an import.

    Raises: `RecipeError` for an unknown name, an import path that leads nowhere or to something of another
        kind, and one that stands in a file which the user does not trust; that is not imported.
    """
    if name.startswith("<object "):
        origin = f"was given as an object in Python ({name[8:-1]})"
        raise RecipeError(f"the {kind} {origin}, which no file holds; give it again there.")
    known = {key: entry for each in (*KINDS[kind].also, kind) for key, entry in available(each).items()}
    if ":" in name:
        return _registered(known.values(), name) or _from_elsewhere(kind, name)
    if name not in known:
        path = " An import path is written 'package.module:Name'." if "." in name else ""
        raise RecipeError(f"there is no {kind} '{name}'.{path or did_you_mean(snake_case(name), known)}")
    return known[name]


def _registered(known: Iterable[Component], name: str) -> Component | None:
    """The registered component with this import path, or with one from where another module has it, too."""
    path = current_path(name)
    module, _, attribute = path.partition(":")
    loaded = sys.modules.get(module) if module.startswith("handrail.") else None
    target = getattr(loaded, attribute, None)
    entries = (entry for entry in known if _home(entry.target) == path or entry.target is target)
    entry = next(entries, None)
    return None if entry is None else replace(entry, name=name)


def refusals(values: Any) -> list[str]:
    """Why import paths in these values must not be imported; what is registered may be named by anybody."""
    paths = dict.fromkeys(paths_in(values))
    foreign = (
        path for path in paths if not any(_registered(available(kind).values(), path) for kind in KINDS)
    )
    return [problem for path in foreign if (problem := refusal(path))]


def _from_elsewhere(kind: str, path: str) -> Component:
    if problem := refusal(path):
        raise RecipeError(problem)
    target = _import_target(path)
    if not KINDS[kind].suits(target):
        raise RecipeError(f"'{path}' is no {kind}: expected {KINDS[kind].expected}.")
    return Component(kind, path, target)


def _import_target(path: str) -> Callable[..., Any]:
    module_name, _, attribute = current_path(path).partition(":")
    try:
        with folder_on_path():
            module = importlib.import_module(module_name)
            target = functools.reduce(getattr, attribute.split("."), module)
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
