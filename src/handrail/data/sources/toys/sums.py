"""A text of sums, whose every line is half chance and half certain."""

from typing import Annotated

import numpy as np
import polars as pl
from pydantic import Field

from handrail.components import component
from handrail.data.sources.toys.toy import Rows, Seed, Toy


@component("toy")
def sums(*, rows: Rows = 10_000, digits: Annotated[int, Field(ge=1, le=9)] = 3, seed: Seed = 0) -> Toy:
    """A text of sums to be continued (`data.task=next-token`): 047+985=2301, the result written backwards.

    Both numbers are uniform, and the result follows from them: a line costs 2·digits·ln 10 nats, and no model
    of the text gets below that. Written from its last digit on, a result needs a carry alone at each step.

    Arguments:
        rows: lines.
        digits: of each of the two numbers; the result has one more.

    Source: Lee, Sreenivasan, Lee, Lee & Papailiopoulos 2023
    """
    numbers = np.random.default_rng(seed).integers(0, 10**digits, (rows, 2)).tolist()
    lines = [f"{a:0{digits}}+{b:0{digits}}={f'{a + b:0{digits + 1}}'[::-1]}" for a, b in numbers]
    return Toy(pl.DataFrame({"text": lines}), [])
