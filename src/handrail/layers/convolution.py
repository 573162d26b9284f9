"""Convolution as networks use it: convolution, normalisation, activation and pooling in one block."""

import math
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from handrail.components import build
from handrail.errors import RecipeError
from handrail.layers.activations import Heaviside, Identity, Maxout
from handrail.layers.normalisation import BatchNorm
from handrail.layers.pooling import PoolKind, convolve_and_pool, make_pool

Normalisation = Literal["none", "batch"]
Pooling = Literal["none"] | PoolKind

CONVOLUTIONS: dict[int, Any] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
_MONOTONE = (Identity, Heaviside, nn.Sigmoid, nn.Softplus, nn.Tanh, nn.ReLU, nn.ELU)
_FEW = 16  # values of 32 bits in the widest vectors of today's processors


class ConvAct(nn.Module):
    """y = pool(f(norm(W ∗ x + b))): a convolution with what usually follows it, for 1, 2 or 3 dimensions.

    Max pooling comes before an activation that never falls, max f(x) = f(max x): the same function for a
    fraction of the work. A convolution before batch normalisation has no bias, which that would take away.

    Arguments:
        inputs, outputs: channels.
        dimensions: 1 for series, 2 for images, 3 for volumes.
        kernel: side of the kernel, in positions.
        padding: zeros on either side, one number or one a dimension; by default the size stays (odd kernels).
        groups: of channels that are convolved by themselves; `inputs` for a depthwise convolution.
        activation: anything that the slot `activation` takes.
        pooling, window, step: of the values after the activation; windows do not overlap by default.

    Raises: `RecipeError` for stochastic pooling after an activation that can be negative.

    Source: LeCun et al. 1998; batch normalisation: Ioffe & Szegedy 2015
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        dimensions: int = 2,
        kernel: int = 3,
        stride: int = 1,
        padding: int | tuple[int, ...] | None = None,
        dilation: int = 1,
        groups: int = 1,
        normalisation: Normalisation = "none",
        activation: Any = "relu",
        pooling: Pooling = "none",
        window: int = 2,
        step: int | None = None,
    ) -> None:
        super().__init__()
        self.convolution = CONVOLUTIONS[dimensions](
            inputs,
            outputs,
            kernel,
            stride=stride,
            padding=dilation * (kernel - 1) // 2 if padding is None else padding,
            dilation=dilation,
            groups=groups,
            bias=normalisation == "none",
        )
        self.normalisation = BatchNorm(outputs) if normalisation == "batch" else nn.Identity()
        self.activation = activation_of_channels(activation, outputs)
        self.pool = nn.Identity() if pooling == "none" else make_pool(pooling, window=window, stride=step)
        if pooling == "stochastic":
            _refuse_negative(self.activation, outputs)
        self.pools_first = pooling == "max" and never_falls(self.activation)
        plain = dimensions == 2 and stride == dilation == groups == 1 and normalisation == "none"
        few = inputs == 1 or outputs < _FEW
        self.in_phases = plain and few and self.pools_first and window == 2 and step in (None, 2)

    def forward(self, x: Float[Tensor, "rows inputs *size"]) -> Float[Tensor, "rows outputs *smaller"]:
        if self.convolution.out_channels < _FEW and torch.is_autocast_enabled(x.device.type):
            with torch.autocast(x.device.type, enabled=False):  # bfloat16 is slower with so few channels
                return self._forward(x.to(self.convolution.weight.dtype))
        return self._forward(x)

    def _forward(self, x: Tensor) -> Tensor:
        if self.in_phases and self._gains_from_phases(x):
            layer = self.convolution
            return self.activation(convolve_and_pool(x, layer.weight, layer.bias, padding=layer.padding))
        x = self._fold(x) if self._can_fold() else self.normalisation(self.convolution(x))
        return self.activation(self.pool(x)) if self.pools_first else self.pool(self.activation(x))

    def _gains_from_phases(self, x: Tensor) -> bool:
        """On a processor, and where no gradient has to reach x; an export shows the layers as written."""
        layer = self.convolution
        if x.device.type != "cpu" or torch.compiler.is_compiling():
            return False
        if x.requires_grad and torch.is_grad_enabled():
            return False
        if layer._forward_hooks or self.pool._forward_hooks:  # somebody looks at what these layers give
            return False
        sides = zip(x.shape[2:], layer.padding, layer.kernel_size, strict=True)
        return all((side + 2 * padding - kernel + 1) % 2 == 0 for side, padding, kernel in sides)

    def _can_fold(self) -> bool:
        """In use a normalisation is a fixed scale and shift of each channel, which the convolution can do."""
        norm = self.normalisation
        if norm.training or torch.is_grad_enabled() or torch.compiler.is_compiling():
            return False
        return isinstance(norm, BatchNorm) and not (norm._forward_hooks or self.convolution._forward_hooks)

    def _fold(self, x: Tensor) -> Tensor:
        """(W·scale) ∗ x + shift, which is norm(W ∗ x) with one pass over the maps less."""
        layer, norm = self.convolution, self.normalisation
        assert isinstance(norm, BatchNorm)
        scale, shift = norm.scale_and_shift()
        return layer._conv_forward(x, layer.weight * scale.view(-1, *[1] * (layer.weight.ndim - 1)), shift)


@torch.no_grad()
def _refuse_negative(activation: nn.Module, channels: int) -> None:
    """Raises: `RecipeError` where an activation is negative for some number, the same in all channels."""
    numbers = torch.linspace(-6, 6, 49).view(-1, 1, 1).expand(-1, channels, 1)
    lowest = float(activation(numbers).min())
    if lowest < 0:
        raise RecipeError(
            "pooling: stochastic pooling draws by the size of activations, which must not be negative; these "
            f"go down to {lowest:.2g}. Choose an activation such as relu, or pool by max or average."
        )


class OverChannels(nn.Module):
    """Applies a module for the last axis to the channels, `[rows, channels, …]`."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Float[Tensor, "rows channels *size"]) -> Float[Tensor, "rows channels *size"]:
        return self.module(x.movedim(1, -1)).movedim(-1, 1)


def activation_of_channels(spec: Any, features: int) -> nn.Module:
    """An activation for `[rows, features, …]`; maxout and softmax look across the channels."""
    activation = build("activation", spec, features)
    return OverChannels(activation) if isinstance(activation, Maxout | nn.Softmax) else activation


def never_falls(activation: nn.Module) -> bool:
    """Whether f(x) ≤ f(y) for all x ≤ y, value by value: max pooling may then come first.

    A PReLU may learn a slope below zero, GELU and SiLU have a dip: they do not count.
    """
    if isinstance(activation, nn.LeakyReLU):
        return activation.negative_slope >= 0
    return type(activation) in _MONOTONE and getattr(activation, "alpha", 1.0) > 0


_WIDEST, _MOST_STAGES, _LAST = 256, 6, 4


def usual_widths(side: int, *, first: int = 32) -> list[int]:
    """Twice the maps at each stage, and a stage for each halving down to about 4 positions, two at least."""
    stages = 2
    while side / 2**stages > _LAST and stages < _MOST_STAGES:
        stages += 1
    return [min(first * 2**stage, _WIDEST) for stage in range(stages)]


class LocallyConnected(nn.Module):
    """y[o, p] = Σ over the window of W[p, o, ·]·x + b[p, o]: each position p has weights of its own.

    It suits aligned images, such as faces: an eye's detector is no use at the mouth. The weights are
    `[positions, outputs, inputs · kernel · kernel]`, positions and windows in reading order.

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
