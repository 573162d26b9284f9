"""What has to be said of a memory before it learns: how it is judged, and its load."""

import math
from typing import Any

from handrail.components import is_object, parse
from handrail.data.finding import Finding
from handrail.data.split.draw import FEWEST_ROWS
from handrail.data.task import TaskSpec
from handrail.recipe import Recipe
from handrail.recipe.alone import arguments_of, takes_unit
from handrail.runs.defaults import choose_alone
from handrail.shapes import InputShape, numbers_in
from handrail.tools.words import list_some, plural

_MOST_BY_STORKEY = 4  # patterns a unit; with random ones the weights have then grown to tens
_LIMIT = 0.138  # patterns a unit, at which recall by Hebb's rule breaks down


def check_memory(recipe: Recipe, task: TaskSpec, shape: InputShape, *, rows: int) -> list[Finding]:
    """Findings about a memory; none for other tasks.

    Arguments:
        shape: of the encoded rows.
        rows: training rows, each of which is a pattern.
    """
    choice = choose_alone(recipe.model, task=task) if task.name == "memory" else None
    if choice is None:
        return []
    model = choice.model
    name = type(model).__name__ if is_object(model) else parse(model, "model")[0]
    binary = takes_unit(model)
    findings = [_say_how(name, arguments_of(model)["damage"], binary=binary)]
    rule: Any = choice.learning if recipe.learning == "auto" else recipe.learning
    if binary:
        storkey = not is_object(rule) and parse(rule, "rule")[0] == "storkey"
        findings += _check_load(name, rows, numbers_in(shape), storkey=storkey)
    return findings


def _say_how(name: str, damage: float, *, binary: bool) -> Finding:
    units = ", its values as 1 above one half and 0 below" if binary else ""
    return Finding(
        level="note",
        name="memory-cues",
        seen=f"Every training row is stored{units}; validation and test figures are of stored patterns, "
        f"called up by cues with {damage:.0%} of their units changed.",
        why="A row that was never stored cannot be recalled: the held-out rows show only how often something "
        "new is taken for stored (false_recall).",
        action=f"model.{name}.damage={damage:g} changes more or fewer units.",
        decided=True,
    )


def _check_load(name: str, rows: int, units: int, *, storkey: bool) -> list[Finding]:
    """A warning for more patterns than random ones of so many units could be recalled.

    Storkey's rule does not only fail then: its weights grow without end, so that far more are refused.
    """
    limit = units / math.sqrt(2 * math.log(units)) if storkey else _LIMIT * units
    if units < 2 or rows <= limit:
        return []
    bound = "N / √(2·ln N)" if storkey else "0.138·N"
    patterns = f"{plural(rows, 'pattern')} for N = {units:,} units"
    fewer = [f"data.sample={limit / rows:.2g} stores fewer"] if limit >= FEWEST_ROWS else []
    better = "model=modern_hopfield holds many more"
    if storkey and rows > _MOST_BY_STORKEY * units:
        return [
            Finding(
                level="error",
                name="memory-load",
                seen=f"{patterns}; Storkey's rule takes at most {_MOST_BY_STORKEY}·N = "
                f"{_MOST_BY_STORKEY * units:,}, and holds about {bound} = {limit:,.0f}.",
                why="Its weights grow without end when more and more is stored.",
                action=_list([*fewer, "learning=hebb takes any number", better]),
            )
        ]
    wrong = math.erfc(math.sqrt(units / (2 * rows))) / 2
    expected = f" Expect to recall {_whole(1 - wrong, units)} of them, were they drawn at random."
    other = [] if storkey else ["learning=storkey holds more"]
    return [
        Finding(
            level="warning",
            name="memory-load",
            seen=f"{patterns}, where {name} holds about {bound} = {limit:,.0f}.{'' if storkey else expected}",
            why="Beyond that, the fields of the other patterns drown a pattern's own; of patterns that are "
            "alike still fewer are held.",
            action=f"All are stored. {_list([*fewer, *other, better])}",
        )
    ]


def _list(remedies: list[str]) -> str:
    return f"{list_some(remedies, last=' and ')}."


def _whole(right: float, units: int) -> str:
    share = right**units
    return "fewer than 0.1%" if share < 0.001 else f"{share:.1%}"
