"""Three parts, drawn before any statistic: training, validation and the sealed test rows.

The test rows are drawn by their position alone: one at random from each of as many equal stretches of the table as
there are test rows. Nothing that stands in a test row, its label included, can therefore influence what is fitted;
and since each stretch of the table gives its share, a table sorted by class is divided in proportion all the same.
The validation rows are then drawn from the rest in the same way, class by class where there are classes.
"""

from collections.abc import Callable
from typing import Annotated, Literal

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict, Field, model_validator

from handrail.data.schema import as_labels, as_numbers, as_seconds
from handrail.errors import DataError, did_you_mean

PARTS = ("train", "validation", "test")
TRAIN, VALIDATION, TEST = 0, 1, 2
_ALIASES = {
    "train": TRAIN, "training": TRAIN, "validation": VALIDATION, "val": VALIDATION, "valid": VALIDATION, "dev": VALIDATION, "test": TEST,
}  # fmt: skip
_FEWEST_ROWS = 10

Share = Annotated[float, Field(gt=0, lt=1)]


class Split(BaseModel):
    """How the rows are divided.

    `auto` and `random` draw the test rows by position alone; `auto` then draws validation rows class by class.
    `stratified` uses the classes of all rows, those of the test rows included. `group`, `time` and `column` use the
    column named in `column`: whole groups stay together; the latest rows are the test; the column says the part.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: Literal["auto", "random", "stratified", "group", "time", "column"] = "auto"
    column: str | None = None
    validation: Share = 0.15
    test: Share = 0.15
    seed: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _check(self) -> "Split":
        needs = self.method in ("group", "time", "column")
        if needs and self.column is None:
            raise ValueError(f"split method '{self.method}' needs split.column")
        if not needs and self.column is not None:
            raise ValueError(f"split.column has no effect with method '{self.method}'; expected group, time or column")
        if self.validation + self.test >= 0.95:
            raise ValueError(
                f"validation and test take {self.validation + self.test:.0%} of the rows; expected less than 95%"
            )
        return self


def draw(
    split: Split,
    rows: int,
    *,
    keys: pl.Series | None = None,
    classes_of: Callable[[np.ndarray], pl.Series | None] = lambda _: None,
    with_validation: bool = True,
    with_test: bool = True,
) -> np.ndarray:
    """The part of each row: 0 train, 1 validation, 2 test.

    Arguments:
        split: the method and the shares.
        rows: how many there are.
        keys: the column of groups, times or parts, where the method needs it.
        classes_of: the classes of the rows at these positions, or nothing where the target has none; it is asked
            for all rows by `stratified` alone, by `auto` for the rows that are not sealed.
        with_validation, with_test: false where a source of its own gives the part.

    Raises: `DataError` for too few rows or a column that does not serve.
    """
    if rows < _FEWEST_ROWS:
        raise DataError(
            f"the table has {rows} rows; expected at least {_FEWEST_ROWS} to draw training, validation and test rows from."
        )
    generator = np.random.default_rng([split.seed, 7])
    shares = (split.validation if with_validation else 0.0, split.test if with_test else 0.0)
    if split.method == "column":
        assert keys is not None
        return _given(keys)
    if split.method == "time":
        assert keys is not None
        return _ordered(keys, shares)
    if split.method == "group":
        assert keys is not None
        return _grouped(keys, shares, generator)
    everything = np.arange(rows)
    parts = np.full(rows, TRAIN, dtype=np.uint8)
    if with_test:
        classes = classes_of(everything) if split.method == "stratified" else None
        parts[spread_by_class(everything, split.test, generator, classes)] = TEST
    if with_validation:
        rest = np.flatnonzero(parts != TEST)
        classes = None if split.method == "random" else classes_of(rest)
        parts[spread_by_class(rest, split.validation / (1 - shares[1]), generator, classes)] = VALIDATION
    return parts


def spread(rows: np.ndarray, count: int, generator: np.random.Generator) -> np.ndarray:
    """`count` of the rows: one at random from each of `count` stretches of equal length, to within a row."""
    if count <= 0:
        return rows[:0]
    edges = np.floor(np.linspace(0, len(rows), count + 1)).astype(np.int64)
    return rows[edges[:-1] + generator.integers(0, edges[1:] - edges[:-1])]


def spread_by_class(rows: np.ndarray, share: float, generator: np.random.Generator, classes: pl.Series | None) -> np.ndarray:
    """A share of the rows, class by class where there are classes (one for each of the rows): each gives its part."""
    total = max(1, round(share * len(rows)))
    if classes is None:
        return spread(rows, total, generator)
    codes = _codes(classes)
    members = [rows[codes == code] for code in np.unique(codes)]
    exact = np.array([share * len(group) for group in members])
    counts = np.floor(exact).astype(int)
    short = total - counts.sum()
    for index in np.argsort(counts - exact, kind="stable")[: max(short, 0)]:
        counts[index] += len(members[index]) > 1  # a class with a single row trains
    return np.concatenate([spread(group, count, generator) for group, count in zip(members, counts, strict=True)])


def _codes(labels: pl.Series) -> np.ndarray:
    texts = as_labels(labels).fill_null("")
    names = texts.unique().sort()
    return texts.replace_strict(names, list(range(len(names))), return_dtype=pl.Int64).to_numpy()


def _given(keys: pl.Series) -> np.ndarray:
    words = keys.cast(pl.String).str.to_lowercase()
    unknown = [word for word in words.unique().to_list() if word not in _ALIASES]
    if unknown:
        raise DataError(
            f"split column '{keys.name}': found '{unknown[0]}', expected train, validation or test in every row.{did_you_mean(unknown[0], _ALIASES)}"
        )
    return np.array([_ALIASES[word] for word in words.to_list()], dtype=np.uint8)


def _ordered(keys: pl.Series, shares: tuple[float, float]) -> np.ndarray:
    moments = as_numbers(keys)
    if moments.null_count() > keys.null_count():
        moments = as_seconds(keys, None)
    if moments.null_count():
        row = int(moments.is_null().arg_max() or 0)
        raise DataError(
            f"split column '{keys.name}': found '{keys[row]}' in data row {row + 1}, expected a date or a number that orders the rows in time."
        )
    order = np.argsort(moments.to_numpy(), kind="stable")
    rows = len(order)
    parts = np.full(rows, TRAIN, dtype=np.uint8)
    validation, test = (max(1, round(share * rows)) if share else 0 for share in shares)
    parts[order[rows - test :]] = TEST
    parts[order[rows - test - validation : rows - test]] = VALIDATION
    return parts


def _grouped(keys: pl.Series, shares: tuple[float, float], generator: np.random.Generator) -> np.ndarray:
    groups = _codes(keys)
    sizes = np.bincount(groups)
    if len(sizes) < 3:
        raise DataError(f"split column '{keys.name}' has {len(sizes)} groups; expected at least 3, one for each part.")
    order = generator.permutation(len(sizes))
    filled = np.cumsum(sizes[order]) - sizes[order] / 2
    validation, test = (share * len(groups) for share in shares)
    part_of = np.full(len(sizes), TRAIN, dtype=np.uint8)
    part_of[order[filled < test]] = TEST
    part_of[order[(filled >= test) & (filled < test + validation)]] = VALIDATION
    for wanted, position, share in ((TEST, 0, test), (VALIDATION, 1, validation), (TRAIN, -1, 1)):
        if share and not (part_of == wanted).any():  # a few large groups
            part_of[order[position]] = wanted
    return part_of[groups]
