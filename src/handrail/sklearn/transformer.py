"""The estimator for codes."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_array, check_is_fitted

from handrail.components import find, is_object, parse
from handrail.errors import RecipeError
from handrail.network import model_in
from handrail.sklearn.alone import LoneEstimator
from handrail.sklearn.base import ARRAYS
from handrail.tasks.uses import uses_of


def _decodes(estimator: Any) -> bool:
    """Whether the model makes rows of codes again: the fitted one, or else the one that is meant."""
    if hasattr(estimator, "network_"):
        return hasattr(model_in(estimator.network_), "decode")
    spec = estimator._spec
    try:
        return hasattr(spec if is_object(spec) else find("model", parse(spec, "model")[0]).target, "decode")
    except RecipeError:  # `fit` says what is wrong with it
        return False


class NetworkTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, LoneEstimator):
    """A network that makes a code of each row: of k-means the distances to its centres, of an autoencoder the
    units in its middle, of a Kohonen map the place x, y of the nearest unit.

    X: as for `NetworkClassifier`; y is ignored.

    Arguments: as for `NetworkClusterer`, of any model that learns without a target and encodes.

    Attributes: n_features_in_, feature_names_in_, pipeline_, network_, history_, best_epoch_: as there.
    """

    def fit(self, X: Any, y: Any = None) -> "NetworkTransformer":  # noqa: N803
        """Train from the beginning. Raises: as `NetworkClusterer.fit`."""
        rows = self._fit_alone(X)
        if "encode" not in uses_of(self.pipeline_.decoder, self.network_):
            raise RecipeError(
                f"model: {self._spec} makes no codes of rows; choose another, such as autoencoder."
            )
        self._n_features_out = self.transform(X[:1] if hasattr(X, "__getitem__") else rows).shape[1]
        return self

    @torch.no_grad()
    def transform(self, X: Any) -> Float[np.ndarray, "rows codes"]:  # noqa: N803
        """The code of each row."""
        points = self._points(X)  # first: it sees whether there is a model
        codes = self._model.encode(points).cpu().numpy()
        return codes.astype(np.float32 if getattr(X, "dtype", None) == np.float32 else np.float64)

    @available_if(_decodes)
    @torch.no_grad()
    def inverse_transform(self, X: Any) -> Any:  # noqa: N803
        """The row of each code, in the units of `fit`; where that had words, a data frame of polars.

        Only models with a way back have it, such as `autoencoder`; of a map it is the nearest prototype.

        Raises: `ValueError` for codes of another size.
        """
        check_is_fitted(self)
        codes = check_array(X, dtype=ARRAYS["dtype"])
        if codes.shape[1] != self._n_features_out:
            raise ValueError(
                f"X has {codes.shape[1]} features, but the codes of {type(self).__name__} have "
                f"{self._n_features_out}."
            )
        weights = next(self._model.parameters())
        points = self._model.decode(torch.as_tensor(codes).to(weights)).float().cpu()
        rows = self._as_rows(points)
        return rows.astype(codes.dtype) if isinstance(rows, np.ndarray) else rows
