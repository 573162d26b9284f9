"""Estimators for scikit-learn: the same networks, objectives and rules; nothing is written to disk.

May import everything below `tuning` and `cli`. A new estimator is a file; it derives from `NetworkEstimator`.

NetworkClassifier(model={"mlp": {"hidden": [64, 32]}}).fit(X, y).predict_proba(X_new)
"""

from handrail.sklearn.classifier import NetworkClassifier
from handrail.sklearn.clusterer import NetworkClusterer
from handrail.sklearn.density import NetworkDensity
from handrail.sklearn.regressor import NetworkRegressor
from handrail.sklearn.transformer import NetworkTransformer

__all__ = [
    "NetworkClassifier",
    "NetworkClusterer",
    "NetworkDensity",
    "NetworkRegressor",
    "NetworkTransformer",
]
