"""The estimator for codes."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin

from handrail.sklearn.alone import LoneEstimator


class NetworkTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, LoneEstimator):
    """A network that makes a code of each row: of k-means the distances to its centres.

    X: as for `NetworkClassifier`; y is ignored.

    Arguments: as for `NetworkClusterer`, of any model that learns without a target and encodes.

    Attributes: n_features_in_, feature_names_in_, pipeline_, network_, history_, best_epoch_: as there.
    """

    def fit(self, X: Any, y: Any = None) -> "NetworkTransformer":  # noqa: N803
        """Train from the beginning. Raises: as `NetworkClusterer.fit`."""
        rows = self._fit_alone(X)
        self._n_features_out = self.transform(X[:1] if hasattr(X, "__getitem__") else rows).shape[1]
        return self

    @torch.no_grad()
    def transform(self, X: Any) -> Float[np.ndarray, "rows codes"]:  # noqa: N803
        """The code of each row."""
        points = self._points(X)  # first: it sees whether there is a model
        codes = self._model.encode(points).cpu().numpy()
        return codes.astype(np.float32 if getattr(X, "dtype", None) == np.float32 else np.float64)
