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


def class_energy_scores(
    rows: Float[Tensor, "rows width"],
    draws: Float[Tensor, "classes draws width"],
    shares: Float[Tensor, " classes"],
) -> Float[Tensor, "rows scores"]:
    """The energy score of each row under the mixture Σ pₖ·Gₖ of laws with these shares, and under each Gₖ."""
    classes, count = draws.shape[:2]
    flat = draws.flatten(0, 1)  # [classes · draws, width]
    near = distances(rows, flat).unflatten(1, (classes, count)).mean(dim=2)  # [rows, classes]
    between = distances(flat, flat).view(classes, count, classes, count).sum(dim=(1, 3))
    pairs = between.new_full((classes, classes), count**2).fill_diagonal_(max(count * (count - 1), 1))
    within = between / pairs  # [classes, classes]
    mixed = near @ shares - shares @ within @ shares / 2
    return torch.cat([mixed.unsqueeze(1), near - within.diagonal() / 2], dim=1)


def mean_distance(draws: Float[Tensor, "draws width"]) -> Float[Tensor, ""]:
    """The mean ‖G − G′‖ over pairs of different draws; 0 for a single one."""
    return distances(draws, draws).sum() / max(len(draws) * (len(draws) - 1), 1)


def distances(
    first: Float[Tensor, "first width"], second: Float[Tensor, "second width"]
) -> Float[Tensor, "first second"]:
    """‖x − y‖ of each pair."""
    mode = "donot_use_mm_for_euclid_dist" if first.shape[1] <= _EXACT_WIDTH else "use_mm_for_euclid_dist"
    return torch.cdist(first, second, compute_mode=mode)
