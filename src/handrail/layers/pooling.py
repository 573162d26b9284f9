"""Pooling: the largest, the mean or a random one of each window; convolution with max pooling in one pass."""

import itertools
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from handrail.tools.moved import forward

__getattr__ = forward(__name__)

PoolKind = Literal["max", "average", "stochastic"]

_MAX: dict[int, Any] = {1: functional.max_pool1d, 2: functional.max_pool2d, 3: functional.max_pool3d}
_MEAN: dict[int, Any] = {1: functional.avg_pool1d, 2: functional.avg_pool2d, 3: functional.avg_pool3d}


class Pool(nn.Module):
    """y = the largest, or the mean, of each window, channel by channel; for 1, 2 or 3 dimensions.

    Windows are cut at the far border rather than left out, so that no input is too small.

    Arguments:
        kind: `max` or `average`.
        window, stride: side of the window in positions, and the way to the next, by default its side.

    Source: Fukushima 1980; LeCun et al. 1998
    """

    def __init__(
        self, kind: Literal["max", "average"], *, window: int = 2, stride: int | None = None
    ) -> None:
        super().__init__()
        self.kind = kind
        self.window = window
        self.stride = window if stride is None else stride

    def forward(self, x: Float[Tensor, "rows channels *size"]) -> Float[Tensor, "rows channels *smaller"]:
        if self.kind == "max" and x.ndim == 4 and x.device.type == "cpu":
            # Channels side by side in memory fill the processor's vectors; vmap knows no memory formats.
            x = x.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
        pool = (_MAX if self.kind == "max" else _MEAN)[x.ndim - 2]
        return pool(x, [min(self.window, side) for side in x.shape[2:]], self.stride, ceil_mode=True)

    @staticmethod
    def size_after(side: int, *, window: int, stride: int) -> int:
        """How many windows there are along a side."""
        count = -(-(side - min(window, side)) // stride) + 1
        return count - ((count - 1) * stride >= side)  # the last one has to begin inside

    def extra_repr(self) -> str:
        return f"{self.kind}, window={self.window}, stride={self.stride}"


class StochasticPool(nn.Module):
    """y = xᵢ with probability pᵢ = xᵢ / Σ x of its window while training; y = Σ pᵢ·xᵢ otherwise.

    Of a window without any activation it is 0. Values below 0 count as 0, as after a rectifier. Windows are
    cut at the far border, as by `Pool`. Random numbers come from torch's global generator, as for dropout.

    Arguments:
        window, stride: as for `Pool`.

    Source: Zeiler & Fergus 2013
    """

    def __init__(self, *, window: int = 2, stride: int | None = None) -> None:
        super().__init__()
        self.window = window
        self.stride = window if stride is None else stride

    def forward(self, x: Float[Tensor, "rows channels *size"]) -> Float[Tensor, "rows channels *smaller"]:
        if not self.training:
            return mean_by_share(x, window=self.window, stride=self.stride)
        chance = torch.rand(self.shape_after(x.shape), device=x.device)
        return draw_by_share(x, chance, window=self.window, stride=self.stride)

    def shape_after(self, shape: torch.Size) -> tuple[int, ...]:
        """The shape of what it makes of values of this shape."""
        options = {"window": self.window, "stride": self.stride}
        return (*shape[:2], *(Pool.size_after(side, **options) for side in shape[2:]))

    def extra_repr(self) -> str:
        return f"window={self.window}, stride={self.stride}"


def mean_by_share(
    x: Float[Tensor, "rows channels *size"], *, window: int, stride: int
) -> Float[Tensor, "rows channels *smaller"]:
    """Σ x² / Σ x of each window, of values from 0."""
    mean = Pool("average", window=window, stride=stride)
    x = functional.relu(x)
    return mean(x * x) / mean(x).clamp_min(torch.finfo(x.dtype).tiny)


def draw_by_share(
    x: Float[Tensor, "rows channels *size"],
    chance: Float[Tensor, "..."],
    *,
    window: int,
    stride: int,
) -> Float[Tensor, "rows channels *smaller"]:
    """A value of each window, in proportion to it: the first whose running sum is above chance · Σ x.

    Arguments:
        chance: from 0 up to, but not, 1, for each window.
    """
    values = _members(functional.relu(x), window=window, stride=stride)
    sums = values.detach().float().cumsum(dim=0)  # lower precisions have too few digits for a share
    below = (sums <= chance * sums[-1]).sum(dim=0, keepdim=True)
    return values.gather(0, below.clamp_max(len(values) - 1))[0]


def _members(x: Tensor, *, window: int, stride: int) -> Float[Tensor, "members rows channels *smaller"]:
    """The first values of all windows, their second ones, …; 0 beyond the far border."""
    sides = x.shape[2:]
    counts = [Pool.size_after(side, window=window, stride=stride) for side in sides]
    lengths = [min(window, side) for side in sides]
    room: list[int] = []
    for side, count, length in zip(sides, counts, lengths, strict=True):
        room = [0, max(0, (count - 1) * stride + length - side), *room]
    x = functional.pad(x, room)
    steps = [
        [slice(first, first + (count - 1) * stride + 1, stride) for first in range(length)]
        for count, length in zip(counts, lengths, strict=True)
    ]
    return torch.stack([x[:, :, *place] for place in itertools.product(*steps)])


def make_pool(kind: PoolKind, *, window: int = 2, stride: int | None = None) -> nn.Module:
    """The pooling of that kind."""
    if kind == "stochastic":
        return StochasticPool(window=window, stride=stride)
    return Pool(kind, window=window, stride=stride)


def convolve_and_pool(
    x: Float[Tensor, "rows inputs height width"],
    weight: Float[Tensor, "outputs inputs down across"],
    bias: Float[Tensor, " outputs"] | None,
    *,
    padding: tuple[int, int],
) -> Float[Tensor, "rows outputs lower narrower"]:
    """The largest of each 2×2 window of W ∗ x + b: max over a, b ∈ {0, 1} of (W ∗ x + b)[2i + a, 2j + b].

    The four members of a window are the four phases of a convolution with stride 2. They are computed as four
    groups of channels, with kernels shifted by one, and then compared group by group over long contiguous
    runs. With few channels this is much quicker than to convolve and then pool, as neither fills the
    processor's vectors there; the gradient with respect to x is slower. The convolution's own size must be
    even, for a window cut at the border has no phases.
    """
    outputs = weight.shape[0]
    steps = ((down, across) for down in (0, 1) for across in (0, 1))
    shifted = [functional.pad(weight, (across, 1 - across, down, 1 - down)) for down, across in steps]
    repeated = None if bias is None else bias.repeat(4)
    phases = functional.conv2d(x, torch.cat(shifted), repeated, stride=2, padding=padding)
    height, width = phases.shape[2:]
    # [rows, 4 · outputs, height, width] → [rows, positions, 4, outputs], whose positions are side by side in
    # memory
    grouped = phases.contiguous().view(-1, 4, outputs, height * width).permute(0, 3, 1, 2)
    largest = functional.max_pool2d(grouped, (4, 1))
    return largest.permute(0, 2, 3, 1).reshape(-1, outputs, height, width)
