"""How far a mean moves whose terms depend on their neighbours, as those of overlapping forecasts do."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.fft import dct

_MOST_MEMORY = 0.97
_FEWEST = 4  # blocks from which a memory can be told at all


class Spread(NamedTuple):
    """The standard error of a mean, and the degrees of freedom of that error itself (for Student's t)."""

    error: float
    freedom: int


def independent_blocks(terms: Float[np.ndarray, " rows"], block: int, *, caution: float = 0.0) -> float:
    """How many independent blocks a series is worth: blocks·(1 − ρ) / (1 + ρ), ρ from block to block.

    Arguments:
        terms: in the order of time.
        block: rows that share values with each other; ρ is the correlation of the means of neighbours.

        caution: how many standard errors ρ is taken larger than it was measured.

    Source: Bayley & Hammersley 1946, for an autoregression of first order
    """
    whole = len(terms) // block
    if whole < _FEWEST:
        return 0.0
    means = terms[: whole * block].reshape(whole, block).mean(axis=1)
    means = means - means.mean()
    power = float(means @ means)
    correlation = float(means[1:] @ means[:-1]) / power if power > 0 else 0.0
    correlation += caution * float(np.sqrt((1 - correlation**2) / whole))
    correlation = float(np.clip(correlation, 0.0, _MOST_MEMORY))
    return len(terms) / block * (1 - correlation) / (1 + correlation)


def dependent_spread(terms: Float[np.ndarray, " rows"], blocks: float) -> Spread:
    """The standard error of a mean from the slow swings of its terms.

    With c_j = √(2 / n) Σ_t terms_t cos(π j (t − ½) / n), the long-run variance is the mean of c_1² … c_ν²,
    and (mean − true mean) / error has about Student's distribution with ν = 0.4·blocks^⅔ degrees of freedom.

    Arguments:
        terms: in the order of time.
        blocks: of `independent_blocks`.

    Source: Lazarus, Lewis, Stock & Watson 2018 (equal-weighted cosines), with blocks in place of rows
    """
    rows, frequencies = len(terms), int(0.4 * blocks ** (2 / 3))
    swings = np.asarray(dct(terms - terms.mean()))
    sums = swings[1 : frequencies + 1] / 2  # Σ_t terms_t cos(π j (t − ½) / n)
    error = float(np.sqrt(2 * (sums**2).mean()) / rows) if frequencies else np.nan
    return Spread(error, frequencies)
