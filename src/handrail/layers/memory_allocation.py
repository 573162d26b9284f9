"""How a differentiable neural computer finds room in its memory, and in what order it was written."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from handrail.layers.memory_addressing import Weights

_SMALL = 1e-6

Each = Float[Tensor, "rows locations"]
Links = Float[Tensor, "rows locations locations"]


def update_usage(usage: Each, written: Each, reads: Weights, free: Float[Tensor, "rows heads"]) -> Each:
    """u_t = (u_{t−1} + w − u_{t−1}·w)·ψ, with ψ = Π_h (1 − f_h·w_h): how far locations are taken.

    Arguments:
        written: w, the weights of the write one step before.
        reads: w_h, those of the reads one step before.
        free: f_h, from 0 to 1: whether what was read is let go of.

    Source: Graves et al. 2016, the section on memory allocation
    """
    kept = (1 - free.unsqueeze(2) * reads).prod(dim=1)
    return (usage + written - usage * written) * kept


def allocate(usage: Each) -> Each:
    """a(φ_j) = (1 − u(φ_j))·Π_{i<j} u(φ_i), where φ orders the locations, the least used first.

    The order itself has no derivative, and is taken as it is.

    Source: Graves et al. 2016, equation 1
    """
    usage = _SMALL + (1 - _SMALL) * usage
    ordered, order = torch.sort(usage, dim=1, stable=True)
    before = functional.pad(ordered[:, :-1].cumprod(dim=1), (1, 0), value=1.0)
    return torch.zeros_like(usage).scatter(1, order, (1 - ordered) * before)


def update_precedence(precedence: Each, written: Each) -> Each:
    """p_t = (1 − Σ_i w_t(i))·p_{t−1} + w_t: how far each location was the last one written.

    Source: Graves et al. 2016, the section on temporal links
    """
    return torch.addcmul(written, 1 - written.sum(dim=1, keepdim=True), precedence)


def update_links(
    links: Links, written: Each, precedence: Each, others: Float[Tensor, "locations locations"]
) -> Links:
    """L_t(i, j) = (1 − w(i) − w(j))·L_{t−1}(i, j) + w(i)·p_{t−1}(j): how far i was written next after j.

    Arguments:
        precedence: of the step before.
        others: 1, and 0 on the diagonal: no location comes after itself.

    Source: Graves et al. 2016, equation 2
    """
    column, row = written.unsqueeze(2), written.unsqueeze(1)
    kept = (1 - column - row) * links
    return torch.addcmul(kept, column, precedence.unsqueeze(1)) * others


def follow_links(
    links: Links, reads: Weights, content: Weights, modes: Float[Tensor, "rows heads 3"]
) -> Weights:
    """w_t = π₁·b_t + π₂·c_t + π₃·f_t: back, b = Lᵀ·w_{t−1}, by content, c, or on, f = L·w_{t−1}.

    Arguments:
        reads: w_{t−1}, of each head that reads.
        modes: π, three shares that sum to 1.

    Source: Graves et al. 2016, the section on temporal links
    """
    back, on = reads @ links, reads @ links.transpose(1, 2)
    first, second, third = modes.unsqueeze(3).unbind(dim=2)
    return first * back + second * content + third * on
