"""What networks with a memory share: a controller, step by step, and heads that it places in the memory."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handrail.components.pictures import Picture
from handrail.layers.controllers import Controller, Kind
from handrail.layers.initialisations import initialise
from handrail.layers.memory_addressing import MemoryMatrix, Weights, read
from handrail.layers.memory_pictures import Trace, draw_traces
from handrail.layers.steps import longest_row, pad_steps
from handrail.shapes import SeriesShape, StepShape

State = tuple[Any, ...]
"The memory, and what else is carried from step to step."


class MemoryNetwork(nn.Module):
    """Scores W·[h_t, r_t] + b at each step, of the controller's state and of what was read.

    Arguments:
        inputs, outputs: series, and scores at each of their steps.
        controller, units: its kind and its units.
        reads, width: how many heads read, and how many numbers each.
        numbers: that the controller sets at each step.
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
        controller: Kind,
        units: int,
        reads: int,
        width: int,
        numbers: int,
    ) -> None:
        super().__init__()
        self.length, self.reads, self.width = outputs.length, reads, width
        self.controller = Controller(controller, inputs.channels, reads * width, units)
        self.interface = nn.Linear(units, numbers)
        self.head = nn.Linear(units + reads * width, outputs.scores)
        initialise(self.interface, "xavier")
        initialise(self.head, "xavier")

    @abstractmethod
    def begin(self, x: Float[Tensor, "rows channels length"]) -> tuple[Float[Tensor, "rows reads"], State]:
        """What was read before the first step, and the state then."""

    @abstractmethod
    def turn(self, hidden: Float[Tensor, "rows units"], state: State) -> State:
        """The state after a step; the memory comes first."""

    @abstractmethod
    def heads(self, state: State) -> tuple[Weights, Float[Tensor, "rows writing locations"]]:
        """Where the heads that read stand, and those that write."""

    def forward(self, x: Float[Tensor, "rows channels length"]) -> Float[Tensor, "rows length scores"]:
        """Raw scores at each step; zeros behind the end of the longest row of a batch."""
        return pad_steps(self.head(self._run(x)), self.length)

    def _run(
        self, x: Float[Tensor, "rows channels length"], trace: Trace | None = None
    ) -> Float[Tensor, "rows steps states"]:
        """[h_t, r_t] at each step."""
        rows = len(x)
        products = self.controller.outer(x[:, :, : longest_row(x)].permute(2, 0, 1))
        reads, state = self.begin(x)
        carried, found = self.controller.begin(rows), []
        for product in products.unbind(0):
            hidden, carried = self.controller.step(product, reads, carried)
            state = self.turn(hidden, state)
            memory: MemoryMatrix = state[0]
            reading, writing = self.heads(state)
            reads = read(memory, reading).flatten(1)
            found += [hidden, reads]
            if trace is not None:
                trace.add(reading, writing)
        return torch.cat(found, dim=1).view(rows, len(products), self.head.in_features)

    @torch.no_grad()
    def activity(self, x: Float[Tensor, "rows channels length"]) -> Sequence[Picture]:
        """Where the heads read and wrote in the memory while the first row was read."""
        trace = Trace()
        self._run(x[:1], trace)
        return draw_traces(trace)
