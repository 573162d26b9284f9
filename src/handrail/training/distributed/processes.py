"""Data-parallel training under torchrun: several processes train one network, each on its share of a batch.

One message a step: gradients, loss and weight form one vector, which is summed over the processes. That is
exact for shares of unequal weight, for layers that thaw, and for optimizers that try several points.
`DistributedDataParallel` expects equal shares and the same layers in every step; for networks of a few
megabytes it sends one message, too.

Source: Li et al. 2020 (PyTorch Distributed)
"""

import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import accumulate, pairwise
from typing import Any, NoReturn

import torch
import torch.distributed as dist
from torch import Tensor, nn

from handrail.errors import HandrailError, RecipeError
from handrail.learning.rule import Answer, Batch, RngState, Team
from handrail.objectives.objective import batch_weight
from handrail.objectives.penalties import wants_activity
from handrail.training.distributed.batch_norm import whole_norms

LOST = "another process of this training has ended, or cannot be reached"
_LONG = 1.0  # seconds: in blocks that take longer, the processes ask for a stop request after every step

_log = logging.getLogger("handrail")


class LostError(HandrailError):
    """The other processes are gone."""

    def __init__(self) -> None:
        super().__init__(f"{LOST}.")


class Processes(Team):
    """The processes of torch's default group; see `handrail.training.distributed.join`."""

    def __init__(self) -> None:
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        self._copies = 1  # how often each row of the batch is counted
        self._slow, self._asked = True, time.monotonic()

    def check(
        self, rule: str, *, divides: bool, penalties: Sequence[Callable[..., Any]], batch_size: int
    ) -> None:
        """Raises: `RecipeError` for rules that cannot be divided and penalties that look at a whole batch."""
        problems = []
        if not divides:
            text = f"{rule} cannot be divided among processes; train with one, without torchrun."
            problems.append(f"learning: {text}")
        for penalty in penalties:
            if wants_activity(penalty):
                name = getattr(getattr(penalty, "func", penalty), "__name__", "a penalty")
                problems.append(
                    f"objective.penalties: {name} looks at a whole batch, of which each of the {self.size} "
                    "processes has a share; leave it out, or train with one process, without torchrun."
                )
        if problems:
            raise RecipeError(problems)
        text = "%d processes divide each batch of %d rows; dropout and other noise are each one's own"
        _log.info(text, self.size, batch_size)
        if batch_size < self.size:
            text = "a batch of %d rows cannot be divided among %d processes: all do the same work"
            _log.warning(text, batch_size, self.size)

    @contextmanager
    def begin(self, model: nn.Module) -> Iterator[None]:
        """Send the first process's weights to all; while open, batch normalisation sees all shares."""
        with torch.no_grad():
            for tensor in model.state_dict().values():
                self._send(tensor)
        with whole_norms(model, self.total, lambda: self._copies):
            yield

    def batches(self, rows: Batch, order: Tensor, size: int) -> Iterator[Batch]:
        """Shares as equal as can be, the longer ones first.

        Of a batch with fewer rows than processes, each has all rows: no share is ever empty.
        """
        whole = order.split(size)
        shares = [
            rows if len(rows) < self.size else rows.tensor_split(self.size)[self.rank] for rows in whole
        ]
        gathered, start = rows.take(torch.cat(shares)), 0
        for share, batch in zip(shares, whole, strict=True):
            self._copies = self.size if len(batch) < self.size else 1
            yield gathered.cut(start, start + len(share))
            start += len(share)

    def backward(self, loss: Tensor, parameters: Sequence[Tensor], model: nn.Module, batch: Batch) -> Tensor:
        """Σₚ Wₚ·∇Jₚ / Σₚ Wₚ over the processes p; Wₚ is the weight of the rows in the share of p.

        Jₚ is the mean over that share plus the penalties, which so count once. A parameter that no process
        uses has no gradient, as in one process.
        """
        weight = batch_weight(model, batch.weights, rows=len(batch))
        (loss * weight).backward()
        used = torch.tensor([float(parameter.grad is not None) for parameter in parameters])
        grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        numbers = torch.stack([loss.detach() * weight, torch.as_tensor(weight).to(loss)])
        flat = torch.cat([*(grad.reshape(-1) for grad in grads), used.to(loss.device), numbers])
        self._sum(flat)
        flat[:-2].div_(flat[-1])
        ends = accumulate((parameter.numel() for parameter in parameters), initial=0)
        slices = zip(parameters, pairwise(ends), strict=True)
        mean = [flat[start:end].view_as(p).to(p.dtype) for p, (start, end) in slices]
        # Asked only where it matters: reading a number waits for the device.
        anybody = used.tolist() if bool(used.all()) else flat[-2 - len(used) : -2].tolist()
        for parameter, grad, share in zip(parameters, mean, anybody, strict=True):
            parameter.grad = grad if share else None
        return flat[-2] / flat[-1]

    def total(self, values: Tensor) -> Tensor:
        """Sums over the processes, through which gradients flow back."""
        return _Total.apply(values, self._sum)  # pyright: ignore[reportReturnType]

    def stops(self, signal: int) -> bool:
        """Asked of all, since one that stops leaves the others waiting; only in slow blocks."""
        return self._slow and self._highest(signal)[0] > 0

    def agree(self, signal: int, due: bool) -> tuple[int, bool]:
        """The highest number of a signal, and whether a checkpoint is due for anybody."""
        slow = time.monotonic() - self._asked > _LONG
        signal, any_due, any_slow = self._highest(signal, due, slow)
        self._slow, self._asked = any_slow > 0, time.monotonic()
        return signal, any_due > 0

    def from_first(self, work: Callable[[], Answer]) -> Answer:
        """Raises: `LostError` where the first process fails; it says why itself."""
        answers: list[Any] = [None]
        try:
            if self.is_first:
                answers = [(work(),)]
        finally:
            self._call(lambda: dist.broadcast_object_list(answers, src=0))
        if answers[0] is None:
            raise LostError
        return answers[0][0]

    def same_buffers(self, model: nn.Module) -> None:
        """Most are equal already; a layer of somebody's own may have counted its share."""
        for buffer in model.buffers():
            self._send(buffer)

    def other_rng_states(self, state: RngState) -> list[RngState]:
        """Gathered from all; only the first has a use for it."""
        states: list[Any] = [None] * self.size
        self._call(lambda: dist.all_gather_object(states, state))
        return states[1:]

    def own_rng_state(self, first: RngState, others: list[RngState]) -> RngState | None:
        """With another number of processes, all but the first begin the epoch with a new random state."""
        if self.is_first:
            return first
        return others[self.rank - 1] if len(others) == self.size - 1 else None

    def disband(self) -> None:
        """All processes but the first end here, with exit code 0."""
        # A process that is done may have left before its last answer arrives; no work is lost.
        with suppress(LostError):
            self._highest(0)
        dist.destroy_process_group()
        if not self.is_first:
            leave(0)

    def _highest(self, *values: int) -> list[int]:
        numbers = torch.tensor(values)
        self._call(lambda: dist.all_reduce(numbers, dist.ReduceOp.MAX))
        return numbers.tolist()

    def _sum(self, values: Tensor) -> None:
        self._call(lambda: dist.all_reduce(values))

    def _send(self, values: Tensor) -> None:
        self._call(lambda: dist.broadcast(values, 0))

    def _call(self, exchange: Callable[[], Any]) -> None:
        try:
            exchange()
        except RuntimeError as error:
            _log.debug("an exchange failed: %s", error)
            raise LostError from error


class _Total(torch.autograd.Function):
    """y = Σₚ xₚ; ∂L/∂xₚ = Σ_q ∂L_q/∂y, L being the sum of all processes' losses."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, add_up: Callable[[Tensor], None]) -> Tensor:
        ctx.add_up = add_up
        summed = values.clone()
        add_up(summed)
        return summed

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        summed = grads[0].clone()
        ctx.add_up(summed)
        return summed, None


def leave(code: int) -> NoReturn:
    """End this process at once: torch's threads, cleared away in turn, may abort one that is done."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)
