"""Blocks of convolution: the same function as the layers one by one, whatever path is taken for speed."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from handrail.components import available
from handrail.layers.convolution import ConvAct, Normalisation, Pooling, activation_of_channels, never_falls
from handrail.layers.normalisation import BatchNorm

MONOTONE = ("relu", "tanh", "sigmoid", "softplus", "elu", "leaky_relu", "linear", "heaviside")


def images(rows: int, channels: int, *size: int, seed: int = 1) -> Tensor:
    return torch.randn(rows, channels, *size, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    "activation", [name for name in available("activation") if name not in ("maxout", "softmax")]
)
def test_pooling_comes_first_exactly_where_that_is_the_same_function(activation: str) -> None:
    torch.manual_seed(0)
    block = ConvAct(3, 20, activation=activation, pooling="max")
    assert block.pools_first == (activation in MONOTONE)
    x = images(4, 3, 9, 8)
    plain = block.activation(
        functional.conv2d(x, block.convolution.weight, block.convolution.bias, padding=1)
    )
    assert torch.equal(block(x), functional.max_pool2d(plain, 2, ceil_mode=True))


def test_average_pooling_comes_after_the_activation() -> None:
    torch.manual_seed(0)
    block = ConvAct(1, 4, activation="tanh", pooling="average")
    x = images(2, 1, 6, 6)
    torch.testing.assert_close(block(x), functional.avg_pool2d(torch.tanh(block.convolution(x)), 2))


@pytest.mark.parametrize(("slope", "safe"), [(0.1, True), (0.0, True), (-0.1, False)])
def test_a_leaky_relu_that_falls_is_not_taken_for_one_that_does_not(slope: float, safe: bool) -> None:
    assert never_falls(nn.LeakyReLU(slope)) == safe


@settings(max_examples=30, deadline=None)
@given(
    inputs=st.integers(1, 4),
    outputs=st.integers(1, 20),
    kernel=st.sampled_from([1, 3, 5]),
    size=st.tuples(st.integers(5, 12), st.integers(5, 12)),
    padded=st.booleans(),
)
def test_use_and_training_give_the_same_as_the_layers_one_by_one(
    inputs: int, outputs: int, kernel: int, size: tuple[int, int], padded: bool
) -> None:
    """With few channels and even sizes the block takes a path of its own, where no gradient reaches the
    inputs.
    """
    torch.manual_seed(0)
    block = ConvAct(inputs, outputs, kernel=kernel, padding=None if padded else 0, pooling="max")
    x = images(3, inputs, *size)
    layer = block.convolution
    plain = functional.max_pool2d(
        functional.conv2d(x, layer.weight, layer.bias, padding=layer.padding), 2, ceil_mode=True
    ).relu()
    with torch.no_grad():
        torch.testing.assert_close(block(x), plain.detach())
    expected = torch.autograd.grad((plain * plain).sum(), [layer.weight, layer.bias])
    for needed in (False, True):
        result = block(x.detach().requires_grad_(needed))
        torch.testing.assert_close(result, plain)
        for ours, theirs in zip(
            torch.autograd.grad((result * result).sum(), [layer.weight, layer.bias]), expected, strict=True
        ):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_the_quick_path_is_taken_where_it_should_be() -> None:
    """A test of equality alone would also pass if it never were."""
    for inputs, outputs, quick in ((1, 6, True), (1, 40, True), (3, 15, True), (3, 16, False)):
        assert ConvAct(inputs, outputs, pooling="max").in_phases == quick
    assert not ConvAct(1, 6, pooling="max", activation="gelu").in_phases
    block = ConvAct(1, 6, pooling="max")
    assert block._gains_from_phases(images(1, 1, 8, 8))
    assert not block._gains_from_phases(images(1, 1, 8, 7))
    assert not block._gains_from_phases(images(1, 1, 8, 8).requires_grad_())


@pytest.mark.parametrize("dimensions", [1, 2, 3])
@pytest.mark.parametrize("pooling", ["none", "max"])
def test_in_use_a_normalisation_inside_the_weights_changes_nothing(dimensions: int, pooling: Pooling) -> None:
    torch.manual_seed(0)
    block = ConvAct(
        2, 5, dimensions=dimensions, stride=2, normalisation="batch", activation="gelu", pooling=pooling
    )
    nn.init.normal_(block.get_parameter("normalisation.weight"))
    nn.init.normal_(block.get_parameter("normalisation.bias"))
    for seed in range(5):
        block(3 * images(8, 2, *[7] * dimensions, seed=seed) + 1)
    x = images(3, 2, *[7] * dimensions)
    expected = block.eval()(x)
    with torch.no_grad():
        assert block._can_fold()
        torch.testing.assert_close(block(x), expected, rtol=1e-4, atol=1e-5)
        assert not block.train()._can_fold()


@pytest.mark.parametrize("normalisation", ["none", "batch"])
def test_who_looks_at_a_layer_sees_what_it_gives(normalisation: Normalisation) -> None:
    """The quick paths pass by the layers inside, so they are not taken then."""
    torch.manual_seed(0)
    block = ConvAct(1, 4, normalisation=normalisation, pooling="max").eval()
    seen: list[Tensor] = []
    with torch.no_grad():
        quick = block(images(2, 1, 8, 8))
        handle = block.convolution.register_forward_hook(lambda module, inputs, outputs: seen.append(outputs))
        torch.testing.assert_close(block(images(2, 1, 8, 8)), quick)
        handle.remove()
    assert seen[0].shape == (2, 4, 8, 8)


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_the_size_stays_with_odd_kernels_and_dilation(dimensions: int) -> None:
    for kernel, dilation in itertools.product((1, 3, 5), (1, 2)):
        block = ConvAct(2, 3, dimensions=dimensions, kernel=kernel, dilation=dilation, normalisation="batch")
        assert block(images(4, 2, *[7] * dimensions)).shape == (4, 3, *[7] * dimensions)
        assert not any(name.endswith("convolution.bias") for name, _ in block.named_parameters())


def test_depthwise_convolution_keeps_channels_apart() -> None:
    torch.manual_seed(0)
    block = ConvAct(3, 3, groups=3, activation="linear")
    x = images(2, 3, 6, 6)
    changed = x.clone()
    changed[:, 1] += 1
    differs = (block(x) != block(changed)).flatten(2).any(dim=2)
    assert differs.tolist() == [[False, True, False]] * 2


@pytest.mark.parametrize("name", ["maxout", "softmax"])
def test_activations_of_the_last_axis_work_across_channels(name: str) -> None:
    torch.manual_seed(0)
    module = activation_of_channels(name, 4)
    inner = module.get_submodule("module")
    x = images(2, 4, 3, 5)
    for row, column in itertools.product(range(3), range(5)):
        alone = inner(x[:, :, row, column])
        torch.testing.assert_close(module(x)[:, :, row, column], alone)


def test_batch_normalisation_is_torchs_and_takes_a_single_value() -> None:
    for theirs, size in (
        (nn.BatchNorm1d(3), (5,)),
        (nn.BatchNorm2d(3), (5, 4)),
        (nn.BatchNorm3d(3), (2, 5, 4)),
    ):
        ours = BatchNorm(3)
        for seed in range(3):
            torch.testing.assert_close(
                ours(images(6, 3, *size, seed=seed)), theirs(images(6, 3, *size, seed=seed))
            )
        torch.testing.assert_close(ours.eval()(images(2, 3, *size)), theirs.eval()(images(2, 3, *size)))
        single = images(1, 3, *[1] * len(size))
        expected = ours(single)
        before = ours.get_buffer("running_mean").clone()
        torch.testing.assert_close(ours.train()(single), expected)
        assert torch.equal(ours.get_buffer("running_mean"), before)


def test_few_channels_stay_in_full_precision() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        assert ConvAct(1, 15)(images(1, 1, 4, 4)).dtype == torch.float32
        assert ConvAct(1, 16)(images(1, 1, 4, 4)).dtype == torch.bfloat16
        assert ConvAct(1, 15)(images(1, 1, 4, 4).bfloat16()).dtype == torch.float32
