"""The rows of an epoch and their order: classes of unequal size, and rows that lie in a file.

In every epoch the blocks of a file are taken in a new random order, and within so many blocks as fit into
memory the rows are shuffled anew: each block is read once, and other rows stand beside each other in a step.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from handrail.data.rows import Rows, count
from handrail.data.streaming.row_file import Streamed
from handrail.data.task import TaskSpec
from handrail.errors import RecipeError


def class_weights(codes: Int[Tensor, " rows"], classes: int) -> Float[Tensor, " rows"]:
    """w = n / (C·n_c) for a row of class c, of C classes that have rows: equal in sum, and 1 in the mean."""
    counts = torch.bincount(codes, minlength=classes)
    return (len(codes) / ((counts > 0).sum() * counts[codes].double())).float()


def balanced_weights(counts: Int[Tensor, " classes"]) -> Float[Tensor, " classes"]:
    """n / (C·n_c): how much a row of each class counts where classes are balanced, in whichever way.

    1 for a class without rows.
    """
    return torch.where(counts > 0, counts.sum() / ((counts > 0).sum() * counts.clamp(min=1).double()), 1.0)


def epoch_order(
    codes: Rows, balance: str, inputs: Rows | None = None, *, in_turn: bool = False
) -> Callable[[torch.Generator], Int[Tensor, " n"]]:
    """How the rows of an epoch are drawn.

    none, class_weights: every row once, in random order, or one after the other (`in_turn`). oversample:
    every class as often as the largest, its rows as equally often as can be. undersample: every class as
    often as the smallest, other rows each epoch.

    Arguments:
        inputs: encoded rows; where they are streamed from a file, rows of a block stay near each other.
    """
    parts = inputs if isinstance(inputs, tuple) else (inputs,)
    streamed = next((part for part in parts if isinstance(part, Streamed)), None)
    if balance in ("none", "class_weights"):
        if streamed is not None:
            return block_order(streamed)
        if in_turn:
            return lambda generator: torch.arange(count(codes))
        return lambda generator: torch.randperm(count(codes), generator=generator)
    assert isinstance(codes, Tensor), "only classes are balanced"
    members = [torch.nonzero(codes == code).flatten() for code in codes.unique()]
    sizes = [len(rows) for rows in members]
    size = max(sizes) if balance == "oversample" else min(sizes)

    def order(generator: torch.Generator) -> Tensor:
        drawn = torch.cat([_repeat(rows, size, generator) for rows in members])
        if streamed is not None:
            return by_blocks(drawn, streamed, generator)
        return drawn[torch.randperm(len(drawn), generator=generator)]

    return order


def _repeat(rows: Tensor, size: int, generator: torch.Generator) -> Tensor:
    rounds = -(-size // len(rows))
    return torch.cat([rows[torch.randperm(len(rows), generator=generator)] for _ in range(rounds)])[:size]


def check_balance(balance: str, task: TaskSpec) -> None:
    """Raises: `RecipeError` where there are no classes to balance."""
    if balance != "none" and not task.is_classification:
        raise RecipeError(
            f"data.balance: '{balance}' has no effect on {task.name}; expected a target with one class a row."
        )


def block_order(rows: Streamed) -> Callable[[torch.Generator], Int[Tensor, " rows"]]:
    """Every row once: blocks in random order, shuffled within as many as are held in memory."""
    size, block, held = len(rows), rows.block, rows.held

    def order(generator: torch.Generator) -> Tensor:
        turn = torch.randperm(-(-size // block), generator=generator)
        places, start = torch.empty(size, dtype=torch.int64), 0
        for blocks in turn.split(held):
            group = (blocks.unsqueeze(1) * block + torch.arange(block)).flatten()
            group = group[group < size]
            places[start : start + len(group)] = group[torch.randperm(len(group), generator=generator)]
            start += len(group)
        return places

    return order


def by_blocks(drawn: Int[Tensor, " n"], rows: Streamed, generator: torch.Generator) -> Int[Tensor, " n"]:
    """Rows that were drawn, some of them perhaps several times, in the order of `block_order`."""
    blocks = -(-len(rows) // rows.block)
    turn = torch.empty(blocks, dtype=torch.int64)
    turn[torch.randperm(blocks, generator=generator)] = torch.arange(blocks)
    mixed = drawn[torch.randperm(len(drawn), generator=generator)]
    return mixed[torch.argsort(turn[mixed // rows.block] // rows.held, stable=True)]
