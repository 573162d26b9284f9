"""Noise: there while training, of the size asked for, gone in evaluation."""

import pytest
import torch
from torch import nn

from handrail.errors import RecipeError
from handrail.layers.noise import GaussianNoise, NoisyLinear


def test_input_noise_has_the_size_asked_for_and_is_silent_in_evaluation() -> None:
    torch.manual_seed(0)
    noise, inputs = GaussianNoise(0.3), torch.ones(400, 100)
    added = noise(inputs) - inputs
    assert added.mean().abs() < 0.005
    assert added.std().item() == pytest.approx(0.3, rel=0.02)
    assert torch.equal(noise.eval()(inputs), inputs)


def test_the_global_seed_repeats_the_noise() -> None:
    noise, inputs = GaussianNoise(1.0), torch.zeros(5, 5)
    torch.manual_seed(4)
    first = noise(inputs)
    assert not torch.equal(noise(inputs), first)
    torch.manual_seed(4)
    assert torch.equal(noise(inputs), first)


def test_weight_noise_moves_all_rows_alike_and_leaves_the_weights() -> None:
    torch.manual_seed(0)
    layer = NoisyLinear(200, 300, std=0.05)
    before = layer.weight.detach().clone()
    # The unit vectors read the noisy weights out: one draw for the whole batch.
    noisy = (layer(torch.eye(200)) - layer.bias).T
    assert (noisy - before).std().item() == pytest.approx(0.05, rel=0.02)
    assert torch.equal(layer.weight, before)
    inputs = torch.randn(4, 200)
    assert torch.equal(layer.eval()(inputs), nn.functional.linear(inputs, layer.weight, layer.bias))


def test_gradients_reach_the_weights_through_the_noise() -> None:
    layer = NoisyLinear(3, 2, std=0.1)
    inputs = torch.randn(5, 3)
    layer(inputs).sum().backward()
    torch.testing.assert_close(layer.weight.grad, inputs.sum(dim=0).expand(2, 3))


@pytest.mark.parametrize("std", [-0.1, float("nan"), float("inf")])
def test_impossible_sizes_are_refused(std: float) -> None:
    with pytest.raises(RecipeError, match=r"input noise is .* expected a finite number"):
        GaussianNoise(std)
    with pytest.raises(RecipeError, match="weight noise"):
        NoisyLinear(2, 2, std=std)
