"""Attacks against what they promise, and what they cost a network."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import handrail
from handrail.audits.adversarial import Room, noise, pgd
from handrail.components.pictures import Tiles
from handrail.errors import DataError
from handrail.run import Run


def room(rows: int = 7, width: int = 4) -> Room:
    x = torch.randn(rows, width, generator=torch.Generator().manual_seed(0))
    unit = torch.tensor([1.0, 1.0, 0.0, 1.0])
    return Room(x, unit, torch.full((width,), -1.5), torch.full((width,), 1.5), "a table")


def test_one_step_is_the_sign_of_the_slope() -> None:
    """x + ε·sign(∂L/∂x) within the limits, of columns that may change. Source: Goodfellow et al. 2015"""
    torch.manual_seed(1)
    network, given, codes = (
        nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3)),
        room(),
        torch.arange(7) % 3,
    )
    found = pgd(network, given, codes, 0.2, steps=1)
    x = given.rows.clone().requires_grad_()
    functional.cross_entropy(network(x), codes).backward()
    assert x.grad is not None
    expected = (x + 0.2 * x.grad.sign()).clamp(-1.5, 1.5).detach()
    assert torch.allclose(found[:, [0, 1, 3]], expected[:, [0, 1, 3]])
    assert found[:, 2].equal(given.rows[:, 2])


def test_of_a_line_the_loss_rises_as_much_as_it_can() -> None:
    """For w·x the worst case within ±ε is known: the margin falls by ε·‖w‖₁."""
    network = nn.Linear(4, 1)
    inner = Room(torch.zeros(2, 4), torch.ones(4), torch.full((4,), -9.0), torch.full((4,), 9.0), "a table")
    codes = torch.tensor([1, 0])
    for steps in (1, 20):
        moved = pgd(network, inner, codes, 0.3, steps=steps)
        change = (network(moved) - network(inner.rows))[:, 0]
        most = 0.3 * network.weight.abs().sum()
        assert torch.allclose(change.abs(), most.expand(2), atol=1e-5)
        assert change[0] < 0 < change[1]


def test_nothing_leaves_its_room() -> None:
    given, codes = room(600), torch.zeros(600, dtype=torch.long)  # more than are attacked at once
    network = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))
    for changed in (pgd(network, given, codes, 0.4, steps=15), noise(given, 0.4)):
        inside = given.rows.abs() <= 1.5
        assert (changed - given.rows)[inside].abs().max() <= 0.4 + 1e-6
        assert changed[:, 2].equal(given.rows[:, 2])
        assert changed[:, [0, 1, 3]].abs().max() <= 1.5


def test_attacks_cost_more_than_noise_and_more_with_strength(digits_run: Run) -> None:
    found = handrail.audit(digits_run, "adversarial")
    by_name = {name: rows["accuracy"].to_list() for (name,), rows in found.table.group_by("attack")}
    assert by_name["PGD"][-1] < 0.2
    assert by_name["noise"][-1] > by_name["PGD"][-1] + 0.3
    assert by_name["PGD"] == sorted(by_name["PGD"], reverse=True)
    assert all(pgd <= fgsm + 0.02 for pgd, fgsm in zip(by_name["PGD"], by_name["FGSM"], strict=True))
    assert "noise as large leaves" in found.verdict
    assert isinstance(found.pictures[1], Tiles)


def test_tables_are_attacked_within_what_training_rows_have(tmp_path: Path) -> None:
    changes = {"model": {"mlp": {"hidden": [8]}}, "training.epochs": 10, "evaluation.resamples": 100}
    run = handrail.fit("bundled:breast_cancer", target="target", changes=changes, out=tmp_path / "run")
    found = handrail.audit(run, "adversarial", strengths=[0, 0.5])
    at_nought = found.table.filter(found.table["strength"] == 0)["accuracy"]
    assert at_nought.n_unique() == 1
    assert np.isclose(at_nought[0], run.validation["accuracy"]["value"] or 0)
    with pytest.raises(DataError, match="found 11, expected at most 10"):
        handrail.audit(run, "adversarial", strengths=[11])
