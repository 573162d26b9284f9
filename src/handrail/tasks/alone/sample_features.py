"""Where clouds of rows are compared: the rows themselves or, of pictures, what a classifier sees in them."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from handrail.shapes import ImageShape, InputShape

Cloud = Float[np.ndarray, "rows width"]
_MOST_ROWS, _UNITS, _PASSES, _COMPONENTS, _SEED = 5_000, 64, 30, 32, 5


@dataclass(frozen=True, eq=False)
class Features:
    """What a row is compared by, and how that is called."""

    of: Callable[[Cloud], Cloud]
    words: str


def features_for(train: Cloud, labels: Int[np.ndarray, " rows"] | None, shape: InputShape) -> Features:
    """Encoded units; of pictures the 64 hidden units of a perceptron that was taught the label on at most
    5,000 training rows or, without a label, the first 32 principal components of these.

    Source: Heusel et al. 2017 (a classifier's features); Pearson 1901
    """
    if not isinstance(shape, ImageShape):
        return Features(lambda rows: rows, "in encoded units")
    known = np.arange(len(train)) if labels is None else np.flatnonzero(labels >= 0)
    chosen = np.random.default_rng(_SEED).permutation(known)[:_MOST_ROWS]
    if labels is None or len(np.unique(labels[chosen])) < 2:
        return _components(train[chosen if len(chosen) > 1 else slice(None)])
    return _classifier(train[chosen], labels[chosen])


def _components(train: Cloud) -> Features:
    from sklearn.decomposition import PCA

    kept = min(_COMPONENTS, *train.shape)
    plane = PCA(kept, svd_solver="randomized", random_state=_SEED).fit(train)
    return Features(plane.transform, f"in {kept} principal components of the training rows")


def _classifier(train: Cloud, labels: Int[np.ndarray, " rows"]) -> Features:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    fitted = MLPClassifier((_UNITS,), max_iter=_PASSES, random_state=_SEED)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # it is to see, not to be the best classifier
        fitted.fit(train, labels)
    weights, biases = fitted.coefs_[0], fitted.intercepts_[0]
    words = f"in the {_UNITS} hidden units of a classifier of the label, taught on training rows"
    return Features(lambda rows: np.maximum(rows @ weights + biases, 0), words)
