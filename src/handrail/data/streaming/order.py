"""In what order rows of a file are trained on: random, and yet so that each block is read once an epoch.

Training rows are written in a random order: each goes by chance into one of many stretches of the file. In
every epoch the blocks are taken in a new random order, and within so many blocks as fit into memory the rows
are shuffled anew. A step sees rows from all of the table, and other rows beside each other in every epoch.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from handrail.data.streaming.row_file import Streamed

_BUCKET = 4096  # rows
_MOST_BUCKETS = 4096  # more would be written in very small pieces


def scatter(rows: np.ndarray, seed: int) -> np.ndarray:
    """The rows in the order in which they are written: put into buckets at random, in their own order in
    each.
    """
    buckets = int(np.clip(-(-len(rows) // _BUCKET), 1, _MOST_BUCKETS))
    drawn = np.random.default_rng([seed, 31]).integers(0, buckets, size=len(rows), dtype=np.uint16)
    return rows[np.argsort(drawn, kind="stable")]


def find_rows_on_disk(inputs: Any) -> Streamed | None:
    """The rows of a file among a network's inputs."""
    parts = inputs if isinstance(inputs, tuple) else (inputs,)
    return next((part for part in parts if isinstance(part, Streamed)), None)


def block_order(rows: Streamed) -> Callable[[torch.Generator], Int[Tensor, " rows"]]:
    """Every row once: blocks in random order, shuffled within as many as are held in memory."""
    size, block, held = len(rows), rows.block, rows.held

    def order(generator: torch.Generator) -> Tensor:
        turn = torch.randperm(-(-size // block), generator=generator)
        found, at = torch.empty(size, dtype=torch.int64), 0
        for some in turn.split(held):
            places = (some.unsqueeze(1) * block + torch.arange(block)).flatten()
            places = places[places < size]
            found[at : at + len(places)] = places[torch.randperm(len(places), generator=generator)]
            at += len(places)
        return found

    return order


def by_blocks(drawn: Int[Tensor, " n"], rows: Streamed, generator: torch.Generator) -> Int[Tensor, " n"]:
    """Rows that were drawn, some of them several times perhaps, in such an order."""
    blocks = -(-len(rows) // rows.block)
    turn = torch.empty(blocks, dtype=torch.int64)
    turn[torch.randperm(blocks, generator=generator)] = torch.arange(blocks)
    mixed = drawn[torch.randperm(len(drawn), generator=generator)]
    return mixed[torch.argsort(turn[mixed // rows.block] // rows.held, stable=True)]
