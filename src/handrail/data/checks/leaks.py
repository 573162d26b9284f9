"""Columns that give the target away.

A copy is a column that equals the target up to renaming (classes) or up to scale and offset (numbers) in
every row. A giveaway is a column that alone predicts the target nearly without error. The mere fact that a
value is missing may tell the target, too, and so may a sum of columns.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from handrail.data.columns.schema import Column, Schema
from handrail.data.columns.values import as_numbers
from handrail.data.finding import Finding, advise_drop, report_columns
from handrail.data.part import Part
from handrail.data.task import TaskSpec
from handrail.tools.words import number, plural

_FEWEST_ROWS = 50  # below, a perfect match is too easily chance
_FEWEST_OTHERS = 5  # rows outside the largest class: 50 rows with 5 others can be drawn in two million ways
_CLASS_SCORE, _VALUE_SCORE = 0.995, 0.999
_FLAG_SCORE = 0.95  # of a column with as few values as there are classes, which has nothing else to say
_GAP_SCORE = {True: 0.95, False: 0.9}  # of classes, of numbers
_SMALL_TERM = 1e-3  # of the largest
_EXACT = 1e-6  # of the variance may be left unexplained: what is summed is often rounded
_MOST_ROWS, _MOST_CELLS = 5_000, 1_000_000


@dataclass(frozen=True)
class _Target:
    """One target column: class codes or values of the training rows, then of the validation rows."""

    name: str
    values: np.ndarray
    is_class: bool


def check_leaks(train: Part, validation: Part, *, schema: Schema, task: TaskSpec) -> list[Finding]:
    """Copies of the target (errors); columns, gaps and sums of columns that tell it (warnings)."""
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
            findings += _find_sums(others, target, train, validation)
        findings += _find_telling_gaps(schema.used, target, train, validation)
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
    known, fresh = _draw_rows(train, validation, len(columns))
    truth = np.concatenate([target.values[known], target.values[len(train) + fresh]])
    if not target.is_class:
        truth = pl.Series(truth).rank("average").to_numpy()
    few = max(2, len(np.unique(truth))) if target.is_class else 0
    details, timed = {}, False
    for column in columns:
        values = pl.concat([train.features[column.name][known], validation.features[column.name][fresh]])
        ordered = column.kind != "category"
        score = _score(_as_codes(values), truth, len(known), ordered=ordered, is_class=target.is_class)
        least = _CLASS_SCORE if target.is_class else _VALUE_SCORE
        if score < min(_FLAG_SCORE, least):
            continue
        if score >= (_FLAG_SCORE if values.drop_nulls().n_unique() <= few else least):
            details[column.name] = f"{_measure(target)} {score:.3f}"
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


def _draw_rows(train: Part, validation: Part, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Places of as many random training and validation rows as are quick to look at, and enough."""
    generator = np.random.default_rng([0, 13])
    most = int(np.clip(_MOST_CELLS // max(columns, 1), 500, _MOST_ROWS))
    return generator.permutation(len(train))[:most], generator.permutation(len(validation))[:most]


def _measure(target: _Target) -> str:
    return "balanced accuracy" if target.is_class else "R² of ranks"


def _find_telling_gaps(
    columns: list[Column], target: _Target, train: Part, validation: Part
) -> list[Finding]:
    """Columns where it is enough to know whether the value is missing."""
    known, fresh = _draw_rows(train, validation, len(columns))
    truth = np.concatenate([target.values[known], target.values[len(train) + fresh]])
    if not target.is_class:
        truth = pl.Series(truth).rank("average").to_numpy()
    details = {}
    for column in columns:
        parts = (train.features[column.name][known], validation.features[column.name][fresh])
        gaps = np.concatenate([values.is_null().to_numpy() for values in parts]).astype(np.int64)
        if not _FEWEST_OTHERS <= gaps.sum() <= len(gaps) - _FEWEST_OTHERS:
            continue
        score = _score(gaps, truth, len(known), ordered=False, is_class=target.is_class)
        if score >= _GAP_SCORE[target.is_class]:
            details[column.name] = f"{_measure(target)} {score:.3f}"
    return report_columns(
        "warning",
        "telling-gaps",
        details,
        seen=f"whether the value is missing is enough to tell the target '{target.name}' of rows not used.",
        why="A value that is filled in only once the target is known, such as the date of an event, is not "
        "there when the target is to be predicted.",
        action=f"Nothing is changed; {advise_drop(list(details))}",
    )


def _find_sums(columns: list[Column], target: _Target, train: Part, validation: Part) -> list[Finding]:
    """A target of numbers that is an exact sum of columns, each times a number."""
    names = [column.name for column in columns if column.kind in ("numeric", "boolean")]
    known, fresh = _draw_rows(train, validation, len(names))
    names = [name for name in names if train.features[name].null_count() == 0]
    if target.is_class or len(names) < 2 or len(names) + 1 > len(known) // 2 or not len(fresh):
        return []
    old, new = (
        part.features[places][names].fill_null(0.0).to_numpy()
        for part, places in ((train, known), (validation, fresh))
    )
    truth, unseen = target.values[known], target.values[len(train) + fresh]
    centre, spread = old.mean(axis=0), old.std(axis=0)
    used = spread > 0
    scaled = [(values - centre)[:, used] / spread[used] for values in (old, new)]
    weights = np.linalg.lstsq(scaled[0], truth - truth.mean(), rcond=1e-12)[0]
    residual = unseen - truth.mean() - scaled[1] @ weights
    if not truth.std() > 0 or float(residual @ residual) > _EXACT * len(unseen) * float(truth.var()):
        return []
    shares = np.abs(weights) / np.abs(weights).max()
    if (shares > _SMALL_TERM).sum() < 2:  # one column alone: a giveaway
        return []
    return [_report_sum(np.array(names)[used], weights / spread[used], shares, target)]


def _report_sum(names: np.ndarray, weights: np.ndarray, shares: np.ndarray, target: _Target) -> Finding:
    order = [int(place) for place in np.argsort(-shares) if shares[place] > _SMALL_TERM]
    largest = [str(names[place]) for place in order[:4]]
    terms = [_term(float(weights[place]), str(names[place])) for place in order]
    formula = " ".join(terms[:4]).removeprefix("+ ")
    more = f" and {plural(len(terms) - 4, 'smaller term')}" if len(terms) > 4 else ""
    return Finding(
        level="warning",
        name="sum",
        seen=f"The target '{target.name}' is a sum of columns: {formula}{more}, without error in rows "
        "not used.",
        why="Where the columns are parts of the target, they are seldom there when it is to be predicted; a "
        "linear model needs no more than this.",
        action=f"Nothing is changed; {advise_drop(largest)}",
    )


def _term(weight: float, name: str) -> str:
    """`+ 2 · 'a'`; a weight of 1 is left out."""
    factor = "" if abs(abs(weight) - 1) < 1e-3 else f"{number(float(f'{abs(weight):.4g}'))} · "
    return f"{'-' if weight < 0 else '+'} {factor}'{name}'"


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
