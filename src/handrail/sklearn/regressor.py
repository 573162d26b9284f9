"""The estimator for values."""

from typing import Any

import numpy as np
import torch
from sklearn.base import RegressorMixin
from sklearn.utils.validation import column_or_1d

from handrail.data.task import TaskSpec
from handrail.sklearn.base import NetworkEstimator


class NetworkRegressor(RegressorMixin, NetworkEstimator):
    """A network that gives one or several numbers for each row.

    X: as for `NetworkClassifier`. y: numbers `[rows]` or `[rows, outputs]`; they are standardised for
    training, and answers come in y's own unit.

    Arguments: those of `NetworkClassifier` without `balance`; the loss `auto` is the mean squared error.

    Attributes: those of `NetworkClassifier` without `classes_`.
    """

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(self, X: Any, y: Any) -> "NetworkRegressor":  # noqa: N803
        """Train from the beginning.

        Raises: `RecipeError` for invalid settings, `TrainingError` when the loss is not a number,
            `DataError`, and `ValueError` and `TypeError` of scikit-learn, for unsuitable rows.
        """
        rows, y = self._validate(X, y, multi_output=True, y_numeric=True)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        self._flat = y.ndim == 1
        target = torch.from_numpy(np.array(y, dtype=np.float64).reshape(len(y), -1))
        names = ("y",) if self._flat else tuple(f"y{index}" for index in range(target.shape[1]))
        self._train(rows, target, TaskSpec(name="regression", targets=names))
        return self

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """Values in y's own unit, in y's shape."""
        values = self._predict(X)
        return values[:, 0] if self._flat else values
