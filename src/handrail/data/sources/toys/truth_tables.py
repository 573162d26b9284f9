"""Truth tables: each combination of the inputs once, with what a function of logic says of it."""

from collections.abc import Callable
from typing import Annotated

import numpy as np
import polars as pl
from jaxtyping import Int
from pydantic import Field

from handrail.components import component
from handrail.data.sources.toys.toy import Toy, input_names

Inputs = Annotated[int, Field(ge=2, le=16)]
"How many inputs a truth table has: its rows are two to this power."
Sums = Int[np.ndarray, " rows"]


def truth_table(inputs: int, function: Callable[[Sums], np.ndarray]) -> Toy:
    """All 2ⁿ combinations, counted up in binary, the last input fastest.

    Arguments:
        function: what is true, by the number of inputs that are 1; all the tables here are symmetric.
    """
    bits = (np.arange(2**inputs)[:, None] >> np.arange(inputs - 1, -1, -1)) & 1
    columns = dict(zip(input_names(inputs), bits.T, strict=True))
    return Toy(pl.DataFrame({**columns, "y": function(bits.sum(axis=1)).astype(np.int64)}), "y")


@component("toy", name="not")
def negation() -> Toy:
    """NOT: y = 1 − x₁, two rows.

    Source: McCulloch & Pitts 1943
    """
    return truth_table(1, lambda ones: ones == 0)


@component("toy", name="and")
def conjunction() -> Toy:
    """AND: y = 1 where both inputs are 1; four rows, which a line separates.

    Source: McCulloch & Pitts 1943
    """
    return truth_table(2, lambda ones: ones == 2)


@component("toy", name="or")
def disjunction() -> Toy:
    """OR: y = 1 where an input is 1; four rows, which a line separates.

    Source: McCulloch & Pitts 1943
    """
    return truth_table(2, lambda ones: ones >= 1)


@component("toy", name="xor")
def exclusive_or() -> Toy:
    """XOR: y = 1 where exactly one input is 1; four rows, which no line separates.

    Source: Minsky & Papert 1969
    """
    return truth_table(2, lambda ones: ones == 1)


@component("toy", name="nand")
def not_and() -> Toy:
    """NAND: y = 0 where both inputs are 1; four rows, which a line separates.

    Source: Sheffer 1913
    """
    return truth_table(2, lambda ones: ones < 2)


@component("toy", name="nor")
def not_or() -> Toy:
    """NOR: y = 1 where both inputs are 0; four rows, which a line separates.

    Source: Sheffer 1913
    """
    return truth_table(2, lambda ones: ones == 0)


@component("toy", name="xnor")
def equivalence() -> Toy:
    """XNOR: y = 1 where both inputs are the same; four rows, which no line separates.

    Source: Minsky & Papert 1969
    """
    return truth_table(2, lambda ones: ones != 1)


@component("toy")
def parity(*, inputs: Inputs = 3) -> Toy:
    """Parity: y = (x₁ + … + xₙ) mod 2, 2ⁿ rows; each row differs from all its neighbours.

    Arguments:
        inputs: n.

    Source: Minsky & Papert 1969
    """
    return truth_table(inputs, lambda ones: ones % 2)


@component("toy")
def majority(*, inputs: Inputs = 3) -> Toy:
    """Majority: y = 1 where more than half of the n inputs are 1, 2ⁿ rows; a plane separates them.

    Arguments:
        inputs: n.

    Source: McCulloch & Pitts 1943
    """
    return truth_table(inputs, lambda ones: 2 * ones > inputs)
