"""Probabilistic max pooling: of the binary units in a block at most one is on.

A block is in one of n + 1 states: unit j is on, with weight exp xⱼ, or none is, with weight 1. Blocks are
cut at the far border rather than left out.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

Maps = Float[Tensor, "rows maps height width"]
Blocks = Float[Tensor, "block rows maps lower narrower"]


class LogSumPool(nn.Module):
    """y = log Σ exp x over each block: the log odds that one of its units is on.

    Arguments:
        side: of a block, in positions.

    Source: Lee et al. 2009
    """

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def forward(self, x: Maps) -> Float[Tensor, "rows maps lower narrower"]:
        return torch.logsumexp(to_blocks(x, self.side), dim=0)

    def extra_repr(self) -> str:
        return f"side={self.side}"


def to_blocks(x: Maps, side: int, *, fill: float = -math.inf) -> Blocks:
    """The values of each block, its first ones, its second ones …, with `fill` beyond the border."""
    down, across = -x.shape[2] % side, -x.shape[3] % side
    if down or across:
        x = functional.pad(x, (0, across, 0, down), value=fill)
    return torch.stack([x[:, :, row::side, column::side] for row, column in _places(side)])


def from_blocks(blocks: Blocks, side: int, *, height: int, width: int) -> Maps:
    """Values that stand in blocks, back at their places."""
    _, rows, maps, lower, narrower = blocks.shape
    x = blocks.new_empty(rows, maps, lower * side, narrower * side)
    for values, (row, column) in zip(blocks, _places(side), strict=True):
        x[:, :, row::side, column::side] = values
    return x[:, :, :height, :width]


def _places(side: int) -> list[tuple[int, int]]:
    return [(row, column) for row in range(side) for column in range(side)]


def block_free(x: Maps, side: int) -> Float[Tensor, "rows maps lower narrower"]:
    """log(1 + Σ exp x) of each block: what it adds when its units are summed out."""
    blocks = to_blocks(x, side)
    largest = blocks.amax(dim=0).clamp_min(0)
    return largest + torch.log(torch.exp(blocks - largest).sum(dim=0) + torch.exp(-largest))


def unit_means(x: Maps, side: int) -> Maps:
    """p(unit j is on) = exp xⱼ / (1 + Σ exp x over its block)."""
    return from_blocks(_shares(to_blocks(x, side)), side, height=x.shape[2], width=x.shape[3])


def draw_units(x: Maps, side: int, generator: torch.Generator) -> Maps:
    """Units of 0 and 1, at most one on in a block, by a uniform number a block."""
    blocks = to_blocks(x, side)
    chance = torch.rand(blocks.shape[1:], generator=generator, device=generator.device).to(x)
    below = (chance < _shares(blocks).cumsum(dim=0)).to(x.dtype)
    below[1:] -= below[:-1].clone()  # of the units whose shares reach the number, the first
    return from_blocks(below, side, height=x.shape[2], width=x.shape[3])


def _shares(blocks: Blocks) -> Blocks:
    """The probability of each unit of a block that it is the one that is on."""
    largest = blocks.amax(dim=0).clamp_min(0)
    weights = torch.exp(blocks - largest)
    return weights / (weights.sum(dim=0) + torch.exp(-largest))
