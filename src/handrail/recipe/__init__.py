"""A whole experiment as validated data, to and from YAML.

A recipe says what to do in the order of the five steps: data, model, objective, learning and training,
evaluation. `Recipe.parse` collects every mistake before anything is read; `Recipe.resolved` writes every
default out.

May import `components`, `tools` and `errors`. A new setting is a field of its class in `sections`.
"""

import hashlib
import inspect
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError

from handrail.components import import_path, resolve, show_value
from handrail.errors import RecipeError
from handrail.recipe.alone import meant_model, target_of, task_without_target
from handrail.recipe.dotted import component_sections, set_setting
from handrail.recipe.idle import idle_settings
from handrail.recipe.mistakes import (
    component_mistakes,
    refuse_yolo,
    section_mistakes,
    slots,
    space_mistakes,
    transfer_mistakes,
)
from handrail.recipe.reading import BUNDLED, TOY, ReadOptions, is_named
from handrail.recipe.sections import (
    DataRecipe,
    EvaluationRecipe,
    ObjectiveRecipe,
    Section,
    StageRecipe,
    TrainingRecipe,
    TransferRecipe,
    TuningRecipe,
)
from handrail.tools.files import expand_user
from handrail.tools.trust import name_one, name_paths, naming, reading, refusal
from handrail.tools.words import without_password
from handrail.tools.yaml import read_yaml

SOURCES = ("source", "validation", "test")  # settings of `data` that name where rows come from


class Recipe(Section):
    """The whole experiment. All settings but `data.source` and `data.target` have defaults."""

    name: Annotated[str, Field(pattern=r"^[\w.-]+$")] = "run"
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    data: DataRecipe = DataRecipe()
    stages: list[StageRecipe] = []  # noqa: RUF012 - pydantic copies it
    model: Any = "auto"
    objective: ObjectiveRecipe = ObjectiveRecipe()
    learning: Any = "auto"
    transfer: TransferRecipe = TransferRecipe()
    training: TrainingRecipe = TrainingRecipe()
    evaluation: EvaluationRecipe = EvaluationRecipe()
    tuning: TuningRecipe = TuningRecipe()

    @property
    def network(self) -> Any:
        """The model, on its stages where there are some; what reads and writes has them on its target."""
        if not self.stages:
            return self.model
        head = None if self.model == "auto" else self.model
        on_target = head is not None and getattr(target_of("model", head), "reads_and_writes", False)
        name = "staged_target" if on_target else "staged"
        return {name: {"stages": [stage.model for stage in self.stages], "head": head}}

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> "Recipe":
        """A recipe from plain data.

        Raises: `RecipeError` with every mistake: unknown settings, values out of range, components.
        """
        if not isinstance(values, Mapping):
            expected = "expected a recipe's sections, such as data, model, training"
            raise RecipeError(f"found {show_value(values)}, {expected}.")
        given = {
            name: _name_targets(value) if name in ("model", "objective", "learning", "stages") else value
            for name, value in values.items()
        }
        problems: list[str] = []
        recipe: Recipe | None = None
        try:
            recipe = cls.model_validate(given)
            problems += [*recipe.data.encoding.mistakes(), *transfer_mistakes(recipe)]
            problems += idle_settings(recipe)
        except ValidationError as error:
            problems += section_mistakes(cls, error, recipe=given)
        problems += [*component_mistakes(given), *space_mistakes(given)]
        if problems or recipe is None:
            raise RecipeError(problems)
        return recipe

    @classmethod
    def load(cls, path: str | Path, *, trust: bool = False) -> "Recipe":
        """A recipe from a YAML file.

        Arguments:
            trust: import what the file names by import path.

        Raises: `RecipeError` when the file is no recipe, or names import paths and is not trusted.
        """
        return cls.from_file(read_yaml(path), path, trust=trust)

    @classmethod
    def from_file(
        cls, values: Mapping[str, Any], file: str | Path, *, trust: bool, allow_pickle: bool = False
    ) -> "Recipe":
        """A recipe from the plain data in a file, which cannot itself say that it may run code.

        Arguments:
            trust: import what it names by import path.
            allow_pickle: read its sources although they are pickles; what the file says of that is ignored.

        Raises: `RecipeError` as `parse`, and for import paths in a file that is not trusted.
        """
        with reading(file, trust=trust):
            refuse_yolo(values, file)
            recipe = cls.parse(values)
            _refuse_cluster(recipe.tuning.cluster)
            allowed = recipe.data.read.allow_pickle
            changes = {"data.read.allow_pickle": allow_pickle}
            return recipe if allowed == allow_pickle else recipe.with_values(changes)

    def plain(self) -> dict[str, Any]:
        """The recipe as plain data that YAML and JSON can hold; objects are named by their import path.

        The permission to read a pickle is left out: it belongs to the user, not to a file.
        """
        plain = {name: _plain(getattr(self, name)) for name in type(self).model_fields}
        plain["data"]["read"]["allow_pickle"] = False
        return plain

    def asked(self) -> dict[str, Any]:
        """As `plain`, but only what differs from the defaults."""
        asked = _difference(self.plain(), Recipe().plain())
        bare = _plain(StageRecipe(model="auto"))
        return asked | (
            {"stages": [_difference(_plain(each), bare) for each in self.stages]} if self.stages else {}
        )

    def resolved(self) -> dict[str, Any]:
        """As `plain`, with every default of every component written out."""
        plain = self.plain()
        for kind, spec, where in slots(_open_sections(self)):
            _put(plain, where, _plain(resolve(kind, spec, where)))
        return plain

    def resolved_network(self) -> Any:
        """The network with every default written out, as a pipeline is saved."""
        return _plain(resolve("model", self.network, "model"))

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


def compose(
    source: Any = None,
    target: Any = None,
    *,
    recipe: Recipe | Mapping[str, Any] | str | Path | None = None,
    changes: Mapping[str, Any] | None = None,
    trust: bool = False,
) -> Recipe:
    """The recipe that the arguments of `fit` describe. Raises: `RecipeError` with every mistake."""
    _name_given(recipe, changes or {})
    if isinstance(recipe, str | Path):
        values = _changed(read_yaml(recipe), changes)
        recipe = Recipe.from_file(values, recipe, trust=trust)
    elif isinstance(recipe, Mapping):
        recipe = _changed(recipe, changes)
    base = Recipe() if recipe is None else recipe if isinstance(recipe, Recipe) else Recipe.parse(recipe)
    named = {"data.source": source, "data.target": target}
    given = dict(changes or {}) | {name: value for name, value in named.items() if value is not None}
    read_from = given.get("data.source", base.data.source)
    if base.name == "run" and "name" not in given and isinstance(read_from, str | Path):
        given["name"] = _name_of(str(given.get("data.read.table") or base.data.read.table or read_from))
    composed = base.with_values(given)
    places = {f"data.{name}": absolute(getattr(composed.data, name)) for name in SOURCES}
    if composed.transfer.start is not None:
        places["transfer.start"] = absolute(composed.transfer.start)
    if task := task_without_target(composed):
        places["data.task"] = task
    if (model := meant_model(composed)) is not composed.model:
        places["model"] = model
    composed = composed.with_values(places)
    if composed.data.source is None:
        raise RecipeError(
            "no source was given (data.source); expected a file, a database URL, bundled:NAME or toy:NAME."
        )
    return composed


def _changed(recipe: Mapping[str, Any], changes: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """A recipe's plain data with the changes, which may mend its mistakes."""
    for path, value in (changes or {}).items():
        recipe = set_setting(recipe, path, value)
    return recipe


def _name_given(recipe: Any, changes: Mapping[str, Any]) -> None:
    """The import paths in a recipe and in changes that were given in Python are named by the user."""
    values: dict[str, Any] = {}
    with naming():
        for path, value in changes.items():
            values = set_setting(values, path, _open_sections(value))
        name_paths([component_sections(_open_sections(recipe)), component_sections(values)])
    for given in (recipe, values):
        tuning = given.get("tuning") if isinstance(given, Mapping) else None
        if isinstance(tuning, Mapping) and isinstance(tuning.get("cluster"), str):
            name_one(tuning["cluster"])


def _refuse_cluster(address: str | None) -> None:
    """Raises: `RecipeError` for a cluster that only a file names: what it sends back is unpickled."""
    if address not in (None, "local"):
        reason = refusal(address, "a cluster that is joined can run any code here; none was joined")
        if reason:
            raise RecipeError(f"tuning.cluster: {reason}")


def absolute(source: Any) -> Any:
    """Local files by their full path, so that a run can be continued from any folder."""
    if isinstance(source, Path) or (isinstance(source, str) and "://" not in source and not is_named(source)):
        return str(expand_user(source).absolute())
    if isinstance(source, list) and all(isinstance(item, str | Path) for item in source):
        return [absolute(item) for item in source]
    return source


def _name_of(source: str) -> str:
    source = source.removeprefix(BUNDLED).split(",")[0].removeprefix(TOY) if is_named(source) else source
    stem = source.split("?")[0].rstrip("/").split("/")[-1].split(".")[0]
    name = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in stem)
    return name.strip("-") or "run"


def read_options(values: Mapping[str, Any]) -> ReadOptions:
    """Settings of reading from plain data, dotted or not. Raises: `RecipeError` with every mistake."""
    nested: dict[str, Any] = {}
    for path, value in values.items():
        nested = set_setting(nested, path, value)
    try:
        return ReadOptions.model_validate(nested)
    except ValidationError as error:
        raise RecipeError(section_mistakes(Recipe, error, ("data", "read"))) from None


def _put(plain: dict[str, Any], where: str, value: Any) -> None:
    """Replace what stands at a dotted place, such as `stages[0].model`."""
    steps = [int(step) if step.isdigit() else step for step in re.findall(r"\w+", where)]
    inside: Any = plain
    for step in steps[:-1]:
        inside = inside[step]
    inside[steps[-1]] = value


def _open_sections(value: Any) -> Any:
    """Sections as mappings of what they hold; all else, objects included, as it is."""
    if isinstance(value, BaseModel):
        return {name: _open_sections(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, list):
        return [_open_sections(item) for item in value]
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
