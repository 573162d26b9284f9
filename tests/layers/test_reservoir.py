"""The reservoir against its equation, and what it forgets."""

import numpy as np
import pytest
import torch

from handrail.errors import RecipeError
from handrail.layers.reservoir import Reservoir, largest_eigenvalue


def reservoir(units: int = 40, channels: int = 2, **changes: float) -> Reservoir:
    torch.manual_seed(0)
    settings = {"spectral_radius": 0.9, "leak": 0.3, "input_scale": 0.5, "bias_scale": 0.2, "degree": 10}
    return Reservoir(channels, units, **{**settings, **changes})  # type: ignore[arg-type]


def inputs(rows: int = 3, channels: int = 2, steps: int = 50) -> torch.Tensor:
    return torch.randn(rows, channels, steps, generator=torch.Generator().manual_seed(1))


def test_states_are_those_of_the_equation():
    """Jaeger et al. 2007, leaky units; in NumPy, for one row."""
    own, x = reservoir(), inputs()
    weights, entering = own.matrix().to_dense().numpy(), own.input_weights.numpy()
    found = own(x).numpy()
    assert found.dtype == np.float64
    for row in range(len(x)):
        state = np.zeros(40)
        for step in range(x.shape[2]):
            u = x[row, :, step].double().numpy()
            state = 0.7 * state + 0.3 * np.tanh(entering @ u + weights @ state + own.biases[:, 0].numpy())
        np.testing.assert_allclose(found[:, row], state, atol=1e-14)


@pytest.mark.parametrize("units", [5, 40, 400])
def test_connections_have_the_spectral_radius_and_the_degree(units: int):
    own = reservoir(units, spectral_radius=0.8)
    matrix = own.matrix().to_dense().numpy()
    assert np.abs(np.linalg.eigvals(matrix)).max() == pytest.approx(0.8, rel=1e-6)
    assert ((matrix != 0).sum(axis=1) == min(10, units)).all()
    assert np.abs(own.eigenvalues()).max() == pytest.approx(largest_eigenvalue(own.matrix()), rel=1e-6)


def test_states_that_begin_apart_come_together():
    """The echo state property, Jaeger 2001."""
    own, x = reservoir(), inputs(rows=1, steps=400)
    begun = torch.ones(40, 1, dtype=torch.float64)
    gaps = [
        float((own(x[:, :, :steps], begun) - own(x[:, :, :steps], -begun)).norm()) for steps in (1, 100, 400)
    ]
    assert gaps[0] > 1
    assert gaps[1] < 1e-2
    assert gaps[2] < 1e-8


def test_a_radius_at_which_it_does_not_forget_is_refused_and_a_driven_one_above_1_is_not():
    with pytest.raises(RecipeError, match=r"spectral_radius: found 3, at which the network does not forget"):
        reservoir(spectral_radius=3.0)
    reservoir(spectral_radius=1.1, leak=0.3, input_scale=2.0)
