"""Settings of a recipe that would do nothing: each is refused, with what it needs to have an effect.

What another setting rules out is found in the recipe alone, whatever the data; what needs columns of some
kind is found as soon as these are known.
"""

from collections.abc import Collection, Iterator
from typing import Any

from pydantic import BaseModel

from handrail.components import is_object, parse
from handrail.errors import RecipeError
from handrail.recipe.alone import idle_alone, unsuited, usual_rule

# Sections of `data` by the kinds of columns that they are about; next-token reads its text as a stream.
_KINDS = {
    "images": ("images", ("image",)),
    "text": ("text", ("text", "stream", "symbols")),
    "series": ("series", ("series",)),
    "audio": ("sounds", ("audio",)),
    "dates": ("dates", ("datetime", "series", "symbols")),  # which are put in the order of their dates
    "encoding": ("numbers, categories or dates", ("numeric", "boolean", "category", "datetime")),
}


def idle_settings(recipe: Any) -> Iterator[str]:
    """What the recipe alone shows to have no effect."""
    yield from _idle_forecast(recipe.data)
    yield from _idle_cells(recipe.data)
    yield from _idle_split(recipe.data)
    yield from _idle_training(recipe)
    yield from _idle_learning(recipe)
    yield from idle_alone(recipe)
    yield from _idle_stages(recipe)


def idle_sections(data: Any, kinds: Collection[str]) -> Iterator[str]:
    """Settings of `data` about columns of a kind that the table does not have."""
    for name, (what, needed) in _KINDS.items():
        by_time = name == "dates" and data.split.method == "time"
        if not by_time and not any(kind in kinds for kind in needed):
            for setting in _given(getattr(data, name)):
                yield f"data.{name}.{setting}: has no effect without columns of {what}; leave it out."


def idle_masks(data: Any, task: str) -> Iterator[str]:
    """Settings of masks where none are learned."""
    for setting in _given(data.masks) if task != "mask" else ():
        yield f"data.masks.{setting}: has no effect on {task}; leave it out."


def idle_for_rule(optimizer: str, schedule: Any, clip: Any, *, rule: str = "gradient") -> Iterator[str]:
    """What an optimizer ignores that goes by the signs of the gradient alone."""
    if optimizer != "rprop":
        return
    if is_object(schedule) or _name(schedule, "schedule") not in ("constant", ""):
        reason = "has no effect under rprop, which finds the size of each step itself"
        yield f"learning.{rule}.schedule: {reason}; leave it out, or choose another optimizer."
    if clip is not None:
        reason = "has no effect under rprop, which goes by the sign of the gradient"
        yield f"learning.{rule}.clip: {reason}; leave it out, or choose another optimizer."


def _idle_forecast(data: Any) -> Iterator[str]:
    if not data.is_forecast:
        for name in _given(data.forecast):
            advice = "leave it out, or set data.task: forecast or dynamics"
            yield f"data.forecast.{name}: has no effect on the task {data.task}; {advice}."
    elif data.missing:
        advice = "data.read.missing reads words as missing in all columns"
        yield f"data.missing: has no effect on a forecast; leave it out: {advice}."


def _idle_cells(data: Any) -> Iterator[str]:
    tokens = data.text.tokens
    if tokens in ("cells", "bins") and data.task != "next-token":
        advice = "leave it out, or set data.task: next-token"
        yield f"data.text.tokens: '{tokens}' has no effect on the task {data.task}; {advice}."
    elif "bins" in _given(data.text) and (data.task != "next-token" or tokens not in ("auto", "bins")):
        yield "data.text.bins: has no effect without tokens that are bins; leave it out."


def _idle_split(data: Any) -> Iterator[str]:
    split, given = data.split, list(_given(data.split))
    shares = [name for name in ("validation", "test") if name in given]
    if split.method == "column":
        for name in shares:
            yield f"data.split.{name}: has no effect with method: column, where the column says the part."
    for name in [name for name in shares if split.method != "column" and getattr(data, name) is not None]:
        yield f"data.split.{name}: has no effect beside data.{name}, which gives that part; leave it out."
    if "seed" in given and data.sample is None and (reason := _without_chance(data)):
        yield f"data.split.seed: has no effect {reason}; leave it out."


def _without_chance(data: Any) -> str:
    """Why no row is drawn at random; empty where some are."""
    if data.is_forecast:
        return f"on the task {data.task}, which is divided in time"
    if data.split.method in ("order", "time", "column"):
        return f"with method: {data.split.method}"
    if data.validation is not None and data.test is not None:
        return "beside data.validation and data.test"
    return ""


def _idle_training(recipe: Any) -> Iterator[str]:
    training = recipe.training
    if training.replicas == 1 and training.keep == "best":
        yield "training.keep: has no effect on a single network; leave it out, or set training.replicas."


def _idle_learning(recipe: Any) -> Iterator[str]:
    if is_object(recipe.learning) or recipe.learning == "auto":
        return
    try:
        rule, arguments = parse(recipe.learning, "rule")
        optimizer = arguments.get("optimizer")
        name = "" if optimizer is None or is_object(optimizer) else parse(optimizer, "optimizer")[0]
    except RecipeError:  # said elsewhere
        return
    yield from idle_for_rule(name, arguments.get("schedule", "constant"), arguments.get("clip"), rule=rule)
    loss = recipe.objective.loss
    if rule == "least_squares" and (is_object(loss) or _name(loss, "loss") not in ("auto", "mse", "")):
        reason = "has no effect under learning.least_squares, which solves for the squared error"
        yield f"objective.loss: {reason}; leave it out, or learn by gradient."
    if rule != "gradient" and ":" not in rule and recipe.training.compile is True:
        yield f"training.compile: has no effect under learning.{rule}; leave it out."


def _idle_stages(recipe: Any) -> Iterator[str]:
    """What cannot stand on stages, or beside them."""
    if not recipe.stages:
        return
    rules = (recipe.learning, usual_rule(recipe.model))
    rule = next((rule for rule in rules if rule not in (None, "auto", "gradient")), None)
    if rule is not None and not is_object(rule) and _name(rule, "rule") != "gradient":
        text = "a network on stages learns by gradient; choose another model or rule"
        yield f"learning.{_name(rule, 'rule')}: {text}."
    if is_object(recipe.model):
        yield "model: an object cannot stand on stages; expected a name or an import path."
    for name in ("start", "features"):
        if getattr(recipe.transfer, name):
            yield f"transfer.{name}: has no effect beside stages, with which the network begins; choose one."
    for index, stage in enumerate(recipe.stages):
        if is_object(stage.model) or stage.model == "auto":
            yield f"stages[{index}].model: expected a name or an import path, such as rbm."
        elif problem := unsuited(stage.model, stage.learning):
            yield f"stages[{index}]: {problem}"


def _name(spec: Any, kind: str) -> str:
    """The name of a component; empty for what is no component, which is said elsewhere."""
    try:
        return "auto" if spec == "auto" else parse(spec, kind)[0]
    except RecipeError:
        return ""


def _given(section: BaseModel) -> Iterator[str]:
    """The settings that differ from their defaults."""
    for name, field in type(section).model_fields.items():
        if getattr(section, name) != field.get_default(call_default_factory=True):
            yield name
