"""A whole experiment as validated data, to and from YAML.

A recipe says what to do in the order of the five steps: data, model, objective, learning and training, evaluation.
`Recipe.check` collects every mistake before anything is read; `Recipe.resolved` writes every default out.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from handrail.data.encoding import Encoding
from handrail.data.split import Split
from handrail.data.table import ReadOptions
from handrail.errors import RecipeError, did_you_mean

Positive = Annotated[int, Field(gt=0)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class DataRecipe(_Section):
    """Massage the data: what to read, what to predict, how to divide and encode.

    source: a file, a glob, a list of files, a database URL, `bundled:NAME`, or an object in Python.
    target: one or several columns by name, or by position (1 is the first, −1 the last).
    validation, test: separate sources for those parts; what is not given is drawn from `source`.
    sample: train and validate on that many rows (or that share), class by class. duplicates: `drop` leaves out
    validation rows that repeat a training row, and test rows that repeat either.
    """

    source: Any = None
    target: str | int | list[str | int] | None = None
    task: Literal["auto", "binary", "multi-class", "multi-label", "regression"] = "auto"
    positive: str | int | None = None
    read: ReadOptions = ReadOptions()
    columns: dict[str, str] = {}
    drop: list[str] = []
    validation: Any = None
    test: Any = None
    split: Split = Split()
    sample: Annotated[float, Field(gt=0)] | None = None
    duplicates: Literal["keep", "drop"] = "keep"
    balance: Literal["none", "class_weights", "oversample", "undersample"] = "none"
    encoding: Encoding = Encoding()


class ObjectiveRecipe(_Section):
    """Choose the objective: a loss (by default the task's usual one) and penalties."""

    loss: Any = "auto"
    penalties: list[Any] = []


class TrainingRecipe(_Section):
    """Train: how often, how much at once, when to stop.

    epochs: passes over the training rows, at most. batch_size: rows a step; `auto` grows with the table.
    validate_every: epochs between validations. patience: validations without improvement before training stops
    (null: never); the best weights are kept. checkpoint_seconds: time between checkpoints.
    """

    epochs: Positive = 100
    batch_size: Positive | Literal["auto"] = "auto"
    validate_every: Positive = 1
    patience: Positive | None = 15
    min_delta: Annotated[float, Field(ge=0)] = 0.0
    checkpoint_seconds: Annotated[float, Field(ge=0)] = 5.0
    device: str = "auto"
    threads: Positive | Literal["auto"] = "auto"


class EvaluationRecipe(_Section):
    """Test honestly: what is decided on validation rows, and how intervals are drawn.

    calibrate: divide scores by the temperature that suits the validation rows. threshold: for two classes, 0.5, a
    number, or the metric that it should maximise on validation rows; `auto` is 0.5, or F1 where fewer than one row in
    five is of the rarer class.
    """

    calibrate: bool = True
    threshold: Annotated[float, Field(gt=0, lt=1)] | Literal["auto", "accuracy", "f1", "balanced_accuracy"] = "auto"
    resamples: Annotated[int, Field(ge=100)] = 1000
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95


class Recipe(_Section):
    """The whole experiment. Every section has defaults; only `data.source` and `data.target` have to be given."""

    name: Annotated[str, Field(pattern=r"^[\w.-]+$")] = "run"
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    data: DataRecipe = DataRecipe()
    model: Any = "mlp"
    objective: ObjectiveRecipe = ObjectiveRecipe()
    learning: Any = "gradient"
    training: TrainingRecipe = TrainingRecipe()
    evaluation: EvaluationRecipe = EvaluationRecipe()

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> "Recipe":
        """A recipe from plain data.

        Raises: `RecipeError` with every mistake: unknown sections and settings, values out of range, components.
        """
        problems: list[str] = []
        recipe: Recipe | None = None
        try:
            recipe = cls.model_validate(dict(values))
            problems += recipe.data.encoding.mistakes()
        except ValidationError as error:
            problems += _section_mistakes(error)
        problems += _component_mistakes(values)
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
        from handrail.components import resolve

        plain = self.plain()
        plain["model"] = _plain(resolve("model", self.model, "model"))
        plain["learning"] = _plain(resolve("rule", self.learning, "learning"))
        if self.objective.loss != "auto":
            plain["objective"]["loss"] = _plain(resolve("loss", self.objective.loss, "objective.loss"))
        plain["objective"]["penalties"] = [
            _plain(resolve("penalty", item, f"objective.penalties[{index}]"))
            for index, item in enumerate(self.objective.penalties)
        ]
        return plain

    def fingerprint(self) -> str:
        """Twelve characters that change with any setting of the recipe."""
        text = json.dumps(self.plain(), sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def with_values(self, changes: Mapping[str, Any]) -> "Recipe":
        """The recipe with dotted settings changed: `{"model.mlp.hidden": [64, 32]}`.

        Raises: `RecipeError` as `parse`.
        """
        values = {name: getattr(self, name) for name in type(self).model_fields}
        values = {key: value.model_dump() if isinstance(value, _Section) else value for key, value in values.items()}
        for path, value in changes.items():
            values = set_dotted(values, path, value)
        return Recipe.parse(values)


def set_dotted(values: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy of nested mappings with one dotted setting changed; names of components make room for arguments."""
    head, _, rest = path.partition(".")
    changed = dict(values)
    if not rest:
        changed[head] = value
        return changed
    inner = changed.get(head)
    child = rest.partition(".")[0]
    if isinstance(inner, str):
        inner = {inner: {}}
    if not isinstance(inner, Mapping):
        inner = {}
    is_choice = head in ("model", "learning", "loss", "optimizer", "schedule", "clip", "activation", "initialisation")
    if is_choice and child not in inner:
        inner = {child: {}}
    changed[head] = set_dotted({key: {} if item is None else item for key, item in inner.items()} if is_choice else inner, rest, value)
    return changed


def parse_setting(text: str, *, flag: str = "--set") -> tuple[str, Any]:
    """`model.mlp.hidden=[64,32]` as (dotted name, value); the value is read as YAML.

    Raises: `RecipeError` when there is no `=` or the value is not YAML.
    """
    path, sign, value = text.partition("=")
    if not sign or not path.strip():
        raise RecipeError(f"{flag} {text}: expected NAME=VALUE.")
    try:
        return path.strip(), yaml.safe_load(value)
    except yaml.YAMLError:
        raise RecipeError(f"{flag} {text}: '{value}' cannot be read as a value.") from None


def read_options(values: Mapping[str, Any]) -> ReadOptions:
    """Settings of reading from plain data.

    Raises: `RecipeError` with every mistake.
    """
    try:
        return ReadOptions.model_validate(dict(values))
    except ValidationError as error:
        raise RecipeError(_section_mistakes(error, ("data", "read"))) from None


def read_yaml(path: str | Path) -> dict[str, Any]:
    """The mapping in a YAML file. Raises: `RecipeError` when there is none."""
    try:
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RecipeError(f"there is no recipe file '{path}'.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"the recipe '{path}' cannot be read: {error}.") from None
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        line = f" line {place.line + 1}, column {place.column + 1}:" if place else ""
        raise RecipeError(f"the recipe '{path}':{line} is not YAML ({getattr(error, 'problem', error)}).") from None
    if not isinstance(values, dict):
        raise RecipeError(f"the recipe '{path}' holds {type(values).__name__}, expected sections such as data, model, training.")
    return values


def _section_mistakes(error: ValidationError, inside: tuple[str, ...] = ()) -> Iterable[str]:
    for item in error.errors():
        path = [str(part) for part in (*inside, *item["loc"]) if not str(part).startswith(("function-", "constrained-", "literal["))]
        where = ".".join(path)
        if item["type"] == "extra_forbidden":
            yield f"{where}: unknown setting.{did_you_mean(path[-1], _siblings(path))}"
        else:
            message = item["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
            found = "" if item["type"] == "value_error" else f"found {item['input']!r}; "
            yield f"{where}: {found}{message}."


def _siblings(path: list[str]) -> list[str]:
    section: Any = Recipe
    for part in path[:-1]:
        field = section.model_fields.get(part)
        section = field.annotation if field else None
        if not (isinstance(section, type) and issubclass(section, BaseModel)):
            return []
    return list(section.model_fields)


def _component_mistakes(values: Mapping[str, Any]) -> list[str]:
    from handrail.components import resolve

    objective = values.get("objective")
    objective = objective if isinstance(objective, Mapping) else {}
    penalties = objective.get("penalties", [])
    slots: list[tuple[str, Any, str]] = [("model", values.get("model", "mlp"), "model"), ("rule", values.get("learning", "gradient"), "learning")]
    if objective.get("loss", "auto") != "auto":
        slots.append(("loss", objective["loss"], "objective.loss"))
    if isinstance(penalties, list):
        slots += [("penalty", item, f"objective.penalties[{index}]") for index, item in enumerate(penalties)]
    problems: list[str] = []
    for kind, spec, where in slots:
        try:
            resolve(kind, spec, where)
        except RecipeError as error:
            problems += error.problems
    return problems


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return {name: _plain(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, str):
        return without_password(value)
    if value is None or isinstance(value, int | float):
        return value
    kind = value if isinstance(value, type) or callable(value) and hasattr(value, "__qualname__") else type(value)
    return f"<object {kind.__module__}:{kind.__qualname__}>"


def without_password(text: str) -> str:
    """A URL without its password; any other text as it is."""
    return re.sub(r"^(\w[\w+.-]*://[^:/@\s]*):[^@\s]*@", r"\1@", text)


def _difference(values: Any, defaults: Any) -> Any:
    if not isinstance(values, Mapping) or not isinstance(defaults, Mapping):
        return values
    changed = {key: _difference(item, defaults.get(key)) for key, item in values.items() if item != defaults.get(key)}
    return {key: item for key, item in changed.items() if item != {} or defaults.get(key) not in ({}, None)}
