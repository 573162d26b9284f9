"""The neural Turing machine: a controller that reads and writes a memory."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from handrail.components import component
from handrail.components.arguments import Count
from handrail.components.pictures import Picture
from handrail.layers.controllers import Controller, Kind
from handrail.layers.initialisations import initialise
from handrail.layers.memory_addressing import (
    content_weights,
    erase_and_add,
    interpolate,
    read,
    sharpen,
    shift_circular,
)
from handrail.layers.memory_pictures import Trace, draw_traces
from handrail.layers.steps import longest_row, pad_steps
from handrail.shapes import SeriesShape, StepShape

_EMPTY = 1e-6


@component("model", name="ntm")
class NTM(nn.Module):
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

    Source: Graves, Wayne & Danihelka 2014; the memory's beginning: Collier & Beel 2018
    """

    compiles: ClassVar[bool] = False
    usual: ClassVar[dict[str, Any]] = {
        "gradient": {"optimizer": {"adam": {"learning_rate": 0.003}}, "clip": {"by_norm": {"limit": 1.0}}}
    }

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
        super().__init__()
        self.length, self.locations, self.width = outputs.length, locations, width
        self.reads, self.heads, self.moves = reads, reads + writes, 2 * reach + 1
        self.controller = Controller(controller, inputs.channels, reads * width, units)
        # Of each head: the key, and of those that write e and a; β, γ; g; s.
        self.sizes = (self.heads * width, writes * width, writes * width, 2 * self.heads, self.heads)
        self.interface = nn.Linear(units, sum(self.sizes) + self.heads * self.moves)
        self.head = nn.Linear(units + reads * width, outputs.scores)
        initialise(self.interface, "xavier")
        initialise(self.head, "xavier")
        self.first_weights = nn.Parameter(torch.randn(self.heads, locations) * 0.01)
        self.first_reads = nn.Parameter(torch.randn(reads * width) * 0.01)

    def forward(self, x: Float[Tensor, "rows channels length"]) -> Float[Tensor, "rows length scores"]:
        """Raw scores at each step; zeros behind the end of the longest row of a batch."""
        return pad_steps(self.head(self._run(x)), self.length)

    def _run(
        self, x: Float[Tensor, "rows channels length"], trace: Trace | None = None
    ) -> Float[Tensor, "rows steps states"]:
        """[h_t, r_t] at each step."""
        rows = len(x)
        products = self.controller.outer(x[:, :, : longest_row(x)].permute(2, 0, 1))
        memory = x.new_full((rows, self.locations, self.width), _EMPTY)
        weights = torch.softmax(self.first_weights, dim=1).expand(rows, -1, -1)
        reads = self.first_reads.expand(rows, -1)
        state, found = self.controller.begin(rows), []
        for product in products.unbind(0):
            hidden, state = self.controller.step(product, reads, state)
            weights, memory = self._turn(hidden, weights, memory)
            reads = read(memory, weights[:, : self.reads]).flatten(1)
            found += [hidden, reads]
            if trace is not None:
                trace.add(weights[:, : self.reads], weights[:, self.reads :])
        return torch.cat(found, dim=1).view(rows, len(products), self.head.in_features)

    def _turn(self, hidden: Tensor, last: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """The heads' weights and the memory after a step."""
        keys, add, erase, scales, gates, shifts = self._numbers(hidden)
        strengths, powers = scales[:, : self.heads], 1 + scales[:, self.heads :]
        content = content_weights(keys, strengths, memory)
        weights = sharpen(shift_circular(interpolate(content, last, gates), shifts), powers)
        return weights, erase_and_add(memory, weights[:, self.reads :], erase, add)

    def _numbers(self, hidden: Tensor) -> tuple[Tensor, ...]:
        """k, a, e, (β, γ − 1), g and s of all heads; keys and what is added lie between −1 and 1."""
        rows, (keys, adds, erases, scales, gates) = len(hidden), self.sizes
        signed, opened, positive, moves = self.interface(hidden).split(
            (keys + adds, erases + gates, scales, self.heads * self.moves), dim=1
        )
        signed, opened = signed.tanh(), opened.sigmoid()
        shifts = moves.view(rows, self.heads, self.moves).softmax(dim=2)
        of_heads = [
            each.view(rows, -1, self.width)
            for each in (signed[:, :keys], signed[:, keys:], opened[:, :erases])
        ]
        return *of_heads, functional.softplus(positive), opened[:, erases:], shifts

    @torch.no_grad()
    def activity(self, x: Float[Tensor, "rows channels length"]) -> Sequence[Picture]:
        """Where the heads read and wrote in the memory while the first row was read."""
        trace = Trace()
        self._run(x[:1], trace)
        return draw_traces(trace)
