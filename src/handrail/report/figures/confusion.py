"""Which class is mistaken for which: a matrix, or the most confused pairs if there are many classes.

`confusion.html.j2` draws it as a table.
"""

from dataclasses import dataclass

import numpy as np

from handrail.evaluation.metrics import Predictions

MOST_CLASSES = 20
_MOST_PAIRS = 15


@dataclass(frozen=True)
class Cell:
    """How many rows of a true class got one answer, and their `share` of the class."""

    count: int
    share: float

    @property
    def percent(self) -> str:
        """`97%`, `<1%`, or empty for none."""
        return "" if self.count == 0 else "<1%" if self.share < 0.005 else f"{self.share:.0%}"


@dataclass(frozen=True)
class Confusion:
    """A matrix (rows are the truth, columns the answers), or pairs (truth, answer, cell) by frequency."""

    classes: tuple[str, ...]
    rows: tuple[tuple[str, int, tuple[Cell, ...]], ...] = ()
    pairs: tuple[tuple[str, str, Cell], ...] = ()
    right: int = 0
    total: int = 0


@dataclass(frozen=True)
class LabelRow:
    """The four cells of one label."""

    name: str
    hits: int
    missed: int
    false_alarms: int
    rest: int


def confusion(predictions: Predictions) -> Confusion:
    """The confusion matrix of a task whose rows have one class each."""
    width = predictions.width
    codes = predictions.truth.astype(np.int64) * width + predictions.label_codes.astype(np.int64)
    counts = np.bincount(codes, minlength=width * width).reshape(width, width)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    classes = predictions.classes
    right, total = int(np.trace(counts)), int(counts.sum())
    if width > MOST_CLASSES:
        return Confusion(classes, pairs=_pairs(classes, counts, shares), right=right, total=total)
    cells = [tuple(map(Cell, *pair)) for pair in zip(counts.tolist(), shares.tolist(), strict=True)]
    named = zip(classes, cells, strict=True)
    rows = tuple((name, sum(cell.count for cell in row), row) for name, row in named)
    return Confusion(classes, rows=rows, right=right, total=total)


def _pairs(
    classes: tuple[str, ...], counts: np.ndarray, shares: np.ndarray
) -> tuple[tuple[str, str, Cell], ...]:
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:_MOST_PAIRS]
    places = [np.unravel_index(place, wrong.shape) for place in order]
    return tuple(
        (classes[truth], classes[answer], Cell(int(wrong[truth, answer]), float(shares[truth, answer])))
        for truth, answer in places
        if wrong[truth, answer]
    )


def label_table(predictions: Predictions) -> list[LabelRow]:
    """Each label's hits, misses and false alarms."""
    return [
        LabelRow(name, *(int(cell.sum()) for cell in (true & on, true & ~on, ~true & on, ~true & ~on)))
        for name, (true, on, _) in zip(predictions.classes, predictions.sides(), strict=True)
    ]
