"""Equilibrium propagation: for a small nudge it is the gradient of the loss where the network is at rest."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import handrail
from handrail.errors import RecipeError
from handrail.learning.local import angle
from handrail.learning.rule import Batch, TrainingPlan
from handrail.learning.rules.equilibrium_propagation import EquilibriumPropagation
from handrail.models.equilibrium_net import EquilibriumNet
from handrail.objectives.objective import Objective

INPUTS = 5
TASKS = {
    "binary": (1, "binary_cross_entropy"),
    "multi-class": (3, "cross_entropy"),
    "multi-label": (3, "binary_cross_entropy"),
    "regression": (2, "mse"),
}


def some(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def batch_of(task: str, rows: int = 16, *, weights: bool = False) -> Batch:
    outputs = TASKS[task][0]
    targets: Any = some(rows, outputs, seed=2)
    if task == "multi-label":
        targets = (targets > 0).double()
    elif task != "regression":
        targets = torch.arange(rows) % max(outputs, 2)
    return Batch(some(rows, INPUTS, seed=1), targets, some(rows, seed=3).exp() if weights else None)


def plan_of(task: str, penalties: tuple[Any, ...] = ()) -> TrainingPlan:
    return TrainingPlan(task, Objective(TASKS[task][1], penalties), epochs=3, steps=4, seed=0)


def begun(
    task: str, *, activation: Any = "tanh", sweeps: int = 400, nudged: int = 400, **settings: Any
) -> tuple[EquilibriumNet, EquilibriumPropagation]:
    torch.manual_seed(0)
    outputs = TASKS[task][0]
    model = EquilibriumNet(INPUTS, outputs, hidden=[7, 6], activation=activation, sweeps=sweeps).double()
    rule = EquilibriumPropagation(optimizer={"sgd": {"learning_rate": 0.1}}, sweeps=nudged, **settings)
    rule.start(model, plan_of(task))
    return model, rule


def difference(task: str, **settings: Any) -> float:
    """The largest number in the rule's directions less the gradient through all sweeps."""
    model, rule = begun(task, **settings)
    batch = batch_of(task, weights=True)
    rule.direct(model, batch)
    found = [parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None]
    model.zero_grad()
    loss, _ = rule.objective(model, batch.inputs, batch.targets, batch.weights)
    loss.backward()
    pairs = zip(found, model.parameters(), strict=True)
    return max(float((ours - each.grad).abs().max()) for ours, each in pairs if each.grad is not None)


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "hard_sigmoid"])
@pytest.mark.parametrize("task", TASKS)
def test_a_small_nudge_gives_the_gradient_at_the_fixed_point(task: str, activation: str) -> None:
    assert difference(task, activation=activation, beta=1e-4) < 1e-6


def test_the_error_of_a_nudge_both_ways_falls_with_its_square() -> None:
    one_way, both = (
        [difference("multi-class", beta=beta, symmetric=symmetric) for beta in (0.1, 0.01)]
        for symmetric in (False, True)
    )
    assert 7 < one_way[0] / one_way[1] < 13
    assert 70 < both[0] / both[1] < 130
    assert both[0] < one_way[0]


def test_finite_differences_of_the_loss_at_rest_agree() -> None:
    model, rule = begun("regression", beta=1e-4)
    batch, moved = batch_of("regression"), 1e-5
    rule.direct(model, batch)
    weight = rule.net.dense[1].weight
    assert weight.grad is not None
    losses = []
    for step in (moved, -2 * moved):
        with torch.no_grad():
            weight[2, 3] += step
            losses.append(float(rule.objective(model, batch.inputs, batch.targets)[0]))
    assert float(weight.grad[2, 3]) == pytest.approx((losses[0] - losses[1]) / (2 * moved), abs=1e-6)


def settle(x: np.ndarray, layers: Any, states: Any, sweeps: int, nudge: Any = None) -> list[np.ndarray]:
    """The dynamics once more, in NumPy, layer by layer from the inputs up."""
    states = [x, *states]
    for _ in range(sweeps):
        for place in range(1, len(states)):
            weight, bias = layers[place - 1]
            sums = states[place - 1] @ weight.T + bias
            if place < len(states) - 1:
                states[place] = np.tanh(sums + states[place + 1] @ layers[place][0])
            else:
                states[place] = sums if nudge is None else sums - nudge(states[place])
    return states[1:]


def test_a_step_is_the_formula() -> None:
    """By hand, in NumPy, for the squared error."""
    model, rule = begun("regression", sweeps=4, nudged=3, beta=0.5)
    batch = batch_of("regression")
    layers = [
        (each.weight.detach().numpy().copy(), each.bias.detach().numpy().copy()) for each in model.dense
    ]
    x, targets = batch.inputs.numpy(), batch.targets.numpy()
    nothing = [np.zeros((16, units)) for units in (7, 6, 2)]
    free = settle(x, layers, nothing, 5)  # the forward pass is the first sweep
    np.testing.assert_allclose(model(batch.inputs).detach(), free[-1], atol=1e-12)
    slope = lambda outputs: (outputs - targets) * 2 / targets.shape[1]  # noqa: E731
    plus = settle(x, layers, free, 3, lambda outputs: 0.5 * slope(outputs))
    minus = settle(x, layers, free, 3, lambda outputs: -0.5 * slope(outputs))
    rule.step(model, batch)
    for place, (layer, (weight, bias)) in enumerate(zip(model.dense, layers, strict=True)):
        up, down = ([x, *states] for states in (plus, minus))
        hebb = up[place + 1].T @ up[place] - down[place + 1].T @ down[place]
        np.testing.assert_allclose(layer.weight.detach(), weight + 0.1 * hebb / 16, atol=1e-12)
        change = (up[place + 1] - down[place + 1]).mean(axis=0)
        np.testing.assert_allclose(layer.bias.detach(), bias + 0.1 * change, atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_the_energy_never_rises(seed: int) -> None:
    torch.manual_seed(seed)
    model = EquilibriumNet(INPUTS, 3, hidden=[9, 8], activation="hard_sigmoid").double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)
    x = some(6, INPUTS, seed=seed)
    states = model.settle(x, sweeps=0)
    energies = []
    for _ in range(30):
        energies.append(energy(model, [x, *states]))
        states = model.settle(x, states, sweeps=1)
    assert all(bool((after <= before + 1e-12).all()) for before, after in pairwise(energies))
    assert bool((energies[-1] < energies[0]).all())


def energy(model: EquilibriumNet, states: list[Tensor]) -> Tensor:
    total = sum(state.square().sum(dim=1) / 2 for state in states[1:])
    for layer, below, above in zip(model.dense, states, states[1:], strict=False):
        total = total - (layer(below) * above).sum(dim=1)
    assert isinstance(total, Tensor)
    return total


def test_the_angle_to_the_gradient_through_all_sweeps_is_small_and_measured_once_an_epoch() -> None:
    model, rule = begun("multi-class", beta=0.1, sweeps=30, nudged=30)
    measures = rule.step(model, batch_of("multi-class"))
    assert list(measures) == ["loss", "angle/layer 1", "angle/layer 2", "angle/layer 3"]
    assert all(float(value) < 10 for name, value in measures.items() if name != "loss")
    assert list(rule.step(model, batch_of("multi-class"))) == ["loss"]
    assert float(angle(torch.ones(2), torch.tensor([1.0, 0.0]))) == pytest.approx(45)


def test_what_it_does_not_follow_is_refused() -> None:
    rule, model = EquilibriumPropagation(), EquilibriumNet(INPUTS, 3)
    with pytest.raises(RecipeError) as told:
        rule.start(model, plan_of("multi-class", ({"l2": {"strength": 0.1}},)))
    assert str(told.value) == (
        "objective.penalties: have no effect under learning.equilibrium_propagation; leave them out, or "
        "learn by gradient."
    )
    changes = {"model": "mlp", "learning": "equilibrium_propagation"}
    with pytest.raises(RecipeError) as told:
        handrail.fit("bundled:iris", "target", changes=changes)
    assert str(told.value) == (
        "learning.equilibrium_propagation: teaches equilibrium_net, and not mlp; choose another."
    )
