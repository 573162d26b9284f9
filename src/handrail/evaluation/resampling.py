"""Rows drawn again, and rows left out: what metrics without a closed interval are judged by."""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float

from handrail.evaluation.outcomes import Outcome

_CHUNK = 2**18  # weights held at once: two megabytes stay in a core's cache
# Rows left out together: fewer groups would make a worse estimate of the error, and of more a mean average
# precision hardly moves, which is made of steps.
_GROUPS = 40
_SUMS = 1000  # sums of groups of rows stand for more rows than that in a bootstrap


def draw_counts(
    generator: np.random.Generator, rows: int, resamples: int, *, block: int = 1
) -> Float[np.ndarray, "rows resamples"]:
    """How often each row is drawn in each resample of as many rows (to within a block), with replacement.

    Rows that belong together are drawn in blocks of neighbours; the first row follows the last.

    Source: Efron 1979; Politis & Romano 1992 (circular blocks)
    """
    block = min(block, rows)
    starts = _draw(generator, rows, -(-rows // block), resamples)
    if block == 1:
        return starts
    total = np.cumsum(np.concatenate([starts[rows - block + 1 :], starts]), axis=0)
    total = np.concatenate([np.zeros((1, resamples)), total])
    return total[block:] - total[:-block]


def _draw(
    generator: np.random.Generator, rows: int, draws: int, resamples: int
) -> Float[np.ndarray, "rows resamples"]:
    flat = generator.integers(0, rows, size=(draws, resamples)) * resamples + np.arange(resamples)
    return np.bincount(flat.ravel(), minlength=rows * resamples).reshape(rows, resamples).astype(np.float64)


def leave_out(
    outcome: Outcome, names: Iterable[str], *, seed: int
) -> dict[str, Float[np.ndarray, " groups"]]:
    """The named metrics without each row, or of more than 40 rows without each of 40 random groups.

    Source: Quenouille 1949; Tukey 1958 (jackknife)
    """
    functions = outcome.statistics(names)
    if not functions:
        return {}
    groups = group_rows(outcome.rows, min(outcome.rows, _GROUPS), seed=seed)
    count, step = int(groups.max()) + 1, int(np.clip(_CHUNK // outcome.rows, 4, 1024))
    chunks: list[dict[str, np.ndarray]] = []
    with np.errstate(all="ignore"):  # 0/0 marks a metric that is undefined without the group
        for first in range(0, count, step):
            weights = (groups[:, None] != np.arange(first, min(first + step, count))).astype(np.float64)
            chunks.append({name: values for one in functions for name, values in one(weights).items()})
    return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}


def group_rows(rows: int, groups: int, *, seed: int) -> np.ndarray:
    """The group of each row; the groups are random and of equal size, to within a row."""
    places = np.arange(rows) * groups // rows
    return places if groups == rows else np.random.default_rng([seed, 41]).permutation(places)


def sum_groups(columns: list[np.ndarray], *, seed: int) -> list[Float[np.ndarray, " groups"]]:
    """The columns' sums over random groups of rows; short columns as they are."""
    rows = len(columns[0])
    if rows <= _SUMS:
        return columns
    groups = group_rows(rows, _SUMS, seed=seed)
    return [np.bincount(groups, weights=column) for column in columns]
