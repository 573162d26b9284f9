"""Two generators and two critics: the game beside its formulas, and what cannot be played."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from handrail.components import build
from handrail.errors import RecipeError
from handrail.learning.rule import Batch, TrainingPlan
from handrail.learning.rules.cycle import Cycle
from handrail.models.cyclegan import CycleGAN
from handrail.objectives.objective import Objective
from handrail.shapes import NoTarget

RATE = 0.05
SGD = {"sgd": {"learning_rate": RATE}}


def started(rows: Batch, **settings: Any) -> tuple[CycleGAN, Cycle]:
    torch.manual_seed(0)
    model = CycleGAN(3, NoTarget("translation", 2), hidden=[5])
    rule: Any = build("rule", {"cycle": {"optimizer": SGD, "critic_optimizer": SGD, **settings}})
    plan = TrainingPlan(
        task="translation", objective=Objective("mean_energy_score"), epochs=2, steps=3, seed=0, rows=rows
    )
    rule.start(model, plan)
    return model, rule


def batch(count: int = 12, seed: int = 0) -> Batch:
    rows = torch.randn(count, 3, generator=torch.Generator().manual_seed(seed))
    return Batch(rows, torch.arange(count) % 3 % 2 + 1)


def descended(players: nn.Module, loss: Tensor) -> list[Tensor]:
    """The parameters after a step of plain gradient descent."""
    parameters = list(players.parameters())
    slopes = torch.autograd.grad(loss, parameters)
    return [value - RATE * slope for value, slope in zip(parameters, slopes, strict=True)]


@pytest.mark.parametrize("identity", [0.0, 0.5])
def test_a_step_is_that_of_the_formulas(identity: float) -> None:
    """Source: Zhu, Park, Isola & Efros 2017, equations 1 to 3 with least squares, and 7.2 (identity)"""
    rows = batch()
    model, rule = started(rows, identity=identity, penalty=0, average=0, cycle=7.0)
    own = copy.deepcopy(model)
    a, b = rows.inputs[rows.targets == 1], rows.inputs[rows.targets == 2]
    there, back = own.generators
    critic_a, critic_b = own.critics
    game = ((critic_b(there(a)) - 1) ** 2).mean() / 2 + ((critic_a(back(b)) - 1) ** 2).mean() / 2
    cycle = (back(there(a)) - a).abs().mean() + (there(back(b)) - b).abs().mean()
    kept = (there(b) - b).abs().mean() + (back(a) - a).abs().mean()
    expected = descended(own.generators, game + 7 * cycle + identity * 7 * kept)
    critics = [
        (((critic(real) - 1) ** 2).mean() + (critic(made.detach()) ** 2).mean()) / 2
        for critic, real, made in ((critic_a, a, back(b)), (critic_b, b, there(a)))
    ]
    expected += descended(own.critics, critics[0] + critics[1])
    rule.step(model, rows)
    found = [*model.generators.parameters(), *model.critics.parameters()]
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs)
    for average, player in zip(model.averages.parameters(), model.generators.parameters(), strict=True):
        torch.testing.assert_close(average, player)  # which keeps nothing of itself


def test_critics_are_shown_rows_from_the_pool() -> None:
    rows = batch(40)
    model, rule = started(rows)
    for _ in range(3):
        rule.step(model, rows)
    assert [len(pool.rows) for pool in rule.pools if pool.rows is not None] == [39, 50]


def test_a_batch_of_one_domain_moves_nothing() -> None:
    rows = batch()
    model, rule = started(rows)
    before = copy.deepcopy(model.state_dict())
    measures = rule.step(model, Batch(rows.inputs, torch.ones(12, dtype=torch.int64)))
    assert measures["loss"].isfinite()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_batches_that_change_nothing_are_told() -> None:
    rows = batch()
    model, rule = started(rows)
    alone = Batch(rows.inputs, torch.ones(12, dtype=torch.int64))
    for given in (rows, alone, rows, rows):
        rule.step(model, given)
    rule.end_epoch(model)
    assert "25.0% of the batches held rows of one domain only" in rule.remark()
    state = rule.state_dict()
    rule.step(model, rows)
    rule.end_epoch(model)
    assert rule.remark() == ""
    rule.load_state_dict(state)
    assert "25.0%" in rule.remark()


def test_both_players_are_measured() -> None:
    rows = batch()
    model, rule = started(rows)
    measures = rule.step(model, rows)
    assert set(measures) == {
        "loss",
        "players/generators",
        "players/critics",
        "cycle/rows",
        "critic/told apart",
    }
    records = [{"epoch": 1, **{f"train_{name}": float(value) for name, value in measures.items()}}]
    assert len(Cycle.pictures(records)) == 3


def test_a_loss_that_is_no_number_is_of_one_of_the_players() -> None:
    rows = batch()
    model, rule = started(rows)
    model.critics[0].requires_grad_(True)
    next(iter(model.critics.parameters())).data.fill_(float("nan"))
    assert not rule.step(model, rows)["loss"].isfinite()
    assert rule.fault().startswith("It is the ")


def test_other_models_are_refused() -> None:
    rule: Any = build("rule", "cycle")
    plan = TrainingPlan(
        task="translation", objective=Objective("mean_energy_score"), epochs=1, steps=1, seed=0, rows=batch()
    )
    with pytest.raises(RecipeError, match=r"learning\.cycle: needs two generators and two critics"):
        rule.start(nn.Linear(3, 3), plan)
