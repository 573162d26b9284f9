"""Principal components: the plane that gives rows back with the smallest squared error."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from handrail.layers.grids import Grid

_NUMBERS = 1 << 26  # that components are found from: half a gigabyte in double precision
_WIDEST = 2048  # numbers in a row, or rows, up to which all components are found exactly


@dataclass(frozen=True, eq=False)
class PrincipalComponents:
    """x̂ = m + (x − m)·Aᵀ·A, with m the mean of the rows that it was fitted on and A its main axes.

    Arguments:
        mean: m.
        axes: A, orthonormal.
        remark: that it was fitted on a sample, or loses nothing; empty where there is nothing to say.

    Source: Pearson 1901; Hotelling 1933
    """

    mean: Float[np.ndarray, " width"]
    axes: Float[np.ndarray, "components width"]
    remark: str = ""

    def encode(self, points: Float[np.ndarray, "rows width"]) -> Float[np.ndarray, "rows components"]:
        """The place of each row in the plane."""
        return (points - self.mean) @ self.axes.T

    def reconstruct(self, points: Float[np.ndarray, "rows width"]) -> Float[np.ndarray, "rows width"]:
        """The nearest point of the plane to each row."""
        return self.mean + self.encode(points) @ self.axes


def principal_components(
    points: Float[np.ndarray, "known width"], components: int, *, seed: int = 0
) -> PrincipalComponents:
    """The main components of rows, at most as many as there are rows or numbers in a row.

    Where both are more than 2,048, by a randomised method (Halko, Martinsson & Tropp 2011); of more than 67
    million numbers, from rows drawn at random.

    Source: Pearson 1901
    """
    from sklearn.decomposition import PCA

    rows, width = points.shape
    remarks = []
    if rows * width > _NUMBERS:
        chosen = np.random.default_rng(seed).choice(rows, max(1, _NUMBERS // width), replace=False)
        points = points[np.sort(chosen)]
        remarks.append(f"fitted on {len(points):,} of {rows:,} training rows")
    if components >= width:
        remarks.append(f"given as many components as a row has numbers ({width:,}), and so loses nothing")
    kept = min(components, *points.shape)
    with np.errstate(all="ignore"):  # rows that are all alike have no variance to divide by
        fitted = PCA(kept, svd_solver=_solver(points.shape), random_state=seed).fit(points.astype(np.float64))
    assert fitted.components_ is not None, "it is fitted"
    return PrincipalComponents(fitted.mean_, fitted.components_, " and ".join(remarks))


def _solver(shape: tuple[int, ...]) -> str:
    rows, width = shape
    if width <= _WIDEST and rows > width:
        return "covariance_eigh"
    return "full" if min(rows, width) <= _WIDEST else "randomized"


def lay_plane(grid: Grid, rows: Float[Tensor, "rows width"]) -> Float[Tensor, "units width"]:
    """The units of a grid in the plane of the two main components of rows, its longer side along the first.

    m_k = m + Σ_a s_a·z_ka·v_a, with the units' places z standardised, the components v and the standard
    deviations s of the rows along them: units have the mean of the rows, and their variances in the plane.

    Source: Kohonen 2001
    """
    plane = principal_components(rows.cpu().numpy(), 2)
    spreads = np.nan_to_num(plane.encode(rows.cpu().double().numpy()).std(axis=0))
    places = grid.places - grid.places.mean(dim=0)
    places = places[:, places.square().mean(dim=0).argsort(descending=True, stable=True)]
    places = places / places.square().mean(dim=0).sqrt().clamp_min(1e-12)
    moves = places[:, : len(spreads)].numpy() * spreads
    return torch.from_numpy(plane.mean + moves @ np.nan_to_num(plane.axes)).to(rows)
