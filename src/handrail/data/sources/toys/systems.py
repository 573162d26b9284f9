"""Systems whose next state follows from those before, by an equation that is known."""

from typing import Annotated

import numpy as np
import polars as pl
from jaxtyping import Float
from pydantic import Field

from handrail.components import component
from handrail.data.sources.toys.toy import Rows, Seed, Size, Toy

_INNER = 10  # steps of the integration for one row
_SETTLING = 1000  # rows that are left out


@component("toy")
def mackey_glass(
    *,
    rows: Rows = 4000,
    tau: Annotated[int, Field(ge=1, le=1000)] = 17,
    noise: Size = 0.0,
    seed: Seed = 0,
) -> Toy:
    """dy/dt = 0.2·y(t − τ) / (1 + y(t − τ)¹⁰) − 0.1·y(t), a row a unit of time; chaotic from τ = 17 on.

    By Runge and Kutta's fourth order in steps of a tenth, from a start near 1.2; the first 1,000 rows are
    left out.

    Arguments:
        rows: steps in time.
        tau: the delay τ.
        noise: the standard deviation of what is added to each row, and not to the system.
        seed: draws the start and the noise.

    Source: Mackey & Glass 1977
    """
    generator = np.random.default_rng(seed)
    y = _integrate(1.2 + 0.2 * (generator.random(tau * _INNER + 1) - 0.5), tau, rows + _SETTLING)[_SETTLING:]
    return Toy(pl.DataFrame({"step": np.arange(rows), "y": y + noise * generator.standard_normal(rows)}), "y")


def _integrate(start: Float[np.ndarray, " past"], tau: int, rows: int) -> Float[np.ndarray, " rows"]:
    delay, size = tau * _INNER, 1 / _INNER
    values = start.tolist()  # plain numbers are quicker one by one

    def slope(now: float, past: float) -> float:
        return 0.2 * past / (1 + past**10) - 0.1 * now

    for _ in range(rows * _INNER):
        now, past, next_past = values[-1], values[-1 - delay], values[-delay]
        middle = (past + next_past) / 2
        first = slope(now, past)
        second = slope(now + size / 2 * first, middle)
        third = slope(now + size / 2 * second, middle)
        fourth = slope(now + size * third, next_past)
        values.append(now + size / 6 * (first + 2 * second + 2 * third + fourth))
    return np.array(values[len(start) - 1 + _INNER :: _INNER])
