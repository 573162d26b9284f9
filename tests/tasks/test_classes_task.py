"""Classes: ties, class weights taken out of probabilities, and decisions that travel with the task."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from handrail.data.balance import balanced_weights
from handrail.data.task import TaskSpec
from handrail.sklearn import NetworkClassifier
from handrail.tasks import make_task


def task_of(name: Any, classes: tuple[str, ...], targets: tuple[str, ...] = ("y",)) -> Any:
    return make_task(TaskSpec(name=name, targets=targets, classes=classes), 1)


@pytest.mark.parametrize("name", ["binary", "multi-label", "multi-class"])
def test_a_score_of_exactly_zero_is_the_first_class(name: str) -> None:
    classes = ("a", "b")
    task = task_of(name, classes, classes if name == "multi-label" else ("y",))
    task.temperature.fill_(1.7)
    width = 1 if name == "binary" else 2
    scores = torch.zeros(3, width)
    assert not task.decide(task(scores)).any()
    above = scores.clone()
    above[:, -1] = 1e-6
    decided = task.decide(task(above))
    assert (decided[:, 1] if name == "multi-label" else decided).all()


@pytest.mark.parametrize("classes", [2, 4])
def test_class_weights_are_taken_out_of_probabilities_and_stay_in_decisions(classes: int) -> None:
    """p ∝ p_w / w by the formula; the decision is argmax w·p, that of the scores."""
    generator = torch.Generator().manual_seed(0)
    names = tuple("abcd"[:classes])
    task = task_of("binary" if classes == 2 else "multi-class", names)
    weights = balanced_weights(torch.tensor([70, 20, 7, 3][:classes]))
    scores = 2 * torch.randn(200, 1 if classes == 2 else classes, generator=generator)
    weighted, raw = task(scores), task.decide(task(scores))
    task.weigh(weights)
    expected = weighted / weights
    torch.testing.assert_close(task(scores), expected / expected.sum(dim=1, keepdim=True))
    if classes > 2:
        assert torch.equal(task.decide(task(scores)), raw)
        torch.testing.assert_close(task(task.join_scores([scores, scores])), task(scores))
    again = task_of(task.kind, names)
    again.restore(task.facts())
    torch.testing.assert_close(again(scores), task(scores))
    task.weigh(None)
    assert torch.equal(task(scores), weighted)


class _Given(nn.Module):
    def forward(self, scores: torch.Tensor) -> torch.Tensor:
        return scores


def test_two_weighted_classes_are_decided_where_both_count_alike() -> None:
    generator = np.random.default_rng(0)
    truth = torch.from_numpy((generator.random(400) < 0.3).astype(np.int64))
    scores = torch.from_numpy(generator.normal(size=(400, 1)) + 1.5 * truth.numpy()[:, None]).float()
    task, part = task_of("binary", ("no", "yes")), SimpleNamespace(target=truth)
    task.weigh(balanced_weights(torch.bincount(truth)))
    task.settle(_Given(), scores, part, SimpleNamespace(calibrate=True, threshold="auto"))
    assert torch.equal(task.decide(task(scores)) == 1, scores[:, 0] > 0)
    assert task.decisions["threshold"] < 0.4
    assert "data.balance" in task.reasons["threshold"]
    other = task_of("binary", ("no", "yes"))
    other.take_decisions(task)
    assert (other.decisions, other.reasons) == (task.decisions, task.reasons)


@pytest.mark.parametrize("balance", ["class_weights", "oversample", "undersample"])
def test_a_balanced_network_knows_how_frequent_classes_are(balance: str) -> None:
    """A logistic regression's mean probability is the share of the class; weighted, it would be about .5."""
    generator = np.random.default_rng(1)
    x = generator.normal(size=(2000, 2))
    y = np.where(x[:, 0] + 2 * generator.normal(size=2000) > 3.2, "rare", "common")
    share = float((y == "rare").mean())
    assert share < 0.12
    settings: Any = {"model": "linear", "epochs": 25, "validation_fraction": None, "random_state": 0}
    network = NetworkClassifier(balance=balance, **settings).fit(x, y)
    assert network.classes_.tolist() == ["common", "rare"]
    probabilities = network.predict_proba(x)[:, 1]
    assert probabilities.mean() == pytest.approx(share, abs=0.04)
    found = float((network.predict(x) == "rare")[y == "rare"].mean())
    assert found > 0.6  # the decision still counts both classes alike
