"""Simple generators, and the training rows themselves: clouds of rows beside those of a network."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int64

from handrail.evaluation.points.sample_quality import energy_scores

Cloud = Float[np.ndarray, "rows width"]
Codes = Int64[np.ndarray, " rows"]
Draw = Callable[[Cloud, int, np.random.Generator], Cloud]
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


def score_by_class(
    draw: Draw, train: Cloud, points: Cloud, codes: tuple[Codes, Codes], *, count: int, seed: int
) -> tuple[Float[np.ndarray, " points"], Cloud]:
    """The energy score of each point under rows drawn as its class, and drawn rows with the training shares.

    Arguments:
        codes: of the classes of `train` and of `points`, all alike where no class is told. A class with fewer
            than two training rows is drawn from all of them.
        count: rows that are drawn of each class, and altogether.

    Raises: `ValueError` as `draw`.
    """
    generator = np.random.default_rng(seed)
    of_train, of_points = codes
    scores, parts = np.zeros(len(points)), []
    for code in np.unique(np.concatenate(codes)):
        own = of_train == code
        drawn = draw(train[own] if own.sum() > 1 else train, count, generator)
        if (of_points == code).any():
            scores[of_points == code] = energy_scores(points[of_points == code], drawn)
        parts.append(drawn[: round(count * own.mean())])
    whole = np.concatenate(parts)
    return scores, whole if len(parts) == 1 else generator.permutation(whole)
