"""Two players: each loss by its formula, a game beside a plain loop, and what is said when one is lost."""

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from handrail.errors import RecipeError, TrainingError
from handrail.layers.precision import Lowered
from handrail.learning.rule import Batch, TrainingPlan
from handrail.learning.rules.adversarial import Adversarial
from handrail.models.gan import GAN
from handrail.models.linear import Linear
from handrail.objectives.adversarial import CRITIC, GENERATOR, gradient_penalty, real_penalty, told_apart
from handrail.objectives.objective import Objective
from handrail.shapes import NoTarget
from handrail.training.engine import Engine
from handrail.training.stopping import Limits

ROWS = torch.randn(64, 3, generator=torch.Generator().manual_seed(1)) @ torch.tensor(
    [[1.0, 0.5, 0.0], [0.0, 1.0, 0.0], [0.0, 0.3, 2.0]]
)
LOSSES = ("minimax", "non_saturating", "least_squares", "hinge", "wasserstein")


def player(rows: Tensor = ROWS, *, steps: int = 4, **settings: Any) -> tuple[GAN, Adversarial]:
    torch.manual_seed(0)
    model, rule = GAN(3, NoTarget("generation"), latent=2, hidden=[8]), Adversarial(**settings)
    rule.start(model, plan(rows, steps=steps))
    return model, rule


def plan(rows: Tensor, *, steps: int = 4) -> TrainingPlan:
    objective, batch = Objective("mean_energy_score"), Batch(rows, rows)
    return TrainingPlan("generation", objective, epochs=3, steps=steps, seed=7, rows=batch)


@pytest.mark.parametrize("name", LOSSES)
def test_losses_are_their_formulas(name: str) -> None:
    """In NumPy, with D = σ(score) in the first two. Source: Goodfellow 2014, Mao 2017, Lim & Ye 2017,
    Arjovsky 2017
    """
    real, made = torch.linspace(-2, 3, 7)[:, None], torch.linspace(-3, 1, 7)[:, None]
    r, m = real.double().numpy(), made.double().numpy()
    d_real, d_made = 1 / (1 + np.exp(-r)), 1 / (1 + np.exp(-m))
    classic = -np.log(d_real).mean() - np.log(1 - d_made).mean()
    critic, generator = {
        "minimax": (classic, np.log(1 - d_made).mean()),
        "non_saturating": (classic, -np.log(d_made).mean()),
        "least_squares": (((r - 1) ** 2).mean() / 2 + (m**2).mean() / 2, ((m - 1) ** 2).mean() / 2),
        "hinge": (np.maximum(0, 1 - r).mean() + np.maximum(0, 1 + m).mean(), -m.mean()),
        "wasserstein": (m.mean() - r.mean(), -m.mean()),
    }[name]
    assert float(CRITIC[name](real, made)) == pytest.approx(critic, rel=1e-5)
    assert float(GENERATOR[name](made)) == pytest.approx(generator, rel=1e-5)


def test_penalties_of_a_linear_critic_are_those_of_its_weights() -> None:
    """∇D = w everywhere: (‖w‖ − 1)² (Gulrajani 2017), and ½‖w‖² (Mescheder 2018)."""
    critic = nn.Linear(3, 1)
    norm = float(critic.weight.detach().norm())
    both = gradient_penalty(critic, ROWS, ROWS + 1, torch.Generator().manual_seed(0))
    assert float(both.detach()) == pytest.approx((norm - 1) ** 2, rel=1e-5)
    assert float(real_penalty(critic, ROWS).detach()) == pytest.approx(norm**2 / 2, rel=1e-5)


def test_a_critic_tells_apart_by_its_line() -> None:
    scores = torch.tensor([[1.0], [2.0]])
    assert float(told_apart(scores, -scores, "hinge")) == 1
    assert float(told_apart(scores - 0.6, scores - 1.6, "least_squares")) == 0.75
    assert float(told_apart(scores + 50, scores + 40, "wasserstein")) == 1


@pytest.mark.parametrize("name", LOSSES)
def test_the_game_is_that_of_a_plain_loop(name: str) -> None:
    """Both players after six steps, beside a loop in PyTorch alone from the same weights and numbers."""
    settings: Any = {
        "optimizer": {"sgd": {"learning_rate": 0.1}},
        "critic_optimizer": {"sgd": {"learning_rate": 0.2}},
    }
    model, rule = player(loss=name, penalty=0.5, critic_steps=2, average=0.9, **settings)
    generator, critic = copy.deepcopy(model.generator), copy.deepcopy(model.critic)
    average = copy.deepcopy(dict(generator.state_dict()))
    slow = torch.optim.SGD(generator.parameters(), lr=0.1)
    quick = torch.optim.SGD(critic.parameters(), lr=0.2)
    chance = torch.Generator().manual_seed(7)
    for step in range(6):
        real = ROWS[8 * step : 8 * step + 8]
        rule.step(model, Batch(real, real))
        z = torch.randn(8, 2, generator=chance)
        made = generator(z).detach()
        loss = CRITIC[name](critic(real), critic(made))
        if name == "wasserstein":
            loss = loss + 0.5 * gradient_penalty(critic, real, made, chance)
        else:
            loss = loss + 0.5 * real_penalty(critic, real)
        quick.zero_grad()
        loss.backward()
        quick.step()
        if step % 2:
            slow.zero_grad()
            GENERATOR[name](critic(generator(z))).backward()
            slow.step()
            keep = min(0.9, (1 + step // 2) / (10 + step // 2))
            for key, value in generator.state_dict().items():
                average[key] = keep * average[key] + (1 - keep) * value
    for ours, theirs in ((model.generator, generator), (model.critic, critic)):
        for key, value in theirs.state_dict().items():
            torch.testing.assert_close(ours.state_dict()[key], value, rtol=1e-4, atol=1e-6)
    for key, value in average.items():
        torch.testing.assert_close(model.average.state_dict()[key], value, rtol=1e-4, atol=1e-6)


def test_a_player_whose_loss_is_no_number_is_named() -> None:
    model, rule = player()
    engine = engine_of(model, rule)
    with torch.no_grad():
        list(model.critic.parameters())[-1].fill_(float("nan"))
    with pytest.raises(TrainingError, match=r"in epoch 1, step 1\. It is the critic's loss that is not a"):
        engine.run()


def test_the_other_player_is_named_too() -> None:
    model, rule = player()
    rule.step(model, Batch(ROWS[:8], ROWS[:8]))
    assert rule.fault() == ""
    rule.losses_now["generator"] = torch.tensor(float("nan"))
    assert rule.fault() == "It is the generator's loss that is not a number."


def engine_of(model: nn.Module, rule: Adversarial) -> Engine:
    rows = Batch(ROWS, ROWS)
    limits = Limits(epochs=2, batch_size=8)
    return Engine(
        model, rule, train=rows, validation=rows, plan=plan(ROWS, steps=8), limits=limits,
        order=lambda generator: torch.randperm(len(ROWS), generator=generator),
    )  # fmt: skip


def test_a_critic_that_has_won_is_told() -> None:
    """Rows far from all that the generator begins with are told apart at once."""
    model, rule = player(ROWS + 60, critic_optimizer={"adam": {"learning_rate": 0.05}})
    for _ in range(2):
        for _ in range(40):
            rule.step(model, Batch(ROWS + 60, ROWS + 60))
        rule.end_epoch(model)
    assert rule.remark().startswith("; the critic has won: in the last epoch it told 99")
    calm, learner = player()
    learner.step(calm, Batch(ROWS, ROWS))
    learner.end_epoch(calm)
    assert learner.remark() == ""


def test_both_players_are_drawn() -> None:
    measures = {"players/generator": 1.0, "players/critic": 2.0, "critic/told apart": 0.7}
    figures = {f"train_{name}": value for name, value in measures.items()}
    records = [{"epoch": epoch, **figures} for epoch in (1, 2)]
    losses, told = Adversarial.pictures(records)
    assert list(losses.curves) == ["generator", "critic"]  # pyright: ignore[reportAttributeAccessIssue]
    assert list(told.curves) == ["told apart"]  # pyright: ignore[reportAttributeAccessIssue]
    assert Adversarial.pictures([{"epoch": 1}]) == []


@pytest.mark.parametrize("turns", [1, 5])
def test_both_schedules_end_with_the_training(turns: int) -> None:
    """The generator moves once in so many steps."""
    _, rule = player(steps=10, loss="wasserstein", critic_steps=turns, schedule="cosine")
    at_first = rule.learning_rate
    assert at_first is not None
    for _ in range(30):
        rule.step(rule.model, Batch(ROWS, torch.zeros(len(ROWS), dtype=torch.int64)))
    for player_of in (rule.generator, rule.critic):
        assert player_of.learning_rate is not None
        assert player_of.learning_rate < 1e-6 * at_first


def test_lower_precision_is_refused() -> None:
    model = Lowered(GAN(3, NoTarget("generation"), latent=2, hidden=[8]))
    with pytest.raises(RecipeError, match=r"training\.precision: bfloat16 has no effect under learning\.adv"):
        Adversarial().start(model, plan(ROWS))


def test_a_model_without_two_players_is_refused() -> None:
    with pytest.raises(RecipeError, match="needs a generator and a critic, which Linear has not"):
        Adversarial().start(Linear(3, 1), plan(ROWS))
