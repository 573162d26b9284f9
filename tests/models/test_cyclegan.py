"""CycleGAN: shapes, directions, kept rows, and the settings that it refuses."""

from typing import Any

import pytest
import torch

from handrail.errors import RecipeError
from handrail.layers.energy_score import energy_score
from handrail.models.cyclegan import CycleGAN
from handrail.shapes import ImageShape, NoTarget, SeriesShape, numbers_in


def cyclegan(inputs: Any = 4, **settings: Any) -> CycleGAN:
    torch.manual_seed(0)
    return CycleGAN(inputs, NoTarget("translation", 2), **settings).eval()


def chance(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("sides", [(28, 28), (8, 8), (13, 30), (3, 5)])
def test_pictures_of_any_size_are_translated(sides: tuple[int, int]) -> None:
    shape = ImageShape(3, *sides)
    model = cyclegan(shape, maps=4, blocks=1)
    rows = torch.rand(3, numbers_in(shape), generator=chance())
    made = model.translate(rows.view(3, *shape), torch.tensor([1, 2, 1]))
    assert made.shape == rows.shape
    assert all(critic(rows).shape == (3, 1) for critic in model.critics)


def test_each_row_takes_the_generator_of_its_domain() -> None:
    model, rows = cyclegan(SeriesShape(2, 2), hidden=[3]), torch.randn(5, 4, generator=chance())
    codes = torch.tensor([1, 2, 2, 0, 1])
    made = model.translate(rows, codes)
    for row, code, new in zip(rows, codes.tolist(), made, strict=True):
        expected = torch.zeros(4) if code == 0 else model.averages[code - 1](row[None])[0]
        torch.testing.assert_close(new, expected)


def test_a_row_is_scored_under_what_becomes_of_kept_rows() -> None:
    model, rows = cyclegan(), torch.randn(6, 4, generator=chance(1))
    first, second = torch.randn(300, 4, generator=chance(2)), torch.randn(128, 4, generator=chance(3)) + 3
    model.refer(1, first)
    model.refer(2, second)
    assert torch.equal(model.references[0], first[:256])
    assert torch.equal(model.references[1], second.repeat(2, 1))
    scores = model(rows)
    into_first, into_second = model.averages[1](second.repeat(2, 1)), model.averages[0](first[:256])
    torch.testing.assert_close(scores[:, 1], energy_score(rows, into_first))
    torch.testing.assert_close(scores[:, 2], energy_score(rows, into_second))


def test_pixels_keep_to_the_range_of_training_rows() -> None:
    shape = ImageShape(1, 6, 6)
    model, rows = cyclegan(shape, maps=2, blocks=1), torch.rand(20, 36, generator=chance(1)) * 3 + 5
    model.set_range(rows)
    made = model.translate(rows, torch.arange(20) % 2 + 1)
    assert rows.min() <= made.min() < made.max() <= rows.max()


def test_parameters_of_the_averages_are_not_counted() -> None:
    model = cyclegan(3, hidden=[5])
    assert model.tied_parameters == 2 * (3 * 3 + 3 + 3 * 5 + 5 + 5 * 3 + 3)
    assert not any(parameter.requires_grad for parameter in model.averages.parameters())
    assert not model.train().averages.training


@pytest.mark.parametrize(
    ("inputs", "settings", "message"),
    [
        (4, {"convolutional": True}, r"model\.cyclegan\.convolutional: the rows are no pictures"),
        (4, {"maps": 3}, r"model\.cyclegan\.maps: has no effect on dense players"),
        (4, {"blocks": 3}, r"model\.cyclegan\.blocks: has no effect on dense players"),
        (ImageShape(1, 2, 1), {}, r"model\.cyclegan: found pictures of 2×1 pixels"),
        (ImageShape(1, 8, 8), {"hidden": [3]}, r"model\.cyclegan\.hidden: has no effect on convolutional"),
    ],
)
def test_settings_of_the_other_kind_are_refused(inputs: Any, settings: Any, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        cyclegan(inputs, **settings)
