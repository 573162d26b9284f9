"""Networks that are given a noisy row and the step that it was taken at."""

import math
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

_WAVES, _LONGEST = 16, 100.0  # sines and cosines of a step, and how much quicker the quickest is


def step_waves(place: Float[Tensor, " rows"]) -> Float[Tensor, "rows waves"]:
    """sin(f·t/T) and cos(f·t/T) for 8 rates f from 1 to 100, evenly spread by their logarithms.

    Arguments:
        place: t/T, between 0 and 1.

    Source: Vaswani et al. 2017
    """
    rates = torch.logspace(0, math.log10(_LONGEST), _WAVES // 2, device=place.device, dtype=place.dtype)
    angles = place.unsqueeze(1) * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)


class DenseDenoiser(nn.Module):
    """Dense layers silu(W·h + V·waves(t/T)), the last W·h alone.

    Arguments:
        width: numbers in a row, and in the answer.
        hidden: units of each hidden layer.

    Source: Ho, Jain & Abbeel 2020 (there of convolutions)
    """

    def __init__(self, width: int, hidden: list[int]) -> None:
        super().__init__()
        widths = [width, *hidden, width]
        self.layers = nn.ModuleList(nn.Linear(before, after) for before, after in pairwise(widths))
        self.steps = nn.ModuleList(nn.Linear(_WAVES, units, bias=False) for units in hidden)

    def forward(
        self, x: Float[Tensor, "rows width"], place: Float[Tensor, " rows"]
    ) -> Float[Tensor, "rows width"]:
        waves = step_waves(place)
        for layer, step in zip(self.layers, self.steps, strict=False):  # but for the last
            x = functional.silu(layer(x) + step(waves))
        return self.layers[-1](x)
