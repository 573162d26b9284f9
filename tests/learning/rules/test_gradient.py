"""Learning by gradient against sums done by hand, and the lectures' δ formulas."""

import copy
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from handrail.components import build
from handrail.errors import RecipeError
from handrail.learning.rule import Batch, TrainingPlan
from handrail.learning.rules.gradient import Gradient
from handrail.models.linear import Linear
from handrail.objectives.objective import Objective

SGD = {"sgd": {"learning_rate": 0.1}}


def _plan(
    task: str = "regression", *, loss: Any = "mse", penalties: tuple[Any, ...] = (), steps: int = 10
) -> TrainingPlan:
    return TrainingPlan(task=task, objective=Objective(loss, penalties), epochs=2, steps=steps, seed=0)


def _started(model: nn.Module, plan: TrainingPlan | None = None, **settings: Any) -> Gradient:
    rule = Gradient(**{"optimizer": SGD, **settings})
    rule.start(model, plan or _plan())
    return rule


def _linear(outputs: int = 1) -> Linear:
    torch.manual_seed(0)
    return build("model", "linear", 3, outputs)


def _batch(rows: int = 8, outputs: int = 1, *, size: float = 1.0) -> Batch:
    generator = torch.Generator().manual_seed(1)
    return Batch(
        torch.randn(rows, 3, generator=generator), size * torch.randn(rows, outputs, generator=generator)
    )


def _slope(model: Linear, batch: Batch) -> tuple[np.ndarray, np.ndarray]:
    """The gradient of a linear unit's mean squared error, in NumPy: 2/n · Σ (y − t)·x, and with x = 1."""
    x, t = batch.inputs.double().numpy(), batch.targets.double().numpy()
    error = x @ model.head.weight.detach().double().numpy().T + model.head.bias.detach().double().numpy() - t
    return 2 / len(x) * error.T @ x, 2 / len(x) * error.sum(axis=0)


def test_one_step_of_gradient_descent_by_hand() -> None:
    model, batch = _linear(), _batch()
    weight, bias = model.head.weight.detach().numpy().copy(), model.head.bias.detach().numpy().copy()
    by_weight, by_bias = _slope(model, batch)
    expected = nn.functional.mse_loss(model(batch.inputs), batch.targets).item()
    measures = _started(model).step(model, batch)
    assert measures["loss"].item() == pytest.approx(expected)
    np.testing.assert_allclose(model.head.weight.detach().numpy(), weight - 0.1 * by_weight, rtol=1e-5)
    np.testing.assert_allclose(model.head.bias.detach().numpy(), bias - 0.1 * by_bias, rtol=1e-5, atol=1e-7)


def test_steps_do_not_add_up_old_gradients() -> None:
    model, batch = _linear(), _batch()
    rule = _started(model)
    for _ in range(3):
        before, slope = model.head.weight.detach().numpy().copy(), _slope(model, batch)[0]
        rule.step(model, batch)
        np.testing.assert_allclose(
            model.head.weight.detach().numpy(), before - 0.1 * slope, rtol=1e-4, atol=1e-7
        )


def test_the_lectures_deltas_equal_the_gradients() -> None:
    """δₖ = yₖ(1 − yₖ)(tₖ − yₖ), δⱼ = yⱼ(1 − yⱼ)·Σₖ δₖwₖⱼ, Δw = η·Σₓ δ·x with E = ½Σ(t − y)² and sigmoids."""
    torch.manual_seed(0)
    lower, upper = nn.Linear(3, 4), nn.Linear(4, 2)
    model = nn.Sequential(lower, nn.Sigmoid(), upper, nn.Sigmoid()).double()
    before = copy.deepcopy(model)
    w_ji, w_kj = lower.weight.detach().clone(), upper.weight.detach().clone()
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(6, 3, dtype=torch.float64, generator=generator)
    t = torch.rand(6, 2, dtype=torch.float64, generator=generator)

    def half_squares(outputs: Tensor, targets: Tensor) -> Tensor:
        return 0.5 * (targets - outputs).square().sum()

    rule = _started(model, _plan(loss=half_squares), optimizer={"sgd": {"learning_rate": 0.5}})
    rule.step(model, Batch(x, t))

    inputs, hidden = x.numpy(), before[:2](x).detach().numpy()
    outputs, targets = before(x).detach().numpy(), t.numpy()
    delta_k = outputs * (1 - outputs) * (targets - outputs)
    delta_j = hidden * (1 - hidden) * (delta_k @ w_kj.numpy())
    for layer, weight, delta, x_in in ((upper, w_kj, delta_k, hidden), (lower, w_ji, delta_j, inputs)):
        assert layer.weight.grad is not None
        assert layer.bias.grad is not None
        np.testing.assert_allclose(layer.weight.grad.numpy(), -delta.T @ x_in, atol=1e-6)
        np.testing.assert_allclose(layer.bias.grad.numpy(), -delta.sum(axis=0), atol=1e-6)
        change = layer.weight.detach() - weight
        np.testing.assert_allclose(change.numpy(), 0.5 * delta.T @ x_in, atol=1e-6)


def test_clipping_by_value_comes_before_the_step() -> None:
    model, batch = _linear(), _batch(size=100.0)
    before = model.head.weight.detach().clone()
    slope = _slope(model, batch)[0]
    assert np.abs(slope).min() > 1
    _started(model, clip="by_value").step(model, batch)
    np.testing.assert_allclose(
        (model.head.weight.detach() - before).numpy(), -0.1 * np.sign(slope), rtol=1e-4
    )


def test_clipping_by_norm_bounds_the_whole_step() -> None:
    model, batch = _linear(), _batch(size=100.0)
    before = torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
    _started(model, clip={"by_norm": {"limit": 0.5}}).step(model, batch)
    after = torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
    assert float((after - before).norm()) == pytest.approx(0.1 * 0.5, rel=1e-4)


def test_schedules_go_on_once_a_step() -> None:
    model, batch = _linear(), _batch()
    rule = _started(model, _plan(steps=5), schedule="cosine")  # 2 epochs of 5 steps
    for step in range(10):
        assert rule.learning_rate == pytest.approx(0.1 * 0.5 * (1 + math.cos(math.pi * step / 10)), abs=1e-12)
        before, slope, rate = (
            model.head.weight.detach().numpy().copy(),
            _slope(model, batch)[0],
            rule.learning_rate,
        )
        rule.step(model, batch)
        np.testing.assert_allclose(
            model.head.weight.detach().numpy(), before - rate * slope, rtol=1e-4, atol=1e-6
        )


def test_plateau_schedules_follow_the_validation_loss_alone() -> None:
    model, batch = _linear(), _batch()
    rule = _started(model, schedule={"on_plateau": {"factor": 0.5, "patience": 1}})
    rates = []
    for loss in [1.0, 1.0, 1.0, 0.5, 0.5, 0.5]:
        rule.step(model, batch)
        rule.step(model, batch)
        rule.observe(loss)
        rates.append(rule.learning_rate)
    assert rates == pytest.approx([0.1, 0.1, 0.05, 0.05, 0.05, 0.025])


def test_lbfgs_finds_the_least_squares_solution() -> None:
    model, batch = _linear(2), _batch(40, 2)
    rule = _started(model, optimizer={"lbfgs": {"iterations": 30}})
    losses = [float(rule.step(model, batch)["loss"]) for _ in range(3)]
    x = np.column_stack([batch.inputs.numpy(), np.ones(40)])
    expected = np.linalg.lstsq(x, batch.targets.numpy(), rcond=None)[0]
    np.testing.assert_allclose(model.head.weight.detach().numpy().T, expected[:-1], atol=1e-4)
    assert losses[0] > losses[1]


def test_lbfgs_resumes_to_the_same_bits() -> None:
    model, batch = _linear(2), _batch(40, 2)
    rule = _started(model, optimizer={"lbfgs": {"iterations": 2}})
    rule.step(model, batch)
    twin, state = copy.deepcopy(model), copy.deepcopy(rule.state_dict())
    successor = _started(twin, optimizer={"lbfgs": {"iterations": 2}})
    successor.load_state_dict(state)
    for learner, each in ((rule, model), (successor, twin)):
        learner.step(each, batch)
        learner.step(each, batch)
    assert torch.equal(model.head.weight, twin.head.weight)


def test_row_weights_reach_the_loss() -> None:
    """A row of weight 2 counts as two rows, one of weight 0 not at all."""
    generator = torch.Generator().manual_seed(1)
    inputs, targets = torch.randn(6, 3, generator=generator), torch.tensor([0, 1, 0, 1, 1, 0])
    weights = torch.tensor([2.0, 0.0, 1.0, 1.0, 2.0, 0.0])
    rows = torch.tensor([0, 0, 2, 3, 4, 4])
    weighted, repeated = _linear(), _linear()
    plan = _plan("binary", loss="binary_cross_entropy")
    result = _started(weighted, plan).step(weighted, Batch(inputs, targets, weights))
    expected = _started(repeated, plan).step(repeated, Batch(inputs[rows], targets[rows]))
    assert result["loss"].item() == pytest.approx(expected["loss"].item(), rel=1e-5)
    torch.testing.assert_close(weighted.head.weight, repeated.head.weight)


def test_penalties_count() -> None:
    plain, penalised, batch = _linear(), _linear(), _batch()
    start = plain.head.weight.detach().clone()
    _started(plain).step(plain, batch)
    _started(penalised, _plan(penalties=({"l2": {"strength": 0.3}},))).step(penalised, batch)
    torch.testing.assert_close(penalised.head.weight, plain.head.weight - 0.1 * 2 * 0.3 * start)
    assert torch.equal(penalised.head.bias, plain.head.bias)


def test_frozen_parameters_stay() -> None:
    model, batch = _linear(), _batch()
    model.head.bias.requires_grad_(False)
    before = model.head.bias.clone()
    rule = _started(model, optimizer={"adamw": {"weight_decay": 0.5}})
    rule.step(model, batch)
    assert torch.equal(model.head.bias, before)
    assert len(rule.parameters) == 1


@pytest.mark.parametrize("hidden", [[4], [4, 4]])
def test_layers_below_a_step_function_would_never_learn_and_are_refused(hidden: list[int]) -> None:
    model = build("model", {"mlp": {"hidden": hidden, "activation": "heaviside"}}, 3, 1)
    with pytest.raises(
        RecipeError,
        match=r"learning\.gradient: layers before a heaviside activation get no gradient.*least_squares",
    ):
        _started(model)


def test_a_step_function_with_nothing_to_train_below_is_fine() -> None:
    step = build("activation", "heaviside", 3)
    frozen = nn.Linear(3, 3).requires_grad_(False)
    for model in (nn.Sequential(step, nn.Linear(3, 1)), nn.Sequential(frozen, step, nn.Linear(3, 1))):
        _started(model).step(model, _batch())
        assert all(parameter.grad is not None for parameter in model[-1].parameters())


def test_a_model_without_parameters_is_refused() -> None:
    with pytest.raises(RecipeError, match="the model has no parameters to train"):
        _started(nn.Identity())


def test_clipping_under_lbfgs_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"learning\.gradient\.clip: spoils the line search"):
        _started(_linear(), optimizer="lbfgs", clip="by_norm")


def test_mistakes_show_when_the_rule_is_made() -> None:
    with pytest.raises(
        RecipeError,
        match=r"learning\.gradient\.optimizer: there is no optimizer 'adamm'. Did you mean 'adam'",
    ):
        Gradient(optimizer="adamm")
    with pytest.raises(
        RecipeError, match=r"learning\.gradient\.schedule\.step\.factor: found 2; expected less than 1"
    ):
        Gradient(schedule={"step": {"factor": 2}})
    with pytest.raises(RecipeError, match=r"learning\.gradient\.clip: there is no clip 'norm'"):
        Gradient(clip="norm")


@pytest.mark.parametrize(
    "optimizer",
    ["torch.optim:SGD", torch.optim.SGD, lambda parameters: torch.optim.SGD(parameters, lr=0.001)],
)
def test_anybodys_optimizer(optimizer: Any) -> None:
    theirs, ours, batch = _linear(), _linear(), _batch()
    _started(theirs, optimizer=optimizer).step(theirs, batch)
    _started(ours, optimizer={"sgd": {"learning_rate": 0.001}}).step(ours, batch)
    torch.testing.assert_close(theirs.head.weight, ours.head.weight)
