"""Columns that give the target away.

A copy is a column that equals the target up to renaming (classes) or up to scale and offset (numbers) in
every row. A giveaway is a column from which the target can be told nearly without error by looking at it
alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from handrail.data.checks.finding import Finding
from handrail.data.checks.wording import columns_with, dropping, make
from handrail.data.columns.schema import Column, Schema
from handrail.data.columns.values import as_numbers
from handrail.data.part import Part
from handrail.data.task import TaskSpec

_FEWEST_ROWS = 50  # below, a perfect match is too easily chance
_FEWEST_OTHERS = 5  # rows outside the largest class: 50 rows with 5 others can be drawn in two million ways
_CLASS_SCORE, _VALUE_SCORE = 0.995, 0.999
_MOST_ROWS, _MOST_CELLS = 5_000, 1_000_000


@dataclass(frozen=True)
class _Target:
    """One target column: class codes or values of the training rows, then of the validation rows."""

    name: str
    values: np.ndarray
    is_class: bool


def check_leaks(train: Part, validation: Part, *, schema: Schema, task: TaskSpec) -> list[Finding]:
    """Copies of the target (errors) and columns that alone tell it (warnings)."""
    if len(train) + len(validation) < _FEWEST_ROWS or not task.has_values:
        return []
    findings = []
    for target in _targets(train, validation, task):
        copies = [
            column.name
            for column in schema.cells
            if _is_copy(
                pl.concat([train.features[column.name], validation.features[column.name]]), column, target
            )
        ]
        findings += _find_copies(copies, target, alone=len(schema.used) == 1)
        others = [column for column in schema.cells if column.name not in copies]
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


def _is_copy(values: pl.Series, column: Column, target: _Target) -> bool:
    if values.null_count():
        return False
    return (
        _is_relabelling(values, target.values)
        if target.is_class
        else _is_rescaling(values, column, target.values)
    )


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
    centred, wanted = _centre(values.to_numpy()), _centre(target)
    square = float(centred @ centred)
    if square == 0 or not wanted.any():
        return False
    return bool(np.abs(wanted - centred * (centred @ wanted / square)).max() <= 1e-6 * wanted.std())


def _centre(values: np.ndarray) -> np.ndarray:
    """Around 0, in units of the largest so that nothing overflows."""
    values = values / (np.abs(values).max() or 1.0)
    return values - values.mean()


def _find_copies(columns: list[str], target: _Target, *, alone: bool) -> list[Finding]:
    if not columns:
        return []
    how = "each value stands for one class" if target.is_class else "the same up to scale and offset"
    stop = "" if alone else " The fit stops here."
    return [
        make(
            "warning" if alone else "error",
            "copy",
            columns,
            seen=f"{columns_with(columns, [how] * len(columns))}: a copy of the target '{target.name}' in "
            "all "
            f"{len(target.values):,} training and validation rows.",
            why="Rows whose target is still to be predicted seldom have such a column, and a network would "
            "learn nothing else.",
            action=f"{dropping(columns)}{stop}",
        )
    ]


def _find_giveaways(columns: list[Column], target: _Target, train: Part, validation: Part) -> list[Finding]:
    generator = np.random.default_rng([0, 13])
    rows = int(np.clip(_MOST_CELLS // max(len(columns), 1), 500, _MOST_ROWS))
    known = _choose(len(train), rows, generator)
    fresh = _choose(len(validation), rows, generator)
    wanted = np.concatenate([target.values[known], target.values[len(train) + fresh]])
    if not target.is_class:
        wanted = pl.Series(wanted).rank("average").to_numpy()
    scores = {}
    for column in columns:
        values = pl.concat([train.features[column.name][known], validation.features[column.name][fresh]])
        ordered = column.kind != "category"
        scores[column.name] = _score(
            _as_codes(values), wanted, len(known), ordered=ordered, is_class=target.is_class
        )
    found = [
        column
        for column in columns
        if scores[column.name] >= (_CLASS_SCORE if target.is_class else _VALUE_SCORE)
    ]
    return _report(found, scores, target) if found else []


def _choose(rows: int, most: int, generator: np.random.Generator) -> np.ndarray:
    return generator.permutation(rows)[:most]


def _as_codes(values: pl.Series) -> np.ndarray:
    """Whole numbers in the order of the values, missing far below all others."""
    codes = values.rank("dense").cast(pl.Int64)
    return codes.fill_null(-1000 * len(codes)).to_numpy()


def _score(codes: np.ndarray, wanted: np.ndarray, train: int, *, ordered: bool, is_class: bool) -> float:
    """How well the column alone tells the target of rows not used: each half from the other, validation from
    train.
    """
    half = train // 2
    everything = np.arange(len(codes))
    folds = [
        (everything[:half], everything[half:train]),
        (everything[half:train], everything[:half]),
        (everything[:train], everything[train:]),
    ]
    if min(half, len(codes) - train) == 0:
        return 0.0
    tell = _class_of if is_class else _value_of
    told = np.concatenate([tell(codes[old], wanted[old], codes[new], ordered=ordered) for old, new in folds])
    truth = np.concatenate([wanted[new] for _, new in folds])
    return _balanced_accuracy(truth, told) if is_class else _r_squared(truth, told)


def _class_of(codes: np.ndarray, classes: np.ndarray, new: np.ndarray, *, ordered: bool) -> np.ndarray:
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


def _value_of(codes: np.ndarray, values: np.ndarray, new: np.ndarray, *, ordered: bool) -> np.ndarray:
    """For each new value the mean at the same known value; with order, interpolated between neighbours."""
    levels, inverse, counts = np.unique(codes, return_inverse=True, return_counts=True)
    means = np.bincount(inverse, weights=values) / counts
    if ordered:
        return np.interp(new, levels, means)
    place = np.minimum(np.searchsorted(levels, new), len(levels) - 1)
    return np.where(levels[place] == new, means[place], values.mean())


def _balanced_accuracy(truth: np.ndarray, told: np.ndarray) -> float:
    """Mean recall over the classes with rows enough to speak of; 0 where that is a single class."""
    recalls = [
        float((told[truth == code] == code).mean()) for code in np.unique(truth) if (truth == code).sum() >= 5
    ]
    return float(np.mean(recalls)) if len(recalls) > 1 else 0.0


def _r_squared(truth: np.ndarray, told: np.ndarray) -> float:
    """The share of the variance that is explained, R²."""
    total = float(((truth - truth.mean()) ** 2).sum())
    return 1 - float(((truth - told) ** 2).sum()) / total if total else 0.0


def _report(found: list[Column], scores: dict[str, float], target: _Target) -> list[Finding]:
    measure = "balanced accuracy" if target.is_class else "R² of ranks"
    names = [column.name for column in found]
    timed = any(column.kind == "datetime" for column in found)
    return [
        make(
            "warning",
            "giveaway",
            names,
            seen=f"{columns_with(names, [f'{measure} {scores[name]:.3f}' for name in names])}: enough by "
            "itself to tell the target "
            f"'{target.name}' of rows not used.",
            why="Such a column is often written down after the target, or computed from it, and is not there "
            "when it is needed.",
            action=f"Nothing is changed; {dropping(names)}"
            + (
                " Where rows follow each other in time, data.split.method=time asks the harder question."
                if timed
                else ""
            ),
        )
    ]
