"""Densities that are fitted in closed form: independent columns, a Chow–Liu tree, a Gaussian."""

import math
from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int

from handrail.layers.likelihoods import SAME_SHARE, SAME_SIZE
from handrail.shapes import TableShape

_LEAST = 1e-6  # variance in encoded units: a column that does not vary has a density without bound
_WIDEST = 4096  # columns of a tree: it compares all pairs


def independent_bernoulli(
    train: Float[np.ndarray, "known width"], rows: Float[np.ndarray, "rows width"]
) -> Float[np.ndarray, " rows"]:
    """Σᵢ xᵢ·log pᵢ + (1 − xᵢ)·log(1 − pᵢ), with half a row added to either side. Source: Laplace 1814"""
    p = _shares(train)
    return rows @ np.log(p) + (1 - rows) @ np.log1p(-p)


def independent_gaussian(
    train: Float[np.ndarray, "known width"], rows: Float[np.ndarray, "rows width"]
) -> Float[np.ndarray, " rows"]:
    """A normal density for each column. Source: Gauss 1809"""
    mean, variance = train.mean(axis=0), np.maximum(train.var(axis=0), _LEAST)
    terms = (rows - mean) ** 2 / variance + np.log(2 * math.pi * variance)
    return -terms.sum(axis=1) / 2


def independent_columns(shape: TableShape) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Each column of a table by itself: normal, Bernoulli or categorical, with half a row added to each side
    and each level. Numbers that are missing say nothing, and of values that many rows repeat the probability
    counts, beside the normal law of the others.
    """
    levels = {place for places in shape.choices for place in places}
    real = sorted({*range(shape)} - {*shape.bits} - levels)
    flags = dict(shape.gaps)

    def fitted(
        train: Float[np.ndarray, "known width"], rows: Float[np.ndarray, "rows width"]
    ) -> Float[np.ndarray, " rows"]:
        bits = list(shape.bits)
        total = independent_bernoulli(train[:, bits], rows[:, bits])
        for place in real:
            known, there = (
                each[:, flags[place]] == 0 if place in flags else np.ones(len(each), dtype=bool)
                for each in (train, rows)
            )
            values = [value for own, value in shape.repeated if own == place]
            total[there] += _number(train[known, place], rows[there, place], values)
        for places in map(list, shape.choices):
            counts = train[:, places].sum(axis=0) + 0.5
            total += rows[:, places] @ np.log(counts / counts.sum())
        return total

    return fitted


def _number(
    train: Float[np.ndarray, " known"], rows: Float[np.ndarray, " rows"], repeated: list[float]
) -> Float[np.ndarray, " rows"]:
    """A column of numbers: a normal law, and the probability of each value that is repeated."""
    known, found = (_repeats(each, repeated) for each in (train, rows))
    free = train[known < 0]
    counts = np.array([(known == cell).sum() for cell in range(-1, len(repeated))]) + 0.5 * bool(repeated)
    shares = np.log(counts / counts.sum())[found + 1]
    laws = independent_gaussian((free if len(free) else train)[:, None], rows[:, None])
    return shares + np.where(found < 0, laws, 0.0)


def _repeats(values: Float[np.ndarray, " rows"], repeated: list[float]) -> Int[np.ndarray, " rows"]:
    """Which of the values that are repeated each number has, from 0; −1 for none."""
    found = np.full(len(values), -1)
    for place, value in enumerate(repeated):
        found[np.isclose(values, value, rtol=SAME_SHARE, atol=SAME_SIZE)] = place
    return found


def full_gaussian(
    train: Float[np.ndarray, "known width"], rows: Float[np.ndarray, "rows width"]
) -> Float[np.ndarray, " rows"]:
    """A normal density with all covariances, shrunk towards equal variances. Source: Ledoit & Wolf 2004"""
    from sklearn.covariance import LedoitWolf

    fitted = LedoitWolf().fit(train)
    covariance = fitted.covariance_ + _LEAST * np.eye(train.shape[1])
    root = np.linalg.cholesky(covariance)
    scaled = np.linalg.solve(root, (rows - fitted.location_).T)
    constant = 2 * np.log(np.diag(root)).sum() + train.shape[1] * math.log(2 * math.pi)
    return -((scaled**2).sum(axis=0) + constant) / 2


def chow_liu(
    train: Float[np.ndarray, "known width"], rows: Float[np.ndarray, "rows width"]
) -> Float[np.ndarray, " rows"]:
    """The tree of 0/1 columns that tells most: log p(root) + Σ log p(column | parent), the spanning tree with
    the largest sum of mutual information.

    Of values between 0 and 1, the mean over rows of zeros and ones that are drawn with them, independently.

    Raises: `ValueError` for more than 4,096 columns.

    Source: Chow & Liu 1968
    """
    from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree

    count, width = train.shape
    if width > _WIDEST:
        raise ValueError(f"a tree compares all pairs of columns; {width:,} are too many")
    p = _shares(train)
    both = (train.T @ train + 0.25) / (count + 1)
    cells = {
        (1, 1): both,
        (1, 0): p[:, None] - both,
        (0, 1): p[None, :] - both,
        (0, 0): 1 - p[:, None] - p[None, :] + both,
    }
    logs = {cell: np.log(np.maximum(value, 1e-12)) for cell, value in cells.items()}
    own = {1: np.log(p), 0: np.log1p(-p)}
    information = sum(
        np.maximum(value, 0) * (logs[a, b] - own[a][:, None] - own[b][None, :])
        for (a, b), value in cells.items()
    )
    tree = minimum_spanning_tree(-(np.maximum(information, 0) + 1e-9))
    order, parents = breadth_first_order(tree, 0, directed=False)
    values = {1: rows, 0: 1 - rows}
    total = values[1][:, 0] * own[1][0] + values[0][:, 0] * own[0][0]
    children = order[1:]
    above = parents[children]
    for (a, b), table in logs.items():  # a: of the parent, b: of the child
        given = table[above, children] - own[a][above]
        total = total + (values[a][:, above] * values[b][:, children]) @ given
    return total


def _shares(train: Float[np.ndarray, "known width"]) -> Float[np.ndarray, " width"]:
    return (train.sum(axis=0).clip(0, len(train)) + 0.5) / (len(train) + 1)
