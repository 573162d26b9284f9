"""The class that a model is told, and energy scores under each class."""

import pytest
import torch

from handrail.layers.conditional import ClassMaps, Conditional
from handrail.layers.energy_score import class_energy_scores, energy_score


def test_a_class_is_told_by_numbers_of_which_one_is_1() -> None:
    condition, rows = Conditional(3), torch.randn(4, 2)
    told = condition.join(rows, torch.tensor([2, 0, 1, 3]))
    assert torch.equal(told[:, :2], rows)
    assert told[:, 2:].tolist() == [[0, 1, 0], [0, 0, 0], [1, 0, 0], [0, 0, 1]]


def test_classes_are_drawn_with_the_shares_of_training_rows_that_have_one() -> None:
    condition = Conditional(3)
    condition.count(torch.tensor([0, 0, 1, 1, 1, 3]))
    torch.testing.assert_close(condition.class_shares, torch.tensor([0.75, 0, 0.25]))
    codes = condition.draw(4000, torch.Generator().manual_seed(0))
    assert set(codes.tolist()) == {1, 3}
    assert float((codes == 1).float().mean()) == pytest.approx(0.75, abs=0.03)


def test_pictures_get_a_constant_map_for_each_class() -> None:
    told = Conditional(2).join(torch.arange(8.0).view(1, 8), torch.tensor([2]))
    maps = ClassMaps((2, 2, 2))(told)
    assert maps.shape == (1, 4, 2, 2)
    assert torch.equal(maps[0, :2].flatten(), torch.arange(8.0))
    assert torch.equal(maps[0, 2:], torch.stack([torch.zeros(2, 2), torch.ones(2, 2)]))


def test_scores_under_classes_are_those_under_each_and_under_the_mixture() -> None:
    """The mixture's from its definition, with E‖G − G′‖ over pairs of different draws within a class."""
    chance = torch.Generator().manual_seed(1)
    rows, draws = torch.randn(5, 3, generator=chance), torch.randn(2, 7, 3, generator=chance).double()
    rows, shares = rows.double(), torch.tensor([0.3, 0.7]).double()
    scores = class_energy_scores(rows, draws, shares)
    for place in range(2):
        torch.testing.assert_close(scores[:, place + 1], energy_score(rows, draws[place]))

    def mean(first: torch.Tensor, second: torch.Tensor, *, same: bool) -> torch.Tensor:
        lengths = (first[:, None] - second[None]).norm(dim=2)
        return lengths.sum() / (lengths.numel() - len(first) * same)

    for row, score in zip(rows, scores[:, 0], strict=True):
        near = sum(shares[k] * (row - draws[k]).norm(dim=1).mean() for k in range(2))
        apart = sum(
            shares[k] * shares[other] * mean(draws[k], draws[other], same=k == other)
            for k in range(2)
            for other in range(2)
        )
        torch.testing.assert_close(score, near - apart / 2)
