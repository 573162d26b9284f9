"""Layers for series, images and volumes: positions with channels."""

from typing import Annotated, Literal

from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from handrail.components import component
from handrail.components.arguments import Count
from handrail.errors import RecipeError
from handrail.layers.blocks.stack import Maps
from handrail.layers.convolution import CONVOLUTIONS, LocallyConnected
from handrail.layers.pooling import PoolKind, make_pool
from handrail.layers.residual import Bottleneck, ResidualBlock
from handrail.shapes import ImageShape, describe

Natural = Annotated[int, Field(ge=0)]
Shortcut = Literal["zeros", "projection"]


@component("layer")
def convolution(
    inputs: Maps,
    *,
    channels: Count = 32,
    kernel: Count = 3,
    stride: Count = 1,
    padding: Natural | Literal["same"] = 0,
    dilation: Count = 1,
    groups: Count = 1,
    bias: bool = True,
) -> nn.Module:
    """Convolution: y = W ∗ x + b over the positions of a series, an image or a volume.

    Arguments:
        channels: maps that it gives.
        kernel: side of the kernel, in positions.
        stride: distance of the positions where it is applied.
        padding: zeros on either side; `same` for as many as keep the size with stride 1 (odd kernels).
        dilation: distance of the positions that a kernel sees.
        groups: how many groups of channels are convolved by themselves.
        bias: whether b is there; batch normalisation takes it away.

    Raises: `RecipeError` for groups that do not divide the channels, or a kernel larger than its input.

    Source: Fukushima 1980; LeCun et al. 1998
    """
    border = dilation * (kernel - 1) // 2 if padding == "same" else padding
    if inputs[0] % groups or channels % groups:
        raise RecipeError(
            f"convolution.groups: {groups} groups cannot share {inputs[0]} channels and {channels} maps; "
            "expected a divisor of both."
        )
    if dilation * (kernel - 1) + 1 > min(inputs[1:]) + 2 * border:
        raise RecipeError(
            f"convolution.kernel: {kernel} is larger than {describe(inputs)}; take a smaller one, or padding."
        )
    options = {"stride": stride, "padding": border, "dilation": dilation, "groups": groups, "bias": bias}
    return CONVOLUTIONS[len(inputs) - 1](inputs[0], channels, kernel, **options)


@component("layer")
def pool(
    inputs: Maps, *, kind: PoolKind = "max", window: Count = 2, stride: Count | None = None
) -> nn.Module:
    """Pooling: the largest, the mean or a random one of the values in each window, channel by channel.

    Arguments:
        kind: which of them; `stochastic` draws a value in proportion to it while training, and takes the mean
            weighted so otherwise. It counts values below 0 as 0, and so belongs after a rectifier.
        window: side of the window, in positions; windows are cut at the far border.
        stride: from one window to the next; the window's side where not given.

    Source: Fukushima 1980; LeCun et al. 1998; Zeiler & Fergus 2013 (stochastic)
    """
    return make_pool(kind, window=window, stride=stride)


class GlobalPool(nn.Module):
    """y = the mean or the largest value of each channel."""

    def __init__(self, kind: Literal["max", "average"]) -> None:
        super().__init__()
        self.kind = kind

    def forward(self, x: Float[Tensor, "rows channels *size"]) -> Float[Tensor, "rows channels"]:
        return x.flatten(2).mean(dim=2) if self.kind == "average" else x.flatten(2).amax(dim=2)


@component("layer")
def global_pool(inputs: Maps, *, kind: Literal["max", "average"] = "average") -> nn.Module:
    """Global pooling: the mean or the largest value of each channel, so that one number a channel is left.

    Source: Lin, Chen & Yan 2013
    """
    return GlobalPool(kind)


@component("layer")
def locally_connected(
    inputs: ImageShape, *, channels: Count = 8, kernel: Count = 3, stride: Count = 1, padding: Natural = 0
) -> nn.Module:
    """Locally connected units: a convolution with weights of its own at each position.

    Arguments:
        channels: units at each position.
        kernel, stride, padding: as for `convolution`.

    Raises: `RecipeError` for a kernel larger than its input.

    Source: LeCun 1989; Taigman et al. 2014
    """
    if kernel > min(inputs[1:]) + 2 * padding:
        raise RecipeError(f"locally_connected.kernel: {kernel} is larger than {describe(inputs)}.")
    size = (inputs.height, inputs.width)
    return LocallyConnected(inputs[0], channels, size=size, kernel=kernel, stride=stride, padding=padding)


@component("layer")
def residual_block(
    inputs: ImageShape, *, channels: Count = 64, stride: Count = 1, shortcut: Shortcut = "projection"
) -> nn.Module:
    """Residual block: y = relu(F(x) + shortcut(x)) with F = conv–norm–relu–conv–norm, 3×3.

    Arguments:
        channels: maps that it gives.
        stride: of the first convolution and of the shortcut.
        shortcut: where stride or channels change: `zeros` (option A) or `projection` (option B).

    Raises: `RecipeError` for zeros where there are fewer channels afterwards.

    Source: He et al. 2016 (Deep Residual Learning)
    """
    _check_shortcut("residual_block", inputs, channels, shortcut)
    return ResidualBlock(inputs.channels, channels, stride=stride, shortcut=shortcut)


@component("layer")
def bottleneck(
    inputs: ImageShape, *, channels: Count = 64, stride: Count = 1, shortcut: Shortcut = "projection"
) -> nn.Module:
    """Bottleneck block: y = relu(F(x) + shortcut(x)), F = 1×1 convolution to a quarter, 3×3, 1×1 back.

    Arguments:
        channels: maps that it gives, a multiple of 4.
        stride: of the 3×3 convolution and of the shortcut.
        shortcut: as for `residual_block`.

    Raises: `RecipeError` when the channels are no multiple of 4, or zeros cannot make them fewer.

    Source: He et al. 2016 (Deep Residual Learning); stride in the 3×3 convolution: Goyal et al. 2017
    """
    if channels % 4:
        raise RecipeError(f"bottleneck.channels: found {channels}, expected a multiple of 4.")
    _check_shortcut("bottleneck", inputs, channels, shortcut)
    return Bottleneck(inputs.channels, channels, stride=stride, shortcut=shortcut)


def _check_shortcut(name: str, inputs: ImageShape, channels: int, shortcut: str) -> None:
    if shortcut == "zeros" and channels < inputs.channels:
        raise RecipeError(
            f"{name}.shortcut: zeros can only add channels, found {inputs.channels} before, {channels} after."
        )
