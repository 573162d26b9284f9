"""Attention of a decoder on what an encoder has read."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn


class AdditiveAttention(nn.Module):
    """a = softmax over i of v·tanh(W·s + U·h_i + F·f_i + b), f = filters ∗ a_before: where to look, by what
    is there and what was next to it.

    s is the decoder's state, h_i the memory of step i, a_before the weights of the step before. The last
    term, which the paper of 2015 lacks, lets the gaze move on by a fixed distance, however long the row is.

    Arguments:
        memory: width of h.
        state: width of s.
        width: of v.
        filters: how many are slid over a_before.
        reach: steps that a filter sees on either side.

    Source: Bahdanau, Cho & Bengio 2015; location: Chorowski et al. 2015
    """

    def __init__(self, memory: int, state: int, width: int, *, filters: int = 8, reach: int = 2) -> None:
        super().__init__()
        self.memory = nn.Linear(memory, width)
        self.state = nn.Linear(state, width, bias=False)
        self.filters = nn.Conv1d(1, filters, 2 * reach + 1, padding=reach, bias=False)
        self.place = nn.Linear(filters, width, bias=False)
        self.energy = nn.Linear(width, 1, bias=False)  # a bias would cancel in the softmax

    def forward(
        self,
        state: Float[Tensor, "rows state"],
        keys: Float[Tensor, "rows length width"],
        there: Bool[Tensor, "rows length"],
        before: Float[Tensor, "rows length"],
    ) -> Float[Tensor, "rows length"]:
        """The weights of this step, which sum to 1 over those that are `there`.

        Arguments:
            keys: `self.memory(h)`, worked out once for all steps.
        """
        place = self.place(self.filters(before.unsqueeze(1)).transpose(1, 2))  # [rows, length, width]
        energy = self.energy(torch.tanh(self.state(state).unsqueeze(1) + keys + place)).squeeze(2)
        return energy.masked_fill(~there, -torch.inf).softmax(dim=1)
