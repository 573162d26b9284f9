"""Locally connected units: like a convolution, but every position has weights of its own."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


class LocallyConnected(nn.Module):
    """y[o, p] = Σ over the window of W[p, o, ·]·x + b[p, o] for each position p: nothing is shared between
    positions.

    It suits images that are aligned, such as faces: an eye's detector is no use at the mouth. The weights are
    `[positions, outputs, inputs · kernel · kernel]`, positions row by row, the window in the order of a
    convolution's.

    Arguments:
        inputs, outputs: channels.
        size: height and width of the images, in pixels.
        kernel, stride, padding: as for a convolution.

    Source: LeCun 1989; Taigman et al. 2014
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        size: tuple[int, int],
        kernel: int = 3,
        stride: int = 1,
        padding: int = 0,
    ) -> None:
        super().__init__()
        self.kernel, self.stride, self.padding = kernel, stride, padding
        height, width = ((side + 2 * padding - kernel) // stride + 1 for side in size)
        self.size = (height, width)
        positions, incoming = height * width, inputs * kernel * kernel
        self.weight = nn.Parameter(torch.randn(positions, outputs, incoming) * math.sqrt(2 / incoming))
        self.bias = nn.Parameter(torch.zeros(positions, outputs, 1))

    def forward(
        self, x: Float[Tensor, "rows inputs height width"]
    ) -> Float[Tensor, "rows outputs lower narrower"]:
        # [rows, incoming, positions].
        windows = functional.unfold(x, self.kernel, stride=self.stride, padding=self.padding)
        sums = self.weight @ windows.permute(2, 1, 0)  # [positions, outputs, rows]
        return (sums + self.bias).permute(2, 1, 0).unflatten(2, self.size)

    def extra_repr(self) -> str:
        return f"size={self.size}, kernel={self.kernel}, stride={self.stride}, padding={self.padding}"
