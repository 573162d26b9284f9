"""What is wrong with a recipe: every mistake, each with its dotted place and the nearest valid name."""

from collections.abc import Iterator, Mapping
from typing import Any, get_origin

from pydantic import BaseModel, ValidationError

from handrail.components import available, explain, is_object, parse, resolve
from handrail.components.registry import refusals
from handrail.errors import RecipeError, did_you_mean
from handrail.recipe.alone import target_of, unsuited, usual_rule
from handrail.recipe.dotted import component_sections
from handrail.recipe.sections import TransferRecipe
from handrail.recipe.suggestions import dotted, section_at, suggest, suggest_argument

_EXPECTED = {  # by pydantic's name of a mistake
    "model_type": "expected settings, each as NAME: VALUE",
    "path_type": "expected a path",
}
_WAITING = {  # by dotted name: what people look for and does not exist yet
    "data.weight": "weights of rows are not supported yet, and every row counts alike; data.balance evens "
    "out classes, and data.drop leaves the column out.",
    "data.forecast.known": "what is known of the future (holidays, prices, plans) cannot be given to a "
    "forecast yet; other columns are seen up to the last row of the history. Leave the setting out.",
    "data.forecast.series": "several series in one table cannot be learned from yet. Give a table for each, "
    "or one with a column for each and these as targets, and leave the setting out.",
    "data.forecast.quantiles": "a forecast gives one value for each step, and no quantiles yet. Leave the "
    "setting out.",
}


def section_mistakes(
    root: type[BaseModel],
    error: ValidationError,
    inside: tuple[str, ...] = (),
    *,
    recipe: Mapping[str, Any] | None = None,
) -> list[str]:
    """What pydantic found wrong with the sections of a recipe, each with its dotted place.

    Arguments:
        recipe: its plain data, whose components are suggested first.
    """
    unknown, others = [], []
    for item in error.errors():
        if item["type"] == "extra_forbidden":
            path = [*inside, *(str(part) for part in item["loc"])]
            unknown.append(_unknown(root, path, item["input"], recipe or {}))
            continue
        if item["type"] in _EXPECTED:
            item["msg"] = _EXPECTED[item["type"]]
        others.append(item)
    return [*unknown, *explain(others, lambda loc: _place(root, (*inside, *loc)))]


def _unknown(root: type[BaseModel], path: list[str], value: Any, recipe: Mapping[str, Any]) -> str:
    if reason := _WAITING.get(".".join(path)):
        return f"{dotted(path)}: {reason}"
    hint = suggest(root, path, value, recipe)
    if not hint:
        section = section_at(root, path[:-1])
        hint = did_you_mean("", section.model_fields if section else ())  # all names, where they are few
    return f"{dotted(path)}: unknown setting.{hint}"


def _place(root: type[BaseModel], loc: tuple[int | str, ...]) -> str:
    """The dotted name of pydantic's location, without the branches of unions and the steps of validation."""
    names: list[str] = []
    index = ""
    for part in loc:
        section = section_at(root, names)
        if section is not None and part in section.model_fields:
            names.append(str(part))
        elif isinstance(part, int):
            index += f"[{part}]"
        elif (
            len(names) > 1
            and (above := section_at(root, names[:-1]))
            and get_origin(above.model_fields[names[-1]].annotation) is dict
        ):
            names.append(part)
    return ".".join(names) + index


def slots(values: Mapping[str, Any]) -> Iterator[tuple[str, Any, str]]:
    """The components of a recipe: kind, specification and dotted place."""
    data, objective = (
        section if isinstance(section := values.get(name), Mapping) else {} for name in ("data", "objective")
    )
    stages = values.get("stages")
    for index, stage in enumerate(stages if isinstance(stages, list) else []):
        for kind, name in (("model", "model"), ("rule", "learning")):
            if isinstance(stage, Mapping) and stage.get(name, "auto") != "auto":
                yield kind, stage[name], f"stages[{index}].{name}"
    if values.get("model", "auto") != "auto":
        yield "model", values["model"], "model"
    if values.get("learning", "auto") != "auto":
        yield "rule", values["learning"], "learning"
    augment, penalties = data.get("augment"), objective.get("penalties")
    for index, item in enumerate(augment if isinstance(augment, list) else []):
        yield "augmentation", item, f"data.augment[{index}]"
    if objective.get("loss", "auto") != "auto":
        yield "loss", objective["loss"], "objective.loss"
    for index, item in enumerate(penalties if isinstance(penalties, list) else []):
        yield "penalty", item, f"objective.penalties[{index}]"


def component_mistakes(values: Mapping[str, Any]) -> list[str]:
    """What is wrong with the components that a recipe names."""
    problems: list[str] = []
    for kind, spec, where in slots(values):
        if hint := _argument_as_component(kind, spec, where):
            problems.append(hint)
            continue
        try:
            resolve(kind, spec, where)
        except RecipeError as error:
            problems += error.problems
    return problems


def _argument_as_component(kind: str, spec: Any, where: str) -> str:
    """The message where `model.hidden` stands for `model.mlp.hidden`; empty otherwise."""
    if not isinstance(spec, Mapping) or len(spec) != 1:
        return ""
    name = next(iter(spec))
    if not isinstance(name, str) or ":" in name or name in available(kind):
        return ""
    hint = suggest_argument(kind, name, spec[name], where)
    return f"{where}.{name}: unknown setting.{hint}" if hint else ""


def refuse_yolo(values: Any, file: Any) -> None:
    """Raises: `RecipeError` for a file that says where YOLO's pictures are, which is no recipe."""
    if not isinstance(values, Mapping) or "data" in values or "model" in values:
        return
    if values.keys() & {"names", "nc"} and values.keys() & {"train", "val", "path"}:
        raise RecipeError(
            f"{file} is no recipe: it says where pictures with boxes in the format of YOLO are, which is not "
            "read yet. Boxes are read in the layout of Pascal VOC: pictures in JPEGImages, an XML file for "
            "each in Annotations; convert the files to it, and name that folder."
        )


def space_mistakes(values: Mapping[str, Any]) -> list[str]:
    """The import paths among the values to try that must not be imported; all else is checked by a search."""
    tried = component_sections({"tuning": values.get("tuning")})
    return [f"tuning.space: {problem}" for problem in refusals(tried)]


def transfer_mistakes(recipe: Any) -> Iterator[str]:
    """Settings of `transfer` that would do nothing, or that others rule out."""
    asked, epochs = recipe.transfer, recipe.training.epochs
    names = [name for name in TransferRecipe.model_fields if name != "start"]
    given = [name for name in names if getattr(asked, name) != getattr(TransferRecipe(), name)]
    automatic = not is_object(recipe.learning) and recipe.learning == "auto"
    learning = usual_rule(recipe.model) or "gradient" if automatic else recipe.learning
    rule, optimizer = _rule_and_optimizer(learning)
    if asked.freeze == 0 and not isinstance(asked.freeze, list):
        expected = "names, a number of first layers, or −1 for all but the head"
        yield f"transfer.freeze: 0 freezes nothing; expected {expected}."
    if asked.thaw_after is not None and not asked.freeze and not asked.features:
        advice = "say what is, in transfer.freeze, or leave it out"
        yield f"transfer.thaw_after: has no effect where nothing is frozen; {advice}."
    if asked.thaw_after is not None and isinstance(epochs, int) and asked.thaw_after >= epochs:
        expected = f"less than training.epochs ({epochs}), or nothing would thaw"
        yield f"transfer.thaw_after: found {asked.thaw_after}, expected {expected}."
    if asked.start is not None and getattr(target_of("rule", learning), "begins_anew", False):
        why = f"has no effect under learning.{rule}" if rule else "has no effect under this rule"
        yield f"transfer.start: {why}, which begins anew whatever the weights are; leave it out."
    if rule not in ("gradient", ""):
        other = "" if unsuited(recipe.model, "gradient") else ", or learn by gradient"
        for name in given:
            yield f"transfer.{name}: has no effect under learning.{rule}; leave it out{other}."
    if optimizer == "lbfgs":
        for name in [name for name in ("thaw_after", "rate_decay") if name in given]:
            yield f"transfer.{name}: lbfgs takes all layers alike; choose another optimizer, or leave it out."
    idle: tuple[str, ...] = ()
    if asked.features:
        idle = ("freeze", "thaw_after", "rate_decay")
    elif asked.freeze == -1 and asked.thaw_after is None:
        idle = ("rate_decay",)
    for name in [name for name in given if name in idle]:
        yield f"transfer.{name}: has no effect where the head alone is trained; leave it out."
    if asked.features and recipe.data.augment not in ("auto", []):
        advice = "leave one of them out, or freeze all but the head (transfer.freeze: -1)"
        yield f"data.augment: has no effect with transfer.features, which are computed once; {advice}."


def _rule_and_optimizer(learning: Any) -> tuple[str, str]:
    """Their names, where they are ours."""
    if is_object(learning):
        return "", ""
    try:
        rule, arguments = parse(learning, "rule")
        optimizer = parse(arguments.get("optimizer", "adamw"), "optimizer")[0] if rule == "gradient" else ""
    except RecipeError:  # said elsewhere
        return "", ""
    return ("" if ":" in rule else rule), optimizer
