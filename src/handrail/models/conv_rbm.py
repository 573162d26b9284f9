"""The convolutional restricted Boltzmann machine: a filter for each hidden map, probabilistic max pooling."""

import copy
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import torch
import torch.nn.grad
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from handrail.components import component
from handrail.components.arguments import Count
from handrail.components.pictures import Picture, Tiles
from handrail.errors import RecipeError
from handrail.layers.convolutional_path import ConvolutionalPath
from handrail.layers.energy_model import MOST_ENUMERATED, AnnealingPath, binary_states
from handrail.layers.probabilistic_pooling import LogSumPool, block_free, draw_units, to_blocks, unit_means
from handrail.layers.restricted import RestrictedMachine, Slopes
from handrail.recipe.alone import Alone
from handrail.shapes import ImageShape, InputShape, NoTarget, describe, numbers_in

_SPREAD = 0.01  # of the first weights (Hinton 2012)
_BLOCK_ON = 0.2  # how often a block has a unit that is on, at first and by the usual sparsity
_SHOWN = 64  # filters


def _between_0_and_1(arguments: Mapping[str, Any]) -> bool:
    return arguments["visible"] == "binary"


@component("model", name="conv_rbm")
class ConvRBM(RestrictedMachine):
    """log p(v) = −F(v) − log Z, with −F(v) = Σ b·v + Σ log(1 + Σ exp x) over the blocks of the hidden maps x.

    x = W ∗ v + c: each filter is moved over the picture, without a border, and gives a map of binary hidden
    units. Maps are divided into blocks, in each of which at most one unit is on; blocks are cut at the far
    border. A Gaussian machine has −Σ (v − b)²/2 in place of Σ b·v. Biases b are shared by a channel, c by a
    map. log Z is 0 until it is found (`models.annealing`): exactly for up to 20 binary visible units, else by
    annealed importance sampling.

    The code of a picture is how likely each block has a unit that is on, p = σ(log Σ exp x): maps again, on
    which another machine can stand. A row gets log p(v), and the figure that training is validated by, as
    for `rbm`: the pseudo-log-likelihood, or minus Hyvärinen's score.

    Arguments:
        visible: kind of the visible units; values between 0 and 1 are probabilities of binary ones.
        filters: how many, and so how many maps.
        kernel: side of the filters, in pixels.
        pool: side of the blocks, in hidden units; 1 for units that do not exclude each other.

    Raises: `RecipeError` for a kernel larger than the pictures.

    Source: Lee, Grosse, Ranganath & Ng 2009; Hinton 2002; Besag 1975; Hyvärinen 2005
    """

    alone: ClassVar[Alone] = Alone(
        "density", batch_size=50, patience=None, unit=_between_0_and_1, real="model.conv_rbm.visible=gaussian"
    )
    rules: ClassVar[tuple[str, ...]] = ("contrastive_divergence",)

    def __init__(
        self,
        inputs: ImageShape,
        outputs: NoTarget,
        *,
        visible: Literal["binary", "gaussian"] = "binary",
        filters: Count = 24,
        kernel: Count = 5,
        pool: Count = 2,
    ) -> None:
        super().__init__(numbers_in(inputs), visible=visible)
        channels, *size = inputs
        if kernel > min(size):
            raise RecipeError(
                f"model.conv_rbm.kernel: found {kernel}, which is larger than {describe(inputs)}; expected "
                f"at most {min(size)}."
            )
        self.shape, self.pool, self.hidden = ImageShape(*inputs), pool, "binary"
        self.height, self.width = (side - kernel + 1 for side in size)
        self.places, self.units = self.height * self.width, filters * self.height * self.width
        self.sparsity = _BLOCK_ON / pool**2
        self.weights = nn.Parameter(torch.randn(filters, channels, kernel, kernel) * _SPREAD)
        self.visible_bias = nn.Parameter(torch.zeros(channels))
        odds = _BLOCK_ON / (1 - _BLOCK_ON)
        self.hidden_bias = nn.Parameter(torch.full((filters,), math.log(odds / pool**2)))

    @property
    def visible_biases(self) -> Float[Tensor, " visible"]:
        return self._over_pixels(self.visible_bias)

    def _over_pixels(self, bias: Float[Tensor, " channels"]) -> Float[Tensor, " visible"]:
        return bias.repeat_interleave(self.shape.height * self.shape.width)

    @torch.no_grad()
    def set_visible_bias(self, bias: Float[Tensor, " visible"]) -> None:
        """Of each channel the bias that has the mean of these."""
        means = self.visible_mean(bias.unsqueeze(0)).view(self.shape.channels, -1).mean(dim=1)
        self.visible_bias.copy_(torch.logit(means) if self.visible == "binary" else means)

    def hidden_input(self, v: Float[Tensor, "rows visible"]) -> Float[Tensor, "rows units"]:
        maps = functional.conv2d(v.view(-1, *self.shape), self.weights, self.hidden_bias)
        return maps.flatten(1)

    def visible_input(
        self, h: Float[Tensor, "rows units"], bias: Float[Tensor, " visible"] | None = None
    ) -> Float[Tensor, "rows visible"]:
        # With few channels a product of matrices is several times as quick as a transposed convolution.
        pixels = self.weights.flatten(1).T @ self._maps(h).flatten(2)  # [rows, pixels of a filter, positions]
        given = functional.fold(pixels, self.shape[1:], self.weights.shape[2])
        return given.flatten(1) + (self.visible_biases if bias is None else bias)

    def _maps(self, h: Float[Tensor, "rows units"]) -> Float[Tensor, "rows filters height width"]:
        return h.reshape(len(h), -1, self.height, self.width)

    def hidden_free(self, given: Float[Tensor, "rows units"]) -> Float[Tensor, "rows blocks"]:
        return block_free(self._maps(given), self.pool).flatten(1)

    def hidden_mean(self, given: Float[Tensor, "rows units"]) -> Float[Tensor, "rows units"]:
        return unit_means(self._maps(given), self.pool).flatten(1)

    def draw_hidden(
        self, given: Float[Tensor, "rows units"], generator: torch.Generator
    ) -> Float[Tensor, "rows units"]:
        return draw_units(self._maps(given), self.pool, generator).flatten(1)

    def add_slopes(
        self,
        into: Slopes,
        v: Float[Tensor, "rows visible"],
        h: Float[Tensor, "rows units"],
        *,
        scale: float,
        weights: Float[Tensor, "rows 1"] | None = None,
    ) -> None:
        hidden = h if weights is None else h * weights
        pixels = v if weights is None else v * weights
        together = torch.nn.grad.conv2d_weight(
            v.view(-1, *self.shape), list(self.weights.shape), self._maps(hidden)
        )
        into["weights"].add_(together, alpha=scale)
        into["visible_bias"].add_(pixels.view(-1, *self.shape).sum(dim=(0, 2, 3)), alpha=scale)
        into["hidden_bias"].add_(self.bias_sums(hidden), alpha=scale)

    def bias_sums(self, h: Float[Tensor, "rows units"]) -> Float[Tensor, " filters"]:
        return self._maps(h).sum(dim=(0, 2, 3))

    def encode(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, "rows blocks"]:
        """The probability of each block that one of its units is on, map by map."""
        maps = self._maps(self.hidden_input(x.flatten(1)))
        return torch.sigmoid(LogSumPool(self.pool)(maps)).flatten(1)

    def coding_layers(self) -> nn.Sequential:
        """What `encode` does, as layers with weights of their own, that give maps."""
        filters, channels, kernel, _ = self.weights.shape
        into = nn.Conv2d(channels, filters, kernel)
        own = {"weight": self.weights, "bias": self.hidden_bias}
        into.load_state_dict({name: value.detach() for name, value in own.items()})
        return nn.Sequential(into, LogSumPool(self.pool), nn.Sigmoid())

    def pictures(self, shape: InputShape) -> Sequence[Picture]:
        """The filters, the strongest first."""
        weights = self.weights.detach().cpu().float()
        strongest = weights.flatten(1).norm(dim=1).argsort(descending=True)[:_SHOWN]
        filters = weights[strongest].mean(dim=1).numpy()
        note = f"{len(strongest)} of {len(weights):,} filters, the strongest first."
        return [Tiles("What the filters look for", filters, note=note, signed=True)]

    def annealing_path(
        self, base: Float[Tensor, " visible"], *, chains: int, generator: torch.Generator
    ) -> AnnealingPath:
        return ConvolutionalPath(
            self.weights.detach(),
            self.hidden_bias.detach(),
            visible_bias=self.visible_biases.detach(),
            base=base.to(self.weights),
            size=(self.shape.height, self.shape.width),
            pool=self.pool,
            gaussian=self.visible == "gaussian",
            chains=chains,
            generator=generator,
        )

    @torch.no_grad()
    def exact_log_z(self) -> float | None:
        """Where there are at most 20 binary visible units."""
        width = numbers_in(self.shape)
        if self.visible != "binary" or width > MOST_ENUMERATED:
            return None
        double = copy.deepcopy(self).double()
        states = binary_states(width, self.weights.device)
        parts = [torch.logsumexp(-double.free_energy(some), dim=0) for some in states]
        return float(torch.logsumexp(torch.stack(parts), dim=0))

    def pseudo_likelihood(
        self, v: Float[Tensor, "rows visible"], units: Sequence[int]
    ) -> Float[Tensor, " rows"]:
        maps, biases = self._maps(self.hidden_input(v)), self.visible_biases
        total = v.new_zeros(len(v))
        for unit in units:
            down, across, response = self._response(unit)
            value, near = v[:, unit], maps[:, :, down, across]
            without = near - value.view(-1, 1, 1, 1) * response
            gain = block_free(without + response, self.pool) - block_free(without, self.pool)
            odds = biases[unit] + gain.sum(dim=(1, 2, 3))
            total = total + value * odds - functional.softplus(odds)
        return total * (v.shape[1] / len(units))

    def _response(self, unit: int) -> tuple[slice, slice, Float[Tensor, "filters down across"]]:
        """The blocks of the maps that a visible unit reaches, and what it adds to their inputs."""
        channel, place = divmod(unit, self.shape.height * self.shape.width)
        row, column = divmod(place, self.shape.width)
        down, top, upper = self._reach(row, self.height)
        across, left, lower = self._reach(column, self.width)
        seen = self.weights[:, channel].flip(1, 2)[:, upper, lower]
        below, right = (each.stop - each.start for each in (down, across))
        room = (left, right - left - seen.shape[2], top, below - top - seen.shape[1])
        return down, across, functional.pad(seen, room)

    def _reach(self, place: int, side: int) -> tuple[slice, int, slice]:
        """Along one side: the blocks' units, where the filter begins among them, and its reversed part."""
        kernel = self.weights.shape[2]
        first, last = max(0, place - kernel + 1), min(place, side - 1)
        begin, end = first // self.pool * self.pool, min(side, (last // self.pool + 1) * self.pool)
        start = kernel - 1 - (place - first)
        return slice(begin, end), first - begin, slice(start, start + last - first + 1)

    def hyvarinen(self, v: Float[Tensor, "rows visible"]) -> Float[Tensor, " rows"]:
        """Units of a block exclude each other, so that their inputs' covariances count, too."""
        inputs = self.hidden_input(v)
        means = self.hidden_mean(inputs)
        first = self.visible_input(means) - v
        blocks = to_blocks(self._maps(means), self.pool, fill=0.0)  # [units of a block, rows, filters, …]
        overlaps = self._overlaps()
        own = torch.einsum("inkab,kii->n", blocks, overlaps)
        among = torch.einsum("inkab,kij,jnkab->n", blocks, overlaps, blocks)
        second = own - among - v.shape[1]
        return -second - first.square().sum(dim=1) / 2

    def _overlaps(self) -> Float[Tensor, "filters block block"]:
        """The product of each filter with itself, as it stands at two units of a block."""
        kernel, pool = self.weights.shape[2], self.pool
        side = kernel + pool - 1
        moved = [
            functional.pad(self.weights, (across, side - kernel - across, down, side - kernel - down))
            for down in range(pool)
            for across in range(pool)
        ]
        placed = torch.stack(moved, dim=1).flatten(2)  # [filters, block, pixels]
        return placed @ placed.transpose(1, 2)
