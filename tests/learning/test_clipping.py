"""Clipping against the lecture's formula and the definition of a norm."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from handrail.components import build
from handrail.errors import RecipeError

values = st.lists(st.floats(-100, 100, width=32), min_size=5, max_size=5)


def _clipped(spec: object, gradient: list[float]) -> np.ndarray:
    """The gradient of two parameters and one without, clipped together."""
    parameters = [nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(3)), nn.Parameter(torch.zeros(4))]
    parameters[0].grad, parameters[1].grad = torch.tensor(gradient[:2]), torch.tensor(gradient[2:])
    build("clip", spec)(parameters)
    assert parameters[2].grad is None
    return torch.cat([parameters[0].grad, parameters[1].grad]).numpy()


@given(values)
def test_by_value_is_the_lectures(gradient: list[float]) -> None:
    expected = [1.0 if g > 1 else -1.0 if g < -1 else g for g in gradient]
    np.testing.assert_array_equal(_clipped("by_value", gradient), np.array(expected, dtype=np.float32))


@given(values)
def test_by_norm_keeps_the_direction_and_bounds_the_length(gradient: list[float]) -> None:
    clipped, gradients = _clipped({"by_norm": {"limit": 2.0}}, gradient), np.array(gradient)
    length = np.linalg.norm(gradients)
    np.testing.assert_allclose(
        clipped, gradients * min(1.0, 2.0 / length) if length else gradients, rtol=1e-5, atol=1e-6
    )


def test_limits() -> None:
    np.testing.assert_allclose(
        _clipped({"by_value": {"limit": 0.5}}, [0.1, 3, -3, 0.5, 0]), [0.1, 0.5, -0.5, 0.5, 0]
    )
    with pytest.raises(RecipeError, match="limit: found 0; expected greater than 0"):
        build("clip", {"by_norm": {"limit": 0}})
