"""An average of a network's weights over the steps of its training."""

import copy
from typing import Any

import torch
from torch import Tensor, nn

WARMING = 10  # steps in which the average follows quickly


class WeightAverage(nn.Module):
    """θ̄ ← k·θ̄ + (1 − k)·θ after each step, with k = min(`keep`, (1 + n)/(10 + n)) after n steps.

    Called, it answers with the averaged weights. What a layer counts is taken over from the network.

    Arguments:
        network: that is followed; the average begins at it.
        keep: k, at most.

    Source: Polyak & Juditsky 1992; exponential: Yazıcı et al. 2019
    """

    taken: Tensor

    def __init__(self, network: nn.Module, keep: float) -> None:
        super().__init__()
        self.keep = keep
        self.network = copy.deepcopy(network).requires_grad_(False).eval()
        self.register_buffer("taken", torch.zeros((), dtype=torch.int64))

    @property
    def tied_parameters(self) -> int:
        """All: they follow from the network's."""
        return sum(parameter.numel() for parameter in self.network.parameters())

    def train(self, mode: bool = True) -> "WeightAverage":
        """An average does not train."""
        return super().train(False)

    def forward(self, *inputs: Any) -> Any:
        return self.network(*inputs)

    def follow(self, network: nn.Module) -> None:
        """Move towards the weights of the network."""
        share = 1 - (1 + self.taken).div(WARMING + self.taken).clamp_max(self.keep)
        move_towards(self.network, network, share)
        self.taken += 1


@torch.no_grad()
def move_towards(average: nn.Module, network: nn.Module, share: float | Tensor) -> None:
    """mean ← mean + share·(weights − mean); what a layer counts is taken over."""
    own: list[Tensor] = list(average.parameters())
    for mine, other in zip(own, network.parameters(), strict=True):
        mine.lerp_(other, share.to(mine) if isinstance(share, Tensor) else share)
    for mine, other in zip(average.buffers(), network.buffers(), strict=True):
        mine.copy_(other)
