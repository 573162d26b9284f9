"""A text of sums, part of which is chance and the rest certain."""

from typing import Annotated

import numpy as np
import polars as pl
from pydantic import Field

from handrail.components import component
from handrail.data.sources.toys.toy import Rows, Seed, Toy


@component("toy")
def sums(
    *,
    rows: Rows = 4000,
    each: Annotated[int, Field(ge=1, le=100)] = 8,
    digits: Annotated[int, Field(ge=1, le=9)] = 1,
    seed: Seed = 0,
) -> Toy:
    """A text of sums to be continued (`data.task=next-token`): 7+5=21 3+4=70 …, results written backwards.

    Both numbers are uniform, and the result follows from them: a sum costs 2·digits·ln 10 nats, and no model
    of the text gets below that. Written from its last digit on, a result needs a carry alone at each step.

    Arguments:
        rows: lines.
        each: sums of a line.
        digits: of each of the two numbers; the result has one more.

    Source: Lee, Sreenivasan, Lee, Lee & Papailiopoulos 2023
    """
    numbers = np.random.default_rng(seed).integers(0, 10**digits, (rows, each, 2)).tolist()
    lines = [" ".join(_write(first, second, digits) for first, second in line) for line in numbers]
    return Toy(pl.DataFrame({"text": lines}), [])


def _write(first: int, second: int, digits: int) -> str:
    return f"{first:0{digits}}+{second:0{digits}}={f'{first + second:0{digits + 1}}'[::-1]}"
