"""Where the answer of a network of two inputs changes."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from handrail.components.pictures import Points, from_plain, to_plain
from handrail.data.task import TaskSpec
from handrail.evaluation.outcomes.table import TableOutcome
from handrail.report.figures.named import named_picture
from handrail.tasks import make_task
from handrail.tasks.task import Answered


def pictures_of(task: Any, network: nn.Module, rows: torch.Tensor) -> list[Points]:
    """What the task draws of rows whose classes are its own answers."""
    probabilities = task(network(rows)).detach()
    labels = task.decide(probabilities).numpy()
    outcome = TableOutcome(
        task.kind, labels, labels=labels, probabilities=probabilities.numpy(), classes=task.spec.classes
    )
    part: Any = None
    with torch.no_grad():
        return task.pictures(Answered(network, rows, part, outcome, part, part))


@pytest.fixture(autouse=True)
def seed() -> None:
    """The networks of all tests are drawn."""
    torch.manual_seed(0)


def task_of(name: Any, classes: tuple[str, ...]) -> Any:
    return make_task(TaskSpec(name=name, targets=("y",), classes=classes), 2)


def grid_of(shown: Points) -> torch.Tensor:
    """The places at which the network was asked, worked out from corners and size."""
    assert shown.fields is not None
    assert shown.corners is not None
    up, across = shown.fields.shape[1:]
    (left, below), (right, above) = shown.corners.tolist()
    places = [[x, y] for y in np.linspace(below, above, up) for x in np.linspace(left, right, across)]
    return torch.tensor(places, dtype=torch.float32)


def test_the_line_of_two_classes_lies_at_the_threshold() -> None:
    task, network = task_of("binary", ("a", "b")), nn.Linear(2, 1)
    with torch.no_grad():
        network.weight.copy_(torch.tensor([[1.5, -1.0]]))  # so that the line crosses the rows
    task.threshold.fill_(0.8)
    rows = torch.randn(50, 2, generator=torch.Generator().manual_seed(0))
    (shown,) = pictures_of(task, network, rows)
    answers = task.decide(task(network(grid_of(shown)))).numpy()
    assert 0 < answers.mean() < 1
    assert shown.fields is not None
    np.testing.assert_array_equal(shown.fields.ravel() > 0, answers == 1)
    again = from_plain(to_plain(shown))
    assert "<path" in named_picture(again, "line").svg


def test_of_several_classes_the_answer_alone_is_ahead() -> None:
    task, network = task_of("multi-class", ("a", "b", "c")), nn.Linear(2, 3)
    rows = torch.randn(50, 2, generator=torch.Generator().manual_seed(1))
    (shown,) = pictures_of(task, network, rows)
    assert shown.fields is not None
    ahead = shown.fields.reshape(3, -1) > 0
    np.testing.assert_array_equal(ahead.sum(axis=0), 1)
    np.testing.assert_array_equal(ahead.argmax(axis=0), network(grid_of(shown)).argmax(dim=1).numpy())


def test_nothing_is_drawn_where_rows_are_not_two_numbers_and_no_line_where_one_class_answers_all() -> None:
    task = task_of("binary", ("a", "b"))
    assert pictures_of(task, nn.Linear(3, 1), torch.randn(9, 3)) == []
    never = nn.Linear(2, 1)
    nn.init.zeros_(never.weight)
    nn.init.constant_(never.bias, -3.0)
    (shown,) = pictures_of(task, never, torch.randn(9, 2))
    assert shown.fields is not None
    assert (shown.fields < 0).all()
    assert named_picture(shown, "line").title == "Decision line"
