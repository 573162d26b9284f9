"""Simple maps from one cloud of rows to another, without pairs."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

Cloud = Float[np.ndarray, "rows width"]
Map = Callable[[Cloud], Cloud]
_WIDEST = 1024  # numbers in a row whose covariances are matched


def unchanged(source: Cloud, goal: Cloud) -> Map:
    """Each row as it is."""
    return lambda rows: rows


def matched_columns(source: Cloud, goal: Cloud) -> Map:
    """Each number moved and scaled, so that means and variances are those of the other cloud."""
    spread = source.std(axis=0)
    factor = np.where(spread > 0, goal.std(axis=0) / np.where(spread > 0, spread, 1), 1)
    return lambda rows: goal.mean(axis=0) + (rows - source.mean(axis=0)) * factor


def optimal_transport(source: Cloud, goal: Cloud) -> Map:
    """x ↦ μ₂ + A·(x − μ₁) with A = Σ₁^(−½)(Σ₁^½Σ₂Σ₁^½)^½Σ₁^(−½): of all maps between normal laws the one that
    moves rows least. Covariances are shrunk towards equal variances (Ledoit & Wolf 2004).

    Raises: `ValueError` for more than 1,024 numbers a row.

    Source: Dowson & Landau 1982
    """
    from sklearn.covariance import ledoit_wolf

    if source.shape[1] > _WIDEST:
        raise ValueError(f"it needs all covariances; {source.shape[1]:,} numbers a row are too many")
    one, two = (ledoit_wolf(cloud)[0] for cloud in (source, goal))
    root, inverse = _power(one, 0.5), _power(one, -0.5)
    linear = inverse @ _power(root @ two @ root, 0.5) @ inverse
    return lambda rows: goal.mean(axis=0) + (rows - source.mean(axis=0)) @ linear


def _power(matrix: Float[np.ndarray, "width width"], power: float) -> Float[np.ndarray, "width width"]:
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.maximum(values, 1e-12) ** power) @ vectors.T
