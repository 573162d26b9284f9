"""A text of symbols, each of which hangs on the one before, by a law that is known."""

from typing import Annotated

import numpy as np
import polars as pl
from jaxtyping import Float
from pydantic import Field

from handrail.components import component
from handrail.data.sources.toys.toy import Rows, Seed, Toy

Symbols = Annotated[int, Field(ge=2, le=26)]
_ALPHABET = "abcdefghijklmnopqrstuvwxyz"


@component("toy")
def chain(
    *,
    rows: Rows = 2000,
    length: Annotated[int, Field(ge=2, le=10_000)] = 50,
    symbols: Symbols = 5,
    seed: Seed = 0,
) -> Toy:
    """Lines of a Markov chain of order 1 (`data.task=next-token`), whose transitions the seed draws.

    No model of the text gets below the chain's entropy, −Σ π_a·P_ab·ln P_ab nats a symbol.

    Arguments:
        rows: lines.
        length: symbols of a line.
        symbols: letters from a on.

    Source: Markov 1913
    """
    generator = np.random.default_rng(seed)
    cumulated = transitions(symbols, seed).cumsum(axis=1)
    states = generator.integers(0, symbols, rows)
    drawn = np.empty((rows, length), dtype=np.int64)
    for step in range(length):
        drawn[:, step] = states
        states = (generator.random((rows, 1)) > cumulated[states]).sum(axis=1).clip(0, symbols - 1)
    letters = np.array(list(_ALPHABET))[drawn]
    return Toy(pl.DataFrame({"text": ["".join(line) for line in letters]}), [])


def transitions(symbols: int, seed: int) -> Float[np.ndarray, "symbols symbols"]:
    """The probability of each symbol, a column, after each, a row: uniform draws, squared and scaled."""
    drawn = np.random.default_rng([seed, 1913]).dirichlet(np.ones(symbols), symbols) ** 2
    return drawn / drawn.sum(axis=1, keepdims=True)
