"""What columns that say nothing do to prototypes and to learned features (004, "Features vs prototypes").

Two columns say everything: y = 1 in a band around the diagonal. Distances to prototypes count every column,
so nearest neighbours and radial units lose sight of it as others are added; weights of a layer can be 0.
"""

from typing import Any

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from handrail.sklearn import NetworkClassifier

_BAND = 0.58  # |x₀ + x₁| below it in half of the square


def _rows(rows: int, columns: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(seed).uniform(-1, 1, (rows, columns))
    return x, (np.abs(x[:, 0] + x[:, 1]) < _BAND).astype(int)


def _accuracies(columns: int) -> dict[str, float]:
    """On 4,000 fresh rows, from 4,000."""
    rows, fresh = _rows(4000, columns, 0), _rows(4000, columns, 1)
    optimizer = {"adamw": {"learning_rate": 0.01}}
    common: dict[str, Any] = {"random_state": 0}
    models: dict[str, Any] = {
        "neighbours": KNeighborsClassifier(15),
        "rbf": NetworkClassifier(model="rbf", learning="least_squares", epochs=2, **common),
        "mlp": NetworkClassifier(
            model={"mlp": {"hidden": [32]}},
            penalties=[{"l1": {"strength": 1e-3}}],
            learning={"gradient": {"optimizer": optimizer}},
            epochs=60,
            **common,
        ),
    }
    return {name: float(model.fit(*rows).score(*fresh)) for name, model in models.items()}


@pytest.mark.slow
def test_columns_that_say_nothing_blind_prototypes_and_hardly_features() -> None:
    """Measured with seed 0:

    | columns | 15 neighbours | rbf, 100 units | mlp, 32 units and L1 |
    |---|---|---|---|
    | 2 | 0.986 | 0.989 | 0.994 |
    | 5 | 0.932 | 0.928 | 0.994 |
    | 10 | 0.854 | 0.875 | 0.981 |
    | 20 | 0.731 | 0.687 | 0.984 |
    | 50 | 0.609 | 0.559 | 0.976 |
    """
    few, many = _accuracies(2), _accuracies(50)
    assert min(few.values()) > 0.97
    assert many["neighbours"] < 0.65
    assert many["rbf"] < 0.65
    assert many["mlp"] > 0.95
