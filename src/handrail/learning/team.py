"""Who trains one network together: one process here, several in `training.distributed.processes`."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

from torch import Tensor, nn

from handrail.learning.batch import Batch

Answer = TypeVar("Answer")
Chance = list[Tensor]


class Team:
    """One process, which has nobody to share anything with. What it does here several processes do as one.

    Engine and rules ask their team wherever a step concerns all rows of a batch, or all must come to the same
    decision; else they know nothing of other processes. Every process has to ask the same questions in the
    same order.

    rank: this process among them, from 0. size: how many there are.
    """

    rank = 0
    size = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the one that writes files and speaks."""
        return self.rank == 0

    @property
    def names(self) -> tuple[str | int, ...]:
        """What is added to the name of a seed where each process needs chance of its own; nothing for the
        first.
        """
        return ("process", self.rank) if self.rank else ()

    def check(
        self, rule: str, *, divides: bool, penalties: Sequence[Callable[..., Any]], batch_size: int
    ) -> None:
        """Raises: `RecipeError` for what cannot be divided among processes."""

    def begin(self, model: nn.Module) -> AbstractContextManager[None]:
        """While open, the processes have the same model, and layers that look at a whole batch see all of it."""
        return nullcontext()

    def batches(self, rows: Batch, order: Tensor, size: int) -> Iterator[Batch]:
        """The rows of this order in batches of `size`; of each, the share of this process."""
        gathered = rows.take(order)
        for start in range(0, len(gathered), size):
            yield gathered.cut(start, start + size)

    def backward(self, loss: Tensor, parameters: Sequence[Tensor], model: nn.Module, batch: Batch) -> Tensor:
        """The gradient of the mean loss over the whole batch, in the parameters' `grad`; that loss is
        returned.
        """
        loss.backward()
        return loss

    def stops(self, wish: int) -> bool:
        """Whether to stop within a block of steps, where `wish` is the number of a signal, or 0."""
        return wish != 0

    def agree(self, wish: int, due: bool) -> tuple[int, bool]:
        """The wish, and whether a checkpoint is due, as soon as one of the processes says so."""
        return wish, due

    def from_first(self, work: Callable[[], Answer]) -> Answer:
        """What the first process finds; the others do not look for it."""
        return work()

    def same_buffers(self, model: nn.Module) -> None:
        """What layers have counted by themselves becomes what the first process has counted."""

    def others(self, chance: Chance) -> list[Chance]:
        """The states of chance of all processes but the first, for a checkpoint."""
        return []

    def own_chance(self, first: Chance, others: list[Chance]) -> Chance | None:
        """The state of chance to go on from; nothing where the checkpoint is of another number of processes
        and has none.
        """
        return first

    def disband(self) -> None:
        """The first process goes on alone; for the others the work ends here."""
