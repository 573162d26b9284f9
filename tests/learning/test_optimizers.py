"""Optimizers against the lectures' formulas, step by step on the same gradients, and what all of them
promise.
"""

import copy
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import Optimizer

from handrail.components import available, build
from handrail.errors import RecipeError
from handrail.learning.optimizers import needs_closure

STEPS = 12
Update = Callable[[np.ndarray, np.ndarray, dict[str, Any]], np.ndarray]


def _gradients() -> list[np.ndarray]:
    """Gradients of several sizes and both signs; one parameter's is always zero, one's stops."""
    source = np.random.default_rng(0)
    gradients = [source.normal(size=6) * np.array([1e-4, 1.0, 50.0, 1.0, 0.0, 1.0]) for _ in range(STEPS)]
    for gradient in gradients[5:]:
        gradient[5] = 0.0
    return gradients


def _start() -> np.ndarray:
    return np.linspace(-1, 1, 6)


def _traced(spec: object, rates: list[float] | None = None) -> np.ndarray:
    """The parameters after each step of an optimizer of ours: [steps, 6]."""
    parameter = nn.Parameter(torch.from_numpy(_start()))
    optimizer: Optimizer = build("optimizer", spec, [parameter])
    trace = []
    for number, gradient in enumerate(_gradients()):
        if rates is not None:
            optimizer.param_groups[0]["lr"] = rates[number]
        parameter.grad = torch.from_numpy(gradient.copy())
        optimizer.step()
        trace.append(parameter.detach().numpy().copy())
    return np.array(trace)


def _printed(update: Update, rates: list[float] | None = None) -> np.ndarray:
    """The parameters after each step of a printed formula."""
    theta, memory, trace = _start(), {}, []
    for number, gradient in enumerate(_gradients(), start=1):
        memory["t"] = number
        memory["rate"] = rates[number - 1] if rates else None
        theta = update(theta, gradient, memory)
        trace.append(theta.copy())
    return np.array(trace)


def _gradient_descent(theta: np.ndarray, g: np.ndarray, memory: dict[str, Any]) -> np.ndarray:
    return theta - 0.03 * g


def _momentum_accelerating(theta: np.ndarray, g: np.ndarray, memory: dict[str, Any]) -> np.ndarray:
    memory["v"] = 0.8 * memory.get("v", 0.0) - g
    return theta + 0.03 * memory["v"]


def _momentum_average(theta: np.ndarray, g: np.ndarray, memory: dict[str, Any]) -> np.ndarray:
    memory["v"] = 0.8 * memory.get("v", 0.0) - (1 - 0.8) * g
    return theta + 0.03 * memory["v"]


def _rprop(theta: np.ndarray, g: np.ndarray, memory: dict[str, Any]) -> np.ndarray:
    step, before = memory.get("step", np.full(6, 0.03)), memory.get("before", np.zeros(6))
    same, changed = g * before > 0, g * before < 0
    step = np.clip(np.where(same, step * 1.2, np.where(changed, step * 0.5, step)), 1e-6, 0.05)
    used = np.where(changed, 0.0, g)
    memory.update(step=step, before=used)
    return theta - step * np.sign(used)


def _adagrad(theta: np.ndarray, g: np.ndarray, memory: dict[str, Any]) -> np.ndarray:
    memory["r"] = memory.get("r", 0.0) + g**2
    return theta - 0.03 * g / (np.sqrt(memory["r"]) + 1e-6)


def _adadelta(theta: np.ndarray, g: np.ndarray, memory: dict[str, Any]) -> np.ndarray:
    memory["r"] = 0.9 * memory.get("r", 0.0) + 0.1 * g**2
    change = -np.sqrt(memory.get("u", 0.0) + 1e-3) / np.sqrt(memory["r"] + 1e-3) * g
    memory["u"] = 0.9 * memory.get("u", 0.0) + 0.1 * change**2
    return theta + change


def _rmsprop(theta: np.ndarray, g: np.ndarray, memory: dict[str, Any]) -> np.ndarray:
    memory["r"] = 0.7 * memory.get("r", 0.0) + 0.3 * g**2
    return theta - 0.03 * g / (np.sqrt(memory["r"]) + 1e-6)


def _rmsprop_momentum(theta: np.ndarray, g: np.ndarray, memory: dict[str, Any]) -> np.ndarray:
    memory["r"] = 0.7 * memory.get("r", np.zeros(6)) + 0.3 * g**2
    with np.errstate(invalid="ignore"):
        scaled = np.where(memory["r"] > 0, g / np.sqrt(memory["r"]), 0.0)
    memory["v"] = 0.8 * memory.get("v", 0.0) - (memory["rate"] or 0.03) * scaled
    return theta + memory["v"]


def _adam(
    theta: np.ndarray, g: np.ndarray, memory: dict[str, Any], *, inside: bool, decay: float = 0.0
) -> np.ndarray:
    memory["s"] = 0.8 * memory.get("s", 0.0) + (1 - 0.8) * g
    memory["r"] = 0.95 * memory.get("r", 0.0) + (1 - 0.95) * g**2
    s, r = memory["s"] / (1 - 0.8 ** memory["t"]), memory["r"] / (1 - 0.95 ** memory["t"])
    root = np.sqrt(r + 1e-3) if inside else np.sqrt(r) + 1e-3
    return theta * (1 - 0.03 * decay) - 0.03 * s / root


ADAM = {"learning_rate": 0.03, "beta_1": 0.8, "beta_2": 0.95, "delta": 1e-3}
FORMULAS: list[tuple[dict[str, dict[str, Any]], Update]] = [
    ({"sgd": {"learning_rate": 0.03}}, _gradient_descent),
    ({"momentum": {"learning_rate": 0.03, "momentum": 0.8}}, _momentum_accelerating),
    ({"momentum": {"learning_rate": 0.03, "momentum": 0.8, "form": "average"}}, _momentum_average),
    ({"rprop": {"learning_rate": 0.03, "largest": 0.05}}, _rprop),
    ({"adagrad": {"learning_rate": 0.03, "delta": 1e-6}}, _adagrad),
    ({"adadelta": {"delta": 1e-3}}, _adadelta),
    ({"rmsprop": {"learning_rate": 0.03, "rho": 0.7, "delta": 1e-6}}, _rmsprop),
    ({"rmsprop_momentum": {"learning_rate": 0.03, "rho": 0.7, "momentum": 0.8}}, _rmsprop_momentum),
    ({"adam": ADAM}, lambda *step: _adam(*step, inside=False)),
    ({"adam": {**ADAM, "delta_inside": True}}, lambda *step: _adam(*step, inside=True)),
    ({"adamw": {**ADAM, "weight_decay": 0.1}}, lambda *step: _adam(*step, inside=False, decay=0.1)),
]


@pytest.mark.parametrize(("spec", "update"), FORMULAS, ids=[str(spec) for spec, _ in FORMULAS])
def test_printed_formula_step_by_step(spec: object, update: Update) -> None:
    np.testing.assert_allclose(_traced(spec), _printed(update), rtol=1e-9, atol=1e-12)


def test_the_two_places_of_delta_differ() -> None:
    outside, inside = _traced({"adam": ADAM}), _traced({"adam": {**ADAM, "delta_inside": True}})
    assert np.abs(outside - inside).max() > 1e-3


def test_rmsprop_momentum_follows_the_formula_under_a_changing_learning_rate() -> None:
    """Where torch's, with the learning rate outside the velocity, does not."""
    rates = [0.03 / number for number in range(1, STEPS + 1)]
    spec = {"rmsprop_momentum": {"rho": 0.7, "momentum": 0.8}}
    printed = _printed(_rmsprop_momentum, rates)
    np.testing.assert_allclose(_traced(spec, rates), printed, rtol=1e-9, atol=1e-12)
    theirs = torch.nn.Parameter(torch.from_numpy(_start()))
    optimizer = torch.optim.RMSprop([theirs], alpha=0.7, momentum=0.8, eps=1e-30)
    for rate, gradient in zip(rates, _gradients(), strict=True):
        optimizer.param_groups[0]["lr"] = rate
        theirs.grad = torch.from_numpy(gradient.copy())
        optimizer.step()
    assert np.abs(theirs.detach().numpy() - printed[-1]).max() > 1e-3


def test_nesterov_looks_ahead() -> None:
    """The held parameters are θ + α·v of Sutskever's form, whose gradients are taken there."""
    curvature = np.array([1.0, 0.1, 10.0])
    held = nn.Parameter(torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64))
    optimizer = build("optimizer", {"nesterov": {"learning_rate": 0.02, "momentum": 0.8}}, [held])
    theta, velocity = held.detach().numpy().copy(), np.zeros(3)
    for _ in range(STEPS):
        held.grad = torch.from_numpy(curvature) * held.detach()
        optimizer.step()
        velocity = 0.8 * velocity - 0.02 * curvature * (theta + 0.8 * velocity)
        theta = theta + velocity
        np.testing.assert_allclose(held.detach().numpy(), theta + 0.8 * velocity, rtol=1e-9)


SPECS: list[Any] = [
    *available("optimizer"),
    {"momentum": {"form": "average"}},
    {"adam": {"delta_inside": True}},
]


def _train(net: nn.Module, optimizer: Optimizer, steps: int) -> None:
    inputs = torch.randn(20, 4, generator=torch.Generator().manual_seed(5))
    targets = inputs[:, :1].sin()

    def closure() -> Any:
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(net(inputs), targets)
        loss.backward()
        return loss

    for _ in range(steps):
        closure()
        optimizer.step(closure) if needs_closure(optimizer) else optimizer.step()


def _net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 1))


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_saved_state_continues_identically(spec: object) -> None:
    net = _net()
    optimizer = build("optimizer", spec, net.parameters())
    _train(net, optimizer, 3)
    twin = copy.deepcopy(net)
    file = io.BytesIO()
    torch.save(optimizer.state_dict(), file)
    _train(net, optimizer, 4)
    file.seek(0)
    resumed = build("optimizer", spec, twin.parameters())
    resumed.load_state_dict(torch.load(file, weights_only=True))
    _train(twin, resumed, 4)
    for ours, theirs in zip(net.parameters(), twin.parameters(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_the_loss_falls_and_groups_are_accepted(spec: object) -> None:
    net = _net()
    groups: Any = list(net.parameters())
    if spec != "lbfgs":
        groups = [{"params": net[0].parameters()}, {"params": net[2].parameters(), "lr": 0.002}]
    optimizer = build("optimizer", spec, groups)
    inputs = torch.randn(20, 4, generator=torch.Generator().manual_seed(5))
    before = nn.functional.mse_loss(net(inputs), inputs[:, :1].sin()).item()
    _train(net, optimizer, 3 if needs_closure(optimizer) else 40)
    after = nn.functional.mse_loss(net(inputs), inputs[:, :1].sin()).item()
    assert after < 0.95 * before


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_parameters_without_a_gradient_stay(spec: object) -> None:
    used, unused = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    optimizer = build("optimizer", spec, [used, unused])

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = used.square().sum()
        loss.backward()
        return loss

    closure()
    optimizer.step(closure)
    assert torch.equal(unused.detach(), torch.ones(2))
    assert not torch.equal(used.detach(), torch.ones(2))


def test_adam_inside_the_root_counts_each_parameters_own_steps() -> None:
    """A parameter that joins later is corrected for its own age."""
    late = [nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(1))]
    optimizer = build("optimizer", {"adam": {"delta_inside": True}}, late)
    late[0].grad = torch.ones(1)
    optimizer.step()
    late[1].grad = torch.ones(1)
    optimizer.step()
    assert late[1].item() == pytest.approx(1 - 0.001, rel=1e-5)


def test_lbfgs_minimises_a_quadratic() -> None:
    factor = torch.randn(10, 10, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    matrix = factor @ factor.T + torch.eye(10, dtype=torch.float64)
    right = torch.arange(10, dtype=torch.float64)
    solution = nn.Parameter(torch.zeros(10, dtype=torch.float64))
    optimizer = build("optimizer", {"lbfgs": {"iterations": 50}}, [solution])

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        value = 0.5 * solution @ matrix @ solution - right @ solution
        value.backward()
        return value

    for _ in range(3):
        optimizer.step(closure)
    torch.testing.assert_close(solution.detach(), torch.linalg.solve(matrix, right), atol=1e-4, rtol=1e-4)
    assert needs_closure(optimizer)
    assert not needs_closure(build("optimizer", "sgd", [solution]))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"sgd": {"learning_rate": 0}}, "learning_rate: found 0; expected greater than 0"),
        ({"sgd": {"learning_rate": float("inf")}}, "learning_rate: found inf; expected a finite number"),
        ({"momentum": {"momentum": 1.0}}, "momentum: found 1.0; expected less than 1"),
        ({"momentum": {"form": "mean"}}, "expected 'accelerating' or 'average'"),
        ({"adam": {"beta1": 0.9}}, "beta1: unknown argument. Did you mean 'optimizer.adam.beta_1'"),
        ({"rprop": {"smallest": 1.0, "largest": 0.1}}, "rprop: found smallest = 1.0 above largest = 0.1"),
        ({"lbfgs": {"iterations": 0}}, "iterations: found 0"),
    ],
)
def test_impossible_settings_are_refused(spec: object, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        build("optimizer", spec, [nn.Parameter(torch.ones(1))])
