"""Blocks with a way around, against their formulas."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from handrail.layers.residual import Bottleneck, HighwayLayer, ResidualBlock, Shortcut, ZeroShortcut


def images(rows: int, *shape: int) -> Tensor:
    return torch.randn(rows, *shape, generator=torch.Generator().manual_seed(1))


def test_option_a_takes_every_second_pixel_and_adds_zeros_behind() -> None:
    x = images(2, 3, 5, 6)
    widened = ZeroShortcut(3, 8, stride=2)(x)
    assert widened.shape == (2, 8, 3, 3)
    assert torch.equal(widened[:, :3], x[:, :, [0, 2, 4]][:, :, :, [0, 2, 4]])
    assert not widened[:, 3:].any()


def _normed(x: Tensor) -> Tensor:
    mean, variance = x.mean(dim=(0, 2, 3), keepdim=True), x.var(dim=(0, 2, 3), keepdim=True, unbiased=False)
    return (x - mean) / (variance + 1e-5).sqrt()


@pytest.mark.parametrize("shortcut", ["zeros", "projection", "none"])
@pytest.mark.parametrize(("inputs", "stride"), [(4, 1), (2, 2)])
def test_a_residual_block_is_its_formula(shortcut: Shortcut, inputs: int, stride: int) -> None:
    torch.manual_seed(0)
    block = ResidualBlock(inputs, 4, stride=stride, shortcut=shortcut)
    first, second = (block.get_parameter(f"body.{layer}.convolution.weight") for layer in range(2))
    x = images(6, inputs, 8, 8)
    inner = _normed(functional.conv2d(x, first, stride=stride, padding=1)).relu()
    body = _normed(functional.conv2d(inner, second, padding=1))
    if shortcut == "none":
        around = torch.zeros_like(body)
    elif inputs == 4:
        around = x
    elif shortcut == "zeros":
        around = torch.cat([x[:, :, ::2, ::2], torch.zeros(6, 2, 4, 4)], dim=1)
    else:
        around = _normed(functional.conv2d(x, block.get_parameter("shortcut.0.weight"), stride=2))
    torch.testing.assert_close(block(x), (body + around).relu(), rtol=1e-4, atol=1e-4)


def test_a_bottleneck_works_on_a_quarter_of_the_channels() -> None:
    torch.manual_seed(0)
    block = Bottleneck(8, 16, stride=2)
    x = images(5, 8, 6, 6)
    a, b, c = (block.get_parameter(f"body.{layer}.convolution.weight") for layer in range(3))
    assert [weight.shape for weight in (a, b, c)] == [(4, 8, 1, 1), (4, 4, 3, 3), (16, 4, 1, 1)]
    inner = _normed(functional.conv2d(_normed(functional.conv2d(x, a)).relu(), b, stride=2, padding=1)).relu()
    around = _normed(functional.conv2d(x, block.get_parameter("shortcut.0.weight"), stride=2))
    torch.testing.assert_close(
        block(x), (_normed(functional.conv2d(inner, c)) + around).relu(), rtol=1e-4, atol=1e-4
    )


def test_a_highway_layer_is_its_formula() -> None:
    torch.manual_seed(0)
    layer = HighwayLayer(5, activation="tanh", gate_bias=-1.5)
    x = images(7, 5)
    changed = torch.tanh(x @ layer.dense.weight.T + layer.dense.bias)
    gate = torch.sigmoid(x @ layer.gate.weight.T + layer.gate.bias)
    torch.testing.assert_close(layer(x), changed * gate + x * (1 - gate))
    assert (layer.gate.bias == -1.5).all()


def test_closed_gates_carry_everything_on() -> None:
    layer = HighwayLayer(5, gate_bias=-200.0)
    x = images(7, 5)
    assert torch.equal(layer(x), x)


def test_shortcuts_have_no_parameters_where_nothing_changes() -> None:
    assert isinstance(ResidualBlock(4, 4).shortcut, nn.Identity)
    assert not list(ResidualBlock(4, 8, stride=2, shortcut="zeros").get_submodule("shortcut").parameters())
