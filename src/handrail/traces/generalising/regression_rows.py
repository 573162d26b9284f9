"""Rows of numbers with a target behind them, as settings give them."""

import numpy as np
from jaxtyping import Float

from handrail.errors import DataError


def regression_rows(
    table: list[list[float]],
) -> tuple[Float[np.ndarray, "rows weights"], Float[np.ndarray, " rows"]]:
    """The numbers, and the targets.

    Raises: `DataError` for rows of several lengths, and without a number other than 0 before the targets.
    """
    if len({len(row) for row in table}) != 1 or len(table[0]) < 2:
        raise DataError("table: expected rows of one length, each of one number or more and a target.")
    known = np.array(table, dtype=np.float64)
    if not known[:, :-1].any():
        raise DataError("table: all numbers before the targets are 0; expected others, to be weighted.")
    return known[:, :-1], known[:, -1]
