"""Forward-forward: each layer learns by itself to tell rows with their label from rows with a wrong one."""

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import handrail
from handrail.augmentation.mixup import Mixup
from handrail.errors import RecipeError
from handrail.learning.rule import Batch, TrainingPlan
from handrail.learning.rules.forward_forward import ForwardForward
from handrail.models.forward_forward_net import ForwardForwardNet
from handrail.network import Network
from handrail.objectives.objective import Objective
from handrail.shapes import ImageShape

INPUTS, CLASSES, RATE = 5, 3, 0.1


def some(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def plan_of(task: str = "multi-class", penalties: tuple[Any, ...] = ()) -> TrainingPlan:
    loss = (
        "mse"
        if task == "regression"
        else "binary_cross_entropy"
        if task != "multi-class"
        else "cross_entropy"
    )
    return TrainingPlan(task, Objective(loss, penalties), epochs=3, steps=4, seed=0)


def begun(outputs: int = CLASSES) -> tuple[ForwardForwardNet, ForwardForward]:
    torch.manual_seed(0)
    model = ForwardForwardNet(INPUTS, outputs, hidden=[7, 6])
    rule = ForwardForward(optimizer={"sgd": {"learning_rate": RATE}})
    rule.start(model, plan_of("multi-class" if outputs > 1 else "binary"))
    return model, rule


def batch_of(rows: int = 16, classes: int = CLASSES, *, weights: bool = False) -> Batch:
    counted = some(rows, seed=3).exp() if weights else None
    return Batch(some(rows, INPUTS, seed=1), torch.arange(rows) % classes, counted)


def goodnesses(model: ForwardForwardNet, x: np.ndarray, label: int) -> list[float]:
    """Of each layer for one row with a label, in NumPy."""
    given = np.concatenate([x, np.eye(model.classes)[label] * model.size])
    values = []
    for layer in model.dense:
        weight, bias = (each.detach().double().numpy() for each in layer.parameters())
        active = np.maximum(0, weight @ given + bias)
        values.append(float((active**2).mean()))
        given = active / (np.sqrt(values[-1]) + 1e-6)
    return values


@pytest.mark.parametrize("outputs", [CLASSES, 1])
def test_scores_are_the_goodness_of_each_class(outputs: int) -> None:
    model, _ = begun(outputs)
    x = some(4, INPUTS)
    expected = np.array(
        [[sum(goodnesses(model, row, label)) for label in range(model.classes)] for row in x.double().numpy()]
    )
    if outputs == 1:
        expected = expected[:, 1:] - expected[:, :1]
    np.testing.assert_allclose(model(x).detach(), expected, rtol=1e-5)


@pytest.mark.parametrize("weights", [False, True])
def test_a_step_is_the_formula(weights: bool) -> None:
    """By hand, in NumPy: each layer goes down its own loss, and is given what the one below gave before."""
    model, rule = begun()
    batch = batch_of(weights=weights)
    before = copy.deepcopy(model)
    wrong = copy.deepcopy(rule).wrong_labels(model(batch.inputs).detach(), batch.targets)
    rule.step(model, batch)
    counted = np.ones(16) if batch.weights is None else batch.weights.double().numpy()
    changes = [np.zeros(tuple(layer.weight.shape)) for layer in before.dense]
    for row, x in enumerate(batch.inputs.double().numpy()):
        for label, sign in ((int(batch.targets[row]), -1), (int(wrong[row]), 1)):
            given = np.concatenate([x, np.eye(CLASSES)[label] * before.size])
            for place, layer in enumerate(before.dense):
                weight, bias = (each.detach().double().numpy() for each in layer.parameters())
                active = np.maximum(0, weight @ given + bias)
                goodness = (active**2).mean()
                slope = sign / (1 + np.exp(-sign * (goodness - 2.0)))
                changes[place] += counted[row] * slope * np.outer(2 * active / len(active), given)
                given = active / (np.sqrt(goodness) + 1e-6)
    for ours, theirs, change in zip(model.dense, before.dense, changes, strict=True):
        expected = theirs.weight.detach().double().numpy() - RATE * change / counted.sum()
        np.testing.assert_allclose(ours.weight.detach(), expected, atol=1e-6)


def test_wrong_labels_are_never_the_right_one_and_follow_the_scores() -> None:
    _, rule = begun()
    labels = torch.zeros(3000, dtype=torch.int64)
    scores = torch.tensor([5.0, 1.0, 0.0]).expand(3000, 3)
    wrong = rule.wrong_labels(scores, labels)
    share = float((wrong == 1).float().mean())
    assert not (wrong == 0).any()
    assert share == pytest.approx(1 / (1 + np.exp(-1)), abs=0.03)
    _, binary = begun(1)
    assert torch.equal(binary.wrong_labels(scores[:, :1], labels), 1 - labels)


def test_angles_are_measured_once_an_epoch() -> None:
    model, rule = begun()
    measures = rule.step(model, batch_of())
    assert list(measures) == ["loss", "angle/layer 1", "angle/layer 2"]
    assert all(0 <= float(value) <= 180 for name, value in measures.items() if name != "loss")
    assert list(rule.step(model, batch_of())) == ["loss"]


@pytest.mark.parametrize("outputs", [CLASSES, 1])
def test_it_learns(outputs: int) -> None:
    torch.manual_seed(0)
    classes = max(outputs, 2)
    centres = 2 * some(classes, INPUTS, seed=4)
    labels = torch.arange(300) % classes
    batch = Batch(centres[labels] + some(300, INPUTS, seed=5), labels)
    model = ForwardForwardNet(INPUTS, outputs, hidden=[30, 30])
    rule = ForwardForward(optimizer={"adam": {"learning_rate": 0.01}})
    rule.start(model, plan_of("multi-class" if outputs > 1 else "binary"))
    losses = [float(rule.step(model, batch)["loss"]) for _ in range(200)]
    scores = model(batch.inputs).detach()
    answers = scores.argmax(dim=1) if outputs > 1 else (scores[:, 0] > 0).long()
    assert losses[-1] < losses[0] / 3
    assert float((answers == labels).float().mean()) > 0.95


def refusal(task: str, model: Any = None, penalties: tuple[Any, ...] = ()) -> str:
    with pytest.raises(RecipeError) as told:
        ForwardForward().start(model or ForwardForwardNet(INPUTS, CLASSES), plan_of(task, penalties))
    return str(told.value)


def test_other_tasks_and_what_it_does_not_follow_are_refused() -> None:
    for task in ("regression", "multi-label"):
        assert refusal(task) == (
            f"learning.forward_forward: found the task '{task}', expected binary or multi-class, as a class "
            "is put in with the inputs; choose another model."
        )
    assert refusal("multi-class", penalties=("l2",)) == (
        "objective.penalties: have no effect under learning.forward_forward; leave them out, or learn by "
        "gradient."
    )
    mixed = Network(None, [Mixup(ImageShape(1, 2, 2))], ForwardForwardNet(INPUTS, CLASSES))
    assert refusal("multi-class", mixed) == (
        "learning.forward_forward: found the augmentation Mixup, which mixes the targets of rows; leave it "
        "out."
    )
    with pytest.raises(RecipeError) as told:
        handrail.fit(
            "bundled:iris", "target", changes={"model": "forward_forward_net", "learning": "gradient"}
        )
    assert str(told.value) == "learning.gradient: cannot teach forward_forward_net; expected forward_forward."
    with pytest.raises(RecipeError) as told:
        handrail.fit("bundled:iris", "target", changes={"model": "mlp", "learning": "forward_forward"})
    assert (
        str(told.value)
        == "learning.forward_forward: teaches forward_forward_net, and not mlp; choose another."
    )
