"""Whether hyperplanes part the classes of some rows."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_LARGEST = 200_000  # numbers in the programme: below a second or two
_INFEASIBLE = 2


def are_separable(rows: Float[np.ndarray, "n width"], codes: Int[np.ndarray, " n"]) -> bool | None:
    """Whether W with (w_y − w_k)·(x, 1) ≥ 1 for each row x of class y and each other class k exists.

    For two classes that is one hyperplane between them. A linear programme without an aim answers it; None
    where it would be too large, or gives no answer.

    Source: Mangasarian 1965; classes: Duda & Hart 1973 (Kesler's construction)
    """
    points = np.column_stack([rows, np.ones(len(rows))]).astype(np.float64)
    points, place = np.unique(np.column_stack([codes, points]), axis=0, return_index=True)
    codes, points = codes[place], points[:, 1:]
    present, codes = np.unique(codes, return_inverse=True)
    classes = len(present)
    if classes < 2:
        return True
    if points.size * max(1, classes - 1) > _LARGEST:
        return None
    # Of equal size, so that the solver's tolerances mean the same for every column.
    points = points / np.maximum(np.abs(points).max(axis=0), np.finfo(np.float64).tiny)
    rows, width = points.shape
    if classes == 2:
        constraints, aim, count = points * np.where(codes == 1, 1.0, -1.0)[:, None], np.zeros(width), rows
    else:
        constraints, aim = _differences(points, codes, classes), np.zeros(width * classes)
        count = rows * (classes - 1)
    from scipy.optimize import linprog

    found = linprog(aim, A_ub=-constraints, b_ub=-np.ones(count), bounds=(None, None))
    return True if found.status == 0 else False if found.status == _INFEASIBLE else None


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
