"""Settings that name a column."""

from collections.abc import Sequence

from handrail.errors import DataError, did_you_mean
from handrail.recipe.sections import DataRecipe


def check_names(recipe: DataRecipe, columns: Sequence[str], targets: Sequence[str]) -> None:
    """Raises: `DataError` with every setting that names a column that is not there, or the target."""
    key = [] if recipe.split.column is None else [recipe.split.column]
    named = {"drop": recipe.drop, "columns": recipe.columns, "split.column": key}
    present = set(columns)
    absent = [(setting, name) for setting, names in named.items() for name in names if name not in present]
    problems = [
        f"data.{setting}: the table has no column '{name}'."
        + (did_you_mean(name, columns) if place < 20 else "")  # a search through all names each
        for place, (setting, name) in enumerate(absent)
    ]
    problems += [f"data.drop: '{name}' is the target." for name in recipe.drop if name in targets]
    problems += [
        f"data.columns: '{name}' is the target; data.task says what it is."
        for name in recipe.columns
        if name in targets
    ]
    if problems:
        raise DataError(problems)
