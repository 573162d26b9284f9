"""Simple generators, and the training rows themselves: clouds of rows beside those of a network."""

import numpy as np
from jaxtyping import Float

Cloud = Float[np.ndarray, "rows width"]
_WIDEST = 4096  # columns whose covariances are estimated


def independent_columns(train: Cloud, count: int, generator: np.random.Generator) -> Cloud:
    """Each number from a training row of its own. Source: Efron 1979"""
    places = generator.integers(len(train), size=(count, train.shape[1]))
    return np.take_along_axis(train, places, axis=0)


def gaussian(train: Cloud, count: int, generator: np.random.Generator) -> Cloud:
    """A normal law with all covariances, shrunk towards equal variances.

    Raises: `ValueError` for more than 4,096 numbers a row.

    Source: Ledoit & Wolf 2004
    """
    from sklearn.covariance import LedoitWolf

    if train.shape[1] > _WIDEST:
        raise ValueError(f"a Gaussian needs all covariances; {train.shape[1]:,} numbers a row are too many")
    fitted = LedoitWolf().fit(train)
    values, vectors = np.linalg.eigh(fitted.covariance_)
    drawn = generator.standard_normal((count, train.shape[1])) * np.sqrt(np.maximum(values, 0))
    return fitted.location_ + drawn @ vectors.T


def training_rows(train: Cloud, count: int, generator: np.random.Generator) -> Cloud:
    """Training rows as they are, none twice, so at most as many as there are."""
    return train[generator.permutation(len(train))[:count]]
