"""Controllers of networks with a memory: what decides at each step what is read and written.

What comes in from outside is multiplied once for all steps; a step adds what was read.
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handrail.layers.initialisations import initialise

Kind = Literal["lstm", "feedforward"]
Hidden = Float[Tensor, "rows units"]


class Controller(nn.Module):
    """h_t from the input x_t, the reads r_{t−1}, and of an LSTM the states h_{t−1} and c_{t−1}.

    feedforward   h_t = tanh(W·x_t + V·r_{t−1} + b)
    lstm          c_t = f·c_{t−1} + i·g, h_t = o·tanh(c_t), each gate of W·x_t + V·r_{t−1} + U·h_{t−1} + b

    An LSTM begins in states that are learned, and with a forget gate of bias 1.

    Arguments:
        inputs, reads, units: numbers of x_t, r_{t−1} and h_t.
    """

    def __init__(self, kind: Kind, inputs: int, reads: int, units: int) -> None:
        super().__init__()
        self.units, self.recurrent = units, kind == "lstm"
        gates = 4 * units if self.recurrent else units
        self.outer = nn.Linear(inputs, gates)
        self.inner = nn.Linear(reads + (units if self.recurrent else 0), gates, bias=False)
        initialise(self, "xavier")
        self.start = nn.Parameter(torch.zeros(2, units)) if self.recurrent else None
        if self.recurrent:
            with torch.no_grad():
                self.outer.bias[units : 2 * units] = 1.0

    def begin(self, rows: int) -> tuple[Hidden, ...]:
        """The states before the first step."""
        return () if self.start is None else tuple(each.expand(rows, -1) for each in self.start)

    def step(
        self,
        product: Float[Tensor, "rows gates"],
        reads: Float[Tensor, "rows reads"],
        state: tuple[Hidden, ...],
    ) -> tuple[Hidden, tuple[Hidden, ...]]:
        """h_t and the states after the step.

        Arguments:
            product: W·x_t + b.
        """
        if not self.recurrent:
            hidden = torch.addmm(product, reads, self.inner.weight.T).tanh()
            return hidden, ()
        last, cells = state
        gates = torch.addmm(product, torch.cat([reads, last], dim=1), self.inner.weight.T)
        opened = gates[:, : 3 * self.units].sigmoid()
        entering, kept, leaving = opened.chunk(3, dim=1)
        cells = torch.addcmul(kept * cells, entering, gates[:, 3 * self.units :].tanh())
        hidden = leaving * cells.tanh()
        return hidden, (hidden, cells)
