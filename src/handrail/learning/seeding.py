"""Rows to begin with: a sample of the training rows, and centres among them by k-means++."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handrail.layers.distances import squared_distances
from handrail.learning.rule import Batch
from handrail.network import model_inputs

_ROWS = 65_536
_NUMBERS = 1 << 26  # in a sample


@torch.no_grad()
def sample_rows(
    network: nn.Module, rows: Batch, generator: torch.Generator, *, most: int = _ROWS
) -> Float[Tensor, "sample width"]:
    """Training rows as the model is given them, flat: all of them, or a random sample of at most `most`."""
    width = model_inputs(network, rows.cut(0, 1).inputs).numel()
    most = max(1, min(most, _NUMBERS // max(width, 1)))
    places = torch.randperm(len(rows), generator=generator)[:most].sort().values
    training = network.training
    network.eval()  # as they are, not augmented
    parts = [model_inputs(network, rows.take(part).inputs).flatten(1) for part in places.split(8192)]
    network.train(training)
    return torch.cat(parts)


def seed_centres(
    rows: Float[Tensor, "rows width"], clusters: int, generator: torch.Generator
) -> Float[Tensor, "clusters width"]:
    """Rows as centres: each is drawn with a chance that grows with its squared distance from those before.

    Of 2 + ln k candidates the one is taken that leaves the smallest sum of distances. Where no row is away
    from a centre any more, any row is drawn.

    Arguments:
        clusters: at most the number of rows.
        generator: of the CPU.

    Source: Arthur & Vassilvitskii 2007 (k-means++ and its greedy form)
    """
    candidates = 2 + int(math.log(clusters))
    first = int(torch.randint(len(rows), (1,), generator=generator))
    chosen = [first]
    nearest = squared_distances(rows, rows[first : first + 1]).squeeze(1).double()
    for _ in range(clusters - 1):
        total = nearest.cumsum(0)
        if float(total[-1]) > 0:
            draws = torch.rand(candidates, generator=generator, dtype=torch.float64).to(rows.device)
            places = torch.searchsorted(total, draws * total[-1]).clamp_max(len(rows) - 1)
        else:
            places = torch.randint(len(rows), (candidates,), generator=generator).to(rows.device)
        left = torch.minimum(nearest.unsqueeze(1), squared_distances(rows, rows[places]).double())
        best = int(left.sum(dim=0).argmin())
        chosen.append(int(places[best]))
        nearest = left[:, best]
    return rows[chosen].clone()
