"""Distances between rows and centres."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


def squared_distances(
    rows: Float[Tensor, "rows width"], centres: Float[Tensor, "centres width"]
) -> Float[Tensor, "rows centres"]:
    """‖x − c‖² = ‖x‖² − 2·x·c + ‖c‖², for every row and centre, never below 0.

    One matrix product in place of a difference for each pair. Both are shifted by the mean of the centres
    first: of rows that lie far from 0 the three terms would cancel each other's digits.
    """
    middle = centres.mean(dim=0)
    rows, centres = rows - middle, centres - middle
    lengths = rows.square().sum(dim=1, keepdim=True) + centres.square().sum(dim=1)
    return torch.addmm(lengths, rows, centres.T, alpha=-2).clamp_min(0)


class Nearness(nn.Module):
    """max(0, d̄ − d_k), with d_k the distance of a row to centre k and d̄ the mean over all centres.

    Arguments:
        centres: where they begin; they are learned like any weights.

    Source: Coates, Lee & Ng 2011 ("triangle")
    """

    def __init__(self, centres: Float[Tensor, "centres width"]) -> None:
        super().__init__()
        self.centres = nn.Parameter(centres)

    def forward(self, x: Float[Tensor, "rows width"]) -> Float[Tensor, "rows centres"]:
        distances = squared_distances(x, self.centres).clamp_min(1e-12).sqrt()
        return (distances.mean(dim=1, keepdim=True) - distances).clamp_min(0)
