"""Classes of unequal size: weights for rows, or another number of rows of each class in an epoch."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from handrail.data.rows import Rows, count
from handrail.data.streaming.order import block_order, by_blocks, find_rows_on_disk
from handrail.data.task import TaskSpec
from handrail.errors import RecipeError


def class_weights(codes: Int[Tensor, " rows"], classes: int) -> Float[Tensor, " rows"]:
    """w = n / (C·n_c) for a row of class c, C classes having rows: each weighs the same in all, and the mean
    weight is 1.
    """
    counts = torch.bincount(codes, minlength=classes)
    return (len(codes) / ((counts > 0).sum() * counts[codes].double())).float()


def epoch_order(
    codes: Rows, balance: str, inputs: Rows | None = None
) -> Callable[[torch.Generator], Int[Tensor, " n"]]:
    """How the rows of an epoch are drawn.

    none, class_weights: every row once, in random order. oversample: every class as often as the largest, its
    rows as equally often as can be. undersample: every class as often as the smallest, other rows each epoch.

    Arguments:
        inputs: encoded rows; where they are streamed from a file, rows of a block stay near each other.
    """
    streamed = find_rows_on_disk(inputs)
    if balance in ("none", "class_weights"):
        if streamed is not None:
            return block_order(streamed)
        return lambda generator: torch.randperm(count(codes), generator=generator)
    assert isinstance(codes, Tensor), "only classes are balanced"
    members = [torch.nonzero(codes == code).flatten() for code in codes.unique()]
    sizes = [len(rows) for rows in members]
    wanted = max(sizes) if balance == "oversample" else min(sizes)

    def order(generator: torch.Generator) -> Tensor:
        drawn = torch.cat([_repeat(rows, wanted, generator) for rows in members])
        if streamed is not None:
            return by_blocks(drawn, streamed, generator)
        return drawn[torch.randperm(len(drawn), generator=generator)]

    return order


def _repeat(rows: Tensor, wanted: int, generator: torch.Generator) -> Tensor:
    rounds = -(-wanted // len(rows))
    return torch.cat([rows[torch.randperm(len(rows), generator=generator)] for _ in range(rounds)])[:wanted]


def check_balance(balance: str, task: TaskSpec) -> None:
    """Raises: `RecipeError` where there are no classes to balance."""
    if balance != "none" and not task.is_classification:
        raise RecipeError(
            f"data.balance: '{balance}' has no effect on {task.name}; expected a target with one class a row."
        )
