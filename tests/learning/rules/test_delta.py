"""The delta rule beside Rosenblatt's, autograd, least squares and the bound on its learning rate."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import handrail
from handrail.components import build
from handrail.errors import RecipeError, TrainingError
from handrail.learning.rule import Batch, Rule, TrainingPlan
from handrail.learning.rules.delta import Delta
from handrail.learning.rules.rosenblatt import Rosenblatt
from handrail.models.linear import Linear
from handrail.objectives.objective import Objective
from handrail.objectives.signs import sign_mse
from handrail.training.job import usual_loss

GATES = {"and": [0, 0, 0, 1], "or": [0, 1, 1, 1], "xor": [0, 1, 1, 0]}
FOUR = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])


def _plan(task: str, *, epochs: int = 10, steps: int = 1, penalties: tuple[str, ...] = ()) -> TrainingPlan:
    return TrainingPlan(task=task, objective=Objective("mse", penalties), epochs=epochs, steps=steps, seed=0)


def _model(inputs: int, units: int = 1, seed: int = 0) -> Linear:
    torch.manual_seed(seed)
    return build("model", "linear", inputs, units)


def _start(model: nn.Module, rule: Rule, task: str, **plan: Any) -> None:
    rule.start(model, _plan(task, **plan))


def _normal(rows: int, width: int, seed: int = 0) -> Tensor:
    return torch.randn(rows, width, generator=torch.Generator().manual_seed(seed))


def _parameters(model: Linear) -> Tensor:
    """`[units, inputs + 1]`, the bias last."""
    return torch.cat([model.head.weight, model.head.bias.unsqueeze(1)], dim=1).detach()


def _epochs(
    model: nn.Module, rule: Rule, rows: Batch, *, epochs: int, size: int, shuffle: int | None = None
) -> int:
    """Repeat the rows in batches, in random order where there is a seed for it; the number of epochs."""
    generator = torch.Generator().manual_seed(shuffle or 0)
    for number in range(1, epochs + 1):
        order = torch.randperm(len(rows), generator=generator)
        order = order if shuffle is not None else torch.arange(len(rows))
        for part in order.split(size):
            rule.step(model, rows.take(part))
        rule.end_epoch(model)
        if rule.finished:
            return number
    return epochs


@pytest.mark.parametrize("gate", GATES)
def test_with_heaviside_the_steps_are_rosenblatts(gate: str) -> None:
    """Lecture 002, unit 2, and 003: online, the same bits after each row, and the same end."""
    rows = Batch(FOUR, torch.tensor(GATES[gate]))
    ours, theirs = _model(2), _model(2)
    rule, rosenblatt = Delta(activation="heaviside", learning_rate=1.0), Rosenblatt()
    _start(ours, rule, "binary")
    _start(theirs, rosenblatt, "binary")
    for _ in range(20):
        for position in range(4):
            rule.step(ours, rows.cut(position, position + 1))
            rosenblatt.step(theirs, rows.cut(position, position + 1))
            assert torch.equal(_parameters(ours), _parameters(theirs))
        rule.end_epoch(ours)
        rosenblatt.end_epoch(theirs)
        assert rule.finished == rosenblatt.separated
    assert rule.finished == (gate != "xor")


def _squares(outputs: Tensor, targets: Tensor) -> Tensor:
    return (outputs - targets).square().sum() / 2


LOSSES = {
    # activation, task, the loss that its step descends: a sum over rows
    "adaline": ("linear", "binary", lambda s, t: _squares(s[:, 0], 2.0 * t - 1)),
    "line": ("linear", "regression", _squares),
    "logistic": ("sigmoid", "binary", lambda s, t: functional.binary_cross_entropy_with_logits(
        s[:, 0], t.float(), reduction="sum")),
    "labels": ("sigmoid", "multi-label", lambda s, t: functional.binary_cross_entropy_with_logits(
        s, t, reduction="sum")),
    "classes": ("softmax", "multi-class", lambda s, t: functional.cross_entropy(s, t, reduction="sum")),
    "adalines": ("linear", "multi-class", lambda s, t: _squares(s, 2.0 * functional.one_hot(t, 3) - 1)),
}  # fmt: skip


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("weighted", [False, True])
def test_a_step_is_the_learning_rate_times_a_gradient(name: str, weighted: bool) -> None:
    """Lecture 002, unit 2: linear descends ½Σ(t − y)², sigmoid and softmax the cross-entropy; the sum, not
    the mean. Autograd gives the same change to 10⁻⁶ of its size.
    """
    activation, task, loss = LOSSES[name]
    units = 1 if task == "binary" else 3
    inputs = _normal(20, 4)
    targets = torch.arange(20) % (2 if task == "binary" else 3)
    if task in ("multi-label", "regression"):
        targets = (_normal(20, 3, 1) > 0).float() if task == "multi-label" else _normal(20, 3, 1)
    model, rule = _model(4, units), Delta(activation=activation, learning_rate=0.01)
    twin = copy.deepcopy(model)
    weights = torch.arange(20) % 4 if weighted else torch.ones(20)
    total = torch.zeros(())
    for weight, x, target in zip(weights, inputs, targets, strict=True):
        total = total + weight * loss(twin(x[None]), target[None])
    slopes = torch.autograd.grad(total, [twin.head.weight, twin.head.bias])
    _start(model, rule, task)
    before = _parameters(model)
    rule.step(model, Batch(inputs, targets, weights.float() if weighted else None))
    gradient = torch.cat([slopes[0], slopes[1].unsqueeze(1)], dim=1)
    change = _parameters(model) - before
    assert float((change + 0.01 * gradient).abs().max()) <= 1e-6 * max(1.0, float(change.abs().max()))


def _line(rows: int = 60) -> Batch:
    """Values along a line with noise; columns of different size that depend on each other."""
    x = _normal(rows, 3, 4)
    x[:, 1] = 0.6 * x[:, 0] + 0.5 * x[:, 1] + 0.5
    y = x @ torch.tensor([[1.0], [-2.0], [0.5]]) + 0.3 + 0.5 * _normal(rows, 1, 5)
    return Batch(x, y)


def _least_squares(rows: Batch) -> Tensor:
    system = torch.cat([rows.inputs, torch.ones(len(rows), 1)], dim=1).double()
    return torch.linalg.lstsq(system, rows.targets.double()).solution.T.float()


def _largest_eigenvalue(rows: Batch) -> float:
    system = torch.cat([rows.inputs, torch.ones(len(rows), 1)], dim=1).double()
    return float(torch.linalg.eigvalsh(system.T @ system)[-1])


def test_batch_learning_converges_below_twice_the_inverse_of_the_largest_eigenvalue() -> None:
    """Widrow & Hoff 1960; lecture 004: guaranteed if η is small: below 2/λmax of XᵀX, and not above."""
    rows = _line()
    bound = 2 / _largest_eigenvalue(rows)
    for factor, converges in ((0.5, True), (0.98, True), (1.02, False)):
        model, rule = _model(3), Delta(learning_rate=factor * bound)
        _start(model, rule, "regression")
        away = float((_parameters(model) - _least_squares(rows)).abs().max())
        _epochs(model, rule, rows, epochs=800, size=len(rows))
        still = float((_parameters(model) - _least_squares(rows)).abs().max())
        assert still < 1e-4 if converges else still > 100 * away, factor


def test_online_learning_hovers_at_a_constant_rate_and_reaches_least_squares_under_time_decay() -> None:
    """Robbins & Monro 1951: Ση = ∞, Ση² < ∞. In the last 10 of 20 passes, 0.11 to 0.39 away at a constant
    rate, below 0.007 under time decay; batch learning comes to the same place.
    """
    x = _normal(60, 3, 4)
    rows = Batch(x, x @ torch.tensor([[1.0], [-2.0], [0.5]]) + 0.3 + 0.5 * _normal(60, 1, 5))
    aim, distances = _least_squares(rows), {}
    for schedule in ("constant", "time_decay"):
        spec: Any = schedule if schedule == "constant" else {schedule: {"decay": 0.02}}
        model, rule = _model(3), Delta(learning_rate=0.1, schedule=spec)
        _start(model, rule, "regression", epochs=20, steps=len(rows))
        late = []
        for seed in range(20):
            _epochs(model, rule, rows, epochs=1, size=1, shuffle=seed)
            late.append(float((_parameters(model) - aim).norm()))
        distances[schedule] = late[10:]
    assert min(distances["constant"]) > 0.1
    assert max(distances["time_decay"]) < 0.007
    batch, rule = _model(3), Delta(learning_rate=1 / _largest_eigenvalue(rows))
    _start(batch, rule, "regression")
    _epochs(batch, rule, rows, epochs=500, size=len(rows))
    assert float((_parameters(batch) - aim).abs().max()) < 1e-5


def test_outliers_let_adaline_converge_and_never_the_perceptron() -> None:
    """Lecture 004: convergence is guaranteed even if the data are not linearly separable."""
    inputs = torch.cat([_normal(40, 2, 1) - 2, _normal(40, 2, 2) + 2])
    targets = (torch.arange(80) >= 40).long()
    inputs[0], inputs[79] = torch.tensor([6.0, 6.0]), torch.tensor([-6.0, -6.0])
    rows = Batch(inputs, targets)
    adaline, rule = _model(2), Delta(learning_rate=1 / _largest_eigenvalue(Batch(inputs, targets[:, None])))
    _start(adaline, rule, "binary")
    _epochs(adaline, rule, rows, epochs=300, size=80)
    before = _parameters(adaline)
    _epochs(adaline, rule, rows, epochs=100, size=80)
    assert float((_parameters(adaline) - before).abs().max()) < 1e-6
    assert int(((adaline(inputs)[:, 0] > 0).long() != targets).sum()) == 2
    perceptron, rosenblatt = _model(2), Rosenblatt()
    _start(perceptron, rosenblatt, "binary")
    _epochs(perceptron, rosenblatt, rows, epochs=300, size=80)
    before = _parameters(perceptron)
    _epochs(perceptron, rosenblatt, rows, epochs=1, size=40)
    assert not rosenblatt.separated
    assert float(rosenblatt.step(perceptron, rows)["errors"]) > 0


def test_a_single_layer_has_one_threshold_unit_a_class() -> None:
    """The lectures' single layer of neurons: each unit fires for the rows of its class alone."""
    centres = torch.tensor([[4.0, 0.0], [-2.0, 3.5], [-2.0, -3.5]])
    targets = torch.arange(60) % 3
    rows = Batch(centres[targets] + 0.5 * _normal(60, 2), targets)
    model, rule = _model(2, 3), Delta(activation="heaviside", learning_rate=1.0)
    _start(model, rule, "multi-class")
    assert _epochs(model, rule, rows, epochs=50, size=1) < 50
    assert torch.equal((model(rows.inputs) > 0).long(), functional.one_hot(targets, 3))


@pytest.mark.parametrize("schedule", ["time_decay", "cosine", "on_plateau"])
def test_a_rule_that_goes_on_knows_its_schedule(schedule: str) -> None:
    rows = _line()

    def started() -> tuple[Linear, Delta]:
        model, rule = _model(3), Delta(learning_rate=0.002, schedule=schedule)
        _start(model, rule, "regression", epochs=5, steps=4)
        return model, rule

    model, rule = started()
    for number in range(7):
        rule.step(model, rows.cut(15 * (number % 4), 15 * (number % 4) + 15))
        rule.observe(1.0)
    twin, successor = started()
    twin.load_state_dict(copy.deepcopy(model.state_dict()))
    successor.load_state_dict(copy.deepcopy(rule.state_dict()))
    for each, learner in ((model, rule), (twin, successor)):
        for _ in range(12):
            learner.step(each, rows.cut(0, 30))
            learner.observe(1.0)
    assert torch.equal(_parameters(model), _parameters(twin))
    assert rule.learning_rate == successor.learning_rate
    assert rule.learning_rate is not None
    assert rule.learning_rate < 0.002


@pytest.mark.parametrize(
    ("activation", "task", "loss"),
    [
        ("linear", "binary", "sign_mse"),
        ("tanh", "multi-label", "sign_mse"),
        ("linear", "regression", "mse"),
        ("heaviside", "multi-class", {"hinge": {"margin": 0.0}}),
        ("sigmoid", "binary", "binary_cross_entropy"),
        ("softmax", "multi-class", "cross_entropy"),
    ],
)
def test_epochs_are_compared_by_what_the_rule_descends(activation: str, task: str, loss: Any) -> None:
    """The loss of the validation rows under `objective.loss: auto`; the scores of ADALINE are no log odds."""
    assert usual_loss({"delta": {"activation": activation}}, task) == loss


def test_the_loss_of_adaline_is_the_squared_error_of_its_scores() -> None:
    scores, codes = _normal(6, 3), torch.arange(6) % 3
    signs = 2 * np.eye(3)[codes.numpy()] - 1
    expected = ((scores.numpy() - signs) ** 2).mean(axis=1)
    np.testing.assert_allclose(sign_mse(scores, codes).numpy(), expected, rtol=1e-6)
    expected = (scores[:, 0].numpy() - (2 * (codes.numpy() > 0) - 1)) ** 2
    np.testing.assert_allclose(sign_mse(scores[:, :1], (codes > 0).long()).numpy(), expected, rtol=1e-6)


REFUSED = {
    "mask": ({}, "mask", "found the task 'mask', expected one of binary, multi-class"),
    "prelu": ({"activation": "prelu"}, "binary", "'prelu' has weights of its own"),
    "values": ({"activation": "tanh"}, "regression", "'tanh' bends values"),
    "gaussian": ({"activation": "gaussian"}, "multi-class", "'gaussian' does not tell classes apart"),
    "softmax": ({"activation": "softmax"}, "binary", "'softmax' does not tell classes apart"),
    "relu": ({"activation": "relu"}, "binary", "'relu' is not at its middle where the score is 0"),
    "zero": (
        {"activation": {"heaviside": {"at_zero": 1.0}}},
        "binary",
        "'heaviside' fires where the score is 0, which is answered with no; leave at_zero out",
    ),
    "labels": ({"activation": "softplus"}, "multi-label", "'softplus' is not at its middle"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused(name: str) -> None:
    arguments, task, text = REFUSED[name]
    with pytest.raises(RecipeError, match=rf"learning\.delta.*{text}"):
        _start(_model(2, 1 if task == "binary" else 3), Delta(**arguments), task)


@pytest.mark.parametrize("model", [nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1)), nn.Identity()])
def test_anything_but_a_single_layer_is_refused(model: nn.Module) -> None:
    with pytest.raises(RecipeError, match=r"learning\.delta: found a model of .* \(model: linear\)"):
        _start(model, Delta(), "binary")


def test_penalties_which_it_would_ignore_are_refused() -> None:
    with pytest.raises(RecipeError, match=r"objective\.penalties: have no effect under learning\.delta"):
        _start(_model(2), Delta(), "binary", penalties=("l2",))


def _table(rows: int = 80) -> pl.DataFrame:
    x = np.random.default_rng(0).normal(size=(rows, 2))
    return pl.DataFrame({"a": x[:, 0], "b": x[:, 1], "y": 2 * x[:, 0] - x[:, 1]})


def test_divergence_is_told_in_words(tmp_path: Path) -> None:
    changes = {"model": "linear", "learning.delta.learning_rate": 0.2, "training.batch_size": 56}
    with pytest.raises(
        TrainingError, match=r"the loss has exploded to .* a smaller learning rate \(it is 0.2\)"
    ):
        handrail.fit(_table(), "y", changes=changes, out=tmp_path / "run")


def test_replicas_and_a_schedule_in_a_fit(tmp_path: Path) -> None:
    changes = {
        "model": "linear",
        "learning.delta": {"learning_rate": 0.02, "schedule": {"time_decay": {"decay": 0.01}}},
        "training": {"batch_size": 1, "replicas": 2, "epochs": 20},
        "evaluation.resamples": 100,
    }
    run = handrail.fit(_table(), "y", changes=changes, out=tmp_path / "run")
    assert (run.validation["r2"]["value"] or 0.0) > 0.999
