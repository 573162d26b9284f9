"""Activations against their formulas in NumPy, and what the registry promises of them all."""

import numpy as np
import pytest
import torch
from scipy.special import erf
from torch import nn

from handrail.components import available, build
from handrail.errors import RecipeError
from handrail.layers.activations import Maxout, is_activation


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


FORMULAS = {
    "linear": lambda x: x,
    "heaviside": lambda x: np.where(x > 0, 1.0, 0.0),
    "gaussian": lambda x: np.exp(-(x**2)),
    "sigmoid": _sigmoid,
    "softplus": lambda x: np.log1p(np.exp(x)),
    "tanh": lambda x: (np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x)),
    "relu": lambda x: np.maximum(0, x),
    "leaky_relu": lambda x: np.maximum(0.1 * x, x),
    "prelu": lambda x: np.maximum(0, x) + 0.25 * np.minimum(0, x),
    "elu": lambda x: np.where(x >= 0, x, np.exp(x) - 1),
    "gelu": lambda x: x * 0.5 * (1 + erf(x / np.sqrt(2))),
    "silu": lambda x: x * _sigmoid(x),
    "softmax": lambda x: np.exp(x) / np.exp(x).sum(axis=1, keepdims=True),
}


def _inputs() -> torch.Tensor:
    values = torch.randn(50, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) * 3
    values[0] = 0.0
    return values


@pytest.mark.parametrize("name", FORMULAS)
def test_formula(name: str) -> None:
    inputs = _inputs()
    outputs = build("activation", name, 4).double()(inputs)
    np.testing.assert_allclose(
        outputs.detach().numpy(), FORMULAS[name](inputs.numpy()), rtol=1e-12, atol=1e-12
    )


def test_every_activation_is_covered_and_recognised() -> None:
    assert set(available("activation")) >= {*FORMULAS, "maxout"}
    for name in available("activation"):
        module = build("activation", name, 4)
        assert is_activation(module), name
        assert module(torch.randn(3, 4)).shape == (3, 4), name


@pytest.mark.parametrize(
    "module", [nn.Linear(2, 2), nn.Identity(), nn.Dropout(0.1), nn.MultiheadAttention(4, 2), nn.Sequential()]
)
def test_other_layers_are_no_activations(module: nn.Module) -> None:
    assert not is_activation(module)


def test_settings_change_the_formula() -> None:
    inputs = _inputs()
    x = inputs.numpy()
    leaky = build("activation", {"leaky_relu": {"negative_slope": 0.3}}, 4)(inputs)
    np.testing.assert_allclose(leaky.numpy(), np.maximum(0.3 * x, x))
    for at_zero in (0.0, 0.5, 1.0):
        step = build("activation", {"heaviside": {"at_zero": at_zero}}, 4)(inputs)
        np.testing.assert_array_equal(step.numpy(), np.heaviside(x, at_zero))
    elu = build("activation", {"elu": {"alpha": 2.0}}, 4)(inputs)
    np.testing.assert_allclose(elu.numpy(), np.where(x >= 0, x, 2 * (np.exp(x) - 1)), atol=1e-12)
    quick = build("activation", {"gelu": {"approximate": "tanh"}}, 4)(inputs)
    np.testing.assert_allclose(
        quick.numpy(), 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))), atol=1e-12
    )


def test_prelu_has_one_slope_for_each_unit_or_one_for_all() -> None:
    assert build("activation", "prelu", 4).weight.shape == (4,)
    assert build("activation", {"prelu": {"per_unit": False}}, 4).weight.shape == (1,)


@pytest.mark.parametrize("pieces", [2, 5])
def test_maxout_is_the_largest_of_its_affine_pieces(pieces: int) -> None:
    torch.manual_seed(3)
    maxout = Maxout(4, pieces=pieces)
    inputs = torch.randn(7, 4)
    weights = maxout.affine.weight.detach().numpy().reshape(pieces, 4, 4)
    biases = maxout.affine.bias.detach().numpy().reshape(pieces, 4)
    each = np.stack([inputs.numpy() @ w.T + b for w, b in zip(weights, biases, strict=True)])
    np.testing.assert_allclose(maxout(inputs).detach().numpy(), each.max(axis=0), rtol=1e-5, atol=1e-6)
    assert sum(p.numel() for p in maxout.parameters()) == pieces * 4 * 5


def test_two_pieces_can_be_the_absolute_value() -> None:
    maxout = Maxout(3, pieces=2)
    with torch.no_grad():
        maxout.affine.weight.copy_(torch.cat([torch.eye(3), -torch.eye(3)]))
        maxout.affine.bias.zero_()
    inputs = torch.tensor([[-2.0, 0.0, 3.0]])
    assert torch.equal(maxout(inputs), inputs.abs())


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"leaky_relu": {"negative_slope": -0.1}}, "negative_slope: found -0.1"),
        ({"maxout": {"pieces": 1}}, "pieces: found 1"),
        ({"elu": {"alpha": float("nan")}}, "alpha: found nan"),
        ({"gelu": {"approximate": "erf"}}, "expected 'none' or 'tanh'"),
        ("rellu", "Did you mean 'relu'"),
    ],
)
def test_impossible_settings_are_refused(spec: object, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        build("activation", spec, 4)
