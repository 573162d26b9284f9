"""From a source to the rows of the three parts, as they were read: nothing is computed from them here."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from handrail.data.columns.values import as_seconds
from handrail.data.missing_words import Gaps, count_gaps, restore_words, usual_words, without_words
from handrail.data.sources import read_expecting
from handrail.data.sources.cells import drop_words_among_numbers
from handrail.data.split.draw import PARTS, TEST, TRAIN, VALIDATION, draw, spread_by_class
from handrail.data.split.drawn import Drawn, RawRows, rows_at
from handrail.data.split.names import check_names
from handrail.data.split.whole import keep_whole
from handrail.data.table import EACH, Table
from handrail.data.targets.alone import without_target
from handrail.data.targets.columns import separator_of, spread_labels
from handrail.data.targets.find import find_targets
from handrail.data.targets.infer import infer_task
from handrail.data.task import LONE_TASKS, TaskSpec
from handrail.errors import DataError, did_you_mean
from handrail.recipe.reading import Split
from handrail.recipe.sections import DataRecipe

_SAMPLE, _MOST_VALUES = 200_000, 32_768


def draw_parts(recipe: DataRecipe, *, cache_in: Path | None = None) -> Drawn:
    """Read the source and divide it.

    Raises: `DataError` when source, target or split do not serve.
    """
    table, targets, season = _read(recipe, cache_in)
    if not recipe.is_forecast and not table.is_series:
        check_names(recipe, table.frame.columns, targets)
        table = keep_whole(recipe, table, targets)
    others = {
        name: _read_part(getattr(recipe, name), table, recipe, cache_in) for name in ("validation", "test")
    }
    table, others = _share_stores(table, others)
    separator = separator_of(recipe.task, table.frame, targets) if targets else None
    if separator is None:
        return divide(recipe, table, targets, others, season=season)
    filled = {name: other and _fill_target(other, targets[0]) for name, other in others.items()}
    return _spread_labels(divide(recipe, _fill_target(table, targets[0]), targets, filled), separator)


def _fill_target(table: Table, target: str) -> Table:
    """An empty list of labels is one, too."""
    return replace(table, frame=table.frame.with_columns(table.frame[target].fill_null("")))


def _spread_labels(drawn: Drawn, separator: str) -> Drawn:
    """The parts with a target for each label that the one target lists."""
    parts = (drawn.train, drawn.validation, drawn.test)
    frames, names, finding = spread_labels([part.frame for part in parts], drawn.targets[0], separator)
    train, validation, test = (replace(part, frame=frame) for part, frame in zip(parts, frames, strict=True))
    table = replace(drawn.table, findings=(*drawn.table.findings, finding))
    return replace(drawn, table=table, targets=names, train=train, validation=validation, test=test)


def divide(
    recipe: DataRecipe,
    table: Table,
    targets: tuple[str, ...],
    others: dict[str, Table | None],
    *,
    season: int = 0,
) -> Drawn:
    """The rows of the three parts that have a target.

    Arguments:
        others: the tables of parts with a source of their own.

    Raises: `DataError` when target or split do not serve.
    """
    parts = _draw_codes(recipe, table, targets, others)
    rows = []
    for code, name in enumerate(PARTS):
        own = others.get(name)
        places = np.flatnonzero(np.isin(parts, (code, EACH))) if own is None else np.arange(len(own.frame))
        whole = own or table
        frame = rows_at(whole.frame, places) if own is None else own.frame
        rows.append(RawRows(name, frame, places, whole.without_rows(), len(whole.frame)))
        if not len(frame):
            raise DataError(f"the {name} part has no rows; expected some in each of {', '.join(PARTS)}.")
    train, validation, test = (_drop_unlabelled(part, targets) for part in rows)
    missing = len(rows[TRAIN].rows) - len(train.rows) + len(rows[VALIDATION].rows) - len(validation.rows)
    notes = _describe_shares(recipe.split, parts, [name for name in others if others[name] is None])
    if recipe.split.method in ("group", "column"):
        notes = (*notes, f"'{recipe.split.column}' divides the rows, and is no input of the network")
    gaps = {name: _count_gaps(name, [rows[TRAIN], rows[VALIDATION]]) for name in targets}
    drawn = Drawn(table.without_rows(), targets, train, validation, test, parts, missing, season, notes, gaps)
    label: Any = table.target if recipe.task in LONE_TASKS else None  # as `without_target` left it
    return replace(drawn, label=label, factors=table.factors)


def _count_gaps(target: str, parts: Sequence[RawRows]) -> Gaps:
    return count_gaps([(part.frame[target], part.rows, part.table.words.get(target)) for part in parts])


def _describe_shares(split: Split, parts: np.ndarray, drawn: Sequence[str]) -> tuple[str, ...]:
    """A note where whole moments or groups make the parts larger or smaller than was asked."""
    if split.method not in ("time", "group"):
        return ()
    shares = [
        (name, f"{(parts == PARTS.index(name)).mean():.1%}", f"{getattr(split, name):.1%}") for name in drawn
    ]
    moved = [
        f"{name} has {found} of the rows ({asked} were asked)"
        for name, found, asked in shares
        if found != asked
    ]
    what = "moment" if split.method == "time" else "group"
    return (f"rows of one {what} ('{split.column}') stay in one part: {', '.join(moved)}",) if moved else ()


def _read(recipe: DataRecipe, cache_in: Path | None) -> tuple[Table, tuple[str, ...], int]:
    """The table, its targets, and for forecasts the season: a row of the table is then a window."""
    if recipe.source is None:
        raise DataError(
            "no source was given (data.source); expected a file, a folder, a database URL, bundled:NAME or "
            "toy:NAME."
        )
    if recipe.task == "next-token":
        from handrail.data.forecast.symbols import read_stream

        table = read_stream(recipe)
        return table, find_targets(table.frame.columns, table.target, alone=True), 0
    chosen = recipe.target if isinstance(recipe.target, list) else [recipe.target]
    names = [name for name in chosen if isinstance(name, str)]
    alone = recipe.task in LONE_TASKS
    how: Any = {"options": recipe.read, "cache_in": cache_in, "labelled": not alone, "drop": recipe.drop}
    table = read_expecting(recipe.source, names, **how)
    if alone:
        return without_target(table, recipe), (), 0
    target = table.target if recipe.target is None else recipe.target
    if target is None and recipe.task == "dynamics":
        from handrail.data.forecast.plan import find_state

        target = find_state(table, recipe)
    targets = find_targets(table.frame.columns, target, alone=recipe.is_forecast)
    if not recipe.is_forecast:
        return table, targets, 0
    from handrail.data.forecast.windows import window_table

    check_names(recipe, table.frame.columns, targets)
    return window_table(table, targets, recipe)


def _draw_codes(
    recipe: DataRecipe, table: Table, targets: tuple[str, ...], others: dict[str, Table | None]
) -> np.ndarray:
    """The part of each row: what the source says, and drawn where it says nothing."""
    frame, split, known = table.frame, recipe.split, table.parts

    def classes_of(rows: np.ndarray) -> pl.Series | None:
        if recipe.task in ("multi-label", *LONE_TASKS):
            return None
        labels = frame[list(targets)]
        chosen = labels[rows] if len(rows) < len(frame) else labels
        task = task_of(recipe, chosen, targets, table, row_name=lambda row: table.row_name(int(rows[row])))
        return _classes(chosen, task)

    name = f"'{table.source}'"
    if recipe.task == "next-token" and not table.is_series:
        name += ", read as passages of about 1,000 characters,"
    if known is None or split.method != "auto" or any(other is not None for other in others.values()):
        if recipe.task == "next-token" and split.method == "auto":  # neighbouring passages tell of each other
            split = split.model_copy(update={"method": "order"})
        return draw(
            split,
            len(frame),
            keys=None if split.column is None else _split_keys(frame[split.column], recipe),
            classes_of=classes_of,
            with_validation=others["validation"] is None,
            with_test=others["test"] is None,
            source=name,
        )
    lacking = {code: not np.isin(known, (code, EACH)).any() for code in (VALIDATION, TEST)}
    idle = [
        f"data.split.{PARTS[code]}: has no effect on {name}, which says itself what its {PARTS[code]} rows "
        "are; leave it out."
        for code, lacks in lacking.items()
        if not recipe.is_forecast
        and not lacks
        and getattr(split, PARTS[code]) != getattr(Split(), PARTS[code])
    ]
    if idle:
        raise DataError(idle)
    rest, parts = np.flatnonzero(known == TRAIN), known.copy()
    if any(lacking.values()):
        parts[rest] = draw(
            split,
            len(rest),
            classes_of=lambda rows: classes_of(rest[rows]),
            with_validation=lacking[VALIDATION],
            with_test=lacking[TEST],
            source=name,
        )
    return parts


def _classes(frame: pl.DataFrame, task: TaskSpec) -> pl.Series | None:
    """What rows are drawn by, class by class: labels in several spellings are one class."""
    if not task.is_classification:
        return None
    target = frame[task.targets[0]]
    return target if target.n_unique() == len(task.classes) else task.labels(target)


def _split_keys(keys: pl.Series, recipe: DataRecipe) -> pl.Series:
    """The column that divides the rows; its dates are read as `data.dates` says, where they can be."""
    date_format = recipe.dates.formats.get(keys.name)
    if recipe.split.method != "time" or (date_format is None and recipe.dates.order == "auto"):
        return keys
    seconds = as_seconds(keys, date_format, order=recipe.dates.order)
    return keys if seconds.null_count() > keys.null_count() else seconds


def task_of(
    recipe: DataRecipe,
    known: pl.DataFrame,
    targets: Sequence[str],
    table: Table,
    *,
    train: pl.DataFrame | None = None,
    row_name: Callable[[int], str] | None = None,
) -> TaskSpec:
    """What the targets ask for, by rows outside the sealed part, as they are called by their places; `train`
    are those that are learned from.
    """
    positive = recipe.positive if recipe.positive is None else str(recipe.positive)
    name = "regression" if recipe.is_forecast else recipe.task
    known = known[list(targets)]
    known = _representative(known) if table.streamed else known
    return infer_task(
        known,
        targets,
        task=name,
        positive=positive,
        stores=table.stores,
        train=train,
        is_text=table.is_text,
        ignore=recipe.masks.ignored,
        labels=recipe.labels,
        row_name=None if table.streamed else row_name,
    )


def task_of_parts(recipe: DataRecipe, drawn: Drawn) -> TaskSpec:
    """What the targets ask for, by training and validation rows."""
    if recipe.task in LONE_TASKS:
        partners = tuple(name for name in drawn.table.partners if name not in recipe.drop)
        return TaskSpec.alone(recipe.task, drawn.label, factors=drawn.factors, partners=partners)
    known = pl.concat(
        [part.frame[list(drawn.targets)] for part in (drawn.train, drawn.validation)],
        how="vertical_relaxed",
    )
    train = drawn.train.frame[list(drawn.targets)]

    def row_name(row: int) -> str:
        part = drawn.train if row < len(train) else drawn.validation
        return part.table.row_name(int(part.rows[row if row < len(train) else row - len(train)]))

    task = task_of(recipe, known, drawn.targets, drawn.table, train=train, row_name=row_name)
    if not recipe.is_forecast:
        return task
    horizon, free = recipe.forecast.horizon, recipe.task == "dynamics"
    return task.model_copy(update={"horizon": horizon, "season": drawn.season, "free_run": free})


def _representative(frame: pl.DataFrame) -> pl.DataFrame:
    """Enough rows to tell what a target is: a random sample, and each value of targets with few values."""
    if len(frame) <= _SAMPLE:
        return frame
    chosen = [np.random.default_rng([0, 29]).choice(len(frame), _SAMPLE, replace=False)]
    for column in frame:
        if column[chosen[0]].n_unique() <= _MOST_VALUES:
            chosen.append(column.arg_unique().to_numpy())
    return frame[np.unique(np.concatenate(chosen).astype(np.int64))]


def _read_part(source: Any, table: Table, recipe: DataRecipe, cache_in: Path | None) -> Table | None:
    """A part with a source of its own: the same columns, by name or, without a header, by position."""
    if source is None:
        return None
    if recipe.is_forecast or recipe.task == "next-token":
        raise DataError(
            f"data.validation and data.test have no effect on {recipe.task}: the parts are stretches of one "
            "source."
        )
    drop = set(recipe.drop)
    expected = [name for name in table.frame.columns if name not in drop]
    labelled = recipe.task not in LONE_TASKS
    other = read_expecting(
        source, expected, options=recipe.read, cache_in=cache_in, labelled=labelled, drop=drop
    )
    present = set(other.frame.columns)
    absent = [name for name in expected if name not in present]
    if absent:
        raise DataError(
            f"'{other.source}' has no column '{absent[0]}', which '{table.source}' has."
            f"{did_you_mean(absent[0], other.frame.columns)}"
        )
    return _with_words_as(table, other, recipe.read.missing)


def _with_words_as(table: Table, other: Table, given: Sequence[str] | None) -> Table:
    """Another part's table, in which 'NA' and the like are missing, or words, as in the first one's."""
    if table.is_text == other.is_text:
        return other
    missing, names = usual_words(is_text=table.is_text, given=given), other.frame.columns
    if not other.is_text:
        return replace(other, frame=without_words(other.frame, missing, among=names))
    restored = restore_words(other.frame, other.words, (*missing, *(given or ())), among=names)
    return replace(other, frame=drop_words_among_numbers(restored))


def _share_stores(table: Table, others: dict[str, Table | None]) -> tuple[Table, dict[str, Table | None]]:
    """One store a column for all sources: the stores one behind the other, and the places shifted."""
    tables = [table, *(other for other in others.values() if other is not None)]
    if len(tables) == 1 or not table.stores:
        return table, others
    stores = {
        name: type(store).join([each.stores[name] for each in tables]) for name, store in table.stores.items()
    }
    shifted, start = [], dict.fromkeys(stores, 0)
    for each in tables:
        frame = each.frame.with_columns([each.frame[name] + start[name] for name in stores])
        start = {name: start[name] + len(each.stores[name]) for name in stores}
        shifted.append(replace(each, frame=frame, stores=stores))
    rest = iter(shifted[1:])
    return shifted[0], {name: None if other is None else next(rest) for name, other in others.items()}


def _drop_unlabelled(part: RawRows, targets: Sequence[str]) -> RawRows:
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
    labelled = part.pick(np.flatnonzero(~missing))
    if part.name != PARTS[TRAIN]:
        return labelled
    return replace(labelled, unlabelled=part.pick(np.flatnonzero(missing)))


def take_samples(recipe: DataRecipe, drawn: Drawn, task: TaskSpec) -> Drawn:
    """With `data.sample` training and validation rows in all (or that share of them), class by class."""
    train, validation = (_take_sample(recipe, part, task) for part in (drawn.train, drawn.validation))
    return replace(drawn, train=train, validation=validation)


def _take_sample(recipe: DataRecipe, part: RawRows, task: TaskSpec) -> RawRows:
    if recipe.sample is None:
        return part
    share = recipe.sample if recipe.sample <= 1 else recipe.sample / part.total
    if share >= 1:
        return part
    classes = _classes(part.frame, task)
    everything = np.arange(len(part.frame))
    left_out = spread_by_class(everything, 1 - share, np.random.default_rng([recipe.split.seed, 11]), classes)
    # What is left holds at least a row of each class.
    return part.pick(np.setdiff1d(everything, left_out))
