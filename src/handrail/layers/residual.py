"""Blocks with a way around: residual blocks of both forms, and the fully connected highway layer."""

from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from handrail.components import build
from handrail.layers.convolution import ConvAct
from handrail.layers.normalisation import BatchNorm

Shortcut = Literal["zeros", "projection", "none"]
Images = Float[Tensor, "rows inputs height width"]
Smaller = Float[Tensor, "rows outputs lower narrower"]


class ZeroShortcut(nn.Module):
    """Option A: every stride-th position of x, with channels of zeros added behind; it has no parameters.

    Source: He et al. 2016 (Deep Residual Learning)
    """

    def __init__(self, inputs: int, outputs: int, *, stride: int) -> None:
        super().__init__()
        self.added = outputs - inputs
        self.stride = stride

    def forward(self, x: Images) -> Smaller:
        return functional.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.added))


class _Residual(nn.Module):
    """y = relu(F(x) + shortcut(x)), or y = relu(F(x)) without a shortcut."""

    def __init__(self, body: nn.Sequential, shortcut: nn.Module | None) -> None:
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, x: Images) -> Smaller:
        changed = self.body(x)
        return torch.relu(changed if self.shortcut is None else changed + self.shortcut(x))


class ResidualBlock(_Residual):
    """y = relu(F(x) + shortcut(x)) with F = conv–norm–relu–conv–norm, or y = relu(F(x)) in a plain network.

    Arguments:
        stride: of the first convolution and of the shortcut.
        shortcut: where stride or channels change: `zeros` (option A) or `projection` (option B); elsewhere x
            itself. `none` leaves it out everywhere.

    Source: He et al. 2016 (Deep Residual Learning)
    """

    def __init__(
        self, inputs: int, outputs: int, *, stride: int = 1, shortcut: Shortcut = "projection"
    ) -> None:
        body = nn.Sequential(
            ConvAct(inputs, outputs, stride=stride, normalisation="batch"),
            ConvAct(outputs, outputs, normalisation="batch", activation="linear"),
        )
        super().__init__(body, _way_around(inputs, outputs, stride, shortcut))


class Bottleneck(_Residual):
    """y = relu(F(x) + shortcut(x)) with F = 1×1 convolution to a quarter of the channels, 3×3, 1×1 back.

    The 3×3 convolution has the stride; the arguments are those of `ResidualBlock`.

    Source: He et al. 2016 (Deep Residual Learning); stride in the 3×3 convolution: Goyal et al. 2017
    """

    def __init__(
        self, inputs: int, outputs: int, *, stride: int = 1, shortcut: Shortcut = "projection"
    ) -> None:
        inner = outputs // 4
        body = nn.Sequential(
            ConvAct(inputs, inner, kernel=1, normalisation="batch"),
            ConvAct(inner, inner, stride=stride, normalisation="batch"),
            ConvAct(inner, outputs, kernel=1, normalisation="batch", activation="linear"),
        )
        super().__init__(body, _way_around(inputs, outputs, stride, shortcut))


class HighwayLayer(nn.Module):
    """y = H(x)·T(x) + x·(1 − T(x)) with H = f(W·x + b) and the gate T = σ(W_T·x + b_T).

    Arguments:
        activation: f.
        gate_bias: where b_T begins; below zero, so that at first most of x is carried on. See `set_gates`.

    Source: Srivastava, Greff & Schmidhuber 2015
    """

    def __init__(self, units: int, *, activation: Any = "tanh", gate_bias: float = -4.0) -> None:
        super().__init__()
        self.dense = nn.Linear(units, units)
        self.activation = build("activation", activation, units)
        self.gate = nn.Linear(units, units)
        self.gate_bias = gate_bias
        self.set_gates()

    @torch.no_grad()
    def set_gates(self) -> None:
        """The gates' biases at their start, also after other code has initialised the layer."""
        self.gate.bias.fill_(self.gate_bias)

    def forward(self, x: Float[Tensor, "rows units"]) -> Float[Tensor, "rows units"]:
        # x + T·(H − x) is the same as H·T + x·(1 − T), with one product less
        changed, gate = self.activation(self.dense(x)), torch.sigmoid(self.gate(x))
        return torch.lerp(x, changed.to(x.dtype), gate.to(x.dtype))


def _way_around(inputs: int, outputs: int, stride: int, shortcut: Shortcut) -> nn.Module | None:
    if shortcut == "none":
        return None
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    if shortcut == "zeros":
        return ZeroShortcut(inputs, outputs, stride=stride)
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), BatchNorm(outputs))
