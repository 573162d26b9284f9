"""Columns that give the target away, and rows that stand in more than one part.

A copy is a column that equals the target up to renaming (classes) or up to scale and offset (numbers) in
every row. A giveaway is a column that alone predicts the target nearly without error.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from handrail.data.checks.finding import Finding, advise_drop, report_columns, share
from handrail.data.columns.schema import Column, Schema
from handrail.data.columns.values import as_numbers
from handrail.data.part import Part
from handrail.data.table import Table
from handrail.data.task import TaskSpec
from handrail.tools.words import plural

_FEWEST_ROWS = 50  # below, a perfect match is too easily chance
_FEWEST_OTHERS = 5  # rows outside the largest class: 50 rows with 5 others can be drawn in two million ways
_CLASS_SCORE, _VALUE_SCORE = 0.995, 0.999
_MOST_ROWS, _MOST_CELLS = 5_000, 1_000_000
_MANY_REPEATS = 0.01


@dataclass(frozen=True)
class _Target:
    """One target column: class codes or values of the training rows, then of the validation rows."""

    name: str
    values: np.ndarray
    is_class: bool


@dataclass(frozen=True)
class HashedRows:
    """Rows of a part by their number in the table, with a hash of each."""

    name: str
    rows: np.ndarray
    table: Table
    hashes: np.ndarray


def check_leaks(train: Part, validation: Part, *, schema: Schema, task: TaskSpec) -> list[Finding]:
    """Copies of the target (errors) and columns that alone tell it (warnings)."""
    if len(train) + len(validation) < _FEWEST_ROWS or not task.has_values:
        return []
    findings = []
    for target in _targets(train, validation, task):
        copies = [column.name for column in schema.cells if _is_copy(column, target, train, validation)]
        findings += _find_copies(copies, target, alone=len(schema.used) == 1)
        known = set(copies)
        others = [column for column in schema.cells if column.name not in known]
        if len(schema.cells) > 1:  # with one column, telling the target from it is the whole task
            findings += _find_giveaways(others, target, train, validation)
    return findings


def _targets(train: Part, validation: Part, task: TaskSpec) -> Iterator[_Target]:
    for index, name in enumerate(task.targets):
        if task.name == "regression":  # from the table: the tensor has single precision
            values = np.concatenate([as_numbers(part.raw[name]).to_numpy() for part in (train, validation)])
            yield _Target(name, values, is_class=False)
        else:
            codes = np.concatenate([part.target.numpy() for part in (train, validation)])
            yield _Target(name, codes.reshape(len(codes), -1)[:, index].astype(np.int64), is_class=True)


def _is_copy(column: Column, target: _Target, train: Part, validation: Part) -> bool:
    values = pl.concat([train.features[column.name], validation.features[column.name]])
    if values.null_count():
        return False
    if target.is_class:
        return _is_relabelling(values, target.values)
    return _is_rescaling(values, column, target.values)


def _is_relabelling(values: pl.Series, codes: np.ndarray) -> bool:
    """Whether levels and classes stand for each other, one to one."""
    counts = np.unique(codes, return_counts=True)[1]
    if len(counts) < 2 or len(codes) - counts.max() < _FEWEST_OTHERS or values.n_unique() != len(counts):
        return False
    return pl.DataFrame([values.alias("level"), pl.Series("class", codes)]).n_unique() == len(counts)


def _is_rescaling(values: pl.Series, column: Column, target: np.ndarray) -> bool:
    """Whether target = a + b · column, up to a millionth of the target's standard deviation."""
    if column.kind == "category":
        return False
    centred, truth = _centre(values.to_numpy()), _centre(target)
    square = float(centred @ centred)
    if square == 0 or not truth.any():
        return False
    return bool(np.abs(truth - centred * (centred @ truth / square)).max() <= 1e-6 * truth.std())


def _centre(values: np.ndarray) -> np.ndarray:
    """Around 0, in units of the largest so that nothing overflows."""
    values = values / (np.abs(values).max() or 1.0)
    return values - values.mean()


def _find_copies(columns: list[str], target: _Target, *, alone: bool) -> list[Finding]:
    how = "each value stands for one class" if target.is_class else "the same up to scale and offset"
    return report_columns(
        "warning" if alone else "error",
        "copy",
        dict.fromkeys(columns, how),
        seen=f"a copy of the target '{target.name}' in all {len(target.values):,} training and validation "
        "rows.",
        why="Rows whose target is still to be predicted seldom have such a column, and a network would learn "
        "nothing else.",
        action=f"{advise_drop(columns)}{'' if alone else ' The fit stops here.'}",
    )


def _find_giveaways(columns: list[Column], target: _Target, train: Part, validation: Part) -> list[Finding]:
    generator = np.random.default_rng([0, 13])
    most = int(np.clip(_MOST_CELLS // max(len(columns), 1), 500, _MOST_ROWS))
    known = generator.permutation(len(train))[:most]
    fresh = generator.permutation(len(validation))[:most]
    truth = np.concatenate([target.values[known], target.values[len(train) + fresh]])
    if not target.is_class:
        truth = pl.Series(truth).rank("average").to_numpy()
    measure, least = ("balanced accuracy", _CLASS_SCORE) if target.is_class else ("R² of ranks", _VALUE_SCORE)
    details, timed = {}, False
    for column in columns:
        values = pl.concat([train.features[column.name][known], validation.features[column.name][fresh]])
        ordered = column.kind != "category"
        score = _score(_as_codes(values), truth, len(known), ordered=ordered, is_class=target.is_class)
        if score >= least:
            details[column.name] = f"{measure} {score:.3f}"
            timed = timed or column.kind == "datetime"
    harder = " Where rows follow each other in time, data.split.method=time asks the harder question."
    return report_columns(
        "warning",
        "giveaway",
        details,
        seen=f"enough by itself to tell the target '{target.name}' of rows not used.",
        why="Such a column is often written down after the target, or computed from it, and is not there "
        "when it is needed.",
        action=f"Nothing is changed; {advise_drop(list(details))}{harder if timed else ''}",
    )


def _as_codes(values: pl.Series) -> np.ndarray:
    """Whole numbers in the order of the values, missing far below all others."""
    codes = values.rank("dense").cast(pl.Int64)
    return codes.fill_null(-1000 * len(codes)).to_numpy()


def _score(codes: np.ndarray, truth: np.ndarray, train: int, *, ordered: bool, is_class: bool) -> float:
    """How well the column alone predicts rows not used: each half from the other, validation from train."""
    half = train // 2
    if min(half, len(codes) - train) == 0:
        return 0.0
    everything = np.arange(len(codes))
    folds = [
        (everything[:half], everything[half:train]),
        (everything[half:train], everything[:half]),
        (everything[:train], everything[train:]),
    ]
    predict = _predict_class if is_class else _predict_value
    predicted = [predict(codes[old], truth[old], codes[new], ordered=ordered) for old, new in folds]
    measure = _balanced_accuracy if is_class else _r_squared
    return measure(np.concatenate([truth[new] for _, new in folds]), np.concatenate(predicted))


def _predict_class(codes: np.ndarray, classes: np.ndarray, new: np.ndarray, *, ordered: bool) -> np.ndarray:
    """For each new value the commonest class at the nearest (or, without order, the same) known value."""
    width = int(classes.max()) + 1
    pairs, counts = np.unique(codes * width + classes, return_counts=True)
    order = np.lexsort((counts, pairs // width))
    last = np.append(np.diff(pairs[order] // width) != 0, True)
    levels, commonest = pairs[order][last] // width, pairs[order][last] % width
    if ordered:
        return commonest[np.searchsorted((levels[:-1] + levels[1:]) / 2, new)]
    usual = np.bincount(classes).argmax()
    place = np.minimum(np.searchsorted(levels, new), len(levels) - 1)
    return np.where(levels[place] == new, commonest[place], usual)


def _predict_value(codes: np.ndarray, values: np.ndarray, new: np.ndarray, *, ordered: bool) -> np.ndarray:
    """For each new value the mean at the same known value; with order, interpolated between neighbours."""
    levels, inverse, counts = np.unique(codes, return_inverse=True, return_counts=True)
    means = np.bincount(inverse, weights=values) / counts
    if ordered:
        return np.interp(new, levels, means)
    place = np.minimum(np.searchsorted(levels, new), len(levels) - 1)
    return np.where(levels[place] == new, means[place], values.mean())


def _balanced_accuracy(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Mean recall over the classes with at least five rows; 0 where that is a single class."""
    codes, sizes = np.unique(truth, return_counts=True)
    recalls = [float((predicted[truth == code] == code).mean()) for code in codes[sizes >= 5]]
    return float(np.mean(recalls)) if len(recalls) > 1 else 0.0


def _r_squared(truth: np.ndarray, predicted: np.ndarray) -> float:
    total = float(((truth - truth.mean()) ** 2).sum())
    return 1 - float(((truth - predicted) ** 2).sum()) / total if total else 0.0


def check_repeats(train: HashedRows, validation: HashedRows, *, sealed: np.ndarray) -> list[Finding]:
    """Duplicates across parts and within the training rows; of test rows only their hashes are used."""
    ordered = np.sort(train.hashes)
    return [
        *_find_repeats_across(train, validation, sealed, ordered),
        *_find_repeats_within(train, ordered),
    ]


def _find_repeats_across(
    train: HashedRows, validation: HashedRows, sealed: np.ndarray, ordered: np.ndarray
) -> list[Finding]:
    theirs = validation.hashes
    repeats = np.flatnonzero(_is_among(theirs, ordered))
    hidden = int((_is_among(sealed, ordered) | _is_among(sealed, np.sort(theirs))).sum())
    sentences = []
    if len(repeats):
        first = int(np.flatnonzero(train.hashes == theirs[repeats[0]])[0])
        example = f"{_row(validation, int(repeats[0]))} is the same as {_row(train, first)}"
        sentences.append(
            f"{_count(len(repeats), len(theirs), 'validation row')} repeat a training row ({example})"
        )
    if hidden:
        sentences.append(f"{_count(hidden, len(sealed), 'test row')} repeat a training or validation row")
    if not sentences:
        return []
    largest = max(len(repeats) / max(len(theirs), 1), hidden / max(len(sealed), 1))
    return [
        Finding(
            level="warning" if largest >= _MANY_REPEATS else "note",
            name="duplicates",
            seen="; ".join(sentences) + ".",
            why="A network that remembers such rows looks better on them than it will on new ones.",
            action="They stay; data.duplicates=drop leaves them out.",
        )
    ]


def _is_among(hashes: np.ndarray, ordered: np.ndarray) -> np.ndarray:
    """Which of the hashes stand in a sorted array; many rows need no more memory than that array."""
    if not len(ordered):
        return np.zeros(len(hashes), dtype=bool)
    return ordered[np.minimum(np.searchsorted(ordered, hashes), len(ordered) - 1)] == hashes


def _find_repeats_within(train: HashedRows, ordered: np.ndarray) -> list[Finding]:
    places = np.flatnonzero(_is_among(train.hashes, ordered[1:][ordered[1:] == ordered[:-1]]))
    _, start, inverse = np.unique(train.hashes[places], return_index=True, return_inverse=True)
    first = places[start][inverse]  # for each of the places, where its row stands first
    repeats = places[first != places]
    if not len(repeats):
        return []
    original = int(first[np.searchsorted(places, repeats[0])])
    example = f"{_row(train, int(repeats[0]))} is the same as {_row(train, original)}"
    return [
        Finding(
            level="note",
            name="repeats",
            seen=f"{_count(len(repeats), len(train.hashes), 'training row')} repeat an earlier one "
            f"({example}).",
            why="Each repeat counts again in the loss: right where rows are frequent, wrong where they were "
            "copied by mistake.",
            action="They stay; data.duplicates concerns repeats across parts alone, so remove copies from "
            "the source.",
        )
    ]


def _count(part: int, whole: int, noun: str) -> str:
    return f"{part:,} of {plural(whole, noun)} ({share(part, whole)})"


def _row(part: HashedRows, place: int) -> str:
    name = part.table.row_name(int(part.rows[place]))
    return f"{name} of '{part.table.source}'" if part.name != "train" else name
