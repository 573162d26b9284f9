"""The generative adversarial network: shapes, ranges, and the settings that it refuses."""

from typing import Any

import pytest
import torch
from torch import nn

from handrail.errors import RecipeError
from handrail.models.gan import GAN
from handrail.shapes import ImageShape, NoTarget, SeriesShape, numbers_in


def gan(inputs: Any = 5, **settings: Any) -> GAN:
    torch.manual_seed(0)
    return GAN(inputs, NoTarget("generation"), **settings)


def chance(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("sides", [(28, 28), (8, 8), (13, 30), (3, 3), (1, 17), (32, 7)])
def test_pictures_of_any_size_are_made(sides: tuple[int, int]) -> None:
    """A side that two does not divide is met exactly."""
    shape = ImageShape(2, *sides)
    model = gan(shape, maps=4)
    assert model.generator(torch.randn(3, 16)).shape == (3, *shape)
    assert model.critic(torch.randn(3, *shape)).shape == (3, 1)
    assert model.generate(4, generator=chance()).shape == (4, numbers_in(shape))


def test_pixels_keep_to_the_range_of_training_rows_by_channel() -> None:
    shape = ImageShape(2, 8, 8)
    model, rows = gan(shape, maps=4), torch.rand(20, 128, generator=chance(1))
    rows[:, 64:] = rows[:, 64:] * 3 + 5
    model.set_range(rows)
    made = model.generate(50, generator=chance()).unflatten(1, tuple(shape))
    for channel, (low, high) in enumerate([(0, 1), (5, 8)]):
        assert low <= made[:, channel].min() < made[:, channel].max() <= high


def test_each_layer_of_a_spectral_critic_stretches_by_at_most_one() -> None:
    """Source: Miyato et al. 2018"""
    model = gan(20, spectral=True).train()
    for _ in range(30):  # the power iteration goes on with each pass
        model.critic(torch.randn(4, 20, generator=chance()))
    layers = [layer for layer in model.critic.modules() if isinstance(layer, nn.Linear)]
    assert len(layers) == 3
    for layer in layers:
        assert float(torch.linalg.matrix_norm(layer.weight.detach(), 2)) == pytest.approx(1, abs=0.05)


def test_answers_are_by_the_average_and_by_fixed_draws() -> None:
    model, rows = gan(), torch.randn(6, 5, generator=chance(2))
    before = model(rows)
    torch.randn(3)
    assert torch.equal(model(rows), before)
    for parameter in model.generator.parameters():
        parameter.data.zero_()
    assert torch.equal(model(rows), before)
    assert model.average.training is False
    assert model.train().average.training is False
    with torch.no_grad():
        for parameter in model.average.parameters():
            parameter.zero_()
    torch.testing.assert_close(model(rows)[:, 0], rows.norm(dim=1))  # all draws lie at 0


def test_generated_rows_follow_the_generator_alone() -> None:
    model = gan(SeriesShape(2, 9), latent=3)
    many = model.generate(1500, generator=chance(4))
    assert many.shape == (1500, 18)
    assert torch.equal(model.generate(1500, generator=chance(4)), many)
    assert not torch.equal(model.generate(1500, generator=chance(5)), many)


def test_parameters_of_the_average_are_not_counted() -> None:
    model = gan()
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    assert sum(parameter.numel() for parameter in model.parameters()) - model.tied_parameters == trained


@pytest.mark.parametrize(
    ("inputs", "settings", "message"),
    [
        (5, {"convolutional": True}, r"model\.gan\.convolutional: the rows are no pictures"),
        (5, {"maps": 8}, r"model\.gan\.maps: has no effect on dense players"),
        (ImageShape(1, 8, 8), {"hidden": [4]}, r"model\.gan\.hidden: has no effect on convolutional players"),
    ],
)
def test_settings_without_effect_are_refused(inputs: Any, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        gan(inputs, **settings)
