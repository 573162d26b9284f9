"""Optimizer steps by the kernel alone: the same bits as torch's own."""

import copy
from typing import Any

import pytest
import torch
from torch import nn

from handrail.learning.fast.fused_adam import Stepping

KINDS = (torch.optim.Adam, torch.optim.AdamW)


def _network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 2))


def _gradients(network: nn.Module, step: int, *, without: int | None = None) -> None:
    torch.manual_seed(step)
    for index, parameter in enumerate(network.parameters()):
        parameter.grad = None if index == without else torch.randn_like(parameter)


def _pair(kind: Any) -> tuple[nn.Module, torch.optim.Optimizer, nn.Module, torch.optim.Optimizer]:
    ours = _network()
    theirs = copy.deepcopy(ours)
    optimizers = [
        kind(network.parameters(), lr=0.01, weight_decay=0.1, fused=True) for network in (ours, theirs)
    ]
    return ours, optimizers[0], theirs, optimizers[1]


def _equal(ours: nn.Module, theirs: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_same_bits_as_torch(kind):
    ours, optimizer, theirs, other = _pair(kind)
    stepping = Stepping(optimizer)
    for step in range(12):
        without = 1 if step == 5 else None
        for network in (ours, theirs):
            _gradients(network, step, without=without)
        if step == 8:
            for one in (optimizer, other):
                one.param_groups[0]["lr"] = 0.003
        stepping.step()
        other.step()
        assert _equal(ours, theirs), step
    state, expected = optimizer.state_dict()["state"], other.state_dict()["state"]
    assert all(
        torch.equal(state[index][key], expected[index][key]) for index in expected for key in expected[index]
    )


def test_the_kernel_is_called_by_itself(monkeypatch):
    ours, optimizer, *_ = _pair(torch.optim.AdamW)
    stepping, calls = Stepping(optimizer), []
    whole = optimizer.step
    monkeypatch.setattr(optimizer, "step", lambda: (calls.append(1), whole()))
    for step in range(5):
        _gradients(ours, step)
        stepping.step()
    assert len(calls) == 1


def test_goes_on_from_other_state():
    ours, optimizer, theirs, other = _pair(torch.optim.Adam)
    stepping = Stepping(optimizer)
    for step in range(6):
        for network in (ours, theirs):
            _gradients(network, step)
        stepping.step()
        other.step()
        if step == 3:
            optimizer.load_state_dict(copy.deepcopy(other.state_dict()))
            stepping.forget()
    assert _equal(ours, theirs)


def test_hooks_are_still_called():
    ours, optimizer, *_ = _pair(torch.optim.AdamW)
    stepping, calls = Stepping(optimizer), []
    for step in range(4):
        _gradients(ours, step)
        stepping.step()
        if step == 1:
            optimizer.register_step_post_hook(lambda *_: calls.append(1))
    assert len(calls) == 2


def test_others_step_as_torch_does():
    ours, theirs = _network(), _network()
    optimizers = [torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9) for network in (ours, theirs)]
    stepping = Stepping(optimizers[0])
    for step in range(4):
        for network in (ours, theirs):
            _gradients(network, step)
        stepping.step()
        optimizers[1].step()
    assert _equal(ours, theirs)
