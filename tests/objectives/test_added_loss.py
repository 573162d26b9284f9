"""A loss that a model adds: weighted, mixed and divided as the loss is, and absent from validation."""

import copy
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from handrail.errors import RecipeError
from handrail.layers.precision import Lowered
from handrail.learning.fast.flat_step import FlatSteps
from handrail.learning.rule import Batch, TrainingPlan
from handrail.network import Network
from handrail.objectives.objective import Objective
from handrail.training.cohort.program import Program
from handrail.training.engine import validate
from handrail.training.job import usual_loss

ROWS = 8


class Coder(nn.Module):
    """Scores from a hidden layer, which is to give the row back."""

    added_loss_from: ClassVar[tuple[str, ...]] = ("hidden",)

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(4, 5)
        self.head, self.back = nn.Linear(5, 3), nn.Linear(5, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.hidden(x))

    def added_loss(self, inputs: Tensor, outputs: Tensor, targets: Tensor, hidden: Tensor) -> Tensor:
        return (self.back(hidden) - inputs).square().sum(dim=1) * (1 + targets)


def coder() -> Coder:
    torch.manual_seed(0)
    return Coder()


def batch(rows: int = ROWS) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(rows, 4, generator=generator), torch.randint(0, 3, (rows,), generator=generator)


def by_hand(model: Coder, inputs: Tensor, targets: Tensor) -> Tensor:
    """Loss and what is added, of each row."""
    losses = nn.functional.cross_entropy(model(inputs), targets, reduction="none")
    return losses + model.added_loss(inputs, model(inputs), targets, model.hidden(inputs))


def test_it_is_averaged_as_the_loss_is() -> None:
    model, (inputs, targets), weights = coder(), batch(), torch.rand(ROWS)
    rows, objective = by_hand(model, inputs, targets), Objective("cross_entropy")
    total, outputs = objective(model, inputs, targets)
    torch.testing.assert_close(total, rows.mean())
    assert torch.equal(outputs, model(inputs))
    torch.testing.assert_close(objective(model, inputs, targets, weights)[0], weights @ rows / weights.sum())
    assert not any(module._forward_hooks for module in model.modules())


def test_penalties_stand_beside_it() -> None:
    model, (inputs, targets) = coder(), batch()
    total, _ = Objective("cross_entropy", [{"l2": {"strength": 0.1}}])(model, inputs, targets)
    plain, _ = Objective("cross_entropy")(model, inputs, targets)
    assert total > plain


@pytest.mark.parametrize("weighted", [False, True])
def test_mixed_rows_count_by_their_shares(weighted: bool) -> None:
    share, other = torch.rand(ROWS), torch.randperm(ROWS)

    class Mixing(nn.Module):
        mixture = (share, other)

        def forward(self, x: Tensor) -> Tensor:
            return share[:, None] * x + (1 - share[:, None]) * x[other]

    model, (inputs, targets), weights = coder(), batch(), torch.rand(ROWS)
    mixed = Mixing()(inputs)
    rows = share * by_hand(model, mixed, targets) + (1 - share) * by_hand(model, mixed, targets[other])
    network = Network(None, [Mixing()], model).train()
    total, _ = Objective("cross_entropy")(network, inputs, targets, weights if weighted else None)
    both = share * weights + (1 - share) * weights[other] if weighted else torch.ones(ROWS)
    torch.testing.assert_close(total, both @ rows / both.sum())


def test_the_model_is_found_wherever_it_stands_and_sees_what_it_was_given() -> None:
    model, (inputs, targets) = coder(), batch()
    scaled = Network(nn.Sequential(nn.Identity()), [], Lowered(model))
    scaled.front = nn.Sequential(nn.Linear(4, 4))
    given = scaled.front(inputs)
    total, _ = Objective("cross_entropy")(scaled, inputs, targets)
    torch.testing.assert_close(total, by_hand(model, given, targets).mean(), rtol=0.02, atol=0.02)


def test_shares_of_a_batch_join_to_the_whole() -> None:
    """As several processes add them: Σ Wₚ·Jₚ / Σ Wₚ."""
    model, (inputs, targets), weights = coder(), batch(), torch.rand(ROWS)
    objective = Objective("cross_entropy")
    whole, _ = objective(model, inputs, targets, weights)
    parts = [objective(model, inputs[at], targets[at], weights[at])[0] for at in (slice(3), slice(3, None))]
    sums = torch.stack([weights[:3].sum(), weights[3:].sum()])
    torch.testing.assert_close(torch.stack(parts) @ sums / sums.sum(), whole)


def test_validation_is_without_it() -> None:
    model, (inputs, targets) = coder(), batch()
    found = validate(model, Objective("cross_entropy"), Batch(inputs, targets), lambda _scores, _targets: {})
    plain = nn.functional.cross_entropy(model(inputs), targets)
    assert found["loss"] == pytest.approx(plain.item(), rel=1e-6)


def test_flat_steps_have_it_to_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Coder, "__module__", "handrail.models.coder")  # only what is ours is written down
    model, objective, (inputs, targets) = coder(), Objective("cross_entropy"), batch()
    plan = TrainingPlan(task="multi-class", objective=objective, epochs=100, steps=100, seed=0)
    steps = FlatSteps(model, plan)
    answers = [steps(Batch(inputs, targets)) for _ in range(12)]
    assert answers[0] is None
    assert answers[-1] is not None
    loss, gradients = answers[-1]
    total, _ = objective(model, inputs, targets)
    total.backward()
    assert torch.equal(loss, total)
    for parameter, gradient in zip(model.parameters(), gradients, strict=True):
        assert parameter.grad is not None
        assert torch.equal(parameter.grad, gradient)


def test_a_stack_of_networks_has_that_of_each() -> None:
    (inputs, targets), models = batch(), [coder(), coder()]
    with torch.no_grad():
        models[1].back.weight.add_(0.5)
    objective = Objective("cross_entropy")
    program = Program(models, objective, [{}])
    losses, gradients = program.step(Batch(inputs, targets), [torch.Generator()] * 2, each=False)
    for at, model in enumerate(models):
        total, _ = objective(model, inputs, targets)
        total.backward()
        torch.testing.assert_close(losses[at], total)
        for name, parameter in model.named_parameters():
            torch.testing.assert_close(gradients[name][at], parameter.grad)


def test_copies_share_nothing_and_a_failing_model_keeps_no_hooks() -> None:
    model, (inputs, targets) = coder(), batch()
    other = copy.deepcopy(model)
    with pytest.raises(RuntimeError, match="shapes"):
        Objective("cross_entropy")(model, inputs[:, :3], targets)
    assert not any(module._forward_hooks for module in model.modules())
    torch.testing.assert_close(
        Objective("cross_entropy")(model, inputs, targets)[0],
        Objective("cross_entropy")(other, inputs, targets)[0],
    )


@pytest.mark.parametrize(
    ("answer", "found"), [(torch.zeros(()), r"\[\]"), (torch.zeros(8, 2), r"\[8, 2\]"), (1.0, "float")]
)
def test_anything_but_a_number_a_row_is_refused(answer: Any, found: str) -> None:
    model, (inputs, targets) = coder(), batch()
    model.added_loss = lambda *_given: answer  # pyright: ignore[reportAttributeAccessIssue]
    text = rf"the loss that Coder adds gives {found}, expected one number for each of the 8 rows"
    with pytest.raises(RecipeError, match=text):
        Objective("cross_entropy")(model, inputs, targets)


def test_the_usual_loss_of_a_model_stands_between_the_rules_and_the_tasks() -> None:
    assert usual_loss("gradient", "multi-class", model="capsule_net") == "margin"
    assert usual_loss("gradient", "regression", model="capsule_net") == "mse"
    assert usual_loss("gradient", "multi-class", model="mlp") == "cross_entropy"
    assert usual_loss("gradient", "multi-class", model=SimpleNamespace(losses={"multi-class": "x"})) == "x"
    delta = {"delta": {"activation": "linear"}}
    assert usual_loss(delta, "multi-class", model="capsule_net") == usual_loss(delta, "multi-class")
