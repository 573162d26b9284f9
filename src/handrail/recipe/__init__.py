"""A whole experiment as validated data, to and from YAML.

A recipe says what to do in the order of the five steps: data, model, objective, learning and training,
evaluation. `Recipe.parse` collects every mistake before anything is read; `Recipe.resolved` writes every
default out.
"""

import hashlib
import inspect
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, get_origin

from pydantic import BaseModel, Field, ValidationError

from handrail.components import explain, import_path, is_object, parse, resolve, shown
from handrail.errors import RecipeError, did_you_mean
from handrail.recipe.dotted import set_dotted
from handrail.recipe.reading import ReadOptions
from handrail.recipe.sections import (
    DataRecipe,
    EvaluationRecipe,
    ObjectiveRecipe,
    Section,
    TrainingRecipe,
    TransferRecipe,
)
from handrail.recipe.tuning import TuningRecipe
from handrail.tools.urls import without_password
from handrail.tools.yaml import read_yaml


class Recipe(Section):
    """The whole experiment. Every section has defaults; only `data.source` and `data.target` have to be
    given.
    """

    name: Annotated[str, Field(pattern=r"^[\w.-]+$")] = "run"
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    data: DataRecipe = DataRecipe()
    model: Any = "auto"
    objective: ObjectiveRecipe = ObjectiveRecipe()
    learning: Any = "auto"
    transfer: TransferRecipe = TransferRecipe()
    training: TrainingRecipe = TrainingRecipe()
    evaluation: EvaluationRecipe = EvaluationRecipe()
    tuning: TuningRecipe = TuningRecipe()

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> "Recipe":
        """A recipe from plain data.

        Raises: `RecipeError` with every mistake: unknown sections and settings, values out of range,
        components.
        """
        if not isinstance(values, Mapping):
            raise RecipeError(
                f"found {shown(values)}, expected a recipe's sections, such as data, model, training."
            )
        given = {
            name: _named(value) if name in ("model", "objective", "learning") else value
            for name, value in values.items()
        }
        problems: list[str] = []
        recipe: Recipe | None = None
        try:
            recipe = cls.model_validate(given)
            problems += [*recipe.data.encoding.mistakes(), *_transfer_mistakes(recipe)]
        except ValidationError as error:
            problems += _section_mistakes(error)
        problems += _component_mistakes(given)
        if problems or recipe is None:
            raise RecipeError(problems)
        return recipe

    @classmethod
    def load(cls, path: str | Path) -> "Recipe":
        """A recipe from a YAML file.

        Raises: `RecipeError` when the file is no recipe.
        """
        return cls.parse(read_yaml(path))

    def plain(self) -> dict[str, Any]:
        """The recipe as plain data that YAML and JSON can hold; objects are named by their import path."""
        return {name: _plain(getattr(self, name)) for name in type(self).model_fields}

    def asked(self) -> dict[str, Any]:
        """As `plain`, but only what differs from the defaults."""
        return _difference(self.plain(), Recipe().plain())

    def resolved(self) -> dict[str, Any]:
        """As `plain`, with every default of every component written out."""
        plain = self.plain()
        lists = {"penalty": plain["objective"]["penalties"], "augmentation": plain["data"]["augment"]}
        lists = {kind: found for kind, found in lists.items() if isinstance(found, list)}
        for found in lists.values():
            found.clear()
        for kind, spec, where in _slots(_opened(self)):
            resolved = _plain(resolve(kind, spec, where))
            if kind in lists:
                lists[kind].append(resolved)
            else:
                plain = set_dotted(plain, where, resolved)
        return plain

    def fingerprint(self) -> str:
        """Twelve characters that change with any setting of the recipe."""
        text = json.dumps(self.plain(), sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def with_values(self, changes: Mapping[str, Any]) -> "Recipe":
        """The recipe with dotted settings changed: `{"model.mlp.hidden": [64, 32]}`.

        Raises: `RecipeError` as `parse`.
        """
        values = _opened(self)
        for path, value in changes.items():
            values = set_dotted(values, path, value)
        return Recipe.parse(values)


def read_options(values: Mapping[str, Any]) -> ReadOptions:
    """Settings of reading from plain data.

    Raises: `RecipeError` with every mistake.
    """
    try:
        return ReadOptions.model_validate(dict(values))
    except ValidationError as error:
        raise RecipeError(_section_mistakes(error, ("data", "read"))) from None


def _section_mistakes(error: ValidationError, inside: tuple[str, ...] = ()) -> list[str]:
    found = error.errors()
    unknown = [
        _unknown([*inside, *(str(part) for part in item["loc"])])
        for item in found
        if item["type"] == "extra_forbidden"
    ]
    for item in found:
        if item["type"] == "model_type":
            item["msg"] = "expected settings, each as NAME: VALUE"
    others = [item for item in found if item["type"] != "extra_forbidden"]
    return [*unknown, *explain(others, lambda loc: _place((*inside, *loc)))]


def _unknown(path: list[str]) -> str:
    section = _section(path[:-1])
    elsewhere = [name for name in _all_settings(Recipe) if name.endswith(f".{path[-1]}")]
    hint = (
        f" Did you mean '{elsewhere[0]}'?"
        if elsewhere
        else did_you_mean(path[-1], section.model_fields if section else ())
    )
    return f"{'.'.join(path)}: unknown setting.{hint}"


def _section(path: Iterable[str]) -> type[BaseModel] | None:
    section: Any = Recipe
    for part in path:
        field = section.model_fields.get(part) if _is_section(section) else None
        section = field.annotation if field else None
    return section if _is_section(section) else None


def _is_section(annotation: Any) -> bool:
    return inspect.isclass(annotation) and issubclass(annotation, BaseModel)


def _all_settings(section: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in section.model_fields.items():
        if _is_section(field.annotation):
            yield from _all_settings(field.annotation, f"{prefix}{name}.")  # pyright: ignore[reportArgumentType]
        else:
            yield prefix + name


def _place(loc: tuple[int | str, ...]) -> str:
    """The dotted name of pydantic's location, without the branches of unions and the steps of validation."""
    names: list[str] = []
    index = ""
    for part in loc:
        section = _section(names)
        if section is not None and part in section.model_fields:
            names.append(str(part))
        elif isinstance(part, int):
            index += f"[{part}]"
        elif (
            len(names) > 1
            and (above := _section(names[:-1]))
            and get_origin(above.model_fields[names[-1]].annotation) is dict
        ):
            names.append(part)
    return ".".join(names) + index


def _slots(values: Mapping[str, Any]) -> Iterator[tuple[str, Any, str]]:
    """The components of a recipe: kind, specification and dotted place."""
    objective = values.get("objective")
    objective = objective if isinstance(objective, Mapping) else {}
    if values.get("model", "auto") != "auto":
        yield "model", values["model"], "model"
    if values.get("learning", "auto") != "auto":
        yield "rule", values["learning"], "learning"
    data = values.get("data")
    augment = data.get("augment") if isinstance(data, Mapping) else None
    for index, item in enumerate(augment if isinstance(augment, list) else []):
        yield "augmentation", item, f"data.augment[{index}]"
    if objective.get("loss", "auto") != "auto":
        yield "loss", objective["loss"], "objective.loss"
    penalties = objective.get("penalties")
    for index, item in enumerate(penalties if isinstance(penalties, list) else []):
        yield "penalty", item, f"objective.penalties[{index}]"


def _component_mistakes(values: Mapping[str, Any]) -> list[str]:
    problems: list[str] = []
    for kind, spec, where in _slots(values):
        try:
            resolve(kind, spec, where)
        except RecipeError as error:
            problems += error.problems
    return problems


def _transfer_mistakes(recipe: Recipe) -> Iterator[str]:
    """Settings of `transfer` that would do nothing, or that others rule out."""
    asked, epochs = recipe.transfer, recipe.training.epochs
    given = [
        name
        for name in TransferRecipe.model_fields
        if name != "start" and getattr(asked, name) != getattr(TransferRecipe(), name)
    ]
    rule, optimizer = _rule_and_optimizer(recipe.learning)
    if asked.freeze == 0 and not isinstance(asked.freeze, list):
        yield "transfer.freeze: 0 freezes nothing; expected names, a number of first layers, or −1 for all but the head."
    if asked.thaw_after is not None and not asked.freeze and not asked.features:
        yield "transfer.thaw_after: has no effect where nothing is frozen; say what is, in transfer.freeze, or leave it out."
    if asked.thaw_after is not None and isinstance(epochs, int) and asked.thaw_after >= epochs:
        yield f"transfer.thaw_after: found {asked.thaw_after}, expected less than training.epochs ({epochs}), or nothing would thaw."
    if rule not in ("gradient", "") and given:
        yield from (
            f"transfer.{name}: has no effect under learning.{rule}; leave it out, or learn by gradient."
            for name in given
        )
    if optimizer == "lbfgs":
        names = [name for name in ("thaw_after", "rate_decay") if name in given]
        yield from (
            f"transfer.{name}: lbfgs takes all layers alike; choose another optimizer, or leave it out."
            for name in names
        )
    head_alone = asked.features or (asked.freeze == -1 and asked.thaw_after is None)
    idle = (
        {"freeze", "thaw_after", "rate_decay"} if asked.features else {"rate_decay"} if head_alone else set()
    )
    yield from (
        f"transfer.{name}: has no effect where the head alone is trained; leave it out."
        for name in given
        if name in idle
    )
    if asked.features and recipe.data.augment not in ("auto", []):
        yield (
            "data.augment: has no effect with transfer.features, which are computed once; leave one of them out, or freeze all "
            "but the head (transfer.freeze: -1)."
        )


def _rule_and_optimizer(learning: Any) -> tuple[str, str]:
    """Their names, where they are ours."""
    if is_object(learning):
        return "", ""
    try:
        rule, arguments = parse("gradient" if learning == "auto" else learning, "rule")
        optimizer = parse(arguments.get("optimizer", "adamw"), "optimizer")[0] if rule == "gradient" else ""
    except RecipeError:  # said elsewhere
        return "", ""
    return ("" if ":" in rule else rule), optimizer


def _opened(value: Any) -> Any:
    """Sections as mappings of what they hold; all else, objects included, as it is."""
    if isinstance(value, BaseModel):
        return {name: _opened(getattr(value, name)) for name in type(value).model_fields}
    return value


def _named(value: Any) -> Any:
    """Classes and functions by their import path, so that a run can be continued from its file."""
    value = _opened(value)
    if isinstance(value, Mapping):
        return {key: _named(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_named(item) for item in value]
    return import_path(value) or value


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return {name: _plain(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, str | Path):
        return without_password(str(value))
    if value is None or isinstance(value, int | float):
        return value
    kind = value if inspect.isclass(value) or inspect.isroutine(value) else type(value)
    return import_path(value) or f"<object {kind.__module__}:{kind.__qualname__}>"


def _difference(values: Any, defaults: Any) -> Any:
    if not isinstance(values, Mapping) or not isinstance(defaults, Mapping):
        return values
    return {
        key: _difference(item, defaults.get(key)) for key, item in values.items() if item != defaults.get(key)
    }
