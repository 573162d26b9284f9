"""How good samples are: two clouds of points beside each other, and whether one copies training rows."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from handrail.layers.energy_score import distances, energy_score

Cloud = Float[np.ndarray, "points width"]
_AT_ONCE = 1024  # rows whose distances are held at once, at most
_DISTANCES = 1 << 22  # that are held at once: 32 MB in double precision
_PERMUTATIONS = 999
NEAR = 0.05  # the share of held-out rows that lie as near to a training row as a copy does
_SEED = 31


def energy_scores(rows: Cloud, draws: Cloud) -> Float[np.ndarray, " points"]:
    """E‖x − G‖ − ½·E‖G − G′‖ of each row. Source: Gneiting & Raftery 2007"""
    whole, tensor = torch.from_numpy(draws).double(), torch.from_numpy(rows).double()
    return np.concatenate([energy_score(some, whole).numpy() for some in tensor.split(_AT_ONCE)])


def precision_and_recall(
    real: Cloud, generated: Cloud, *, k: int = 3
) -> tuple[Bool[np.ndarray, " generated"], Bool[np.ndarray, " real"]]:
    """Which generated points lie among the real ones (precision), and which real ones among the generated.

    A point lies among others if it is no further from one of them than that one's k-th nearest neighbour.

    Source: Kynkäänmiemi et al. 2019
    """
    return _among(generated, real, k), _among(real, generated, k)


def _among(points: Cloud, cloud: Cloud, k: int) -> Bool[np.ndarray, " points"]:
    """A point counts as its own nearest neighbour, so that the radius is the (k + 1)-th smallest distance."""
    k = min(k, len(cloud) - 1)
    radii = np.concatenate([np.partition(some, k, axis=1)[:, k] for some in _distances(cloud, cloud)])
    return np.concatenate([(some <= radii).any(axis=1) for some in _distances(points, cloud)])


def frechet_distance(first: Cloud, second: Cloud) -> float:
    """‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2·(Σ₁Σ₂)^½): the squared distance between two normal laws (Wasserstein's, of
    order 2) with the means and covariances of the clouds; too large on few points.

    Source: Fréchet 1957; Heusel et al. 2017 (in the features of a network)
    """
    gap = first.mean(axis=0) - second.mean(axis=0)
    one, two = (np.atleast_2d(np.cov(cloud, rowvar=False)) for cloud in (first, second))
    values, vectors = np.linalg.eigh(one)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    shared = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ two @ root), 0)).sum()
    return max(0.0, float(gap @ gap + np.trace(one) + np.trace(two) - 2 * shared))


@dataclass(frozen=True, eq=False)
class Copying:
    """Whether draws lie nearer to training rows than to rows that were held out.

    Arguments:
        share: of the draws whose nearest real row is a training row.
        chance: the share of training rows among the real rows.
        p_value: how often a division of the real rows into as many by chance gave as large a share.
        places: of each draw, the nearest training row.
        own: the distance of each draw to it.
        held_out: the distance of each held-out row to its nearest training row.
    """

    share: float
    chance: float
    p_value: float
    places: Int[np.ndarray, " draws"]
    own: Float[np.ndarray, " draws"]
    held_out: Float[np.ndarray, " rows"]

    @property
    def excess(self) -> float:
        """(share − chance) / (1 − chance): 0 as by chance, 1 where all draws are nearest to training rows."""
        return (self.share - self.chance) / (1 - self.chance)

    @property
    def near(self) -> float:
        """The share of the draws that lie nearer to a training row than all but 5 % of held-out rows do."""
        return float((self.own < np.quantile(self.held_out, NEAR)).mean())


def copying(draws: Cloud, train: Cloud, held_out: Cloud) -> Copying:
    """Test whether the draws copy training rows.

    For a generator that has learned the law and not the rows, training and held-out rows can be exchanged:
    either is as often the nearest real row of a draw as there are such rows. The p-value is that of drawing
    anew which of the real rows were trained on, 999 times, which holds its level on any number of rows.
    Comparing distances to training rows alone, as the two-sample rank test does, takes draws that are only
    a little too near to the middle for copies.

    Raises: `ValueError` without training rows or without held-out rows.

    Source: Meehan, Chaudhuri & Dasgupta 2020 (the comparison); Fisher 1935 (permutation)
    """
    if not len(train) or not len(held_out):
        raise ValueError("training and held-out rows are needed")
    generator = np.random.default_rng(_SEED)
    count, real = len(train), len(train) + len(held_out)
    order = generator.permutation(real)  # so that among equal rows none comes first by what it is
    places = order[nearest(draws, np.concatenate([train, held_out])[order])[0]]
    hits = np.bincount(places, minlength=real)
    drawn = (hits[generator.permutation(real)[:count]].sum() for _ in range(_PERMUTATIONS))
    as_large = sum(hit >= hits[:count].sum() for hit in drawn)
    p_value = (1 + as_large) / (1 + _PERMUTATIONS)
    share = float(hits[:count].sum() / len(draws))
    return Copying(share, count / real, p_value, *nearest(draws, train), nearest(held_out, train)[1])


def nearest(points: Cloud, cloud: Cloud) -> tuple[Int[np.ndarray, " points"], Float[np.ndarray, " points"]]:
    """The place of the nearest point of a cloud, and the distance to it."""
    places, lengths = [], []
    for some in _distances(points, cloud):
        places.append(some.argmin(axis=1))
        lengths.append(some.min(axis=1))
    return np.concatenate(places), np.concatenate(lengths)


def _distances(first: Cloud, second: Cloud) -> Iterator[Float[np.ndarray, "some second"]]:
    rows, cloud = torch.from_numpy(first), torch.from_numpy(second)
    for some in rows.split(max(1, min(_AT_ONCE, _DISTANCES // max(1, len(cloud))))):
        yield distances(some, cloud).numpy()
