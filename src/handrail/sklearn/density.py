"""The estimator for densities."""

from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from sklearn.base import DensityMixin

from handrail.errors import RecipeError
from handrail.sklearn.alone import LoneEstimator


class NetworkDensity(DensityMixin, LoneEstimator):
    """A network that tells how likely rows are, and draws new ones: a restricted Boltzmann machine.

    X: as for `NetworkClassifier`; y is ignored. Densities are those of rows in encoded units.

    Arguments:
        model: one that learns a density; None is a machine with Gaussian visible units. `"rbm"` has binary
            ones, for columns of 0 and 1 (`scaling="none"`), or of shares and grey levels (`"minmax"`).
        learning, epochs, batch_size, patience, validation_fraction, scaling, device, threads, random_state,
            verbose: as for `NetworkClusterer`.

    Attributes: n_features_in_, feature_names_in_, pipeline_, network_, history_, best_epoch_: as there.
    """

    usual: ClassVar[Any] = {"rbm": {"visible": "gaussian"}}

    def fit(self, X: Any, y: Any = None) -> "NetworkDensity":  # noqa: N803
        """Train from the beginning. Raises: as `NetworkClusterer.fit`."""
        if self._alone.task != "density":
            raise RecipeError(f"model: {self._spec} learns {self._alone.task}; expected one for densities.")
        self._fit_alone(X)
        task: Any = self.pipeline_.decoder
        task.settle_points(self.network_, self._points(X))
        return self

    def score_samples(self, X: Any) -> Float[np.ndarray, " rows"]:  # noqa: N803
        """log p(x) of each row, in nats."""
        points = self._points(X)
        with torch.no_grad():
            return self._model.score(points).cpu().double().numpy()

    def score(self, X: Any, y: Any = None) -> float:  # noqa: N803  # pyright: ignore
        """The mean of log p(x) over the rows, in nats."""
        return float(self.score_samples(X).mean())

    @torch.no_grad()
    def sample(self, n_samples: int = 1, *, steps: int = 1000, random_state: int = 0) -> np.ndarray:
        """New rows in the units of X.

        Arguments:
            steps: of the chains that draw them.
        """
        generator = torch.Generator().manual_seed(random_state)
        return self._as_rows(self._model.generate(n_samples, steps=steps, generator=generator).cpu())
