"""Whether hyperplanes part the classes of some rows, and by which margin."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float, Int

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_LARGEST = 200_000  # numbers in the programme: below a second or two
_LARGEST_DENSE = 1_000_000  # numbers in the constraints of the widest margin
_INFEASIBLE = 2
_ALLOWED = 1e-6  # by which a difference may fall short of 1


class Separation(NamedTuple):
    """The hyperplanes with the widest margin.

    weights: `[units, width + 1]`, the bias last: one unit for two classes (above 0 is the second one), else
    one a class; the smallest with a difference of at least 1 for each row. margin: γ = 1/‖weights‖, the
    least difference for ‖weights‖ = 1. radius: R, the length of the longest row with the 1 of the bias.
    """

    weights: Float[np.ndarray, "units inputs"]
    margin: float
    radius: float

    @property
    def changes(self) -> int:
        """Novikoff's bound on the changes of a perceptron that begins at 0: (R/γ)², twice that for classes
        with a unit each.
        """
        return int((1 + (len(self.weights) > 1)) * (self.radius / self.margin) ** 2 * (1 + 1e-9))


def are_separable(rows: Float[np.ndarray, "n width"], codes: Int[np.ndarray, " n"]) -> bool | None:
    """Whether W with (w_y − w_k)·(x, 1) ≥ 1 for each row x of class y and each other class k exists.

    For two classes that is one hyperplane between them. A linear programme without an aim answers it; None
    where it would be too large, or gives no answer.

    Source: Mangasarian 1965; classes: Duda & Hart 1973 (Kesler's construction)
    """
    points, codes, classes = _distinct(rows, codes)
    if classes < 2:
        return True
    if points.size * max(1, classes - 1) > _LARGEST:
        return None
    # Of equal size, so that the solver's tolerances mean the same for every column.
    points = points / np.maximum(np.abs(points).max(axis=0), np.finfo(np.float64).tiny)
    constraints = _constraints(points, codes, classes)
    from scipy.optimize import linprog

    aim = np.zeros(points.shape[1] * (1 if classes == 2 else classes))
    count = len(points) * (classes - 1)
    found = linprog(aim, A_ub=-constraints, b_ub=-np.ones(count), bounds=(None, None))
    return True if found.status == 0 else False if found.status == _INFEASIBLE else None


def widest_separation(rows: Float[np.ndarray, "n width"], codes: Int[np.ndarray, " n"]) -> Separation | None:
    """The hyperplanes through the origin of (x, 1) that part the classes with the widest margin.

    It is the least ‖W‖ with (w_y − w_k)·(x, 1) ≥ 1, found exactly by non-negative least squares. None where
    no hyperplane parts them, where there is only one class, and where there are too many rows to tell.

    Source: Lawson & Hanson 1974 (least distance programming); the margin: Novikoff 1962
    """
    points, numbers, classes = _distinct(rows, codes)
    size = points.size * max(1, classes - 1) * (classes if classes > 2 else 1)
    if classes < 2 or size > _LARGEST_DENSE or not are_separable(rows, codes):
        return None
    radius = float(np.linalg.norm(points, axis=1).max())
    constraints = _constraints(points / radius, numbers, classes)
    dense = constraints if isinstance(constraints, np.ndarray) else constraints.toarray()
    from scipy.optimize import nnls

    # The residual of min ‖E·u − f‖, u ≥ 0, is (−v, 1)/(1 + ‖v‖²) with v the shortest solution.
    system = np.vstack([dense.T, np.ones(len(dense))])
    aim = np.append(np.zeros(dense.shape[1]), 1.0)
    try:
        residual = aim - system @ nnls(system, aim, maxiter=10 * len(dense) + 100)[0]
    except RuntimeError:
        return None
    weights = -residual[:-1] / max(residual[-1], 1e-300)
    if (dense @ weights).min() < 1 - _ALLOWED:
        return None
    margin = radius / float(np.linalg.norm(weights))
    return Separation((weights / radius).reshape(-1, points.shape[1]), margin, radius)


def _distinct(
    rows: np.ndarray, codes: np.ndarray
) -> tuple[Float[np.ndarray, "n inputs"], Int[np.ndarray, " n"], int]:
    """Different rows with a 1 for the bias, their classes from 0 on, and the number of classes."""
    points = np.column_stack([rows, np.ones(len(rows))]).astype(np.float64)
    points, place = np.unique(np.column_stack([codes, points]), axis=0, return_index=True)
    present, numbers = np.unique(codes[place], return_inverse=True)
    return points[:, 1:], numbers, len(present)


def _constraints(points: np.ndarray, codes: np.ndarray, classes: int) -> "np.ndarray | csr_array":
    """A row a for each a·w ≥ 1."""
    if classes == 2:
        return points * np.where(codes == 1, 1.0, -1.0)[:, None]
    return _differences(points, codes, classes)


def _differences(points: np.ndarray, codes: np.ndarray, classes: int) -> "csr_array":
    """A row for each point and each class that is not its own: +x for the own, −x for the other."""
    from scipy.sparse import csr_array, kron, vstack

    parts = []
    for own in range(classes):
        of_class = points[codes == own]
        for other in range(classes):
            if other != own:
                signs = np.zeros((1, classes))
                signs[0, own], signs[0, other] = 1.0, -1.0
                parts.append(csr_array(kron(csr_array(signs), csr_array(of_class))))
    return csr_array(vstack(parts))
