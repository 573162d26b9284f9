"""Locally connected units against a loop, and against a convolution whose weights are copied to every
position.
"""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from handrail.layers.convolution import LocallyConnected


def images(rows: int, *shape: int) -> Tensor:
    return torch.randn(rows, *shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("kernel", "stride", "padding"), [(3, 1, 0), (3, 2, 1), (1, 1, 0), (5, 3, 2)])
def test_shared_weights_make_it_a_convolution(kernel: int, stride: int, padding: int) -> None:
    torch.manual_seed(0)
    convolution = nn.Conv2d(2, 4, kernel, stride=stride, padding=padding)
    layer = LocallyConnected(2, 4, size=(7, 9), kernel=kernel, stride=stride, padding=padding)
    with torch.no_grad():
        layer.weight.copy_(convolution.weight.flatten(1).expand_as(layer.weight))
        layer.bias.copy_(convolution.get_parameter("bias")[:, None].expand_as(layer.bias))
    x = images(3, 2, 7, 9)
    torch.testing.assert_close(layer(x), convolution(x))


def test_it_is_the_printed_formula() -> None:
    torch.manual_seed(0)
    layer = LocallyConnected(2, 3, size=(5, 6), kernel=3, stride=2, padding=1)
    nn.init.normal_(layer.bias)
    x = images(2, 2, 5, 6)
    padded = np.pad(x.numpy(), ((0, 0), (0, 0), (1, 1), (1, 1)))
    weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    expected = np.zeros((2, 3, *layer.size))
    for n in range(2):
        for o in range(3):
            for p in range(layer.size[0] * layer.size[1]):
                row, column = divmod(p, layer.size[1])
                window = padded[n, :, 2 * row : 2 * row + 3, 2 * column : 2 * column + 3].reshape(-1)
                expected[n, o, row, column] = (weight[p, o] * window).sum() + bias[p, o, 0]
    np.testing.assert_allclose(layer(x).detach().numpy(), expected, rtol=1e-4, atol=1e-5)


def test_weights_begin_so_that_signals_keep_their_size() -> None:
    torch.manual_seed(0)
    layer = LocallyConnected(8, 64, size=(12, 12))
    assert float(layer(images(20, 8, 12, 12)).detach().square().mean()) == pytest.approx(2.0, rel=0.1)
