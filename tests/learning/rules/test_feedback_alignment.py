"""Feedback alignment: with the true transposes it is back-propagation, and with others it learns."""

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import handrail
from handrail.components import build
from handrail.errors import RecipeError
from handrail.learning.local import angle, true_gradients
from handrail.learning.rule import Batch, TrainingPlan
from handrail.learning.rules.feedback_alignment import FeedbackAlignment
from handrail.models.mlp import MLP
from handrail.network import Network
from handrail.objectives.objective import Objective

INPUTS = 5
TASKS = {
    "binary": (1, "binary_cross_entropy"),
    "multi-class": (3, "cross_entropy"),
    "multi-label": (3, "binary_cross_entropy"),
    "regression": (2, "mse"),
}


def some(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def batch_of(task: str, rows: int = 16, *, weights: bool = False) -> Batch:
    outputs = TASKS[task][0]
    targets: Any = some(rows, outputs, seed=2)
    if task == "multi-label":
        targets = (targets > 0).float()
    elif task != "regression":
        targets = torch.arange(rows) % max(outputs, 2)
    return Batch(some(rows, INPUTS, seed=1), targets, some(rows, seed=3).exp() if weights else None)


def plan_of(task: str, *, penalties: tuple[Any, ...] = (), seed: int = 0) -> TrainingPlan:
    return TrainingPlan(task, Objective(TASKS[task][1], penalties), epochs=3, steps=4, seed=seed)


def begun(task: str = "multi-class", *, penalties: tuple[Any, ...] = (), seed: int = 0, **settings: Any):
    torch.manual_seed(seed)
    settings = {"hidden": [7, 6], "activation": "tanh", **settings}
    direct = settings.pop("direct", False)
    model = MLP(INPUTS, TASKS[task][0], **settings)
    rule = FeedbackAlignment(direct=direct, optimizer={"sgd": {"learning_rate": 0.1}})
    rule.start(model, plan_of(task, penalties=penalties, seed=seed))
    return model, rule


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("normalisation", ["none", "layer", "batch"])
@pytest.mark.parametrize("activation", ["prelu", "maxout", "sigmoid"])
def test_with_the_true_transposes_it_is_back_propagation(
    task: str, normalisation: str, activation: str
) -> None:
    penalties = ({"l2": {"strength": 0.1}}, {"activity_l1": {"strength": 0.1}})
    model, rule = begun(task, penalties=penalties, normalisation=normalisation, activation=activation)
    batch = batch_of(task, weights=True)
    rule.feedback = [layer.weight.detach() for layer in rule.layers[1:]]
    loss = rule.direct(model, batch)
    found = [parameter.grad for parameter in model.parameters()]
    model.zero_grad()
    expected, _ = rule.objective(model, batch.inputs, batch.targets, batch.weights)
    expected.backward()
    torch.testing.assert_close(loss, expected)
    for ours, parameter in zip(found, model.parameters(), strict=True):
        torch.testing.assert_close(ours, parameter.grad, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("direct", [False, True])
def test_a_step_is_the_formula(direct: bool) -> None:
    """By hand, in NumPy, with two hidden layers of tanh and the squared error."""
    model, rule = begun("regression", direct=direct)
    batch = batch_of("regression")
    layers = [(layer.weight.detach().numpy(), layer.bias.detach().numpy()) for layer in rule.layers]
    layers = [(weight.astype(np.float64), bias.astype(np.float64)) for weight, bias in layers]
    back = [matrix.double().numpy() for matrix in rule.feedback]
    x, targets = batch.inputs.double().numpy(), batch.targets.double().numpy()
    first = np.tanh(x @ layers[0][0].T + layers[0][1])
    second = np.tanh(first @ layers[1][0].T + layers[1][1])
    error = 2 * (second @ layers[2][0].T + layers[2][1] - targets) / targets.size
    to_second = (error @ back[1]) * (1 - second**2)
    to_first = ((error if direct else to_second) @ back[0]) * (1 - first**2)
    rule.step(model, batch)
    deltas, inputs = (to_first, to_second, error), (x, first, second)
    for layer, (weight, bias), delta, given in zip(rule.layers, layers, deltas, inputs, strict=True):
        np.testing.assert_allclose(layer.weight.detach(), weight - 0.1 * delta.T @ given, rtol=0, atol=1e-6)
        np.testing.assert_allclose(layer.bias.detach(), bias - 0.1 * delta.sum(axis=0), rtol=0, atol=1e-6)


def test_angles_are_those_to_the_gradient_once_an_epoch() -> None:
    model, rule = begun()
    batch = batch_of("multi-class")
    before = copy.deepcopy(model)
    measures = rule.step(model, batch)
    assert list(measures) == ["loss", "angle/layer 1", "angle/layer 2", "angle/layer 3"]
    gradients = [parameter for parameter in before.parameters() if parameter.ndim == 2]
    loss, _ = rule.objective(before, batch.inputs, batch.targets)
    loss.backward()
    for number, (weight, other) in enumerate(zip(rule.weights.values(), gradients, strict=True), start=1):
        assert weight.grad is not None
        assert other.grad is not None
        cosine = nn.functional.cosine_similarity(weight.grad.flatten(), other.grad.flatten(), dim=0)
        assert float(measures[f"angle/layer {number}"]) == pytest.approx(
            np.degrees(np.arccos(float(cosine.clamp(-1, 1)))), abs=0.1
        )
    assert float(measures["angle/layer 3"]) < 0.01  # the last layer is taught as by back-propagation
    assert float(measures["angle/layer 1"]) > 10
    assert list(rule.step(model, batch)) == ["loss"]
    rule.end_epoch(model)
    assert len(rule.step(model, batch)) == 4


def test_measuring_an_angle_changes_nothing_else() -> None:
    """Not the running averages of batch normalisation, and not the masks of dropout."""
    models = []
    for due in (True, False):
        model, rule = begun(normalisation="batch", dropout=0.5)
        rule.due = due
        torch.manual_seed(5)
        rule.step(model.train(), batch_of("multi-class"))
        models.append(model.state_dict())
    assert all(torch.equal(models[0][name], models[1][name]) for name in models[0])


def test_right_and_opposite_and_no_directions() -> None:
    vector = some(3, 4)
    for other, degrees in ((2 * vector, 0), (-vector, 180), (torch.zeros(3, 4), 90), (None, 90)):
        assert float(angle(vector, other)) == pytest.approx(degrees, abs=1e-3)


@pytest.mark.parametrize("seed", range(3))
def test_the_angle_falls_as_the_weights_come_to_agree_with_the_feedback(seed: int) -> None:
    """A linear network with small weights, as in the paper: from about 80° to well below 45°."""
    settings = {"hidden": [30], "activation": "linear", "initialisation": "small_random"}
    model, rule = begun("regression", seed=seed, **settings)
    inputs = some(200, INPUTS, seed=8)
    batch = Batch(inputs, inputs @ some(2, INPUTS, seed=9).T)
    begin = rule.step(model, batch)
    for _ in range(20):
        rule.step(model, batch)
    rule.end_epoch(model)
    end = rule.step(model, batch)
    assert float(begin["angle/layer 1"]) > 70
    assert float(end["angle/layer 1"]) < 35
    assert float(end["loss"]) < 0.02 * float(begin["loss"])


def test_other_seeds_draw_other_feedback_and_a_state_brings_it_back() -> None:
    (_, first), (_, second) = begun(seed=0), begun(seed=1)
    assert not torch.equal(first.feedback[0], second.feedback[0])
    second.load_state_dict(first.state_dict())
    assert all(
        torch.equal(ours, theirs) for ours, theirs in zip(first.feedback, second.feedback, strict=True)
    )


def refusal(model: nn.Module, rule: FeedbackAlignment | None = None) -> str:
    with pytest.raises(RecipeError) as told:
        (rule or FeedbackAlignment()).start(model, plan_of("multi-class"))
    return str(told.value)


def test_what_it_cannot_teach_is_refused() -> None:
    convolution = nn.Sequential(nn.Conv1d(1, 2, 3), nn.Flatten(), nn.Linear(6, 3))
    assert refusal(convolution) == (
        "learning.feedback_alignment: found a layer Conv1d with weights; expected fully connected layers, "
        "activations and normalisation (model: mlp)."
    )
    assert refusal(nn.ReLU()) == (
        "learning.feedback_alignment: found no fully connected layer; expected some (model: mlp)."
    )
    steps = build("model", {"mlp": {"activation": "heaviside"}}, INPUTS, 3)
    assert refusal(steps).startswith(
        "learning.feedback_alignment: layers before a heaviside activation get no gradient"
    )
    assert refusal(MLP(INPUTS, 3), FeedbackAlignment(optimizer="lbfgs")) == (
        "learning.feedback_alignment.optimizer: LBFGS searches along the gradient of a loss, which this rule "
        "does not follow; choose another."
    )
    assert refusal(Network(nn.Linear(2, INPUTS), [], MLP(INPUTS, 3))) == (
        "learning.feedback_alignment: found layers before the model that have to be trained, to which it "
        "brings no error; learn by gradient, or leave out their columns."
    )


def test_another_model_is_refused_with_the_one_that_it_teaches() -> None:
    changes = {"model": "highway", "learning": "feedback_alignment"}
    with pytest.raises(RecipeError, match="teaches mlp, and not highway; choose another"):
        handrail.fit("bundled:iris", "target", changes=changes)


def test_frozen_layers_stay_and_keep_their_number() -> None:
    model = MLP(INPUTS, 3, hidden=[4, 4])
    first = next(model.features.children())
    assert isinstance(first, nn.Linear)
    for parameter in first.parameters():
        parameter.requires_grad_(False)
    before = first.weight.clone()
    rule = FeedbackAlignment()
    rule.start(model, plan_of("multi-class"))
    assert list(rule.step(model, batch_of("multi-class"))) == ["loss", "angle/layer 2", "angle/layer 3"]
    assert torch.equal(before, first.weight)


def test_the_gradient_of_a_weight_without_a_part_in_the_objective_is_none() -> None:
    model = MLP(INPUTS, 3, hidden=[4])
    idle = nn.Parameter(torch.ones(2, 2))
    batch = batch_of("multi-class")
    assert true_gradients(model, Objective("cross_entropy"), batch, [model.head.weight, idle])[1] is None
