"""What the lectures say of layers: linear cascades, decision regions, δ formulas, universal approximation."""

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from handrail.components import build
from handrail.layers.threshold import ThresholdLayer
from handrail.learning.rule import Batch, TrainingPlan
from handrail.learning.rules.gradient import Gradient
from handrail.learning.rules.least_squares import LeastSquares
from handrail.learning.separability import are_separable
from handrail.objectives.objective import Objective

FOUR = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
XOR = [0, 1, 1, 0]


def _normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def _plan(task: str, *, epochs: int) -> TrainingPlan:
    loss = {"binary": "binary_cross_entropy", "regression": "mse"}[task]
    return TrainingPlan(task=task, objective=Objective(loss), epochs=epochs, steps=1, seed=0)


def _train(model: nn.Module, rows: Batch, *, steps: int, rate: float) -> None:
    rule = Gradient(optimizer={"adam": {"learning_rate": rate}})
    rule.start(model, _plan("binary", epochs=steps))
    for _ in range(steps):
        rule.step(model, rows)


@pytest.mark.parametrize("hidden", [[5], [7, 4, 6]])
def test_linear_functions_in_cascade_are_one_matrix(hidden: list[int]) -> None:
    """Lecture 002: to 10⁻⁶, W·x + b with W the product of the matrices; so XOR stays out of reach."""
    torch.manual_seed(0)
    model = build("model", {"mlp": {"hidden": hidden, "activation": "linear"}}, 3, 2)
    for layer in model.modules():
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.bias)
    bias = model(torch.zeros(1, 3))
    weight = (model(torch.eye(3)) - bias).T
    x = _normal(50, 3)
    torch.testing.assert_close(model(x), x @ weight.T + bias, rtol=1e-6, atol=1e-5)
    product = torch.eye(3)
    for layer in model.modules():
        if isinstance(layer, nn.Linear):
            product = layer.weight @ product
    torch.testing.assert_close(weight, product, rtol=1e-5, atol=1e-6)


def test_a_linear_cascade_fails_on_xor_where_one_bend_does_not() -> None:
    """Lecture 002: combining linear functions still can't model what is not linearly separable."""
    right = {}
    for activation in ("linear", "tanh"):
        torch.manual_seed(0)
        model = build("model", {"mlp": {"hidden": [8, 8], "activation": activation}}, 2, 1)
        _train(model, Batch(FOUR, torch.tensor(XOR)), steps=150, rate=0.05)
        right[activation] = int(((model(FOUR)[:, 0] > 0).long() == torch.tensor(XOR)).sum())
    assert right["tanh"] == 4
    assert right["linear"] < 4


def _meshed(side: int = 4) -> tuple[Tensor, list[int]]:
    """A chequerboard: each class in regions that mesh with the other's."""
    cells = torch.tensor(list(itertools.product(range(side), repeat=2)), dtype=torch.float32)
    return cells, [int(a + b) % 2 for a, b in cells.tolist()]


def _layer(weights: Tensor, thresholds: Tensor) -> ThresholdLayer:
    layer = ThresholdLayer(weights.shape[1], len(weights))
    layer.weight.copy_(weights)
    layer.threshold.copy_(thresholds)
    return layer


def test_one_layer_of_threshold_units_is_a_half_plane() -> None:
    """Lecture 000's table, first row: neither XOR nor meshed regions, proven by a linear programme."""
    for inputs, targets in ((FOUR, XOR), _meshed()):
        assert are_separable(inputs.numpy(), np.array(targets)) is False


def test_two_layers_of_threshold_units_are_typically_convex() -> None:
    """Lecture 000's table, second row: an output that asks for all of its half-planes has a convex region.

    XOR lies between two lines. Meshed regions do not: between two cells of a class lies one of the other. The
    table says "typically": an output that asks for something else than all of them is not bound to it.
    """
    between = _layer(torch.tensor([[1.0, 1.0], [-1.0, -1.0]]), torch.tensor([0.5, -1.5]))
    both = _layer(torch.ones(1, 2), torch.tensor([2.0]))
    assert both(between(FOUR))[:, 0].int().tolist() == XOR
    cells, targets = _meshed()
    for seed in range(20):
        planes, asked = _normal(6, 2, seed=seed), 0.3 * _normal(6, seed=seed + 100) - 0.5
        region = nn.Sequential(_layer(planes, asked), _layer(torch.ones(1, 6), torch.tensor([6.0])))
        points = 2 * _normal(400, 2, seed=seed + 200)
        inside = points[region(points)[:, 0] > 0]
        between_them = (inside + inside.flip(0)) / 2
        assert (region(between_them) > 0).all()
    ones = cells[torch.tensor(targets) == 1]
    middles = [(a + b) / 2 for a, b in itertools.combinations(ones, 2)]
    zeros = [cell.tolist() for cell, target in zip(cells, targets, strict=True) if target == 0]
    assert any(middle.tolist() in zeros for middle in middles)


def test_three_layers_of_threshold_units_are_arbitrary() -> None:
    """Lecture 000's table, third row: half-planes, cells where four of them meet, any of the cells.

    Of threshold units this needs three layers; a network of sigmoids is universal with two.
    """
    cells, targets = _meshed()
    sides = torch.arange(5) - 0.5
    planes = torch.cat([torch.eye(2)[axis].repeat(5, 1) for axis in (0, 1)])
    halves = _layer(planes, sides.repeat(2))
    corners = torch.zeros(len(cells), 10)
    for number, (a, b) in enumerate(cells.int().tolist()):
        corners[number, [a, 5 + b]], corners[number, [a + 1, 6 + b]] = 1.0, -1.0
    cell = _layer(corners, torch.full((len(cells),), 2.0))
    any_of = _layer(torch.tensor([targets], dtype=torch.float32), torch.ones(1))
    points = torch.cat([cells, cells + 0.4, cells - 0.4])
    assert nn.Sequential(halves, cell, any_of)(points)[:, 0].int().tolist() == targets * 3


def test_the_lectures_deltas_are_autograds_gradients() -> None:
    """Lecture 004, sigmoid units and E = ½Σ(t − y)²: δ_k = y_k(1 − y_k)(t_k − y_k) and
    δ_j = y_j(1 − y_j)Σ_k δ_k·w_kj (its last slide prints w_jk), Δw = ηΣδ·x; to 10⁻⁶ in three layers.
    """
    torch.manual_seed(0)
    model = build("model", {"mlp": {"hidden": [6, 5], "activation": "sigmoid"}}, 4, 3)
    layers = [layer for layer in model.modules() if isinstance(layer, nn.Linear)]
    x, targets = _normal(12, 4), _normal(12, 3, seed=1).sigmoid()
    (targets - model(x).sigmoid()).square().sum().div(2).backward()
    activity = [x]
    for layer in layers:
        activity.append(torch.sigmoid(activity[-1] @ layer.weight.T + layer.bias).detach())
    y = activity[-1]
    delta = y * (1 - y) * (targets - y)
    for position in reversed(range(3)):
        below, layer = activity[position], layers[position]
        torch.testing.assert_close(-(delta.T @ below), layer.weight.grad, rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(-delta.sum(dim=0), layer.bias.grad, rtol=1e-6, atol=1e-6)
        delta = below * (1 - below) * (delta @ layer.weight)


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "gaussian", "relu", "linear"])
def test_wider_layers_approximate_better_unless_they_are_linear(activation: str) -> None:
    """Lecture 004: universal approximator with sigmoid, gaussian and many others; Hornik 1991.

    Units drawn at random, the narrow layers' among the wide ones', and outputs by least squares (Huang 2006).
    """
    x = torch.linspace(-3, 3, 300).unsqueeze(1)
    y = torch.sin(3 * x) + 0.5 * torch.cos(7 * x)
    slopes, places = 3 * _normal(256, 1), 6 * torch.rand(256, generator=torch.Generator().manual_seed(1)) - 3
    errors = []
    for width in (4, 16, 64, 256):
        model = build("model", {"mlp": {"hidden": [width], "activation": activation}}, 1, 1)
        with torch.no_grad():
            model.features[0].weight.copy_(slopes[:width])
            model.features[0].bias.copy_((slopes[:, 0] * places)[:width])
        rule = LeastSquares(ridge=0.0)
        rule.start(model, _plan("regression", epochs=1))
        rule.step(model, Batch(x, y))
        rule.end_epoch(model)
        errors.append(float((model(x).detach() - y).square().mean()))
    if activation == "linear":
        assert max(errors) - min(errors) < 1e-6
        assert min(errors) > 0.6
    else:
        assert all(wide < narrow / 5 for narrow, wide in itertools.pairwise(errors))
        assert errors[-1] < 2e-5
