"""From a source to the rows of the three parts, as they were read: nothing is computed from them here."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from handrail.data.sources import read_expecting
from handrail.data.split.draw import PARTS, TEST, TRAIN, VALIDATION, draw, spread_by_class
from handrail.data.split.row_hashes import row_hashes
from handrail.data.streaming.key_columns import telling_rows
from handrail.data.table import Table
from handrail.data.task import TaskSpec, find_targets, infer_task
from handrail.errors import DataError, did_you_mean
from handrail.recipe.sections import DataRecipe


@dataclass(frozen=True)
class RawRows:
    """Rows of one part as they were read."""

    name: str
    frame: pl.DataFrame
    rows: np.ndarray
    table: Table

    @property
    def hashes(self) -> np.ndarray:
        """Of each row, by content."""
        return row_hashes(self.frame, stores=self.table.stores)

    def pick(self, places: np.ndarray) -> "RawRows":
        """Some of the rows."""
        return RawRows(self.name, self.frame[places], self.rows[places], self.table)


@dataclass(frozen=True)
class Drawn:
    """The three parts, without rows that repeat what they may not or have no target; `missing` counts the
    latter.

    Rows of the sealed part are not counted: what a fit says must not depend on them.
    """

    table: Table
    targets: tuple[str, ...]
    train: RawRows
    validation: RawRows
    test: RawRows
    parts: np.ndarray
    missing: int
    season: int = 0


def draw_parts(recipe: DataRecipe, *, cache_in: Path | None = None) -> Drawn:
    """Read the source and divide it.

    Raises: `DataError` when source, target or split do not serve.
    """
    table, targets, season = _read(recipe, cache_in)
    if recipe.task != "forecast":
        check_names(recipe, table.frame.columns, targets)
    others = {name: _other(getattr(recipe, name), table, recipe, cache_in) for name in ("validation", "test")}
    table, others = _share_stores(table, others)
    found = divide(recipe, table, targets, others, season=season)
    validation, test = _without_repeats(recipe, found.train, found.validation, found.test)
    return replace(found, validation=validation, test=test)


def divide(
    recipe: DataRecipe,
    table: Table,
    targets: tuple[str, ...],
    others: dict[str, Table | None],
    *,
    season: int = 0,
) -> Drawn:
    """The rows of the three parts that have a target.

    Raises: `DataError` when target or split do not serve.
    """
    parts = _parts(recipe, table, targets, others)
    rows = [_of_part(code, name, parts, table, others.get(name)) for code, name in enumerate(PARTS)]
    empty = [part.name for part in rows if not len(part.frame)]
    if empty:
        raise DataError(f"the {empty[0]} part has no rows; expected some in each of {', '.join(PARTS)}.")
    train, validation, test = (_drop_unlabelled(part, targets) for part in rows)
    missing = sum(
        len(rows[code].rows) - len(after.rows) for code, after in ((TRAIN, train), (VALIDATION, validation))
    )
    return Drawn(table, targets, train, validation, test, parts, missing, season)


def _read(recipe: DataRecipe, cache_in: Path | None) -> tuple[Table, tuple[str, ...], int]:
    """The table, its targets, and for forecasts the season: a row of the table is then a window."""
    if recipe.source is None:
        raise DataError(
            "no source was given (data.source); expected a file, a folder, a database URL or bundled:NAME."
        )
    if recipe.task == "next-token":
        from handrail.data.sources.passages import read_passages

        table = read_passages(recipe.source, recipe.target, options=recipe.read)
        return table, find_targets(table.frame.columns, table.target, alone=True), 0
    wanted = recipe.target if isinstance(recipe.target, list) else [recipe.target]
    table = read_expecting(
        recipe.source,
        [name for name in wanted if isinstance(name, str)],
        options=recipe.read,
        cache_in=cache_in,
    )
    targets = find_targets(table.frame.columns, table.target if recipe.target is None else recipe.target)
    if recipe.task != "forecast":
        return table, targets, 0
    from handrail.data.forecast.windows import windowed

    check_names(recipe, table.frame.columns, targets)
    return windowed(table, targets, recipe)


def _parts(
    recipe: DataRecipe, table: Table, targets: tuple[str, ...], others: dict[str, Table | None]
) -> np.ndarray:
    """The part of each row: what the source says, and drawn where it says nothing."""
    frame = table.frame

    def classes_of(rows: np.ndarray) -> pl.Series | None:
        known = frame[rows] if len(rows) < len(frame) else frame
        task = task_of(recipe, known, targets, table)
        return known[targets[0]] if task.is_classification else None

    keys = frame[recipe.split.column] if recipe.split.column else None
    free: dict[str, Any] = {
        "with_validation": others["validation"] is None,
        "with_test": others["test"] is None,
    }
    named = f"'{table.source}'" + (
        ", read as passages of about 1,000 characters," if recipe.task == "next-token" else ""
    )
    given = table.parts
    if given is None or recipe.split.method != "auto" or not all(free.values()):
        split = recipe.split
        # Neighbouring passages would tell of each other.
        if recipe.task == "next-token" and split.method == "auto":
            split = split.model_copy(update={"method": "order"})
        return draw(split, len(frame), keys=keys, classes_of=classes_of, source=named, **free)
    rest = np.flatnonzero(given == TRAIN)
    lacks: dict[str, Any] = {f"with_{PARTS[code]}": not (given == code).any() for code in (VALIDATION, TEST)}
    parts = given.copy()
    if any(lacks.values()):
        parts[rest] = draw(
            recipe.split, len(rest), classes_of=lambda rows: classes_of(rest[rows]), source=named, **lacks
        )
    return parts


def task_of(recipe: DataRecipe, known: pl.DataFrame, targets: Sequence[str], table: Table) -> TaskSpec:
    """What the targets ask for, by rows outside the sealed part."""
    positive = None if recipe.positive is None else str(recipe.positive)
    asked = "regression" if recipe.task == "forecast" else recipe.task
    known = telling_rows(known.select(targets)) if table.streamed else known.select(targets)
    return infer_task(known, targets, task=asked, positive=positive, stores=table.stores)


def _of_part(code: int, name: str, parts: np.ndarray, table: Table, other: Table | None) -> RawRows:
    places = np.flatnonzero(parts == code) if other is None else np.arange(len(other.frame))
    return RawRows(name, table.frame[places] if other is None else other.frame, places, other or table)


def _other(source: Any, table: Table, recipe: DataRecipe, cache_in: Path | None) -> Table | None:
    """A part with a source of its own: the same columns, by name or, without a header, by position."""
    if source is None:
        return None
    if recipe.task in ("forecast", "next-token"):
        raise DataError(
            f"data.validation and data.test have no effect on {recipe.task}: the parts are stretches of one "
            "source."
        )
    expected = [name for name in table.frame.columns if name not in recipe.drop]
    other = read_expecting(source, expected, options=recipe.read, cache_in=cache_in)
    absent = [name for name in expected if name not in other.frame.columns]
    if absent:
        raise DataError(
            f"'{other.source}' has no column '{absent[0]}', which '{table.source}' "
            f"has.{did_you_mean(absent[0], other.frame.columns)}"
        )
    return other


def _share_stores(table: Table, others: dict[str, Table | None]) -> tuple[Table, dict[str, Table | None]]:
    """Sources of their own bring stores of their own: they are put one behind the other, and the places
    shifted.
    """
    tables = [table, *(other for other in others.values() if other is not None)]
    if len(tables) == 1 or not table.stores:
        return table, others
    joined = {
        name: type(store).joined([other.stores[name] for other in tables])
        for name, store in table.stores.items()
    }
    shifted, start = [], dict.fromkeys(table.stores, 0)
    for one in tables:
        moved = one.frame.with_columns(pl.col(name) + start[name] for name in joined)
        start = {name: start[name] + len(one.stores[name]) for name in joined}
        shifted.append(replace(one, frame=moved, stores=joined))
    rest = iter(shifted[1:])
    return shifted[0], {name: None if other is None else next(rest) for name, other in others.items()}


def check_names(recipe: DataRecipe, columns: Sequence[str], targets: Sequence[str]) -> None:
    """Raises: `DataError` with every setting that names a column that is not there, or the target."""
    asked = [("data.drop", name) for name in recipe.drop] + [
        ("data.columns", name) for name in recipe.columns
    ]
    if recipe.split.column:
        asked.append(("data.split.column", recipe.split.column))
    problems = [
        f"{where}: the table has no column '{name}'.{did_you_mean(name, columns)}"
        for where, name in asked
        if name not in columns
    ]
    problems += [f"data.drop: '{name}' is the target." for name in recipe.drop if name in targets]
    problems += [
        f"data.columns: '{name}' is the target; data.task says what it is."
        for name in recipe.columns
        if name in targets
    ]
    if problems:
        raise DataError(problems)


def _drop_unlabelled(part: RawRows, targets: Sequence[str]) -> RawRows:
    """Without the rows whose target is missing."""
    missing = np.zeros(len(part.frame), dtype=bool)
    for name in targets:
        missing |= part.frame[name].is_null().to_numpy()
    if not missing.any():
        return part
    if missing.all():
        raise DataError(
            f"the target '{targets[0]}': all {len(missing):,} values of the {part.name} rows are missing; "
            "expected at least some."
        )
    return part.pick(np.flatnonzero(~missing))


def _without_repeats(
    recipe: DataRecipe, train: RawRows, validation: RawRows, test: RawRows
) -> tuple[RawRows, RawRows]:
    """Validation without repeats of training rows, test without repeats of either, where the recipe asks for
    it.
    """
    if recipe.duplicates == "keep":
        return validation, test
    fresh = fresh_rows(train.hashes, validation.hashes, test.hashes)
    return validation.pick(fresh[0]), test.pick(fresh[1])


def fresh_rows(train: np.ndarray, validation: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places of validation rows that repeat no training row, and of test rows that repeat none of either, by
    their hashes.
    """
    known = np.concatenate([train, validation])
    return np.flatnonzero(~np.isin(validation, train)), np.flatnonzero(~np.isin(test, known))


def take_sample(recipe: DataRecipe, part: RawRows, task: TaskSpec) -> RawRows:
    """A part of the part, class by class: `data.sample` rows in all (or that share of them)."""
    if recipe.sample is None:
        return part
    share = recipe.sample if recipe.sample <= 1 else recipe.sample / len(part.table.frame)
    if share >= 1:
        return part
    classes = part.frame[task.targets[0]] if task.is_classification else None
    everything = np.arange(len(part.frame))
    left_out = spread_by_class(everything, 1 - share, np.random.default_rng([recipe.split.seed, 11]), classes)
    # What is left holds at least a row of each class.
    return part.pick(np.setdiff1d(everything, left_out))
