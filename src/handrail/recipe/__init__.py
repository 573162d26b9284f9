"""A whole experiment as validated data, to and from YAML.

A recipe says what to do in the order of the five steps: data, model, objective, learning and training,
evaluation. `Recipe.parse` collects every mistake before anything is read; `Recipe.resolved` writes every
default out.
"""

import hashlib
import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError

from handrail.components import import_path, resolve, show_value
from handrail.errors import RecipeError
from handrail.recipe.dotted import set_setting
from handrail.recipe.mistakes import component_mistakes, section_mistakes, slots, transfer_mistakes
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
                f"found {show_value(values)}, expected a recipe's sections, such as data, model, training."
            )
        given = {
            name: _name_targets(value) if name in ("model", "objective", "learning") else value
            for name, value in values.items()
        }
        problems: list[str] = []
        recipe: Recipe | None = None
        try:
            recipe = cls.model_validate(given)
            problems += [*recipe.data.encoding.mistakes(), *transfer_mistakes(recipe)]
        except ValidationError as error:
            problems += section_mistakes(cls, error)
        problems += component_mistakes(given)
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
        for kind, spec, where in slots(_open_sections(self)):
            resolved = _plain(resolve(kind, spec, where))
            if kind in lists:
                lists[kind].append(resolved)
            else:
                plain = set_setting(plain, where, resolved)
        return plain

    def fingerprint(self) -> str:
        """Twelve characters that change with any setting of the recipe."""
        text = json.dumps(self.plain(), sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def with_values(self, changes: Mapping[str, Any]) -> "Recipe":
        """The recipe with dotted settings changed: `{"model.mlp.hidden": [64, 32]}`.

        Raises: `RecipeError` as `parse`.
        """
        values = _open_sections(self)
        for path, value in changes.items():
            values = set_setting(values, path, value)
        return Recipe.parse(values)


def read_options(values: Mapping[str, Any]) -> ReadOptions:
    """Settings of reading from plain data.

    Raises: `RecipeError` with every mistake.
    """
    try:
        return ReadOptions.model_validate(dict(values))
    except ValidationError as error:
        raise RecipeError(section_mistakes(Recipe, error, ("data", "read"))) from None


def _open_sections(value: Any) -> Any:
    """Sections as mappings of what they hold; all else, objects included, as it is."""
    if isinstance(value, BaseModel):
        return {name: _open_sections(getattr(value, name)) for name in type(value).model_fields}
    return value


def _name_targets(value: Any) -> Any:
    """Classes and functions by their import path, so that a run can be continued from its file."""
    value = _open_sections(value)
    if isinstance(value, Mapping):
        return {key: _name_targets(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_name_targets(item) for item in value]
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
