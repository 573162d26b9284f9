"""Steps as a flat list of operations: the same bits as autograd, and only where they apply."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from handrail.learning.fast import flat_step as flat
from handrail.learning.fast.flat_step import FlatSteps, trace_operations
from handrail.learning.rule import Batch, TrainingPlan
from handrail.learning.rules.gradient import Gradient
from handrail.models.mlp import MLP
from handrail.objectives.objective import Objective

ROWS, WIDTH, STEPS = 16, 6, 30


def _plan(loss: Any, penalties: tuple[Any, ...] = ()) -> TrainingPlan:
    return TrainingPlan(task="any", objective=Objective(loss, penalties), epochs=100, steps=STEPS, seed=0)


def _batches(task: str, *, weights: bool = False, last: int = ROWS) -> list[Batch]:
    torch.manual_seed(1)
    batches = []
    for step in range(STEPS):
        rows = last if step % 10 == 9 else ROWS
        targets = (
            torch.randn(rows, 1) if task == "values" else torch.randint(2 if task == "two" else 3, (rows,))
        )
        batches.append(Batch(torch.randn(rows, WIDTH), targets, torch.rand(rows) if weights else None))
    return batches


def _trained(
    network: nn.Module, plan: TrainingPlan, batches: list[Batch], rule: Gradient
) -> tuple[list[float], list[Tensor]]:
    rule.start(network, plan)
    network.train()
    losses = [float(rule.step(network, batch)["loss"]) for batch in batches]
    return losses, [parameter.detach() for parameter in network.parameters()]


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "gelu"])
@pytest.mark.parametrize(
    "case",
    [
        ("two", "binary_cross_entropy", 1, False),
        ("three", "cross_entropy", 3, False),
        ("three", {"cross_entropy": {"label_smoothing": 0.1}}, 3, True),
        ("values", "mse", 1, False),
        ("values", "huber", 1, True),
    ],
)
def test_same_bits_as_autograd(monkeypatch, activation, case):
    task, loss, outputs, weights = case
    torch.manual_seed(0)
    network = MLP(WIDTH, outputs, hidden=[8, 5], activation=activation)
    other, batches, plan = copy.deepcopy(network), _batches(task, weights=weights, last=3), _plan(loss)
    rule = Gradient(optimizer="adam", clip="by_norm")
    ours = _trained(network, plan, batches, rule)
    assert rule.flat._step is not None, "the list is used"
    monkeypatch.setattr(flat, "_REPAYS", 10**9)
    theirs = _trained(other, plan, batches, Gradient(optimizer="adam", clip="by_norm"))
    assert ours[0] == theirs[0]
    assert all(torch.equal(a, b) for a, b in zip(ours[1], theirs[1], strict=True))


class _Counting(nn.Module):
    """A layer of somebody's own, with a state that no list would see."""

    def forward(self, x: Tensor) -> Tensor:
        return x


@pytest.mark.parametrize(
    ("network", "plan"),
    [
        (MLP(WIDTH, 1, hidden=[8], dropout=0.5), _plan("mse")),
        (MLP(WIDTH, 1, hidden=[8], input_noise=0.1), _plan("mse")),
        (MLP(WIDTH, 1, hidden=[8], normalisation="batch"), _plan("mse")),
        (nn.Sequential(_Counting(), nn.Linear(WIDTH, 1)), _plan("mse")),
        (MLP(WIDTH, 1, hidden=[8]), _plan("mse", ("l2",))),
        (MLP(WIDTH, 1, hidden=[8]), _plan(lambda outputs, targets: (outputs - targets).square())),
        (MLP(WIDTH, 1, hidden=[8]), TrainingPlan("any", Objective("mse"), epochs=1, steps=STEPS, seed=0)),
    ],
    ids=[
        "dropout",
        "noise",
        "running averages",
        "somebody's own layer",
        "penalties",
        "somebody's own loss",
        "few steps",
    ],
)
def test_does_not_apply(network, plan):
    steps = FlatSteps(network.train(), plan)
    assert all(steps(batch) is None for batch in _batches("values"))


def test_looking_draws_no_chance():
    network = MLP(WIDTH, 1, hidden=[8], dropout=0.5).train()
    steps, batches = FlatSteps(network, _plan("mse")), _batches("values")
    before = torch.get_rng_state()
    assert [steps(batch) for batch in batches] == [None] * STEPS
    assert torch.equal(torch.get_rng_state(), before)


def test_layers_that_are_listened_to_are_run():
    network = MLP(WIDTH, 1, hidden=[8]).train()
    steps, heard = FlatSteps(network, _plan("mse")), []
    batches = _batches("values")
    assert [steps(batch) for batch in batches][-1] is not None
    network.head.register_forward_hook(lambda *_: heard.append(1))
    assert steps(batches[0]) is None


def test_frozen_layers_are_left_to_autograd():
    network = MLP(WIDTH, 1, hidden=[8]).train()
    steps, batches = FlatSteps(network, _plan("mse")), _batches("values")
    assert [steps(batch) for batch in batches][-1] is not None
    network.head.requires_grad_(False)
    assert steps(batches[0]) is None


def test_what_depends_on_values_or_chance_is_not_written():
    rows = torch.ones(3)
    assert trace_operations(lambda x: (x * 2,), [rows]) is not None
    assert trace_operations(lambda x: (x * 2 if float(x.sum()) > 0 else x,), [rows]) is None
    assert trace_operations(lambda x: (x + torch.rand(3),), [rows]) is None


def test_steps_with_two_inputs_are_left_to_autograd():
    """An encoder and decoder is given a text and its answer: `(source, targets)`."""
    steps = FlatSteps(MLP(WIDTH, 1, hidden=[4]), _plan("mse"))
    batch = Batch((torch.randn(ROWS, WIDTH), torch.zeros(ROWS)), torch.zeros(ROWS, 1))
    assert [steps(batch) for _ in range(10)] == [None] * 10
