"""Uses of a network: rows are given to it a part at a time, and come back as if all had been given."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from handrail.tasks import scoring, uses


class Watched(nn.Module):
    """A model that keeps how many rows it is given at once."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[int] = []

    def encode(self, x: Tensor) -> Tensor:
        self.given.append(len(x))
        return 2 * x

    reconstruct = encode

    def score(self, x: Tensor) -> Tensor:
        return self.encode(x).sum(dim=1)

    def recall(self, x: Tensor, steps: int) -> Tensor:
        return self.encode(x) + steps

    def fill(self, x: Tensor, *, steps: int, generator: torch.Generator) -> Tensor:
        return self.recall(x, steps)

    def interpolate(self, x: Tensor, *, between: int) -> Tensor:
        self.given.append(len(x))
        share = torch.linspace(0, 1, between + 2)[None, :, None]
        return torch.lerp(x[:-1, None], x[1:, None], share).flatten(0, 1)


@pytest.mark.parametrize("use", [uses.encode, uses.reconstruct, uses.score, uses.recall, uses.fill])
def test_many_rows_are_given_a_part_at_a_time(use: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    task = SimpleNamespace(score_name="log_density", score_sign=1, held_out=[])
    points, whole, split = torch.randn(10, 3), Watched(), Watched()
    expected = use(task, whole, points)
    monkeypatch.setattr(scoring, "_POINTS", 4)
    found = use(task, split, points)
    assert whole.given == [10]
    assert split.given == [4, 4, 2]
    assert (found.points is None) == (expected.points is None)
    assert found.points is None or found.points.equal(expected.points)
    assert {name: values.tolist() for name, values in found.columns.items()} == {
        name: values.tolist() for name, values in expected.columns.items()
    }


def test_ways_over_the_end_of_a_part_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    points, whole, split = torch.randn(10, 3), Watched(), Watched()
    expected = uses.interpolate(None, whole, points, between=2)
    monkeypatch.setattr(scoring, "_POINTS", 4)
    found = uses.interpolate(None, split, points, between=2)
    assert split.given == [5, 5, 2]
    assert found.points is not None
    assert expected.points is not None
    assert found.points.equal(expected.points)
