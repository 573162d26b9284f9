"""The estimator for clusters."""

from typing import Any

import numpy as np
from jaxtyping import Int
from sklearn.base import ClusterMixin

from handrail.errors import RecipeError
from handrail.sklearn.transformer import NetworkTransformer


class NetworkClusterer(ClusterMixin, NetworkTransformer):
    """A network that divides rows into groups, by default k-means with eight of them.

    Its `transform` gives the distance to each centre, in encoded units.

    X: as for `NetworkClassifier`; y is ignored.

    Arguments:
        model: one that learns clusters, `{"kmeans": {"clusters": 3}}`; None is k-means with eight.
        learning, epochs, batch_size: `auto` is what the model says of itself.
        patience, validation_fraction: to stop early by rows that are held out; by default nothing is.
        scaling, device, threads, random_state, verbose: as for `NetworkClassifier`.

    Attributes:
        labels_: the cluster of each row of `fit`. cluster_centers_: in the units of X.
        inertia_: the sum of squared distances of these rows to their centres, in encoded units.
        n_features_in_, feature_names_in_, pipeline_, network_, history_, best_epoch_: as there.
    """

    def fit(self, X: Any, y: Any = None) -> "NetworkClusterer":  # noqa: N803
        """Train from the beginning.

        Raises: `RecipeError` for invalid settings, `ValueError` and `TypeError` of scikit-learn for
            unsuitable arrays.
        """
        if self._alone.task != "clusters":
            raise RecipeError(f"model: {self._spec} learns {self._alone.task}; expected one for clusters.")
        super().fit(X)
        distances = self.transform(X)
        self.labels_ = distances.argmin(axis=1)
        self.inertia_ = float((distances.min(axis=1) ** 2).sum())
        self.cluster_centers_ = self._as_rows(self._model.centres.detach().cpu())
        return self

    def predict(self, X: Any) -> Int[np.ndarray, " rows"]:  # noqa: N803
        """The number of the nearest centre."""
        return self.transform(X).argmin(axis=1)
