"""Gibbs sampling of binary units that are all connected, for many chains at once."""

import torch
from jaxtyping import Float
from torch import Tensor

_BLOCK = 32  # units whose common input from the others is one product of matrices


def gibbs_sweep(
    states: Float[Tensor, "units chains"],
    weights: Float[Tensor, "units units"],
    bias: Float[Tensor, " units"],
    *,
    generator: torch.Generator,
    first: int = 0,
    beta: float = 1.0,
) -> None:
    """Draw the units one after the other, in place: p(s_i = 1 | the others) = σ(β·(Σ_j w_ij·s_j + b_i)).

    A unit has to know those that were drawn before it. So the units go in blocks: what all others send to a
    block is one product, and only within it each unit takes a product of its own. A uniform number u says 1
    where the input is above log u / (1 − u), which is put into the biases.

    Arguments:
        states: of 0 and 1, but for units before `first`, which may have any values.
        weights: symmetric, the diagonal 0.
        first: units before this one keep their state: they are clamped.
        beta: the inverse temperature, above 0.

    Source: Geman & Geman 1984
    """
    units, chains = states.shape
    inputs = states.new_empty(chains)
    for start in range(first, units, _BLOCK):
        stop = min(start + _BLOCK, units)
        block, within = states[start:stop], weights[start:stop, start:stop]
        chance = torch.rand(block.shape, generator=generator, device=generator.device).to(states)
        lifted = bias[start:stop].unsqueeze(1) - torch.logit(chance) / beta
        outside = torch.addmm(lifted, weights[start:stop], states).addmm_(within, block, alpha=-1)
        for other, row, own in zip(outside, within, block, strict=True):
            torch.addmv(other, block.T, row, out=inputs)
            torch.gt(inputs, 0, out=own)
