"""Learning without a target: how such a model learns, which task it serves, and what then has no effect."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from handrail.components import find, is_object, parse, resolve
from handrail.errors import RecipeError
from handrail.tools.interface import argument
from handrail.tools.words import list_some

LONE_TASKS = ("clusters", "density", "generation", "map", "memory", "reconstruction", "translation")


@dataclass(frozen=True)
class Alone:
    """What a model that needs no target says of itself, as its attribute `alone`.

    Arguments:
        task: the one that it serves, of `LONE_TASKS`.
        epochs: passes over the training rows, at most.
        batch_size: rows a step; None where it does not matter.
        patience: validations without improvement before training stops; None: never.
        unit: whether its inputs lie between 0 and 1, or a function that tells it from the arguments.
        real: where they do, the setting that takes real values instead.
        only_stage: whether it only makes codes for a network on top, and is no network by itself.
    """

    task: str
    epochs: int = 100
    batch_size: int | None = None
    patience: int | None = 15
    unit: bool | Callable[[Mapping[str, Any]], bool] = False
    real: str = ""
    only_stage: bool = False


def alone_of(model: Any) -> Alone | None:
    """What a model says of learning without a target; None of one that needs a target."""
    return getattr(target_of("model", model), "alone", None)


def only_stage(model: Any) -> str:
    """Why a model cannot be fitted by itself; empty where it can."""
    alone = alone_of(model)
    if alone is None or not alone.only_stage:
        return ""
    name = _name("model", model)
    return (
        f"model: '{name}' makes codes for a network on top, and is none by itself; name it as a stage: "
        f"stages: [{{model: {name}}}]."
    )


def takes_unit(model: Any) -> bool:
    """Whether a model takes numbers from 0 to 1 alone."""
    alone = alone_of(model)
    if alone is None or not callable(alone.unit):
        return alone is not None and bool(alone.unit)
    return alone.unit(arguments_of(model))


def arguments_of(model: Any) -> Mapping[str, Any]:
    """The arguments of a model, its defaults among them."""
    if is_object(model):
        return vars(model)
    (arguments,) = resolve("model", model, "model").values()
    return arguments


def usual_rule(model: Any) -> Any:
    """What `learning: auto` means for a model: what it names as `usual`, or the first of its `rules`.

    None where any rule teaches it.
    """
    if usual := getattr(target_of("model", model), "usual", None):
        return usual
    return next(iter(_names("model", model, "rules")), None)


def unsuited(model: Any, rule: Any) -> str:
    """Why a rule cannot teach a model; empty where it can, or where nothing is known of either.

    A rule that teaches some models only names them in `models`, a model that some rules alone can teach names
    these in `rules`, the usual one first.
    """
    if any(not is_object(spec) and spec == "auto" for spec in (model, rule)):
        return ""
    taught, teachers = _names("rule", rule, "models"), _names("model", model, "rules")
    names = _name("model", model), _name("rule", rule)
    if taught and not is_object(model) and names[0] not in taught:
        known = list_some(taught, last=" and ")
        return f"learning.{names[1]}: teaches {known}, and not {names[0]}; choose another."
    if teachers and names[1] not in teachers:
        return f"learning.{names[1]}: cannot teach {names[0]}; expected {list_some(teachers, last=' or ')}."
    return ""


def _names(kind: str, spec: Any, attribute: str) -> tuple[str, ...]:
    return getattr(target_of(kind, spec), attribute, ())


def _name(kind: str, spec: Any) -> str:
    if is_object(spec):
        return type(spec).__name__
    try:
        return parse(spec, kind)[0]
    except RecipeError:  # said elsewhere
        return ""


def target_of(kind: str, spec: Any) -> Any:
    """The class or function that a specification names, or the object that it is; None if there is none."""
    if is_object(spec):
        return spec
    if spec == "auto":
        return None
    try:
        return find(kind, parse(spec, kind)[0]).target
    except RecipeError:  # said elsewhere
        return None


def meant_model(recipe: Any) -> Any:
    """The recipe's model; where it is `auto` and the rule teaches some models only, the first of these."""
    if is_object(recipe.model) or recipe.model != "auto":
        return recipe.model
    return next(iter(_names("rule", recipe.learning, "models")), "auto")


def task_without_target(recipe: Any) -> str | None:
    """The task that the recipe's model, also by its rule, or `data.task` names, where it needs no target."""
    if found := alone_of(meant_model(recipe)):
        return found.task
    return recipe.data.task if recipe.data.task in LONE_TASKS else None


def idle_alone(recipe: Any) -> Iterator[str]:
    """Settings of targets where none is learned, and of labels where one is; tasks that do not fit."""
    data, task = recipe.data, task_without_target(recipe)
    if problem := unsuited(recipe.model, recipe.learning):
        yield problem
    if only_stage(recipe.model):  # said where the recipe is to be fitted: a stage has a recipe, too
        return
    if task is None:
        if data.label is not None:
            reason = "has no effect where a target is learned"
            yield f"data.label: {reason}; name what is to be predicted as data.target."
        if data.factors:
            reason = "have no effect where a target is learned"
            yield f"data.factors: {reason}; leave them out, or name what is to be predicted as data.target."
        return
    if data.task not in ("auto", task):
        yield (
            f"data.task: found '{data.task}', but the model or the rule learns {task}; leave data.task out, "
            "or choose others."
        )
    without = f"has no effect on {task}, which is learned without a target"
    if data.target is not None:
        first = data.target[0] if isinstance(data.target, list) else data.target
        yield (
            f"data.target: {without}; leave it out. {argument('label', str(first))} (data.label) keeps the "
            "column from the rule, and judges by it what was learned."
        )
    given = {"positive": data.positive is not None, "labels": data.labels != "auto"}
    given |= {"balance": data.balance != "none"}
    yield from (f"data.{name}: {without}; leave it out." for name, is_given in given.items() if is_given)
    if task == "reconstruction" and data.augment not in ("auto", []):
        yield (
            "data.augment: on reconstruction the target is the row as it was read, which a changed row would "
            "not give back; leave it out."
        )
