"""Augmentation of series."""

import pytest
import torch
from torch import Tensor, nn

from handrail.augmentation.series import Jitter, Scaling
from handrail.components import build
from handrail.errors import RecipeError
from handrail.shapes import SeriesShape

SHAPE = SeriesShape(2, 500)


def series() -> Tensor:
    x = torch.randn(300, *SHAPE, generator=torch.Generator().manual_seed(1))
    x[:, :, 450:] = 0  # behind the end
    return x


@pytest.mark.parametrize("module", [Jitter(SHAPE), Scaling(SHAPE)])
def test_nothing_happens_in_evaluation_and_chance_is_seeded(module: nn.Module) -> None:
    x = series()
    assert module.eval()(x) is x
    module.train()
    torch.manual_seed(3)
    first = module(x)
    torch.manual_seed(3)
    assert torch.equal(module(x), first)
    assert not torch.equal(module(x), first)
    assert torch.equal(x, series())  # the rows themselves are not written to
    assert torch.equal(first[:, :, 450:], x[:, :, 450:])


def test_jitter_has_the_deviation_it_is_given() -> None:
    torch.manual_seed(0)
    noise = (Jitter(SHAPE, deviation=0.2)(series()) - series())[:, :, :450]
    assert noise.std().item() == pytest.approx(0.2, rel=0.01)
    assert noise.mean().abs() < 0.002
    assert (
        abs(torch.corrcoef(torch.stack([noise[:, :, 1:].flatten(), noise[:, :, :-1].flatten()]))[0, 1]) < 0.01
    )


def test_scaling_draws_one_factor_for_each_channel_of_each_row() -> None:
    torch.manual_seed(0)
    factors = (Scaling(SHAPE, deviation=0.2)(series()) / series())[:, :, :450]
    assert (factors.amax(2) - factors.amin(2)).max() < 1e-3
    each = factors.mean(2)
    assert each.mean().item() == pytest.approx(1, abs=0.03)
    assert each.std().item() == pytest.approx(0.2, rel=0.1)
    assert abs(torch.corrcoef(each.T)[0, 1]) < 0.15


def test_built_by_name_and_refused_where_negative() -> None:
    assert build("augmentation", {"jitter": {"deviation": 0.5}}, SHAPE).deviation == 0.5
    with pytest.raises(RecipeError, match="deviation"):
        build("augmentation", {"scaling": {"deviation": -1}}, SHAPE)
