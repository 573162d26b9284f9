"""The rows that trials learn from and are measured on: training and validation rows, or folds of both."""

from dataclasses import replace

import numpy as np

from handrail.data.dataset import Dataset
from handrail.data.part import Part
from handrail.errors import DataError
from handrail.recipe.sections import DataRecipe
from handrail.training.seeds import derive

Division = tuple[Part, Part]


def divisions(data: Dataset, recipe: DataRecipe, folds: int | None) -> list[Division]:
    """Pairs of training and validation rows, without the sealed rows.

    Folds are drawn as the validation rows were: class by class, or by whole groups; duplicate rows stay in
    one fold where the recipe drops duplicates.

    Raises: `DataError` where rows are ordered in time, or too few.
    """
    if folds is None:
        return [(data.train, data.validation)]
    if data.task.is_forecast or data.task.name == "next-token" or recipe.split.method in ("time", "order"):
        raise DataError(
            "tuning.folds: rows that follow one another in time cannot be divided into folds; "
            "leave tuning.folds out."
        )
    if data.train.sample is not data.train:
        raise DataError(
            "tuning.folds: a table that is streamed cannot be divided into folds; leave tuning.folds out."
        )
    rows = data.train.join(data.validation)
    places = _places(
        rows, recipe, folds, classes=rows.target.numpy() if data.task.is_classification else None
    )
    return [
        (
            _select(rows, places != fold, f"training {fold + 1}"),
            _select(rows, places == fold, f"fold {fold + 1}"),
        )
        for fold in range(folds)
    ]


def _places(rows: Part, recipe: DataRecipe, folds: int, *, classes: np.ndarray | None) -> np.ndarray:
    """The fold of each row."""
    generator = np.random.default_rng(derive(recipe.split.seed, "folds"))
    keys = _keys(rows, recipe)
    if keys is not None:
        return _by_group(keys, folds, generator)
    if len(rows) < 2 * folds:
        raise DataError(
            f"tuning.folds: {folds} folds of {len(rows)} rows; expected at least two rows a fold."
        )
    fold_of = np.empty(len(rows), dtype=np.int64)
    first = 0
    for code in [None] if classes is None else np.unique(classes):
        members = np.arange(len(rows)) if code is None else np.flatnonzero(classes == code)
        # Each class continues where the last one ended: small classes do not all begin with the first fold.
        fold_of[generator.permutation(members)] = (first + np.arange(len(members))) % folds
        first += len(members)
    return fold_of


def _keys(rows: Part, recipe: DataRecipe) -> np.ndarray | None:
    """Rows with the same key stay in one fold."""
    if recipe.split.method == "group":
        return rows.raw[str(recipe.split.column)].to_numpy()
    return rows.hashes if recipe.duplicates == "drop" else None


def _by_group(keys: np.ndarray, folds: int, generator: np.random.Generator) -> np.ndarray:
    """Whole groups: in random order, the largest first, each to the fold with the fewest rows."""
    _, groups = np.unique(keys, return_inverse=True)
    sizes = np.bincount(groups)
    if len(sizes) < folds:
        raise DataError(
            f"tuning.folds: {folds} folds of {len(sizes)} groups; expected at least one group a fold."
        )
    fold_of, filled = np.empty(len(sizes), dtype=np.int64), np.zeros(folds)
    shuffled = generator.permutation(len(sizes))
    for group in shuffled[np.argsort(-sizes[shuffled], kind="stable")]:
        fold_of[group] = filled.argmin()
        filled[fold_of[group]] += sizes[group]
    return fold_of[groups]


def _select(part: Part, chosen: np.ndarray, name: str) -> Part:
    return replace(part.pick(np.flatnonzero(chosen)), name=name)
