"""The differentiable neural computer: a memory that is allocated, freed, and read in the order of writing."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from handrail.components import component
from handrail.components.arguments import Count
from handrail.layers.controllers import Kind
from handrail.layers.memory_addressing import Weights, content_weights, erase_and_add
from handrail.layers.memory_allocation import (
    allocate,
    follow_links,
    update_links,
    update_precedence,
    update_usage,
)
from handrail.layers.memory_network import MemoryNetwork, State
from handrail.shapes import SeriesShape, StepShape


@component("model", name="dnc")
class DNC(MemoryNetwork):
    """Differentiable neural computer: w = g_w·(g_a·a + (1 − g_a)·c), M(i) ← M(i)·(1 − w(i)·e) + w(i)·v.

    The one head that writes goes where its key is (c), or to a location that is free (a): usage u grows where
    it wrote, and falls where free gates let go of what was read. Links note which location was written after
    which, so that a head that reads goes on, back, or where its key is, as its modes say
    (`handrail.layers.memory_allocation`). The scores are W·[h_t, r_t] + b. The memory begins empty.

    Arguments:
        inputs, outputs: series, and scores at each of their steps.
        controller: a layer of tanh units without a state of its own, or an LSTM.
        units: of the controller.
        locations, width: of the memory: how many vectors, and how many numbers each.
        reads: how many heads read.

    Source: Graves et al. 2016
    """

    def __init__(
        self,
        inputs: SeriesShape,
        outputs: StepShape,
        *,
        controller: Kind = "feedforward",
        units: Count = 64,
        locations: Count = 64,
        width: Count = 16,
        reads: Count = 1,
    ) -> None:
        # Keys, the vector that is written; strengths; e, free gates, g_a and g_w; modes.
        sizes = ((reads + 2) * width, reads + 1, width + reads + 2, 3 * reads)
        numbers = sum(sizes)
        super().__init__(
            inputs, outputs, controller=controller, units=units, reads=reads, width=width, numbers=numbers
        )
        self.sizes, self.locations = sizes, locations
        self.others: Tensor
        self.register_buffer("others", 1 - torch.eye(locations), persistent=False)

    def begin(self, x: Float[Tensor, "rows channels length"]) -> tuple[Float[Tensor, "rows reads"], State]:
        rows = len(x)
        nothing = x.new_zeros(rows, self.locations)
        memory = x.new_zeros(rows, self.locations, self.width)
        weights = x.new_zeros(rows, self.reads, self.locations)
        links = x.new_zeros(rows, self.locations, self.locations)
        reads = x.new_zeros(rows, self.reads * self.width)
        return reads, (memory, weights, nothing, nothing, nothing, links)

    def heads(self, state: State) -> tuple[Weights, Float[Tensor, "rows writing locations"]]:
        _, weights, written, *_ = state
        return weights, written.unsqueeze(1)

    def turn(self, hidden: Float[Tensor, "rows units"], state: State) -> State:
        """Write, note the order, then place the heads that read.

        Arguments:
            state: memory, weights of the reads and of the write, usage, precedence and links.
        """
        memory, weights, written, usage, precedence, links = state
        vectors, strengths, gates, modes = self.interface(hidden).split(self.sizes, dim=1)
        vectors = vectors.view(len(hidden), -1, self.width)
        keys, value = vectors[:, : self.reads + 1], vectors[:, self.reads + 1 :]
        strengths = 1 + functional.softplus(strengths)
        erase, free, choice, write = gates.sigmoid().split((self.width, self.reads, 1, 1), dim=1)
        modes = modes.view(len(hidden), self.reads, 3).softmax(dim=2)

        usage = update_usage(usage, written, weights, free)
        content = content_weights(keys[:, :1], strengths[:, :1], memory).squeeze(1)
        written = write * torch.lerp(content, allocate(usage), choice)
        memory = erase_and_add(memory, written.unsqueeze(1), erase.unsqueeze(1), value)
        links = update_links(links, written, precedence, self.others)
        precedence = update_precedence(precedence, written)
        content = content_weights(keys[:, 1:], strengths[:, 1:], memory)
        return memory, follow_links(links, weights, content, modes), written, usage, precedence, links
