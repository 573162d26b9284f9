"""The differentiable neural computer: a memory that is allocated, freed, and read in the order of writing."""

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
from handrail.layers.memory_addressing import content_weights, erase_and_add, read
from handrail.layers.memory_allocation import (
    Each,
    Links,
    allocate,
    follow_links,
    update_links,
    update_precedence,
    update_usage,
)
from handrail.layers.memory_pictures import Trace, draw_traces
from handrail.layers.steps import longest_row, pad_steps
from handrail.shapes import SeriesShape, StepShape

State = tuple[Tensor, Tensor, Tensor, Each, Each, Links]
"Memory, weights of the reads and of the write, usage, precedence and links."


@component("model", name="dnc")
class DNC(nn.Module):
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
        units: Count = 64,
        locations: Count = 64,
        width: Count = 16,
        reads: Count = 1,
    ) -> None:
        super().__init__()
        self.length, self.locations, self.width, self.reads = outputs.length, locations, width, reads
        self.controller = Controller(controller, inputs.channels, reads * width, units)
        # Keys, the vector that is written; strengths; e, free gates, g_a and g_w; modes.
        self.sizes = ((reads + 2) * width, reads + 1, width + reads + 2, 3 * reads)
        self.interface = nn.Linear(units, sum(self.sizes))
        self.head = nn.Linear(units + reads * width, outputs.scores)
        initialise(self.interface, "xavier")
        initialise(self.head, "xavier")
        self.others: Tensor
        self.register_buffer("others", 1 - torch.eye(locations), persistent=False)

    def forward(self, x: Float[Tensor, "rows channels length"]) -> Float[Tensor, "rows length scores"]:
        """Raw scores at each step; zeros behind the end of the longest row of a batch."""
        return pad_steps(self.head(self._run(x)), self.length)

    def _run(
        self, x: Float[Tensor, "rows channels length"], trace: Trace | None = None
    ) -> Float[Tensor, "rows steps states"]:
        """[h_t, r_t] at each step."""
        rows = len(x)
        products = self.controller.outer(x[:, :, : longest_row(x)].permute(2, 0, 1))
        nothing = x.new_zeros(rows, self.locations)
        memory = x.new_zeros(rows, self.locations, self.width)
        weights = x.new_zeros(rows, self.reads, self.locations)
        links = x.new_zeros(rows, self.locations, self.locations)
        state: State = (memory, weights, nothing, nothing, nothing, links)
        reads = x.new_zeros(rows, self.reads * self.width)
        carried, found = self.controller.begin(rows), []
        for product in products.unbind(0):
            hidden, carried = self.controller.step(product, reads, carried)
            state = self._turn(hidden, state)
            reads = read(state[0], state[1]).flatten(1)
            found += [hidden, reads]
            if trace is not None:
                trace.add(state[1], state[2].unsqueeze(1))
        return torch.cat(found, dim=1).view(rows, len(products), self.head.in_features)

    def _turn(self, hidden: Float[Tensor, "rows units"], state: State) -> State:
        """Write, note the order, then place the heads that read."""
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

    @torch.no_grad()
    def activity(self, x: Float[Tensor, "rows channels length"]) -> Sequence[Picture]:
        """Where the heads read and wrote in the memory while the first row was read."""
        trace = Trace()
        self._run(x[:1], trace)
        return draw_traces(trace)
