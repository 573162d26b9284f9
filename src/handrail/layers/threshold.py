"""Threshold units with weights that are set and never trained."""

from collections.abc import Collection

import torch
from jaxtyping import Float
from torch import Tensor, nn


class ThresholdLayer(nn.Module):
    """McCulloch–Pitts neurons: y = 1 where Σ w·x ≥ θ, else 0; no gradient flows through.

    weight `[units, inputs]` and threshold `[units]` are buffers, at 0 until they are set.

    Source: McCulloch & Pitts 1943
    """

    weight: Tensor
    threshold: Tensor

    def __init__(self, inputs: int, units: int) -> None:
        super().__init__()
        self.register_buffer("weight", torch.zeros(units, inputs))
        self.register_buffer("threshold", torch.zeros(units))

    def forward(self, x: Float[Tensor, "rows inputs"]) -> Float[Tensor, "rows units"]:
        return (x @ self.weight.T >= self.threshold).to(x.dtype)

    @torch.no_grad()
    def set_neuron(
        self, unit: int, *, excitatory: Collection[int], inhibitory: Collection[int] = (), threshold: int = 1
    ) -> None:
        """The neuron of 1943: it fires where θ or more of its excitatory inputs are 1, and no inhibitory one.

        Each inhibitory input forbids it alone; inputs are 0 or 1. An inhibitory input is a weight of minus
        the number of excitatory ones, so that θ has to be above 0.

        Raises: `ValueError` for θ below 1 beside inhibitory inputs.
        """
        if inhibitory and threshold < 1:
            raise ValueError(f"found the threshold {threshold}, expected at least 1 beside inhibitory inputs")
        self.weight[unit] = 0.0
        self.weight[unit, list(excitatory)] = 1.0
        self.weight[unit, list(inhibitory)] = -float(len(excitatory))
        self.threshold[unit] = threshold
