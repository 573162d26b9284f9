"""Whether what would be made of a table fits into memory: one input a level, one answer a class."""

from handrail.data.columns.schema import Schema
from handrail.data.part import Part
from handrail.data.task import TaskSpec
from handrail.errors import DataError
from handrail.recipe.sections import DataRecipe
from handrail.tools.words import list_some

_GB = 1e9
_NUMBER, _ANSWER = 4, 24  # bytes of an encoded number; of a probability, with the copies that figures need


def check_limits(
    recipe: DataRecipe, train: Part, validation: Part, *, schema: Schema, task: TaskSpec
) -> None:
    """Compare levels, encoded rows and classes with `data.read.limits`, before any of them is made.

    Raises: `DataError` with each that is beyond its limit, what was found, what is allowed, and what helps.
    """
    problems = [*_check_levels(recipe, train, schema), *_check_classes(recipe, validation, task)]
    if problems:
        raise DataError(problems)


def _check_levels(recipe: DataRecipe, train: Part, schema: Schema) -> list[str]:
    limits, embedded = recipe.read.limits, recipe.encoding.categories == "embedding"
    levels = {column.name: _levels(train, column.name, recipe) for column in schema.of_kind("category")}
    total, rows = sum(levels.values()), len(train)
    many = sorted(levels, key=lambda name: -levels[name])
    listed = list_some((f"'{name}' ({levels[name]:,})" for name in many), most=5)
    advice = (
        "data.drop leaves columns out; data.encoding.rare puts levels with few rows together"
        f"{'' if embedded else '; data.encoding.categories=embedding learns a short vector a level'}"
    )
    if total > limits.levels:
        return [
            f"the categories have {total:,} levels: {listed}; expected at most {limits.levels:,}. {advice}; "
            "data.read.limits.levels allows more."
        ]
    size = _NUMBER * rows * (total + len(schema.cells))
    if not embedded and total > len(schema.cells) and size > limits.encoded * _GB:
        return [
            f"the categories have {total:,} levels, and one input a level for {rows:,} training rows takes "
            f"{size / _GB:,.1f} GB: {listed}; expected at most {limits.encoded:g} GB. {advice}; "
            "data.read.limits.encoded allows more."
        ]
    return []


def _levels(train: Part, name: str, recipe: DataRecipe) -> int:
    """How many levels of a column have enough training rows to count."""
    counted = train.level_counts.get(name)
    if counted is None:
        counted = train.sample.features[name].rename("level").value_counts(name="count")
    frequent = int((counted["count"] >= recipe.encoding.rare).sum())
    return frequent or len(counted)


def _check_classes(recipe: DataRecipe, validation: Part, task: TaskSpec) -> list[str]:
    limits, rows = recipe.read.limits, len(validation)
    if not task.has_values:
        return []
    classes = max(len(task.classes), len(task.targets))
    what = f"the target '{task.targets[0]}' has {classes:,} classes"
    if len(task.targets) > 1:
        what = f"there are {classes:,} targets"
    if classes > limits.classes:
        return [
            f"{what}; expected at most {limits.classes:,}. data.task=regression takes numbers as "
            "quantities; data.read.limits.classes allows more."
        ]
    size = _ANSWER * rows * classes
    if size > limits.encoded * _GB:
        return [
            f"{what}, and the answers for {rows:,} validation rows take {size / _GB:,.1f} GB; expected at "
            f"most {limits.encoded:g} GB. data.sample and data.split.validation take fewer rows; "
            "data.read.limits.encoded allows more."
        ]
    return []
