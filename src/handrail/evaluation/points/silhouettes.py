"""Silhouettes: how much nearer rows are to their own cluster than to the next."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

_REFERENCE = 4000
_AT_ONCE = 1 << 23  # distances held at once


class Silhouettes(NamedTuple):
    """The silhouette of each row, and how the rows' mean hangs on each as a neighbour of the others.

    values: not a number where all rows are in one cluster.
    pulls: of each row j Σᵢ ∂sᵢ/∂wⱼ, were rows given weights w: what other rows like it would add to the mean,
    beside its own silhouette, times their number.
    """

    values: Float[np.ndarray, " rows"]
    pulls: Float[np.ndarray, " rows"]

    @property
    def influence(self) -> Float[np.ndarray, " rows"]:
        """A number a row, with the mean of the silhouettes, and the spread that its error comes of.

        Source: Hampel 1974 (influence functions)
        """
        return self.values + self.pulls - self.pulls.mean()

    def take(self, rows: Int[np.ndarray, " some"]) -> "Silhouettes":
        return Silhouettes(self.values[rows], self.pulls[rows])


def silhouettes(
    points: Float[np.ndarray, "rows width"], codes: Int[np.ndarray, " rows"], *, seed: int = 0
) -> Silhouettes:
    """(b − a) / max(a, b) of each row: its mean distance a to the rows of its own cluster, and b to those of
    the nearest other one; 0 for a row that is alone, not a number where all are in one cluster.

    Of more than 4,000 rows, distances are measured to 4,000 of them, drawn at random.

    Source: Rousseeuw 1987
    """
    import torch

    clusters, places = np.unique(codes, return_inverse=True)
    if len(clusters) < 2:
        return Silhouettes(np.full(len(codes), np.nan), np.full(len(codes), np.nan))
    chosen = np.arange(len(codes))
    if len(codes) > _REFERENCE:
        chosen = np.sort(np.random.default_rng(seed).choice(len(codes), _REFERENCE, replace=False))
    members = np.eye(len(clusters))[places[chosen]]  # [reference, clusters]
    rows = torch.from_numpy(np.ascontiguousarray(points, dtype=np.float64))
    reference, own = rows[torch.from_numpy(chosen)], places[chosen]
    values, inside = np.empty(len(codes)), np.zeros(len(codes))
    inside[chosen] = 1
    pulled = np.zeros(len(chosen))
    step = max(1, _AT_ONCE // len(chosen))
    for start in range(0, len(codes), step):
        part = slice(start, start + step)
        distances = torch.cdist(rows[part], reference, compute_mode="donot_use_mm_for_euclid_dist").numpy()
        values[part], slopes, means = _of_rows(
            distances @ members, members.sum(axis=0), places[part], inside[part]
        )
        moved = distances.T @ slopes - (slopes * means).sum(axis=0)
        pulled += moved[np.arange(len(chosen)), own]
        among = np.flatnonzero(inside[part])  # a row does not pull at itself, where its distance is 0
        at, cluster = np.searchsorted(chosen, start + among), places[part][among]
        pulled[at] += slopes[among, cluster] * means[among, cluster]
    pulls = np.zeros(len(codes))
    pulls[chosen] = pulled
    return Silhouettes(values, pulls)


def _of_rows(
    sums: Float[np.ndarray, "rows clusters"],
    sizes: Float[np.ndarray, " clusters"],
    own: Int[np.ndarray, " rows"],
    inside: Float[np.ndarray, " rows"],
) -> tuple[np.ndarray, Float[np.ndarray, "rows clusters"], Float[np.ndarray, "rows clusters"]]:
    """Silhouettes, ∂s/∂(a sum of distances to a cluster) of each row, and its mean distances.

    Arguments:
        sums: of the distances of each row to the rows of each cluster. sizes: of the clusters.
        own: the cluster of each row. inside: 1 for a row that is among those of the clusters.
    """
    at = np.arange(len(sums))
    counts = np.where(np.arange(len(sizes)) == own[:, None], sizes - inside[:, None], sizes)
    means = sums / np.maximum(counts, 1)
    a, others = means[at, own], np.where(counts > 0, means, np.inf)
    others[at, own] = np.inf
    next_one = others.argmin(axis=1)
    b = others[at, next_one]
    known = (counts[at, own] > 0) & np.isfinite(b)
    b, largest = np.where(known, b, 0.0), np.maximum(np.maximum(a, np.where(known, b, 0.0)), 1e-300)
    slopes = np.zeros_like(sums)
    slopes[at, own] = np.where(a < b, -1, -b / largest) / largest / np.maximum(counts[at, own], 1) * known
    slopes[at, next_one] = np.where(a < b, a / largest, 1) / largest / np.maximum(sizes[next_one], 1) * known
    return np.where(known, (b - a) / largest, 0.0), slopes, means
