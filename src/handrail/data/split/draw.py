"""Three parts, drawn before any statistic: training, validation and the sealed test rows.

The test rows are drawn by their position alone: one at random from each of as many equal stretches of the
table as there are test rows. So nothing in a test row, its label included, can influence what is fitted; and
a table sorted by class is still divided in proportion. The validation rows are then drawn from the rest in
the same way, class by class where there are classes.
"""

from collections.abc import Callable, Sequence

import numpy as np
import polars as pl

from handrail.data.columns.point_months import find_point_months
from handrail.data.columns.values import as_labels, as_numbers, as_seconds
from handrail.errors import DataError, did_you_mean
from handrail.recipe.reading import Split

PARTS = ("train", "validation", "test")
TRAIN, VALIDATION, TEST = 0, 1, 2
_ALIASES = {
    **dict.fromkeys(("train", "training"), TRAIN),
    **dict.fromkeys(("validation", "val", "valid", "dev"), VALIDATION),
    "test": TEST,
}
FEWEST_ROWS = 10


def draw(
    split: Split,
    rows: int,
    *,
    keys: pl.Series | None = None,
    classes_of: Callable[[np.ndarray], pl.Series | None] = lambda _: None,
    with_validation: bool = True,
    with_test: bool = True,
    source: str = "the table",
) -> np.ndarray:
    """The part of each row: 0 train, 1 validation, 2 test.

    Arguments:
        split: the method and the shares.
        rows: how many there are.
        keys: the column of groups, times or parts, where the method needs it.
        classes_of: the classes of the rows at these positions, or nothing where the target has none; only
            `stratified` asks for those of all rows, `auto` for those that are not sealed.
        with_validation, with_test: false where a source of its own gives the part.

    Raises: `DataError` for too few rows or a column that does not serve.
    """
    shares = (split.validation if with_validation else 0.0, split.test if with_test else 0.0)
    if split.method == "column":
        assert keys is not None
        return _read_parts(keys, with_validation=with_validation, with_test=with_test)
    if rows < FEWEST_ROWS and any(shares):
        raise DataError(
            f"{source} has {rows} {'row' if rows == 1 else 'rows'}; expected at least {FEWEST_ROWS} to draw "
            "training, validation and test rows from."
        )
    generator = np.random.default_rng([split.seed, 7])
    if split.method == "time":
        assert keys is not None
        return _split_in_order(keys, shares)
    if split.method == "order":
        return _split_in_order(pl.Series(range(rows)), shares)
    if split.method == "group":
        assert keys is not None
        return _split_groups(keys, shares, generator)
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
    edges = np.arange(count + 1) * len(rows) // count
    return rows[edges[:-1] + generator.integers(0, edges[1:] - edges[:-1])]


def spread_by_class(
    rows: np.ndarray, share: float, generator: np.random.Generator, classes: pl.Series | None
) -> np.ndarray:
    """A share of the rows; of each class this share, where there are classes (one for each of the rows).

    At least one row is drawn and one is left, and of every class one is left, unless all are single rows.
    """
    total = min(max(1, round(share * len(rows))), len(rows) - 1)
    if classes is None:
        return spread(rows, total, generator)
    codes = _codes(classes)
    members = [rows[codes == code] for code in range(codes.max() + 1)]
    sizes = np.array([len(group) for group in members])
    if sizes.max() == 1:
        return spread(rows, total, generator)
    counts = _apportion(sizes, share, total)
    chosen = [spread(group, count, generator) for group, count in zip(members, counts, strict=True)]
    return np.concatenate(chosen)


def _apportion(sizes: np.ndarray, share: float, total: int) -> np.ndarray:
    """How many rows of each class: shares rounded by largest remainder, at most all but one.

    Where that leaves too few (many classes of a row or two), classes with rows to spare give more.
    """
    exact = share * sizes
    counts = np.minimum(np.floor(exact).astype(np.int64), sizes - 1)
    while (short := total - int(counts.sum())) > 0 and (spare := counts < sizes - 1).any():
        order = np.argsort(np.where(spare, counts - exact, np.inf), kind="stable")
        counts[order[: min(short, int(spare.sum()))]] += 1
    return counts


def _codes(labels: pl.Series) -> np.ndarray:
    values = labels.unique()  # few, where rows are many
    texts = as_labels(values).fill_null("")
    names = texts.unique().sort()
    codes = texts.replace_strict(names, list(range(len(names))), return_dtype=pl.Int64)
    known, unknown = values.is_not_null(), codes.filter(values.is_null())
    rest = unknown[0] if len(unknown) else None
    return labels.replace_strict(
        values.filter(known), codes.filter(known), default=rest, return_dtype=pl.Int64
    ).to_numpy()


def _read_parts(keys: pl.Series, *, with_validation: bool, with_test: bool) -> np.ndarray:
    words = keys.cast(pl.String).str.strip_chars().str.to_lowercase()
    parts = words.replace_strict(_ALIASES, default=None, return_dtype=pl.UInt8)
    if parts.null_count():
        row = int(parts.is_null().arg_max() or 0)
        hint = "" if keys[row] is None else did_you_mean(words[row], _ALIASES)
        raise _key_error(keys, row, f"train, validation or test in every row.{hint}")
    for code, is_drawn in ((VALIDATION, with_validation), (TEST, with_test)):
        if not is_drawn and bool((parts == code).any()):
            raise DataError(
                f"split column '{keys.name}': found {PARTS[code]} rows, but data.{PARTS[code]} gives that "
                "part too; expected one of the two."
            )
    return parts.to_numpy().copy()


def _key_error(keys: pl.Series, row: int, expected: str) -> DataError:
    value = "no value" if keys[row] is None else f"'{keys[row]}'"
    return DataError(f"split column '{keys.name}': found {value} in data row {row + 1}, expected {expected}")


def _split_in_order(keys: pl.Series, shares: tuple[float, float]) -> np.ndarray:
    moments = as_numbers(keys)
    are_months = keys.dtype == pl.String and find_point_months(keys.drop_nulls()) is not None
    if are_months or moments.null_count() > keys.null_count():
        moments = as_seconds(keys, None)
    if moments.null_count():
        row = int(moments.is_null().arg_max() or 0)
        raise _key_error(keys, row, "a date or a number that orders the rows in time.")
    order, rows = np.argsort(moments.to_numpy(), kind="stable"), len(keys)
    validation, test = (max(1, round(share * rows)) if share else 0 for share in shares)
    validation = min(validation, rows - test - 1)
    cuts = [cut for cut, size in ((rows - test - validation, validation), (rows - test, test)) if size]
    found = cut_between(moments.to_numpy()[order], cuts)
    if found is None:
        raise DataError(
            f"split column '{keys.name}' has {moments.n_unique():,} different moments in {rows:,} rows; "
            f"expected at least {len(cuts) + 1}, one for each part: rows of one moment stay in one part."
        )
    parts = np.full(rows, TRAIN, dtype=np.uint8)
    parts[order[found[-1] if test else rows :]] = TEST
    parts[order[found[0] if validation else rows : found[-1] if test else rows]] = VALIDATION
    return parts


def cut_between(moments: np.ndarray, cuts: Sequence[int]) -> list[int] | None:
    """The cuts of sorted rows moved to the nearest places between two different moments; None for too few.

    Later cuts are placed first; each leaves a moment for every part before it. Where two places are as near,
    it is the earlier one.
    """
    places = np.flatnonzero(moments[1:] != moments[:-1]) + 1
    if len(places) < len(cuts):
        return None
    found: list[int] = []
    for before, cut in reversed(list(enumerate(cuts))):
        open_places = places[before:]
        nearest = int(np.abs(open_places - cut).argmin())
        found.insert(0, int(open_places[nearest]))
        places = places[: before + nearest]
    return found


def _split_groups(keys: pl.Series, shares: tuple[float, float], generator: np.random.Generator) -> np.ndarray:
    """Whole groups in random order: first test, then validation, then training; at least one group each."""
    groups = _codes(keys)
    sizes = np.bincount(groups)
    validation, test = shares
    needed = 1 + (validation > 0) + (test > 0)
    if len(sizes) < needed:
        number = len(sizes)
        raise DataError(
            f"split column '{keys.name}' has {number} groups; expected at least {needed}, one for each part."
        )
    order = generator.permutation(len(sizes))
    middles = (np.cumsum(sizes[order]) - sizes[order] / 2) / len(groups)
    tests = int(np.clip((middles < test).sum(), test > 0, len(sizes) - 1 - (validation > 0)))
    held_out = int(np.clip((middles < test + validation).sum(), tests + (validation > 0), len(sizes) - 1))
    part_of = np.full(len(sizes), TRAIN, dtype=np.uint8)
    part_of[order[:tests]] = TEST
    part_of[order[tests:held_out]] = VALIDATION
    return part_of[groups]
