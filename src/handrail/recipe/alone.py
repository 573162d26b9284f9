"""Learning without a target: how such a model learns, which task it serves, and what then has no effect."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from handrail.components import find, is_object, parse
from handrail.errors import RecipeError

LONE_TASKS = ("clusters", "density", "memory", "reconstruction")


@dataclass(frozen=True)
class Alone:
    """What a model or a rule that needs no target says of itself, as its attribute `alone`.

    Arguments:
        task: the one that it serves, of `LONE_TASKS`.
        learning: the rule by which it learns; of a rule, nothing.
        epochs: passes over the training rows, at most.
        batch_size: rows a step; None where it does not matter.
        patience: validations without improvement before training stops; None: never.
        unit: whether its inputs lie between 0 and 1.
    """

    task: str
    learning: Any = None
    epochs: int = 100
    batch_size: int | None = None
    patience: int | None = 15
    unit: bool = False


def alone_of(kind: str, spec: Any) -> Alone | None:
    """What a model or rule says of learning without a target; None of one that needs a target."""
    if is_object(spec):
        return getattr(spec, "alone", None)
    if spec == "auto":
        return None
    try:
        return getattr(find(kind, parse(spec, kind)[0]).target, "alone", None)
    except RecipeError:  # said elsewhere
        return None


def task_without_target(recipe: Any) -> str | None:
    """The task that the recipe's model, its rule or `data.task` names, where it needs no target."""
    for kind, spec in (("model", recipe.model), ("rule", recipe.learning)):
        if found := alone_of(kind, spec):
            return found.task
    return recipe.data.task if recipe.data.task in LONE_TASKS else None


def idle_alone(recipe: Any) -> Iterator[str]:
    """Settings of targets where none is learned, and of labels where one is; tasks that do not fit."""
    data, task = recipe.data, task_without_target(recipe)
    if task is None:
        if data.label is not None:
            reason = "has no effect where a target is learned"
            yield f"data.label: {reason}; name what is to be predicted as data.target."
        return
    if data.task not in ("auto", task):
        yield (
            f"data.task: found '{data.task}', but the model or the rule learns {task}; leave data.task out, "
            "or choose others."
        )
    without = f"has no effect on {task}, which is learned without a target"
    if data.target is not None:
        yield (
            f"data.target: {without}; leave it out. data.label={data.target} keeps the column from the rule, "
            "and judges by it what was learned."
        )
    given = {"positive": data.positive is not None, "labels": data.labels != "auto"}
    given |= {"balance": data.balance != "none"}
    yield from (f"data.{name}: {without}; leave it out." for name, is_given in given.items() if is_given)
