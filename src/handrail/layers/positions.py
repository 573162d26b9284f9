"""Positions of steps: attention by itself does not know the order of its inputs."""

import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handrail.errors import DataError


class SinusoidalPositions(nn.Module):
    """y_t = x_t + p_t with p_t[2i] = sin(t / 10000^(2i/width)) and p_t[2i + 1] = cos of the same.

    Any length will do: nothing is learned.

    Arguments:
        width: numbers a step, an even number.

    Source: Vaswani et al. 2017
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, x: Float[Tensor, "rows length width"]) -> Float[Tensor, "rows length width"]:
        return x + self.table(x.shape[1], x.device).to(x.dtype)

    def table(self, length: int, device: torch.device | None = None) -> Float[Tensor, "length width"]:
        """The vectors p_t of the first steps."""
        steps = torch.arange(length, device=device, dtype=torch.float32).unsqueeze(1)
        rates = torch.exp(torch.arange(0, self.width, 2, device=device) * (-math.log(10_000) / self.width))
        angles = steps * rates  # [length, width / 2]
        return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)


class LearnedPositions(nn.Module):
    """y_t = x_t + p_t with a learned vector p_t for each step.

    Arguments:
        length: the most steps that a row can have.
        width: numbers a step.
        std: of the normal distribution that the vectors begin with.

    Raises: `DataError` for a row that is longer.

    Source: Gehring et al. 2017; Radford 2018
    """

    def __init__(self, length: int, width: int, *, std: float = 0.02) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(length, width) * std)

    def forward(self, x: Float[Tensor, "rows steps width"]) -> Float[Tensor, "rows steps width"]:
        if x.shape[1] > len(self.weight):
            raise DataError(
                f"found rows of {x.shape[1]} steps; this network was made for at most {len(self.weight)}. "
                "Cut the rows, or "
                "train it with longer ones."
            )
        return x + self.weight[: x.shape[1]]


def position_layer(kind: Literal["sinusoidal", "learned"], length: int, width: int) -> nn.Module:
    return SinusoidalPositions(width) if kind == "sinusoidal" else LearnedPositions(length, width)
