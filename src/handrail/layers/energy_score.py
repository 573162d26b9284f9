"""How near draws come to a row: a score that the true law alone makes smallest."""

import torch
from jaxtyping import Float
from torch import Tensor

_EXACT_WIDTH = 32  # numbers in a row up to which distances are summed up, not found by a product


def energy_score(
    rows: Float[Tensor, "rows width"], draws: Float[Tensor, "draws width"]
) -> Float[Tensor, " rows"]:
    """E‖x − G‖ − ½·E‖G − G′‖ of each row x, over draws G, and over pairs of different draws G, G′.

    Without bias for a law that the draws come from independently. Its mean over rows is least, among all
    laws, for that of the rows (a strictly proper scoring rule).

    Source: Gneiting & Raftery 2007
    """
    return distances(rows, draws).mean(dim=1) - mean_distance(draws) / 2


def mean_distance(draws: Float[Tensor, "draws width"]) -> Float[Tensor, ""]:
    """The mean ‖G − G′‖ over pairs of different draws; 0 for a single one."""
    return distances(draws, draws).sum() / max(len(draws) * (len(draws) - 1), 1)


def distances(
    first: Float[Tensor, "first width"], second: Float[Tensor, "second width"]
) -> Float[Tensor, "first second"]:
    """‖x − y‖ of each pair."""
    mode = "donot_use_mm_for_euclid_dist" if first.shape[1] <= _EXACT_WIDTH else "use_mm_for_euclid_dist"
    return torch.cdist(first, second, compute_mode=mode)
