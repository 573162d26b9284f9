"""The neural Turing machine: a controller that reads and writes a memory."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from handrail.components import component
from handrail.components.arguments import Count
from handrail.errors import RecipeError
from handrail.layers.controllers import Kind
from handrail.layers.memory_addressing import (
    Weights,
    content_weights,
    erase_and_add,
    interpolate,
    sharpen,
    shift_circular,
)
from handrail.layers.memory_network import MemoryNetwork, State
from handrail.shapes import SeriesShape, StepShape

_EMPTY = 1e-6


@component("model", name="ntm")
class NTM(MemoryNetwork):
    """Neural Turing machine: heads w_t address a memory, M_t(i) = M_{t−1}(i)·(1 − w_t(i)·e) + w_t(i)·a.

    At each step the controller reads the input and what was read before, and sets for every head a key k,
    its strength β, a gate g, shifts s and a power γ. A head looks for the key in M_{t−1}, mixes that with
    where it stood, shifts and sharpens (`handrail.layers.memory_addressing`). Heads that write erase (e) and
    add (a); then those that read give r_t = Σ_i w_t(i)·M_t(i), and the scores are W·[h_t, r_t] + b. The
    memory begins at 10⁻⁶ everywhere, the heads and the first reads where it was learned.

    Arguments:
        inputs, outputs: series, and scores at each of their steps.
        controller: a layer of tanh units without a state of its own, which learns sooner, or an LSTM.
        units: of the controller.
        locations, width: of the memory: how many vectors, and how many numbers each.
        reads, writes: how many heads read, and how many write.
        reach: how many locations a head can move in a step, either way.

    Raises: `RecipeError` for a reach beyond all locations.

    Source: Graves, Wayne & Danihelka 2014; the memory's beginning: Collier & Beel 2018
    """

    def __init__(
        self,
        inputs: SeriesShape,
        outputs: StepShape,
        *,
        controller: Kind = "feedforward",
        units: Count = 100,
        locations: Count = 128,
        width: Count = 20,
        reads: Count = 1,
        writes: Count = 1,
        reach: Count = 1,
    ) -> None:
        if reach > locations:
            raise RecipeError(
                f"model.ntm.reach: found {reach} with {locations} locations; expected at most {locations}."
            )
        heads, moves = reads + writes, 2 * reach + 1
        # Of each head: the key, and of those that write e and a; β, γ; g; s.
        sizes = (heads * width, writes * width, writes * width, 2 * heads, heads)
        numbers = sum(sizes) + heads * moves
        super().__init__(
            inputs, outputs, controller=controller, units=units, reads=reads, width=width, numbers=numbers
        )
        self.sizes, self.locations, self.head_count, self.moves = sizes, locations, heads, moves
        self.first_weights = nn.Parameter(torch.randn(heads, locations) * 0.01)
        self.first_reads = nn.Parameter(torch.randn(reads * width) * 0.01)

    def begin(self, x: Float[Tensor, "rows channels length"]) -> tuple[Float[Tensor, "rows reads"], State]:
        memory = x.new_full((len(x), self.locations, self.width), _EMPTY)
        weights = torch.softmax(self.first_weights, dim=1).expand(len(x), -1, -1)
        return self.first_reads.expand(len(x), -1), (memory, weights)

    def heads(self, state: State) -> tuple[Weights, Float[Tensor, "rows writing locations"]]:
        _, weights = state
        return weights[:, : self.reads], weights[:, self.reads :]

    def turn(self, hidden: Float[Tensor, "rows units"], state: State) -> State:
        """Place the heads, then write."""
        memory, last = state
        keys, add, erase, scales, gates, shifts = self._numbers(hidden)
        strengths, powers = scales[:, : self.head_count], 1 + scales[:, self.head_count :]
        content = content_weights(keys, strengths, memory)
        weights = sharpen(shift_circular(interpolate(content, last, gates), shifts), powers)
        return erase_and_add(memory, weights[:, self.reads :], erase, add), weights

    def _numbers(self, hidden: Tensor) -> tuple[Tensor, ...]:
        """k, a, e, (β, γ − 1), g and s of all heads; keys and what is added lie between −1 and 1."""
        rows, (keys, adds, erases, scales, gates) = len(hidden), self.sizes
        signed, opened, positive, moves = self.interface(hidden).split(
            (keys + adds, erases + gates, scales, self.head_count * self.moves), dim=1
        )
        signed, opened = signed.tanh(), opened.sigmoid()
        shifts = moves.view(rows, self.head_count, self.moves).softmax(dim=2)
        of_heads = [
            each.view(rows, -1, self.width)
            for each in (signed[:, :keys], signed[:, keys:], opened[:, :erases])
        ]
        return *of_heads, functional.softplus(positive), opened[:, erases:], shifts
