"""A liquid: leaky integrate-and-fire units in space, connected at random to those near by."""

import math
from collections.abc import Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from handrail.layers.sparse import sparse_matrix

_INHIBITORY = 0.2  # of the units
_REACH = 2.0  # λ, in distances between neighbours
# C, by what sends and what receives: excitatory 0, inhibitory 1.
_CHANCES = ((0.3, 0.2), (0.4, 0.1))


class Liquid(nn.Module):
    """U(t) = β·U(t−1) + (1−β)·(b + W_in·u(t)) + W·s(t−1) − s(t−1), and s(t) = 1 where U(t) > 1, else 0.

    U `[units]` are potentials in units of the threshold, s spikes, β = e^(−1/membrane). A spike takes 1 from
    the potential of its unit and reaches the others one step later. The currents b + W_in·u(t) are what the
    potential would settle at, were there no spikes. Nothing here is learned.

    The units stand on a grid in space. One sends to another with the chance C·exp(−D²/λ²), for the distance
    D, λ = 2, and C = .3 from excitatory to excitatory units, .2 from those to inhibitory ones, .4 back and .1
    among inhibitory ones, which are a fifth of all. Weights are exponential in size, below 0 from inhibitory
    units.

    Arguments:
        channels: numbers of an input step.
        membrane: steps in which a potential falls to 1/e.
        input_scale: the standard deviation of W_in·u for standard normal inputs.
        weight: the mean size of the weights from excitatory units, in thresholds.
        inhibition: how much larger those from inhibitory units are.
        background: b, what the potentials of units without input come to rest at; below 1 they are silent.

    Source: Maass, Natschläger & Markram 2002; Lapicque 1907
    """

    input_weights: Tensor
    weights: Tensor

    def __init__(
        self,
        channels: int,
        units: int,
        *,
        membrane: float,
        input_scale: float,
        weight: float,
        inhibition: float,
        background: float,
    ) -> None:
        super().__init__()
        self.units, self.background = units, background
        self.beta = math.exp(-1 / membrane)
        drawn = torch.randn(units, channels) * (input_scale / channels**0.5)
        self.register_buffer("input_weights", drawn)
        self.register_buffer("weights", draw_connections(units, weight=weight, inhibition=inhibition))

    @torch.no_grad()
    def spikes(self, x: Float[Tensor, "rows channels steps"]) -> Iterator[Float[Tensor, "units rows"]]:
        """Step by step, 1 where a unit spikes and else 0; in single precision."""
        matrix, x = self._matrix(), x.float()
        potential = x.new_zeros(self.units, len(x))
        spikes = torch.zeros_like(potential)
        for step in range(x.shape[2]):
            with torch.autocast(x.device.type, enabled=False):
                current = self.input_weights @ x[:, :, step].T + self.background
                potential.mul_(self.beta).add_(current, alpha=1 - self.beta)
                potential.add_(matrix @ spikes).sub_(spikes)
            spikes = (potential > 1).float()
            yield spikes

    def _matrix(self) -> Tensor:
        """W as its few connections, by which a step is several times as quick."""
        there = self.weights != 0
        return sparse_matrix(there.sum(dim=1), there.nonzero()[:, 1], self.weights[there])


def places(units: int) -> Int[Tensor, "units 3"]:
    """The units fill a grid as near to a cube as may be, line by line."""
    side = max(1, round(units ** (1 / 3)))
    number = torch.arange(units)
    return torch.stack([number % side, number // side % side, number // side**2], dim=1)


def draw_connections(units: int, *, weight: float, inhibition: float) -> Float[Tensor, "units units"]:
    """W of a liquid, from torch's generator; no unit sends to itself."""
    inhibitory = torch.zeros(units, dtype=torch.long)
    inhibitory[torch.randperm(units)[: round(_INHIBITORY * units)]] = 1
    where = places(units).float()
    nearness = torch.exp(-torch.cdist(where, where).square() / _REACH**2)
    chances = torch.tensor(_CHANCES)[inhibitory.unsqueeze(0), inhibitory.unsqueeze(1)] * nearness
    connected = (torch.rand(units, units) < chances).fill_diagonal_(False)
    sizes = torch.empty(units, units).exponential_() * weight
    signed = torch.where(inhibitory == 1, -inhibition, 1.0)
    return torch.where(connected, sizes * signed, 0.0)
