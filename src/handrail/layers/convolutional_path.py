"""Annealed importance sampling of a convolutional machine, by chains of its hidden units."""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from handrail.layers.energy_model import AnnealingPath

Chains = Float[Tensor, " chains"]


class ConvolutionalPath(AnnealingPath):
    """log p_β(h) = β·c·h + Σ softplus(μ), with μ = (1 − β)·base + β·(b + Wᵀ∗h), without its constant.

    The visible units are summed out; of Gaussian ones what they add is ‖μ‖²/2 − (1 − β)·‖base‖²/2 − β·‖b‖²/2.
    The density of both kinds of units is that of `RestrictedPath`, which sums out the hidden ones: there are
    many times as many, and each needs an exponential at every temperature.

    Units stand in blocks, chains last: `[filters, units of a block, blocks down, blocks across, chains]`, so
    that both convolutions are products of matrices. Maps are filled up to whole blocks by units that are off.

    Arguments:
        weights: W. hidden_bias: c, of each filter.
        visible_bias, base: b, and that of the independent units, one for each visible unit.
        size: height and width of the pictures. pool: side of the blocks.
        gaussian: whether the visible units are.

    Source: Salakhutdinov & Murray 2008; Lee et al. 2009
    """

    def __init__(
        self,
        weights: Float[Tensor, "filters channels kernel kernel"],
        hidden_bias: Float[Tensor, " filters"],
        *,
        visible_bias: Float[Tensor, " visible"],
        base: Float[Tensor, " visible"],
        size: tuple[int, int],
        pool: int,
        gaussian: bool,
        chains: int,
        generator: torch.Generator,
    ) -> None:
        self.generator, self.gaussian, self.pool, self.chains = generator, gaussian, pool, chains
        self.filters, self.hidden_bias = weights.flatten(1), hidden_bias
        self.base, self.gap = base.unsqueeze(1), (visible_bias - base).unsqueeze(1)
        self.squares = float(visible_bias.double().square().sum() - base.double().square().sum())
        self.channels, self.kernel, self.size = weights.shape[1], weights.shape[2], size
        self.maps = tuple(side - self.kernel + 1 for side in size)
        self.down, self.across = (-(-side // pool) for side in self.maps)
        room = (self.down * pool + self.kernel - 1, self.across * pool + self.kernel - 1)
        # Pictures with the room that whole blocks need.
        self.pixels = weights.new_zeros(self.channels, *room, chains)
        self.cut = weights.new_empty(self.filters.shape[1], self._places * chains)
        self.blocks = weights.new_empty(len(weights), pool**2, self.down, self.across, chains)
        self.within = self._find_within() if room != size else None
        self._draw_hidden(0.0)

    @property
    def _places(self) -> int:
        """Positions of a filter, those beyond the border among them."""
        return self.pool**2 * self.down * self.across

    def _find_within(self) -> Float[Tensor, "block down across 1"]:
        """1 where a unit lies on the map, 0 beyond its border."""
        pool, inside = self.pool, self.pixels.new_zeros(self.down * self.pool, self.across * self.pool)
        inside[: self.maps[0], : self.maps[1]] = 1
        return inside.view(self.down, pool, self.across, pool).permute(1, 3, 0, 2).flatten(0, 1).unsqueeze(3)

    @property
    def base_log_z(self) -> float:
        units = torch.full((self.down, self.across), float(self.pool**2), dtype=torch.float64)
        if self.within is not None:
            units = self.within.sum(dim=0).squeeze(2).double().cpu()
        hidden = len(self.filters) * float(units.log1p().sum())
        if self.gaussian:
            return hidden + len(self.base) * math.log(2 * math.pi) / 2
        return hidden + float(functional.softplus(self.base.double()).sum())

    def gain(self, before: float, after: float) -> Chains:
        low, high = self._given(before), self._given(after)
        if self.gaussian:
            rest = ((high - low) * (high + low)).sum(dim=0).double() / 2 - (after - before) * self.squares / 2
        else:
            rest = (functional.softplus(high) - functional.softplus(low)).sum(dim=0).double()
        return (after - before) * self.own.double() + rest

    def _given(self, beta: float) -> Float[Tensor, "visible chains"]:
        """μ: the inputs of the visible units."""
        return self.base + beta * self.given

    def step(self, beta: float) -> None:
        height, width = self.size
        given = self._given(beta)
        rng = {"generator": self.generator, "device": self.generator.device}
        if self.gaussian:
            v = given + torch.randn(given.shape, **rng).to(given)
        else:
            v = (torch.rand(given.shape, **rng).to(given) < given.sigmoid_()).to(given.dtype)
        self.pixels[:, :height, :width] = v.view(self.channels, height, width, self.chains)
        self._draw_hidden(beta)

    def _draw_hidden(self, beta: float) -> None:
        """Units of 0 and 1 by the pixels, at most one on in a block; what they add to the visible inputs."""
        h = self.blocks
        inputs = torch.addmm(
            self.hidden_bias.unsqueeze(1), self.filters, self._cut_out(), beta=beta, alpha=beta
        )
        inputs = inputs.view_as(h)
        if self.within is not None:
            inputs.masked_fill_(self.within == 0, -torch.inf)
        largest = inputs.amax(dim=1, keepdim=True).clamp_min_(0)
        odds = inputs.sub_(largest).exp_()
        none = largest.neg_().exp_().squeeze(1)
        chance = torch.rand(none.shape, generator=self.generator, device=self.generator.device).to(none)
        chance *= none.add_(odds.sum(dim=1))
        reached, before = torch.zeros_like(chance), torch.zeros_like(chance)
        for unit in range(h.shape[1]):  # the first whose odds, with those before, reach the number
            reached += odds[:, unit]
            below = (chance < reached).to(h.dtype)
            torch.sub(below, before, out=h[:, unit])
            before = below
        self.own = self.hidden_bias @ before.sum(dim=(1, 2))
        self.given = self.gap + self._put_back()

    def _cut_out(self) -> Float[Tensor, "numbers places"]:
        """What each filter sees at each of its places."""
        pixels, kernel, pool = self.pixels, self.kernel, self.pool
        channel, row, column, chain = pixels.stride()
        sizes = (self.channels, kernel, kernel, pool, pool, self.down, self.across, self.chains)
        strides = (channel, row, column, row, column, pool * row, pool * column, chain)
        self.cut.view(sizes).copy_(pixels.as_strided(sizes, strides))
        return self.cut

    def _put_back(self) -> Float[Tensor, "visible chains"]:
        """Wᵀ∗h: each filter at the places of its units."""
        pool, (height, width) = self.pool, self.size
        torch.mm(self.filters.T, self.blocks.view(len(self.filters), -1), out=self.cut)
        parts = self.cut.view(self.channels, self.kernel, self.kernel, pool, pool, self.down, self.across, -1)
        # [kernel, kernel, channels, down, pool, across, pool, chains].
        parts = parts.permute(1, 2, 0, 5, 3, 6, 4, 7)
        total = torch.zeros_like(self.pixels)
        for row in range(self.kernel):
            for column in range(self.kernel):
                seen = total[:, row : row + self.down * pool, column : column + self.across * pool]
                seen.unflatten(1, (self.down, pool)).unflatten(3, (self.across, pool)).add_(
                    parts[row, column]
                )
        return total[:, :height, :width].reshape(-1, self.chains)
